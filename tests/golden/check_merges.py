#!/usr/bin/env python3
"""Strategy merge with settings and rows that no golden file has, beside numpy and scipy in float64 (methods/make_ream.py's
decoder): who is merged into whom, and every merged matrix.

    check_merges.py CULL MODELS METHODS [--sample] [--sparsity S] [MODEL…]

Exits 77 where numpy, scipy, h5py, safetensors or ml_dtypes is missing.
"""
import argparse
import glob
import json
import os
import sys
import tempfile

try:
    import ml_dtypes
    import numpy as np
    from safetensors import safe_open
    from scipy.cluster.hierarchy import fcluster, linkage
    from check_ream import Cut
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "methods"))
import make_channels
import make_ream
from make_ream import Seen, cdist, linear_sum_assignment, silu, unit

LENGTH, ROWS, COMPONENTS = 97, 7, 64
make_channels.T = make_ream.T = LENGTH
TOLERANCE = 1e-5
EXPERIMENT = """
models:     {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:  {{ ids: {{ files: rows.jsonl, dense_rows: {rows} }} }}
methods:    {{ {methods} }}
sparsities: [ {sparsity} ]
metrics:    [ {{ perplexity: {{ files: rows.jsonl, documents: ids }} }} ]
"""
CENTROIDS = dict(groups="centroids", output="mean", gate=True, weighted=True)
SETTINGS = {  # of criterion and strategy; output and gate are ream's
    "weights": dict(CENTROIDS, usage="reap", capacity=5, router="keep", align="weights"),
    "activations": dict(CENTROIDS, usage="count", capacity=0, router="drop", align="activations", output="tokens"),
    "both": dict(CENTROIDS, usage="gate-sum", capacity=6, router="drop", align="both", weighted=False, gate=False),
    "tokens": dict(CENTROIDS, usage="mean-gate", capacity=4, router="keep", align="none", output="tokens", gate=False),
    "twice": dict(CENTROIDS, usage="ream", capacity=0, router="keep", align="none"),
    "sixteen": dict(CENTROIDS, usage="probability", capacity=16, router="drop", align="weights"),
    "dominant": dict(groups="dominant", usage="count", capacity=16, router="keep", align="both", weighted=True),
    "rare": dict(groups="dominant", usage="gate-probability", capacity=16, router="drop", align="activations", weighted=True),
    "average": dict(groups="average", usage="count", capacity=16, router="keep", align="none", weighted=True),
    "plain": dict(groups="average", usage="reap", capacity=16, router="drop", align="none", weighted=False),
    "complete": dict(groups="complete", usage="gate-sum", capacity=16, router="keep", align="none", weighted=True),
    "single": dict(groups="single", usage="count", capacity=16, router="keep", align="none", weighted=True),
}
SOME = ("both", "rare", "complete")
PARTS = (("w1", "gate"), ("w3", "up"), ("w2", "down"))


class Usage(Seen):
    """What calibration sees of a layer, and how much its experts matter."""

    def __init__(self, m, l):
        super().__init__(m, l, list(range(ROWS)))
        self.of = {name: np.zeros(m.E) for name in ("gate-sum", "probability")}
        self.outputs, self.seen = np.zeros((m.E, m.D)), 0

    def __call__(self, x, z, p, index, g):
        super().__call__(x, z, p, index, g)
        self.seen += len(x)
        self.of["probability"] += p.sum(0)
        for e in range(self.m.E):
            self.of["gate-sum"][e] += g[index == e].sum()
            u = silu(x @ self.L["w1"][e].T) * (x @ self.L["w3"][e].T)
            self.outputs[e] += (u @ self.L["w2"][e].T).sum(0)

    def usage(self, name):
        n = np.maximum(self.n, 1)
        return {"count": self.n, "gate-sum": self.of["gate-sum"], "mean-gate": self.of["gate-sum"] / n,
                "probability": self.of["probability"] / self.seen, "gate-probability": self.of["gate-sum"] / self.seen,
                "reap": self.reap / n, "ream": self.ream / n}[name].astype(float)

    def apart(self, s):
        """The distance of every two experts."""
        if s["groups"] in ("average", "complete", "single"):
            return cdist(self.outputs / self.tokens, self.outputs / self.tokens)
        z = unit(np.concatenate(self.z).T)
        if s["groups"] == "dominant":
            return 1 - (z @ z.T + 1) / 2
        mean = unit(self.gated)
        outputs = ((self.cos / self.tokens if s["output"] == "tokens" else mean @ mean.T) + 1) / 2
        d = cdist(z, z)
        out = 1 - ((outputs + 1 - d / d.max()) / 2 if s["gate"] else outputs)
        np.fill_diagonal(out, 0)
        return out


