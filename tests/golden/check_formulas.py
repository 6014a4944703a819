#!/usr/bin/env python3
"""What criteria yield and what is cut by them in `cull run`, beside numpy in float64 (methods/reference.py) on rows that
transformers puts through the model: random texts of odd lengths, experts of no and of one token, biases, clamps, gates on
the input, two matrices, shared experts. Scores to 1e-5 of a layer's largest, lists exact but for ties.

    check_formulas.py CULL GOLDEN MODELS [--sparsity S] [--seed N] [NAME…]

NAME is a folder of GOLDEN/architectures or of MODELS; without one, all of FAMILIES are taken. Exits 77 where numpy, h5py,
safetensors, torch or transformers is missing.
"""
import argparse
import glob
import json
import os
import re
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM
    from check_ream import Cut
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call, told

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "methods"))
from reference import Layer, camera, scores_of_channels, scores_of_experts, scores_of_weights, z_scores

FAMILIES = ("tinyworld-mixtral", "tinyworld-olmoe", "gpt_oss", "llama4", "qwen2_moe", "deepseek_v3", "nemotron_h", "phimoe",
            "granitemoe", "minimax_m3_vl", "gemma4", "ernie4_5_moe", "lfm2_moe")
ONE_KEY = ("llama4", "deepseek_v3", "ernie4_5_moe")  # routed and shared width in one key: widths cannot be equal
ACROSS = ("GptOssExperts", "Llama4TextExperts")  # x @ W, not W @ x
LENGTHS = (61, 3, 77, 128, 9, 33)
TOLERANCE, TIE = 1e-5, 1e-5
EXPERIMENT = """
models:      {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:   {{ ids: {{ files: rows.jsonl }} }}
methods:     {{ {methods} }}
sparsities:  [ {sparsity} ]
allocations: [ {allocation} ]
metrics:     [ {{ perplexity: {{ files: rows.jsonl, documents: ids }} }} ]
"""
EXPERTS = {  # of reference.py's labels
    "aimer": "aimer", "count": "frequency", "gate-sum": "gate", "mean-gate": "{ gate: { of: mean } }",
    "gate-probability": "{ frequency: { of: gate-probability } }", "variance": "variance", "mone": "mone",
    "mone-paper": "{ mone: { frequency: paper } }", "ean-sum": "ean", "ean-mean": "{ ean: { of: mean } }",
    "ean-square": "{ ean: { of: mean-square } }", "ean-ca": "{ ean: { of: ca } }", "reap": "reap",
    "reap-sum": "{ reap: { of: sum } }", "max-signed": "{ reap: { of: max-signed } }",
    "max-abs": "{ reap: { of: max-abs } }", "max-norm": "{ reap: { of: max-norm } }",
}
CHANNELS = {  # a criterion, a strategy's name, settings, and which scores
    "camera": ("camera", "channels", {}, lambda s: camera(s, 1)),
    "camera-sum": ("{ camera: { r: 0 } }", "channels", {}, lambda s: camera(s, 0)),
    "camera-some": ("{ camera: { r: 0.3 } }", "channels", {}, lambda s: camera(s, 0.3)),
    "flap": ("flap", "flap", {}, lambda s: s["z"]),
    "flap-plain": ("flap", "flap", {"bias": "false"}, lambda s: s["z"]),
    "magnitude": ("{ magnitude: { by: channel } }", "channels", {}, lambda s: s["magnitude"]),
    "wanda": ("{ wanda: { by: channel } }", "channels", {}, lambda s: s["wanda"]),
    "least": ("{ wanda: { by: channel, gated: true } }", "channels", {"least": 3}, lambda s: s["gated"]),
    "fours": ("camera", "channels", {"multiple": 4}, lambda s: camera(s, 1)),
}
WEIGHTS = {"row": "{}", "six": "{ m: 6 }", "eight": "{ m: 8 }", "tensor": "{ group: tensor }", "share": "{ group: share }"}
BY_WEIGHT = {"wanda": "wanda", "gated": "{ wanda: { gated: true } }", "magnitude": "magnitude"}


# ---- a model's rows, by transformers ----


