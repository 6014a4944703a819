#!/usr/bin/env python3
"""Budgets of bytes on checkpoints in FP8 and MXFP4, and where a router has groups or a model a second set of experts:
experts, merges, channels, alone and, where weights can be stored as the model has them, before stages of weights. What
`cull export` writes is within the budget, and with one unit more would not be.

    check_bytes.py CULL [NAME…]

Exits 77 where torch, transformers or h5py is missing.
"""
import glob
import json
import os
import sys
import tempfile

try:
    import h5py
    import torch
    import transformers
    from make_checkpoints import CASES, make
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
from checking import call, text, told

# A case, how it is stored, the run of channels that its blocks allow (0: routed and shared width are one key), and the
# experts that go together
MODELS = {
    "qwen-vl": (dict(fp8=[8, 8]), 0, 1), "oss-mxfp4": (dict(mxfp4=True), 32, 1), "v3-halves": (dict(fp8=[8, 8]), 0, 4),
    "olmoe-bias": ({}, 1, 1), "v3-fused": ({}, 0, 2), "m2-rotary": (dict(fp8=[8, 8]), 8, 1),
    "ernie-vl": ({}, 0, 1),
}
SHARES = (0.93, 0.84, 0.71)
DROP = "{ criterion: frequency, strategy: { lowest: { groups: equal } } }"
MERGE = "{ criterion: logit-similarity, strategy: { merge: { router: drop } } }"
NARROW = "{{ criterion: {{ magnitude: {{ by: channel }} }}, strategy: {{ channels: {{ widths: equal, multiple: {run} }} }} }}"
THEN = "{{ criterion: {by}, strategy: {{ unstructured: {{ experts: {share} }} }} }}"
EXPERIMENT = """
models:     {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:  {{ ids: {{ files: {work}/rows.jsonl }} }}
methods:    {{ {methods} }}
sparsities: [ {budgets} ]
metrics:    [ {{ perplexity: {{ files: {work}/rows.jsonl, documents: ids }} }} ]
"""


def sizes_of(folder):
    """Of what is stored of routed experts and their router, and of all."""
    routed = total = 0
    for path in glob.glob(f"{folder}/*.safetensors"):
        with open(path, "rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        for name, t in header.items():
            if name != "__metadata__" and "golden" not in path:
                n = t["data_offsets"][1] - t["data_offsets"][0]
                total += n  # what stands round a language model, too
                routed += n if ".experts." in name or ".gate." in name or "router" in name else 0
    return routed, total


def methods_of(run, quantised):
    alone = {"drop": DROP} | ({} if quantised else {"merge": MERGE}) | ({"narrow": NARROW.format(run=run)} if run else {})
    behind = [] if quantised else (("wanda", 0.3), ("magnitude", 0.45))
    return alone | {f"{k}-{by}": f"[ {stage}, {THEN.format(by=by, share=share)} ]" for k, stage in alone.items()
                    for by, share in behind}


def check(cull, name, work):
    how, run, together = MODELS[name]
    methods = methods_of(run, "fp8" in how or "mxfp4" in how)
    kind, options, own = CASES[name]
    own = {k: v for k, v in own.items() if k in ("outer", "vision", "rotary_dim")}
    model = f"{work}/model"
    make(model, kind, options, dict(own, **how), len(name))
    ids = torch.randint(3, options.get("vocab_size", 320), (4, 40), generator=torch.Generator().manual_seed(1))
    with open(f"{work}/rows.jsonl", "w") as f:
        f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
    with open(f"{model}/config.json") as f:
        config = json.load(f)
    config = config.get("text_config", config)
    E = next(config[k] for k in ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts") if config.get(k))
    F = config.get("moe_intermediate_size") or config["intermediate_size"]
    routed, total = sizes_of(model)
    budgets = [int(total - (1 - share) * routed) + 5 for share in SHARES]
    with open(f"{work}/e.yaml", "w") as f:
        f.write(EXPERIMENT.format(model=model, work=work, methods=", ".join(f"{k}: {v}" for k, v in methods.items()),
                                  budgets=", ".join(f"{{ bytes: {b} }}" for b in budgets)))
    call(cull, "run", f"{work}/e.yaml", "-o", f"{work}/out", "--quiet")
    wrong = 0
    trials = {}
    for path in glob.glob(f"{work}/out/trials/*.h5"):
        with h5py.File(path) as f:
            trials.setdefault(text(f.attrs["method"]), []).append((float(f.attrs["sparsity"]), path))
    for method in methods:
        found = sorted(trials[method])
        unit = routed * run / F if method.startswith("narrow") else routed * together / E
        for budget in budgets:
            sizes = []
            for i, (sparsity, path) in enumerate(found):
                out = f"{work}/{method}-{i}"
                if not os.path.isdir(out):
                    call(cull, "export", path, "-o", out, "--quiet")
                sizes.append(sizes_of(out)[1])
            fit = [size for size in sizes if size <= budget]  # budgets that come to the same are one trial
            good = fit and max(fit) > budget - unit - 1
            wrong += told(f"{name} {method}", good, f"{max(fit, default=min(sizes))} of {budget} bytes, a unit is {unit:.0f}")
    return wrong


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    cull, *names = sys.argv[1:]
    wrong = 0
    for name in names or MODELS:
        with tempfile.TemporaryDirectory() as work:
            wrong += check(cull, name, work)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
