#!/usr/bin/env python3
"""What must hold whatever the weights are, from a checkpoint to the record of `cull run`.

    order    experts and channels that stand in another order get the same scores, are cut alike, and leave the same model
    odd      experts without output, twins, experts and channels that do nothing: no score that is not a number, and
             nothing is lost where nothing but these goes
    budgets  two stages together never take more than asked for, and a unit less at most
    active   no more runs for a token than a budget of active parameters says, and a unit less at most
    exports  what is exported measures what was recorded

    check_properties.py CULL MODELS [--sample] [PART…]

Exits 77 where numpy or h5py is missing.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call

L, E, D, F = 4, 16, 128, 128  # of tinyworld-mixtral
SAMPLE = "--sample" in sys.argv  # a few texts, and the methods that differ most
EXPERT = "model.layers.{}.block_sparse_moe.experts.{}.w{}.weight"  # w1 gate, w3 up, w2 down
ROUTER = "model.layers.{}.block_sparse_moe.gate.weight"
EXPERIMENT = """
models:      {{ {models} }}
calibrate:   {{ text: {{ files: "{texts}/{calibration}", length: {length}, rows_per_file: 3 }} }}
methods:     {{ {methods} }}
sparsities:  [ {sparsities} ]
allocations: [ {allocations} ]
output:      {{ store: {store} }}
metrics:     [ {{ perplexity: {{ files: "{texts}/{asked}", length: {length}, rows_per_file: {rows} }} }} ]
"""
CRITERIA = {
    "frequency": "frequency", "probability": "{ frequency: { of: gate-probability } }", "gate": "gate",
    "variance": "variance", "mone": "mone", "reap": "reap", "largest": "{ reap: { of: max-abs } }", "ean": "ean",
    "easy-ep": "easy-ep", "aimer": "aimer", "first": "first-choice",
}
UNITS = {
    "novices": "{ criterion: mone, strategy: mone }",
    "gated-novices": "{ criterion: mone, strategy: { mone: { novice: gate-weighted } } }",
    "stun": "{ criterion: similarity, strategy: greedy-latent }",
    "together": "{ criterion: { similarity: { mode: both } }, strategy: greedy-latent }",
    "m-smoe": "{ criterion: logit-similarity, strategy: { merge: { align: products } } }",
    "hc-smoe": "{ criterion: output-distance, strategy: { merge: { groups: average, align: activations } } }",
    "ream": "{ criterion: ream, strategy: { merge: { groups: centroids, usage: reap, capacity: 4, router: drop, "
            "align: both } } }",
    "subsets": "{ criterion: enumeration, strategy: combinatorial }",
    "camera": "{ criterion: camera, strategy: channels }",
    "flap": "{ criterion: flap, strategy: flap }",
    "narrow": "{ criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }",
    "magnitude": "{ criterion: { magnitude: { by: channel } }, strategy: channels }",
    "wanda": "{ criterion: wanda, strategy: unstructured }",
    "gated": "{ criterion: { wanda: { gated: true } }, strategy: unstructured }",
    "sparsegpt": "{ strategy: sparsegpt }",
}


# ---- runs and their records ----


class Run:
    """One experiment on named checkpoints: {(model, method, sparsity): the trial's file}."""

    def __init__(self, cull, work, name, texts, models, methods, sparsities, allocations="layer", heldout=True, store="f32"):
        some = "[fs]*" if SAMPLE else "*"
        as_map = lambda m: ", ".join(f"{k}: {v}" for k, v in m.items())
        path, self.folder = os.path.join(work, f"{name}.yaml"), os.path.join(work, name)
        with open(path, "w") as f:
            f.write(EXPERIMENT.format(
                models=", ".join(f"{n}: {{ hf: {{ path: {p} }} }}" for n, p in models.items()), texts=texts,
                calibration=f"{some}.calibration.txt", length=64 if SAMPLE else 128, rows=2 if heldout else 3,
                asked=f"{some}.{'heldout' if heldout else 'calibration'}.txt",
                store=store, methods=as_map(methods), sparsities=", ".join(map(str, sparsities)), allocations=allocations))
        call(cull, "run", path, "-o", self.folder, "--quiet")
        self.trials = {}
        for trial in glob.glob(f"{self.folder}/trials/*.h5"):
            with h5py.File(trial) as f:
                sparsity = float(f.attrs["sparsity"])
                text = lambda key: f.attrs[key].decode() if isinstance(f.attrs[key], bytes) else str(f.attrs[key])
                self.trials[text("model"), text("method"), None if np.isnan(sparsity) else round(sparsity, 6)] = trial

    def array(self, key, what):
        with h5py.File(self.trials[key]) as f:
            return f[what][()] if what in f else None

    def removed(self, key):
        with h5py.File(self.trials[key]) as f:
            return float(f["cut"].attrs["achieved_expert"])

    def perplexity(self, key):
        with h5py.File(self.trials[key]) as f:
            pooled = [i for i, t in enumerate(f["metrics/task"].asstr()[()]) if t == "pooled"]
            return float(f["metrics/value"][pooled[0]])


# ---- other checkpoints ----



def read(folder):
    """Tensors as the 16 bits of their bfloat16 numbers, which every change here keeps."""
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        start = f.tell()
        out = {}
        for name, t in header.items():
            if name == "__metadata__":
                continue
            assert t["dtype"] == "BF16", name
            f.seek(start + t["data_offsets"][0])
            out[name] = np.frombuffer(f.read(t["data_offsets"][1] - t["data_offsets"][0]),
                                      np.uint16).reshape(t["shape"]).copy()
    return out


def write(folder, tensors, like):
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    header, at = {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for t in tensors.values():
            f.write(t.tobytes())
    return folder


def reordered(tensors, rng):
    """Expert p of a layer is its expert order[p], with its channels in another order."""
    out, orders = dict(tensors), []
    for l in range(L):
        order = rng.permutation(E)
        orders.append(order)
        out[ROUTER.format(l)] = tensors[ROUTER.format(l)][order]
        for p, e in enumerate(order):
            channel = rng.permutation(F)
            for w in (1, 3):
                out[EXPERT.format(l, p, w)] = tensors[EXPERT.format(l, e, w)][channel]
            out[EXPERT.format(l, p, 2)] = np.ascontiguousarray(tensors[EXPERT.format(l, e, 2)][:, channel])
    return out, orders


SILENT, TWIN, UNROUTED = 2, (0, 1), 4  # experts of the odd checkpoint
DEAD, DOUBLE = 5, (6, 7)  # channels of all its experts


def odd(tensors):
    out = {name: t.copy() for name, t in tensors.items()}
    for l in range(L):
        for w in (1, 2, 3):
            out[EXPERT.format(l, TWIN[1], w)] = out[EXPERT.format(l, TWIN[0], w)].copy()
        out[EXPERT.format(l, SILENT, 2)][:] = 0
        out[ROUTER.format(l)][TWIN[1]] = out[ROUTER.format(l)][TWIN[0]]
        out[ROUTER.format(l)][UNROUTED] = 0
        for e in range(E):
            for w in (1, 3):
                m = out[EXPERT.format(l, e, w)]
                m[DEAD], m[DOUBLE[1]] = 0, m[DOUBLE[0]]
            down = out[EXPERT.format(l, e, 2)]
            down[:, DEAD], down[:, DOUBLE[1]] = 0, down[:, DOUBLE[0]]
    return out


# ---- the properties ----


# Of two experts that stand for each other the first stays, both being as near to their mean; SparseGPT goes through the
# columns in their order.
IN_ORDER = ("stun", "together", "sparsegpt")


def check_order(cull, models, texts, work):
    model = os.path.join(models, "tinyworld-mixtral")
    changed, orders = reordered(read(model), np.random.default_rng(5))
    methods = {name: f"{{ criterion: {c}, strategy: lowest }}" for name, c in CRITERIA.items()}
    methods |= {name: method for name, method in UNITS.items() if name not in IN_ORDER}
    run = Run(cull, work, "order", texts,
              {"one": model, "other": write(os.path.join(work, "reordered"), changed, model)}, methods, [0.5])
    wrong = 0
    for method in [None, *methods]:
        one, other = (("one", "dense", None), ("other", "dense", None)) if method is None else (
            ("one", method, 0.5), ("other", method, 0.5))
        off = abs(run.perplexity(other) / run.perplexity(one) - 1)
        scores = [run.array(k, "experts/score") for k in (one, other)]
        kept = [run.array(k, "experts/kept") for k in (one, other)]
        apart, moved, tied = 0, 0, True
        for l in range(L):
            part = kept[0][l][orders[l]] != kept[1][l]
            moved += int(part.sum())
            if scores[0] is not None:
                a, b = scores[0][0, l][orders[l]], scores[1][0, l]
                apart = max(apart, float(np.nanmax(np.abs(a - b)) / np.nanmax(np.abs(a))))
                tied = tied and np.unique(a[part]).size <= 1  # of equals the lower index goes, whichever it is
            else:
                tied = tied and not part.any()
        good = apart <= 1e-4 and (moved == 0 and off <= 1e-4 or moved > 0 and tied)
        wrong += not good
        print(f"  {method or 'dense':14} perplexity {off:.1e}, scores {apart:.1e}, experts that part {moved}"
              f"{' as equals' if moved and tied else ''}{'' if good else '   WRONG'}", flush=True)
    return wrong


def check_odd(cull, models, texts, work):
    model = os.path.join(models, "tinyworld-mixtral")
    changed = {"odd": write(os.path.join(work, "odd-model"), odd(read(model)), model)}
    methods = {name: f"{{ criterion: {c}, strategy: lowest }}" for name, c in CRITERIA.items()} | UNITS
    run = Run(cull, work, "odd", texts, changed, methods, [0.25, 0.5])
    wrong = 0
    for key in sorted(run.trials, key=str):
        scores, value = run.array(key, "experts/score"), run.perplexity(key)
        if not np.isfinite(value) or (scores is not None and not np.isfinite(scores).all()):
            print(f"  {key}: perplexity {value}, scores {scores}   WRONG", flush=True)
            wrong += 1
    # What takes nothing but what does nothing, where it was seen to: on the calibration's own rows. The expert's budget is one of each layer, the channels' one of each
    # expert, the weights' the share of a row that is zero in every matrix.
    nothing = {
        "silent-zero": ("{ criterion: reap, strategy: { lowest: { action: zero } } }", 1 / E),
        "silent-novice": ("{ criterion: ean, strategy: mone }", 1 / E),
        "dead-camera": ("{ criterion: camera, strategy: { channels: { widths: equal } } }", 1 / F),
        "dead-wanda": ("{ criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }", 1 / F),
        "dead-magnitude": ("{ criterion: { magnitude: { by: channel } }, strategy: { channels: { widths: equal } } }",
                           1 / F),
        "dead-flap": ("{ criterion: flap, strategy: { flap: { widths: equal } } }", 1 / F),
        "twins": ("{ criterion: output-distance, strategy: { merge: { groups: average } } }", 1 / E),
    }
    for name, (method, sparsity) in nothing.items():
        one = Run(cull, work, f"odd-{name}", texts, changed, {name: method}, [sparsity], heldout=False)
        key, dense = ("odd", name, round(sparsity, 6)), one.perplexity(("odd", "dense", None))
        off, gone = abs(one.perplexity(key) / dense - 1), one.removed(key)
        kept = D / (3 * D) if "flap" in name else 0  # the output's bias, of the parameters of a channel
        good = off <= 1e-6 and gone >= sparsity * (1 - kept) * 0.98
        wrong += not good
        print(f"  {name:14} {100 * gone:.2f} % gone, perplexity {off:.1e} off{'' if good else '   WRONG'}", flush=True)
    return wrong


FIRST = {"drop": "criterion: reap, strategy: { lowest: { experts: %s } }",
         "novice": "criterion: mone, strategy: { mone: { experts: %s } }",
         "merge": "criterion: logit-similarity, strategy: { merge: { experts: %s } }",
         "channels": "criterion: camera, strategy: { channels: { experts: %s } }"}
SECOND = {"wanda": "criterion: wanda, strategy: unstructured",
          "narrow": "criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } }",
          "sparsegpt": "strategy: sparsegpt"}
LAYERS = ("{ criterion: cosine, strategy: { layer-drop: { experts: 0.25 } } }",
          "{ strategy: { block-drop: { experts: 0.25 } } }")
AFTER = SECOND | {"lowest": "criterion: reap, strategy: lowest", "merge": "criterion: logit-similarity, strategy: merge",
                  "free": "criterion: camera, strategy: channels"}
NOVICE = L * E * D / (L * E * 3 * D * F)  # numbers of constants that are kept, at most


def check_budgets(cull, models, texts, work):
    shares, sparsities = ((0.23,), (0.437, 0.65)) if SAMPLE else ((0.1, 0.23, 0.25), (0.3, 0.437, 0.65, 0.71))
    methods = {f"{a}-{b}-{share}": f"[ {{ {FIRST[a] % share} }}, {{ {SECOND[b]} }} ]"
               for a in FIRST for b in SECOND for share in shares}
    # The stage that names no share may be the first.
    methods |= {f"{b}-{a}-{share}": f"[ {{ {SECOND[b]} }}, {{ {FIRST[a] % share}, recalibrate: true }} ]"
                for a, b in (("drop", "wanda"), ("novice", "wanda"), ("merge", "narrow")) for share in shares}
    # Of layers that are passed over nothing more can go.
    methods |= {f"{kind}-{b}": f"[ {method}, {{ {AFTER[b]} }} ]" for kind, method in zip(("moe", "block"), LAYERS) for b in AFTER}
    ranked = {name: method for name, method in methods.items() if "widths: equal" not in method}
    model = {"m": os.path.join(models, "tinyworld-mixtral")}
    runs = [Run(cull, work, "budgets", texts, model, methods, sparsities),
            Run(cull, work, "ranked", texts, model, ranked, sparsities, "global")]
    wrong, least, most = 0, 0.0, 1.0
    for run, (_, method, sparsity) in [(run, key) for run in runs for key in run.trials if key[2] is not None]:
        short = sparsity - run.removed(("m", method, sparsity))
        # A second stage in whole channels comes within one of each expert; in weights within one of each row.
        # Where experts go last, within one of each layer.
        experts = method.split("-")[0] in SECOND or method.split("-")[1] in ("lowest", "merge")
        unit = (1 / E if experts else 1 / F) + (NOVICE if "novice" in method else 0)
        good = -1e-9 <= short <= unit
        wrong += not good
        least, most = max(least, short), min(most, short)
        if not good:
            print(f"  {method} at {sparsity}: {sparsity - short:.6f} gone   WRONG", flush=True)
    print(f"  {sum(len(run.trials) - 1 for run in runs)} trials take between {100 * most:.4f} and {100 * least:.3f} points less than asked for")
    return wrong


DROP = "{ criterion: reap, strategy: { lowest: { experts: 0.25 } } }"
SOME = "{ criterion: reap, strategy: { lowest: { experts: 0.23 } } }"  # no whole number of a layer's experts
MERGE = "{ criterion: logit-similarity, strategy: { merge: { experts: 0.25 } } }"
NARROW = "{ criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal } } }"
WANDA = "{ criterion: wanda, strategy: unstructured }"
RUNS = {  # a method, and what of it is one unit
    "fewer": ("{ strategy: fixed-k }", "expert"), "narrow": (NARROW, "channel"),
    "flap": ("{ criterion: flap, strategy: { flap: { widths: equal, bias: false } } }", "channel"),
    "biased": ("{ criterion: flap, strategy: { flap: { widths: equal } } }", "channel"),
    "fours": ("{ criterion: camera, strategy: { channels: { widths: equal, multiple: 4 } } }", "channel4"),
    "wanda": (WANDA, "weight"), "sparsegpt": ("{ strategy: sparsegpt }", "weight"),
    "layers": ("{ criterion: cosine, strategy: layer-drop }", "layer"), "blocks": ("{ strategy: block-drop }", "block"),
    "some-narrow": (f"[ {SOME}, {NARROW} ]", "channel"), "some-wanda": (f"[ {SOME}, {WANDA} ]", "weight"),
    "some-layers": (f"[ {SOME}, {{ criterion: cosine, strategy: layer-drop, recalibrate: true }} ]", "layer"),
    "drop-fewer": (f"[ {DROP}, {{ strategy: fixed-k }} ]", "expert"),
    "fewer-drop": (f"[ {{ strategy: fixed-k }}, {DROP} ]", "expert"),
    "merge-fewer": (f"[ {MERGE}, {{ strategy: fixed-k }} ]", "expert"),
    "drop-narrow": (f"[ {DROP}, {NARROW} ]", "channel"), "narrow-drop": (f"[ {NARROW}, {DROP} ]", "channel"),
    "drop-wanda": (f"[ {DROP}, {WANDA} ]", "weight"), "wanda-drop": (f"[ {WANDA}, {DROP} ]", "weight"),
    "wanda-some": (f"[ {WANDA}, {SOME} ]", "weight"), "narrow-some": (f"[ {NARROW}, {SOME} ]", "channel"),
    "wanda-merge": (f"[ {WANDA}, {MERGE} ]", "weight"),
    "layers-drop": (f"[ {{ criterion: cosine, strategy: layer-drop }}, {DROP} ]", "layer"),
    "merge-narrow": (f"[ {MERGE}, {NARROW} ]", "channel"), "between": (f"[ {SOME}, {WANDA}, {DROP} ]", "weight"), "thrice": (f"[ {DROP}, {MERGE}, {NARROW} ]", "channel"),
    "blocks-drop": (f"[ {{ strategy: block-drop }}, {DROP} ]", "block"),
    "drop-blocks": (f"[ {DROP}, {{ strategy: block-drop }} ]", "block"),
}


def check_active(cull, models, texts, work):
    methods = {name: method for name, (method, _) in RUNS.items()}
    wrong = 0
    for model, K, F, E, budgets in (("tinyworld-mixtral", 2, 128, 16, (0.9, 0.8)), ("tinyworld-olmoe", 4, 64, 32, (0.93, 0.85))):
        expert, channel = 3 * D * F, L * K * 3 * D
        beside = sum(t.size for n, t in read(os.path.join(models, model)).items() if ".layers.0." in n and ".experts." not in n)
        units = {"expert": expert, "channel": channel, "channel4": 4 * channel, "weight": L * K * (2 * F + D),
                 "layer": K * expert + E * D, "block": K * expert + beside}
        here, ranked = {"m": os.path.join(models, model)}, [n for n in RUNS if "widths: equal" not in RUNS[n][0]]
        asked = [f"{{ active: {b} }}" for b in budgets]
        runs_of = [(Run(cull, work, f"active-{model}", texts, here, methods, asked), list(RUNS))]
        if not SAMPLE or model == "tinyworld-mixtral":
            runs_of.append((Run(cull, work, f"ranked-{model}", texts, here, {n: methods[n] for n in ranked}, asked, "global"), ranked))
        for run, name, unit in [(run, name, RUNS[name][1]) for run, names in runs_of for name in names]:
            # The smaller sparsity is the larger budget's.
            keys = sorted(k for k in run.trials if k[1] == name)
            keys = keys if len(keys) > 1 else keys * len(budgets)  # as many whole layers for both
            assert len(keys) == len(budgets), keys
            for key, budget in zip(keys, budgets):
                with h5py.File(run.trials[key]) as f:
                    runs, all_of_it = 1 - float(f["cut"].attrs["achieved_active"]), float(f["model"].attrs["params_active"])
                spare = (budget - runs) * all_of_it
                good = -0.5 <= spare < units[unit] + 0.5
                wrong += not good
                print(f"  {model} {name:12} {budget}: {100 * runs:.3f} % run, {spare / units[unit]:.3f} of a unit less"
                      f"{'' if good else '   WRONG'}", flush=True)
    return wrong


def check_exports(cull, models, texts, work):
    methods = {"drop": "{ criterion: reap, strategy: lowest }", "novice": UNITS["novices"], "stun": UNITS["stun"],
               "ream": UNITS["ream"], "m-smoe": UNITS["m-smoe"], "free": UNITS["camera"], "narrow": UNITS["narrow"],
               "wanda": UNITS["wanda"], "sparsegpt": UNITS["sparsegpt"],
               "blocks": "{ strategy: block-drop }", "fewer": "{ strategy: { fixed-k: { k: 1 } } }",
               "staged": f"[ {{ {FIRST['drop'] % 0.25} }}, {{ {SECOND['narrow']}, recalibrate: true }}]"}
    wrong = 0
    for model in ("tinyworld-mixtral",) if SAMPLE else ("tinyworld-mixtral", "tinyworld-olmoe"):
        run = Run(cull, work, f"exports-{model}", texts, {"m": os.path.join(models, model)}, methods, [0.5], store="model")
        for (_, method, sparsity), trial in sorted(run.trials.items(), key=str):
            if method == "dense":
                continue
            out = os.path.join(work, f"exported-{model}-{method}")
            done = subprocess.run([cull, "export", trial, "-o", out, "--verify"], capture_output=True, text=True)
            wrong += done.returncode != 0
            print(f"  {model} {method:10} {'as recorded' if done.returncode == 0 else done.stderr + '   WRONG'}",
                  flush=True)
            shutil.rmtree(out, ignore_errors=True)
    return wrong


def main():
    cull, models, *parts = [a for a in sys.argv[1:] if a != "--sample"]
    known = {"order": check_order, "odd": check_odd, "budgets": check_budgets, "active": check_active, "exports": check_exports}
    models = os.path.abspath(models)
    texts, wrong = os.path.join(models, "tinyworld", "text"), 0
    for part in parts or known:
        print(part, flush=True)
        with tempfile.TemporaryDirectory() as work:
            wrong += known[part](cull, models, texts, work)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