def numpy_of(t):
    return t.detach().to(torch.float64).numpy()


def activation(module):
    """The name of a module's class; some have a plain function."""
    act = getattr(module, "act_fn", None) or module.activation_fn
    return "SiLUActivation" if act is torch.nn.functional.silu else type(act).__name__


def layer_of(number, module):
    kind = type(module).__name__
    across = kind in ACROSS
    of = lambda name: numpy_of(getattr(module, name)) if hasattr(module, name) else None
    turn = lambda w: w.transpose(0, 2, 1) if across else w
    down = turn(of("down_proj"))
    act = float(module.limit) if hasattr(module, "limit") else activation(module)
    if not hasattr(module, "gate_up_proj"):
        return Layer(number, None, of("up_proj"), down, act)
    both, bias, F = turn(of("gate_up_proj")), of("gate_up_proj_bias"), down.shape[2]
    gate, up = (np.s_[:, ::2], np.s_[:, 1::2]) if kind == "GptOssExperts" else (np.s_[:, :F], np.s_[:, F:])
    biases = (None if bias is None else bias[gate], None if bias is None else bias[up], of("down_proj_bias"))
    return Layer(number, both[gate], both[up], down, act, biases, kind == "Llama4TextExperts")


def watch(net, name, module, layer):
    """Shows layer what its experts see."""
    flat = lambda t: t.reshape(-1, t.shape[-1])
    # Families whose outputs are scaled when they are summed
    owner = net.get_submodule(name.rpartition(".")[0])
    scale = owner.routed_scaling_factor if type(owner).__name__ == "MiniMaxM3VLSparseMoeBlock" else 1.0

    def routed(_, args, named):
        x, index, g = [*args, *named.values()][:3]
        index, g = (g, index) if index.is_floating_point() else (index, g)
        layer.see(numpy_of(flat(x)), flat(index).numpy(), scale * numpy_of(flat(g)))

    def by_router(router, args, out):
        g, index = out[0].topk(router.top_k, -1)
        layer.see(numpy_of(flat(args[0])), index.numpy(), numpy_of(g))

    if layer.gates_input:
        owner.router.register_forward_hook(by_router)
    else:
        module.register_forward_pre_hook(routed, with_kwargs=True)


def watch_side(net, name, module):
    """A shared expert, or a dense layer, as a layer of one expert that serves every token."""
    weight = lambda part: numpy_of(getattr(module, part).weight)[None]
    layer = Layer(int(next(w for w in name.split(".") if w.isdigit())), weight("gate_proj"), weight("up_proj"),
                  weight("down_proj"), activation(module))
    shared = "shared_expert" in name.rpartition(".")[2]
    gate = getattr(net.get_submodule(name.rpartition(".")[0]), "shared_expert_gate", None) if shared else None

    def seen(_, args):
        x = args[0].reshape(-1, args[0].shape[-1])
        g = torch.sigmoid(gate(x)) if gate is not None else torch.ones(len(x), 1)
        layer.see(numpy_of(x), np.zeros((len(x), 1), int), numpy_of(g))

    module.register_forward_pre_hook(seen)
    return layer


def without_ties(net, rows):
    """Rows whose tokens no router picks by less than TIE, which float32 cannot promise to tell."""
    nearest = [np.inf]

    def seen(router, _, out):
        logits = out[0] if isinstance(out, tuple) else out
        if torch.is_tensor(logits) and logits.dim() == 2 and logits.shape[1] > router.top_k:
            ranked = logits.sort(-1, descending=True).values
            nearest[0] = min(nearest[0], (ranked[:, router.top_k - 1] - ranked[:, router.top_k]).min().item())

    hooks = [m.register_forward_hook(seen) for m in net.modules() if "Router" in type(m).__name__ and hasattr(m, "top_k")]
    kept = []
    with torch.no_grad():
        for row in rows:
            nearest[0] = np.inf
            net(torch.tensor([row]))
            kept += [row] if nearest[0] > TIE else []
    for hook in hooks:
        hook.remove()
    return kept


