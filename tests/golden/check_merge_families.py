#!/usr/bin/env python3
"""Strategy merge with settings drawn at random, on checkpoints of several families, beside numpy and scipy in float64
(check_merges.py) on rows that transformers puts through the model: who is merged into whom, every merged matrix, and what
the merged model says of the rows. With propagate: pruned the rows reach a layer through the merged ones before it; with
router: drop the rows of the router and the experts are deleted in transformers' own modules.

    check_merge_families.py CULL [--count N] [--seed N] [--sparsity S] [NAME…]

NAME is one of tests/support/make_checkpoints.py; without one, all of FAMILIES are taken. Exits 77 where numpy, scipy, h5py,
safetensors, torch or transformers is missing.
"""
import argparse
import copy
import glob
import json
import os
import random
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    from check_formulas import ACROSS, LENGTHS, layer_of, numpy_of, without_ties
    from check_merges import EXPERIMENT, TOLERANCE, Usage, compare_layer, decide, method_of
    from check_ream import Cut
    from make_ream import unit
    from transformers import AutoModelForCausalLM
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call, told

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from make_checkpoints import CASES, make, route_of

FAMILIES = ("olmoe-bias", "qwen2-mlp-only", "llama4-two", "gemma-k-is-v", "oss-plain", "v3-halves", "nemotron-latent")
SIGMOID = ("llama4_text", "deepseek_v3", "nemotron_h")
SAMPLED = 4  # sequences of the dense subsample
NLL = 1e-4
CHOICES = {
    "groups": ("centroids", "centroids", "centroids", "dominant", "average", "complete", "single"),
    "usage": ("count", "gate-sum", "mean-gate", "probability", "gate-probability", "reap", "ream"),
    "capacity": (0, 2, 3, 16), "router": ("keep", "drop"),
    "align": ("none", "weights", "activations", "both", "products"), "weighted": (True, True, False),
    "output": ("mean", "tokens"), "gate": (True, False), "propagate": ("dense", "pruned"),
}


# ---- what a layer sees, and how it is merged ----


class Site:
    """A layer's experts and their router, by their names in the model."""

    def __init__(self, net, name):
        self.experts, owner = name, name.rpartition(".")[0]
        self.router = next(f"{owner}.{n}" for n, m in net.get_submodule(owner).named_children() if "outer" in type(m).__name__)
        self.number = int(next(word for word in name.split(".") if word.isdigit()))

    def layer(self, net):
        return layer_of(self.number, net.get_submodule(self.experts))


def sites_of(net):
    return [Site(net, name) for name, m in net.named_modules()
            if type(m).__name__.endswith("Experts") and isinstance(getattr(m, "down_proj", None), torch.nn.Parameter)]