def weights_of(usage, s):
    """How much each expert counts in a mean: of centroids' groups zeros are the smallest positive one, at most a half."""
    if s["groups"] == "centroids" and (usage > 0).any():
        usage[usage == 0] = min(0.5, usage[usage > 0].min())
    return usage


def leaving(usage, go, s, n_group):
    """The experts that join others, the least of them first; where rows go, as many stay in each of a router's groups."""
    order, size = np.argsort(usage, kind="stable"), len(usage) // n_group
    if n_group == 1 or s["router"] == "keep":
        return order[:go]
    keep = -(-(len(usage) - go) // n_group)
    return np.concatenate([order[order // size == g][:size - keep] for g in range(n_group)])


def heads(usage, d, go, s, n_group=1):
    """(E): the expert that each is merged into."""
    head = np.arange(len(usage))
    if s["groups"] in ("centroids", "dominant"):
        gone = leaving(usage, go, s, n_group)
        stay = np.setdiff1d(head, gone)
        head[gone] = -1
        if s["groups"] == "dominant" or s["capacity"] == 0:
            for e in gone:
                head[e] = stay[np.argmin(d[e][stay])]
        else:
            for c in [c for c in np.argsort(usage, kind="stable")[::-1] if c in stay]:
                near = [e for e in np.argsort(d[c], kind="stable") if head[e] == -1][:s["capacity"] - 1]
                head[near] = c
        return head
    label = fcluster(linkage(d[np.triu_indices(len(d), 1)], s["groups"]), len(d) - go, "maxclust")
    for one in np.unique(label):
        members = np.nonzero(label == one)[0]
        head[members] = members[np.argmax(usage[members])]
    return head


def order_of(L, u, c, e, align):
    """Neuron order[i] of e plays the part of neuron i of c."""
    rows = lambda k: np.concatenate([L[w][k].T if w == "w2" else L[w][k] for w, _ in PARTS if w in L], 1)
    cost = 0.0
    if align == "none" or e == c:
        return np.arange(L["w3"].shape[1])
    if align == "products":
        cost = -rows(c) @ rows(e).T
    if align in ("activations", "both"):
        a, b = (unit(u[k].astype(np.float64).T) for k in (c, e))
        cost = cost + cdist(a, b)
    if align in ("weights", "both"):
        x = unit(np.concatenate([rows(c), rows(e)]))
        U, S, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
        P = unit(U[:, :COMPONENTS] * S[:COMPONENTS] ** 2)
        cost = cost + cdist(P[:len(P) // 2], P[len(P) // 2:])
    return linear_sum_assignment(cost)[1]


def merged_of(L, u, members, c, weight, s):
    share = weight[members] if s["weighted"] and weight[members].sum() > 0 else np.ones(len(members))
    out = {w: 0.0 for w, _ in PARTS if w in L}
    for e, a in zip(members, share / share.sum()):
        order = order_of(L, u, c, e, s["align"])
        for w in out:
            out[w] = out[w] + a * (L[w][e][:, order] if w == "w2" else L[w][e][order])
    return out


def decide(L, seen, s, go, n_group=1):
    """Whom each expert is merged into, and the matrices of those that are made of several."""
    weight = weights_of(seen.usage(s["usage"]), s)
    head = heads(weight, seen.apart(s), go, s, n_group)
    u = [np.concatenate(part) for part in seen.u]
    several = [c for c in np.unique(head) if (head == c).sum() > 1]
    return head, {c: merged_of(L, u, np.nonzero(head == c)[0], c, weight, s) for c in several}


def compare_layer(cut, l, head, merged, s):
    """How far the farthest merged matrix is off; None: other groups."""
    stays = head == np.arange(len(head))
    if ((cut.get_tensor(f"layer.{l}.action") == 0) != stays).any():
        return None
    if s["router"] == "keep" and (cut.get_tensor(f"layer.{l}.target") != head).any():
        return None
    off = 0.0
    for c, want in merged.items():
        for w, part in PARTS:
            if w in want:
                found = cut.get_tensor(f"layer.{l}.expert.{c}.{part}.matrix")
                off = max(off, np.abs(found - want[w]).max() / np.abs(want[w]).max())
    return off


def method_of(s):
    yes = lambda value: str(value).lower()
    criterion = {"centroids": f"{{ ream: {{ output: {s.get('output')}, gate: {yes(s.get('gate'))} }} }}",
                 "dominant": "logit-similarity"}.get(s["groups"], "output-distance")
    own = ", ".join(f"{k}: {yes(s[k])}" for k in ("groups", "usage", "capacity", "router", "align", "weighted"))
    return f"{{ criterion: {criterion}, strategy: {{ merge: {{ {own} }} }} }}"


def check_model(cull, models, methods, name, settings, sparsity):
    model, wrong = os.path.abspath(os.path.join(models, name)), 0
    with safe_open(f"{methods}/{name}/calibration.safetensors", "np") as f:
        ids = f.get_tensor("ids").astype(int)
    ids = ids[4::len(ids) // ROWS][:ROWS, :LENGTH]
    m = make_ream.Cut(model)
    go, h, seen = int(m.E * sparsity + 1e-9), m.embed[ids], []
    for l in range(len(m.layer)):
        seen.append(Usage(m, l))
        h = m.step(l, h, None, seen[l])
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/rows.jsonl", "w") as f:
            f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
        with open(f"{work}/e.yaml", "w") as f:
            f.write(EXPERIMENT.format(model=model, rows=ROWS, sparsity=sparsity,
                                      methods=", ".join(f"{k}: {method_of(SETTINGS[k])}" for k in settings)))
        call(cull, "run", f"{work}/e.yaml", "-o", f"{work}/out", "--quiet")
        for k in settings:
            trial, = glob.glob(f"{work}/out/trials/m-{k}-s{sparsity}*.h5")
            cut = Cut(f"{work}/out", trial)
            off = [compare_layer(cut, l, *decide(m.layer[l], seen[l], SETTINGS[k], go), SETTINGS[k]) for l in range(len(m.layer))]
            good = None not in off and max(off) <= TOLERANCE
            wrong += not good
            told = "other groups" if None in off else f"merged matrices off by {max(off):.1e} at most"
            print(f"  {name} {k:12} {told}{'' if good else '   WRONG'}", flush=True)
    return wrong


def main():
    words = argparse.ArgumentParser()
    words.add_argument("cull"), words.add_argument("models"), words.add_argument("methods")
    words.add_argument("name", nargs="*", default=["tinyworld-mixtral", "tinyworld-olmoe"])
    words.add_argument("--sample", action="store_true"), words.add_argument("--sparsity", type=float, default=0.4)
    asked = words.parse_intermixed_args()
    settings = SOME if asked.sample else SETTINGS
    sys.exit(sum(check_model(asked.cull, asked.models, asked.methods, name, settings, asked.sparsity) for name in asked.name) > 0)


if __name__ == "__main__":
    main()