def layers_of(path, rows):
    """The experts of each layer, the shared and dense parts, and the rows that were taken."""
    net = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64, experts_implementation="eager").eval()
    rows = without_ties(net, rows)
    layers, sides = [], []
    for name, module in net.named_modules():
        if all(isinstance(getattr(module, p, None), torch.nn.Linear) for p in ("gate_proj", "up_proj", "down_proj")):
            sides.append(watch_side(net, name, module))
        elif type(module).__name__.endswith("Experts") and isinstance(getattr(module, "down_proj", None), torch.nn.Parameter):
            layers.append(layer_of(int(next(w for w in name.split(".") if w.isdigit())), module))
            watch(net, name, module, layers[-1])
    with torch.no_grad():
        for row in rows:
            net(torch.tensor([row]))
    for side in sides:  # what runs beside experts is shared, whatever its name
        side.part = "shared_down" if any(layer.number == side.number for layer in layers) else "dense_down"
    return layers, sides, rows


# ---- a run ----


class Run:
    """methods: {name: YAML}. trial[name]: its file."""

    def __init__(self, cull, model, rows, methods, sparsity, allocation, work):
        with open(f"{work}/rows.jsonl", "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)
        with open(f"{work}/e.yaml", "w") as f:
            f.write(EXPERIMENT.format(model=model, sparsity=sparsity, allocation=allocation,
                                      methods=", ".join(f"{k}: {v}" for k, v in methods.items())))
        self.folder = f"{work}/out"
        call(cull, "run", f"{work}/e.yaml", "-o", self.folder, "--quiet")
        self.trial = {}
        for trial in glob.glob(f"{self.folder}/trials/*.h5"):
            with h5py.File(trial) as f:
                name, shape = f.attrs["method"], str(f.attrs["allocation"])
            if shape in ("", allocation):
                self.trial[name if isinstance(name, str) else name.decode()] = trial

    def cut(self, name):
        return Cut(self.folder, self.trial[name])


def apart(gone, kept):
    """By how much the largest of what went is above the least of what stayed, of the largest there is."""
    if not gone.size or not kept.size or not np.isfinite(gone.max()):
        return 0.0
    largest = max(np.abs(a[np.isfinite(a)]).max(initial=0) for a in (gone, kept))
    return max(0.0, gone.max() - kept.min()) / largest if largest > 0 else 0.0


# ---- experts ----


def check_experts(cull, model, rows, layers, sparsity):
    methods = {k: f"{{ criterion: {c}, strategy: {{ lowest: {{ action: novice }} }} }}" for k, c in EXPERTS.items()}
    want = [scores_of_experts(layer) for layer in layers]
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        run = Run(cull, model, rows, methods, sparsity, "layer", work)
        for name in EXPERTS:
            with h5py.File(run.trial[name]) as f:
                scores, kept, number = f["experts/score"][0], f["experts/kept"][()], f["experts/layer"][()].tolist()
            assert number == [layer.number for layer in layers]
            off = max(np.abs(got[:layer.E] - w[name]).max() / np.abs(w[name]).max()
                      for got, layer, w in zip(scores, layers, want))
            out = max(apart(w[name][k[:layer.E] == 0], w[name][k[:layer.E] == 1]) for k, layer, w in zip(kept, layers, want))
            counts = all((k[:layer.E] == 0).sum() == int(layer.E * sparsity + 1e-9) for k, layer in zip(kept, layers))
            wrong += told(name, off <= TOLERANCE and out <= TOLERANCE and counts, f"scores {off:.1e}, list {out:.1e}")
    return wrong


def check_super(cull, model, rows, layers, sparsity):
    """Super experts, found by their largest outputs in the first three quarters of the layers, stay whatever they score."""
    largest = [scores_of_experts(layer)["max-signed"] for layer in layers]
    every = np.concatenate(largest)
    bound = max(np.quantile(every, 0.995), every.max() / 10)
    first = list(zip(layers, largest))[:len(layers) * 3 // 4]
    want = {(layer.number, e) for layer, of in first for e in np.flatnonzero(of > bound).tolist()}
    method = "{ criterion: random, strategy: { lowest: { action: zero } }, keep: super }"
    with tempfile.TemporaryDirectory() as work:
        run = Run(cull, model, rows, {"super": method}, sparsity, "layer", work)
        with open(f"{run.folder}/log.jsonl") as f:
            said = next(line for line in f if "kept super experts" in line)
        with h5py.File(run.trial["super"]) as f:
            kept = f["experts/kept"][()]
    found = {tuple(map(int, pair.split("/"))) for pair in re.findall(r" (\d+/\d+)", said)}
    stay = all(k[e] for layer, k in zip(layers, kept) for number, e in want if number == layer.number)
    counts = all((k[:layer.E] == 0).sum() == int(layer.E * sparsity + 1e-9) for k, layer in zip(kept, layers))
    return told("keep: super", found == want and stay and counts, f"{len(found)} of {every.size} experts")


# ---- channels ----


def kept_channels(cut, layer):
    kept = np.ones((layer.E, layer.F), bool)
    for e in range(layer.E):
        name = f"layer.{layer.number}.expert.{e}.down.channels"
        if name in cut.keys():
            kept[e] = np.unpackbits(cut.get_tensor(name).ravel(), count=layer.F, bitorder="little")
    return kept


def params_of(layer):
    """Of an expert, and of a channel."""
    own = len(layer.matrices()) * (layer.up.shape[2] if layer.gate is None else layer.D)
    biases = sum(b is not None for b in (layer.gate_bias, layer.up_bias))
    one = own + biases
    return layer.F * one + (layer.D if layer.down_bias is not None else 0), one


def groups_of(layers, scores, kept, settings, shape, least):
    """Those that compete: [(scores, kept)], runs summed, without experts that have no more to give."""
    each = []
    for layer, s, k in zip(layers, scores, kept):
        m = settings.get("multiple", 1)
        runs = k.reshape(layer.E, -1, m)
        assert (runs.all(2) == runs.any(2)).all(), "a run is split"
        s, k = s.reshape(layer.E, -1, m).sum(2), runs[..., 0]
        bound = (k.sum(1) - 1) * m < least
        each.append([(s[e], k[e] if shape == "equal" or not bound[e] else np.where(k[e], -1, 0)) for e in range(layer.E)])
    if shape == "equal":
        return [pair for pairs in each for pair in pairs]
    joined = [tuple(np.concatenate(part) for part in zip(*pairs)) for pairs in each]
    return joined if shape == "layer" else [tuple(np.concatenate(part) for part in zip(*joined))]


def check_budget(layers, kept, scores, biased, shape, multiple, sparsity):
    """Parameters that go are within the budget, and with one unit more they would not be."""
    taken, all_of, unit = [], [], []
    for layer, k, s in zip(layers, kept, scores):
        expert, one = params_of(layer)
        lost = (~k).any(1) & (s["n"] > 0)
        taken.append((~k).sum() * one - (layer.D * lost.sum() if biased else 0))
        all_of.append(expert * layer.E)
        # a unit of the first of an expert's channels brings its constant
        unit.append(one * multiple * (layer.E if shape == "equal" else 1))
    if shape == "global":
        taken, all_of, unit = [sum(taken)], [sum(all_of)], [max(unit)]
    return all(t <= sparsity * a + 1e-6 < t + u + 1e-6 for t, a, u in zip(taken, all_of, unit))


def bias_off(cut, layers, kept, scores):
    off = 0.0
    for layer, k, s in zip(layers, kept, scores):
        for e in range(layer.E):
            want = layer.down[e] @ (~k[e] * s["mean"][e])
            name = f"layer.{layer.number}.expert.{e}.down.bias"
            have = cut.get_tensor(name).ravel().astype(float) if name in cut.keys() else np.zeros(layer.D)
            off = max(off, np.abs(have - want).max() / max(np.abs(want).max(), 1e-30) if want.any() else np.abs(have).max())
    return off


def check_channels(cull, model, rows, layers, sparsity, narrow):
    scores = [scores_of_channels(layer) for layer in layers]
    for s, z in zip(scores, z_scores([s["variation"] for s in scores], [s["n"] for s in scores])):
        s["z"] = z
    wrong = 0
    for shape in ("layer", "global", "equal") if narrow else ("layer", "global"):
        settings = {name: dict(own, **({"widths": "equal"} if shape == "equal" else {}))
                    for name, (_, _, own, _) in CHANNELS.items()}
        as_map = lambda own: ", ".join(f"{k}: {v}" for k, v in own.items())
        methods = {name: f"{{ criterion: {c}, strategy: {{ {strategy}: {{ {as_map(settings[name])} }} }} }}"
                   for name, (c, strategy, _, _) in CHANNELS.items()}
        with tempfile.TemporaryDirectory() as work:
            run = Run(cull, model, rows, methods, sparsity, "global" if shape == "global" else "layer", work)
            for name, (_, strategy, _, which) in CHANNELS.items():
                cut, own = run.cut(name), settings[name]
                kept = [kept_channels(cut, layer) for layer in layers]
                least = own.get("least", 0)
                out = max(apart(s[k == 0], s[k == 1]) for s, k in
                          groups_of(layers, [which(s) for s in scores], kept, own, shape, least))
                biased = strategy == "flap" and own.get("bias") != "false"
                off = bias_off(cut, layers, kept, scores) if biased else 0.0
                good = out <= TOLERANCE and off <= TOLERANCE and all((k.sum(1) >= least).all() for k in kept)
                good = good and check_budget(layers, kept, scores, biased, shape, own.get("multiple", 1), sparsity)
                wrong += told(f"{name} {shape}", good, f"list {out:.1e}" + (f", biases {off:.1e}" if biased else ""))
    return wrong


# ---- channels of shared and dense parts ----


def kept_of_side(cut, side):
    name = f"layer.{side.number}.{side.part}.channels"
    bits = cut.get_tensor(name).ravel() if name in cut.keys() else np.full((side.F + 7) // 8, 255, np.uint8)
    return np.unpackbits(bits, count=side.F, bitorder="little").astype(bool)[None]


def check_sides(cull, model, rows, layers, sides, sparsity):
    modules = layers + sides
    scores = [scores_of_channels(m) for m in modules]
    for s, z in zip(scores, z_scores([s["variation"] for s in scores], [s["n"] for s in scores])):
        s["z"] = z
    names = [name for name, (_, _, own, _) in CHANNELS.items() if not own or "bias" in own]
    own = {name: ", ".join(["shared: true, dense: true"] + [f"{k}: {v}" for k, v in CHANNELS[name][2].items()]) for name in names}
    methods = {name: f"{{ criterion: {CHANNELS[name][0]}, strategy: {{ {CHANNELS[name][1]}: {{ {own[name]} }} }} }}"
               for name in names}
    wrong = 0
    for scope in ("layer", "global"):
        with tempfile.TemporaryDirectory() as work:
            run = Run(cull, model, rows, methods, sparsity, scope, work)
            for name in names:
                cut, which = run.cut(name), CHANNELS[name][3]
                kept = [kept_channels(cut, m) for m in layers] + [kept_of_side(cut, m) for m in sides]
                biased = name == "flap"
                out, met = 0.0, True
                for number in sorted({m.number for m in modules}) if scope == "layer" else [None]:
                    here = [i for i, m in enumerate(modules) if number in (None, m.number)]
                    s, k = (np.concatenate([a[i].ravel() for i in here]) for a in ([which(s) for s in scores], kept))
                    out = max(out, apart(s[~k], s[k]))
                    taken = sum((~kept[i]).sum() * params_of(modules[i])[1] for i in here)
                    taken -= sum(modules[i].D * ((~kept[i]).any(1) & (scores[i]["n"] > 0)).sum() for i in here) if biased else 0
                    budget = sparsity * sum(params_of(modules[i])[0] * modules[i].E for i in here)
                    met = met and taken <= budget + 1e-6 < taken + max(params_of(modules[i])[1] for i in here) + 2e-6
                wrong += told(f"{name} {scope}, all parts", out <= TOLERANCE and met, f"list {out:.1e}{'' if met else ', budget'}")
    return wrong


# ---- weights ----


def kept_weights(cut, name, shape):
    if name not in cut.keys():
        return np.ones(shape, bool)
    t = cut.get_tensor(name)
    return t if t.dtype == bool else np.unpackbits(t, axis=1, count=shape[1], bitorder="little").astype(bool)


def share_of_row(s):
    """The share of its row's scores that a weight and all smaller ones make up."""
    order = np.argsort(s, 1, kind="stable")
    out = np.empty_like(s)
    np.put_along_axis(out, order, np.cumsum(np.take_along_axis(s, order, 1), 1) / s.sum(1, keepdims=True), 1)
    return out


def compare_matrix(s, kept, group, sparsity):
    """How far apart, and whether each group lost its number."""
    if group in ("tensor", "share"):
        pairs = [((share_of_row(s) if group == "share" else s).ravel(), kept.ravel())]
    else:
        n = {"row": s.shape[1], "six": 6, "eight": 8}[group]
        pairs = [(a[i:i + n], k[i:i + n]) for a, k in zip(s, kept) for i in range(0, s.shape[1], n)]
    counts = all((~k).sum() == int(len(k) * sparsity + 1e-9) for _, k in pairs)
    return max(apart(a[~k], a[k]) for a, k in pairs), counts


def check_weights(cull, model, rows, layers, sparsity):
    methods = {f"{by}-{group}": f"{{ criterion: {c}, strategy: {{ unstructured: {own} }} }}"
               for by, c in BY_WEIGHT.items() for group, own in WEIGHTS.items()}
    sizes = lambda layer: [{p: np.abs(getattr(layer, p)[e]) for p in ("gate", "up", "down") if getattr(layer, p) is not None}
                           for e in range(layer.E)]
    scores = {"wanda": [scores_of_weights(layer, False) for layer in layers],
              "gated": [scores_of_weights(layer, True) for layer in layers], "magnitude": [sizes(layer) for layer in layers]}
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        run = Run(cull, model, rows, methods, sparsity, "layer", work)
        for name in methods:
            by, _, group = name.partition("-")
            cut, out, counts = run.cut(name), 0.0, True
            for layer, experts in zip(layers, scores[by]):
                for e, parts in enumerate(experts):
                    for part, s in parts.items():
                        kept = kept_weights(cut, f"layer.{layer.number}.expert.{e}.{part}.mask", s.shape)
                        off, exact = compare_matrix(s, kept, group, sparsity)
                        out, counts = max(out, off), counts and exact
            wrong += told(name, out <= TOLERANCE and counts, f"masks {out:.1e}{'' if counts else ', other numbers'}")
    return wrong


# ---- all of it ----


def path_of(golden, models, name):
    here = os.path.join(golden, "architectures", name)
    return os.path.abspath(here if os.path.isdir(here) else os.path.join(models, name))


def main():
    words = argparse.ArgumentParser()
    words.add_argument("cull"), words.add_argument("golden"), words.add_argument("models"), words.add_argument("name", nargs="*")
    words.add_argument("--sparsity", type=float, default=0.37), words.add_argument("--seed", type=int, default=3)
    asked = words.parse_intermixed_args()
    wrong = 0
    for name in asked.name or FAMILIES:
        model = path_of(asked.golden, asked.models, name)
        with open(os.path.join(model, "config.json")) as f:
            config = json.load(f)
        vocabulary = config.get("text_config", config)["vocab_size"]
        rng = np.random.default_rng(asked.seed)
        rows = [rng.integers(0, vocabulary, n).tolist() for n in LENGTHS]
        layers, sides, rows = layers_of(model, rows)
        seen = [(layer.index == e).sum() for layer in layers for e in range(layer.E)]
        narrow = name not in ONE_KEY
        print(f"{name}: {len(layers)} layers, {seen.count(0)} experts without tokens, {seen.count(1)} of one", flush=True)
        wrong += check_experts(asked.cull, model, rows, layers, asked.sparsity)
        wrong += check_super(asked.cull, model, rows, layers, asked.sparsity)
        wrong += check_channels(asked.cull, model, rows, layers, asked.sparsity, narrow)
        if sides:
            wrong += check_sides(asked.cull, model, rows, layers, sides, asked.sparsity)
        wrong += check_weights(asked.cull, model, rows, layers, asked.sparsity)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