class Watched(Usage):
    """What calibration sees of a layer of the model as it is now."""

    def __init__(self, net, site, rows, sigmoid):
        self.x, self.g, self.index, self.logits = [], [], [], []
        layer, self.sigmoid = site.layer(net), sigmoid
        hooks = [net.get_submodule(site.router).register_forward_hook(self.routed(net.config.get_text_config()))]
        source = site.router if layer.gates_input else site.experts
        hooks.append(net.get_submodule(source).register_forward_pre_hook(self.entered, with_kwargs=True))
        nll_of(net, rows)
        for hook in hooks:
            hook.remove()
        sampled = np.isin(np.arange(len(rows)), [j * len(rows) // SAMPLED for j in range(SAMPLED)])
        self.measure(layer, np.repeat(sampled, [len(row) for row in rows]))

    def routed(self, config):
        def hook(module, args, output):
            logits, g, index = route_of(module, args, output, config)
            self.logits.append(numpy_of(logits)), self.g.append(numpy_of(g)), self.index.append(index.numpy())
        return hook

    def entered(self, _, args, named):
        x = [*args, *named.values()][0]
        self.x.append(numpy_of(x.reshape(-1, x.shape[-1])))

    def measure(self, layer, sampled):
        x, g, index, z = (np.concatenate(part) for part in (self.x, self.g, self.index, self.logits))
        p = 1 / (1 + np.exp(-z)) if self.sigmoid else np.exp(z - z.max(1, keepdims=True))
        p = p if self.sigmoid else p / p.sum(1, keepdims=True)
        E, self.seen, self.tokens, self.z = layer.E, len(x), sampled.sum(), [z]
        self.n, self.reap, self.ream = np.zeros(E), np.zeros(E), np.zeros(E)
        self.of = {"gate-sum": np.zeros(E), "probability": p.sum(0)}
        self.u, means, gated, every = [], [], [], []
        for e in range(E):
            into = x * p[:, e, None] if layer.gates_input else x  # then y has the gate already
            u = layer.channels(e, into)
            y = u @ layer.down[e].T + (0 if layer.down_bias is None else layer.down_bias[e])
            t, k = np.nonzero(index == e)
            once = p[:, e] * 0 + 1 if layer.gates_input else p[:, e]
            norm = np.linalg.norm(y, axis=1)
            self.n[e], self.of["gate-sum"][e] = len(t), g[t, k].sum()
            self.reap[e] = ((1 if layer.gates_input else g[t, k]) * norm[t]).sum()
            self.ream[e] = (p[t, e] * once[t] * norm[t]).sum()
            self.u.append([u[sampled]])
            means.append(y[sampled].sum(0)), gated.append((once[:, None] * y)[sampled].sum(0)), every.append(y[sampled])
        self.outputs, self.gated, every = np.array(means), np.array(gated), unit(np.array(every))
        self.cos = np.einsum("etd,ftd->ef", every, every)


def nll_of(net, rows):
    total = 0.0
    with torch.no_grad():
        for row in rows:
            logits = net(torch.tensor([row]), use_cache=False).logits[0, :-1].double().log_softmax(-1)
            total -= logits.gather(1, torch.tensor(row)[1:, None]).sum().item()
    return total


def put(experts, e, c, merged):
    """Expert e becomes the one that is merged into c."""
    across, split = type(experts).__name__ in ACROSS, type(experts).__name__ == "GptOssExperts"
    turn = lambda w: torch.from_numpy(w.astype(np.float32).T.copy() if across else w.astype(np.float32)).double()
    experts.down_proj.data[e] = turn(merged["w2"])
    if "w1" not in merged:
        experts.up_proj.data[e] = turn(merged["w3"])
        return
    both = np.concatenate([merged["w1"], merged["w3"]])
    both = both.reshape(2, -1, both.shape[1]).transpose(1, 0, 2).reshape(both.shape) if split else both
    experts.gate_up_proj.data[e] = turn(both)
    for name in ("gate_up_proj_bias", "down_proj_bias"):
        if hasattr(experts, name):
            getattr(experts, name).data[e] = getattr(experts, name).data[c]


def delete(module, stay, E):
    """Of a module of E experts all but some."""
    for name, t in list(module.named_parameters()) + list(module.named_buffers()):
        if E in t.shape:
            owner, _, own = name.rpartition(".")
            kept = t.detach().index_select(list(t.shape).index(E), torch.from_numpy(stay))
            holder = module.get_submodule(owner)
            if own in holder._buffers:
                holder._buffers[own] = kept
            else:
                setattr(holder, own, torch.nn.Parameter(kept, requires_grad=False))
    for name in ("num_experts", "n_routed_experts", "out_features"):
        if getattr(module, name, None) == E:
            setattr(module, name, len(stay))


def apply(net, site, head, merged, s):
    experts = net.get_submodule(site.experts)
    for e, c in enumerate(head):
        if c in merged:
            put(experts, e, c, merged[c])
    if s["router"] == "drop":
        for name in (site.experts, site.router):
            delete(net.get_submodule(name), np.unique(head), len(head))


# ---- settings ----


def suits(s, E, stay, n_group):
    """Has everybody room, and are the experts that stay as many in each of the router's groups?"""
    clusters = s["groups"] in ("average", "complete", "single")
    if s["groups"] == "centroids" and 0 < s["capacity"] and stay * s["capacity"] < E:
        return False
    return not (clusters and s["router"] == "drop" and n_group > 1)


def draw(rng, count, E, stay, n_group):
    out = []
    while len(out) < count:
        s = {k: rng.choice(v) for k, v in CHOICES.items()}
        if suits(s, E, stay, n_group) and s not in out:
            out.append(s)
    return out


def stage_of(s):
    return f"[ {method_of(s)[:-2]}, propagate: {s['propagate']} }} ]"


def in_words(s):
    return " ".join(str(v).lower() for v in s.values())


# ---- a family ----


class Family:
    def __init__(self, name, work, seed):
        kind, options, how = CASES[name]
        self.path, self.sigmoid = f"{work}/model", kind in SIGMOID
        make(self.path, kind, options, {k: v for k, v in how.items() if k != "answers"}, seed)
        self.net = AutoModelForCausalLM.from_pretrained(self.path, dtype=torch.float64, experts_implementation="eager").eval()
        rng = np.random.default_rng(seed)
        vocabulary = self.net.config.get_text_config().vocab_size
        self.rows = without_ties(self.net, [rng.integers(3, vocabulary, n).tolist() for n in LENGTHS])
        self.sites = sites_of(self.net)
        self.dense = [Watched(self.net, site, self.rows, self.sigmoid) for site in self.sites]
        self.E = self.sites[0].layer(self.net).E
        self.n_group = getattr(self.net.config.get_text_config(), "n_group", 1) or 1

    def merge(self, s, go):
        """The groups and merged matrices of each layer, and what the merged model's rows cost."""
        net, out = copy.deepcopy(self.net), []
        for site, seen in zip(self.sites, self.dense):
            layer = site.layer(net)
            seen = Watched(net, site, self.rows, self.sigmoid) if s["propagate"] == "pruned" else seen
            L = {w: m for w, m in (("w1", layer.gate), ("w3", layer.up), ("w2", layer.down)) if m is not None}
            out.append(decide(L, seen, s, go, self.n_group))
            apply(net, site, *out[-1], s)
        return out, nll_of(net, self.rows)


def check_family(cull, name, count, seed, sparsity):
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        family = Family(name, work, seed)
        go = int(family.E * sparsity + 1e-9)
        settings = draw(random.Random(seed), count, family.E, family.E - go, family.n_group)
        dead = sum((seen.n == 0).sum() for seen in family.dense)
        print(f"{name}: {len(family.sites)} layers of {family.E} experts, {dead} without tokens, {go} of each go", flush=True)
        with open(f"{work}/rows.jsonl", "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in family.rows)
        with open(f"{work}/e.yaml", "w") as f:
            f.write(EXPERIMENT.format(model=family.path, rows=SAMPLED, sparsity=sparsity,
                                      methods=", ".join(f"c{i}: {stage_of(s)}" for i, s in enumerate(settings))))
        call(cull, "run", f"{work}/e.yaml", "-o", f"{work}/out", "--quiet")
        for i, s in enumerate(settings):
            trial, = glob.glob(f"{work}/out/trials/m-c{i}-s*.h5")
            cut, (layers, nll) = Cut(f"{work}/out", trial), family.merge(s, go)
            off = [compare_layer(cut, site.number, *layer, s) for site, layer in zip(family.sites, layers)]
            with h5py.File(trial) as f:
                said = sum(t["nll"][()].sum() for t in f["eval"].values())
            same = None not in off and max(off) <= TOLERANCE
            found = "other groups" if None in off else f"matrices {max(off):.1e}"
            wrong += told(in_words(s), same and abs(said / nll - 1) <= NLL, f"{found}, nll {abs(said / nll - 1):.1e}")
    return wrong


def main():
    words = argparse.ArgumentParser()
    words.add_argument("cull"), words.add_argument("name", nargs="*", default=FAMILIES)
    words.add_argument("--count", type=int, default=40), words.add_argument("--seed", type=int, default=1)
    words.add_argument("--sparsity", type=float, default=0.4)
    asked = words.parse_intermixed_args()
    torch.set_num_threads(1)  # the models are tiny
    names = asked.name or FAMILIES
    sys.exit(sum(check_family(asked.cull, name, asked.count, asked.seed, asked.sparsity) for name in names) > 0)


if __name__ == "__main__":
    main()
