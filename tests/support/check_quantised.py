#!/usr/bin/env python3
"""Checkpoints in FP8 (blocks of 8 × 8; one expert a tensor, or all in one) and MXFP4, of every family, cut by every kind
of action and exported: what `cull export --dequantise` writes evaluates to what the trial recorded, in Cull and, as it
loads by itself, in transformers; where weights were only masked, what is kept has the values that it had; and what
needs no dequantising evaluates alike without it, or is refused with the reason.

    check_quantised.py CULL [NAME…]

Exits 77 where torch, transformers or h5py is missing.
"""
import csv
import glob
import io
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import h5py
    import torch
    import transformers
    from make_checkpoints import CASES, class_of, make
    from safetensors.torch import load_file
    from stored_forms import dequantise_fp8
    from transformers import AutoConfig
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

TOLERANCE = 1e-4  # relative, of perplexities
BLOCK = [8, 8]
LENGTH, ROWS = 24, 4
METHODS = """
  masked: { criterion: wanda, strategy: unstructured }
  semi: { criterion: magnitude, strategy: { unstructured: { m: 4 } } }
  rewritten: { strategy: sparsegpt }
  dropped: { criterion: frequency, strategy: { lowest: { groups: equal } } }
  zeroed: { criterion: reap, strategy: { lowest: { action: zero } } }
  novices: { criterion: mone, strategy: mone }
  merged: { criterion: logit-similarity, strategy: merge }
  fewer: { criterion: logit-similarity, strategy: { merge: { router: drop } } }
  narrow: { criterion: { wanda: { by: channel } }, strategy: { channels: { widths: equal, multiple: {multiple} } } }
  ragged: { criterion: { wanda: { by: channel } }, strategy: channels }
  staged:
    - { criterion: frequency, strategy: { lowest: { experts: 0.25, groups: equal } } }
    - { criterion: wanda, strategy: unstructured, recalibrate: true }
"""
EXPERIMENT = """
models:     {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:  {{ ids: {{ files: {work}/calibration.jsonl }} }}
methods:
{methods}
sparsities: 0.5
allocations: layer
metrics:
  - perplexity: {{ files: {work}/heldout.jsonl, documents: ids }}
"""
MASKED = ("masked", "semi")  # where every kept weight is one of the model's
# How an export says that it cannot be.
REFUSALS = ("only be stored dequantised", "cannot be exported", "only dequantised", "blocks of", "lacks", "lower k", "belongs to no part")


def ids_file(path, size, seed):
    ids = torch.randint(3, size, (ROWS, LENGTH), generator=torch.Generator().manual_seed(seed))
    with open(path, "w") as f:
        f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
    return ids


def cases():
    """The first case of every family, with one expert a tensor and, where there is such a form, all in one."""
    seen, out = set(), {}
    for name, (kind, options, how) in CASES.items():
        if kind == "arctic" or any(word in how for word in ("keep", "bare", "whole", "mxfp4", "mtp", "without")):
            continue
        form = "fused" if how.get("fused") else "each"
        if (kind, form) in seen:
            continue
        seen.add((kind, form))
        how = {k: v for k, v in how.items() if k in ("fused", "outer", "vision", "rotary_dim")}
        out[f"{kind}-{form}"] = kind, options, dict(how, fp8=BLOCK)
    out["gpt_oss-mxfp4"] = "gpt_oss", dict(CASES["oss-mxfp4"][1], hidden_size=64, intermediate_size=96), dict(mxfp4=True)
    return out


def perplexity(cull, model, work):
    out = os.path.join(work, "evaluated")
    done = subprocess.run([cull, "eval", model, "--metric", f"perplexity: {{ files: {work}/heldout.jsonl, documents: ids }}",
                           "-o", out], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    table = subprocess.run([cull, "compare", out, "--format", "csv"], capture_output=True, text=True, check=True).stdout
    subprocess.run(["rm", "-r", out], check=True)
    return float(next(csv.DictReader(io.StringIO(table)))["value"])


def in_transformers(folder, ids):
    """The perplexity of the rows, each fed alone, of what from_pretrained makes of a folder that is told nothing
    more: in the types that it names, from which there is no way back."""
    config = AutoConfig.from_pretrained(folder)
    model = class_of(config).from_pretrained(folder, attn_implementation="eager").float().eval()
    if hasattr(model, "language_model") and hasattr(model.language_model, "lm_head"):
        model = model.language_model
    with torch.no_grad():
        logits = torch.cat([model(row[None], use_cache=False).logits[:, :-1].float() for row in ids])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).exp().item()


def tensors_of(folder):
    out = {}
    for file in glob.glob(os.path.join(folder, "*.safetensors")):
        out.update(load_file(file))
    return out


def kept_weights(model, out):
    """Kept weights that are not the model's, of how many. Matrices of MXFP4 are another's, and left out."""
    was, now = dequantise_fp8(tensors_of(model), BLOCK), tensors_of(out)
    changed = n = 0
    for name, t in now.items():
        if name in was and was[name].shape == t.shape:
            kept = t != 0
            n += int(kept.sum())
            changed += int((was[name].float() != t.float())[kept].sum())
    return changed, n


def check_export(cull, name, method, trial, recorded, model, ids, work, dequantise):
    out = os.path.join(work, "out")
    subprocess.run(["rm", "-rf", out], check=True)
    done = subprocess.run([cull, "export", trial, "-o", out] + ["--dequantise"] * dequantise, capture_output=True, text=True)
    label = f"{name:24} {method:10} {'dequantised' if dequantise else 'as stored':11}"
    if done.returncode:
        good = done.returncode == 3 and any(words in done.stderr for words in REFUSALS)
        good &= not (dequantise and method in MASKED) or "belongs to no part" in done.stderr
        print(f"{label} {'refused' if good else 'FAILS'}: {done.stderr.splitlines()[-1][-140:]}", flush=True)
        return good
    difference = abs(perplexity(cull, out, work) / recorded - 1)
    good, more = difference <= TOLERANCE, ""
    if dequantise and method in MASKED:
        changed, n = kept_weights(model, out)
        other = abs(in_transformers(out, ids) / recorded - 1)
        good &= changed == 0 and n > 0 and other <= TOLERANCE
        more = f"; {changed} of {n} kept weights differ; transformers by {other:.1e}"
    print(f"{label} {'' if good else 'WRONG '}{difference:.1e}{more}", flush=True)
    return good


def prune(cull, name, model, results, multiple, work):
    """A trial a method; without those that Cull says the family has no room for."""
    methods = METHODS.replace("{multiple}", multiple)
    while True:
        with open(os.path.join(work, "e.yaml"), "w") as f:
            f.write(EXPERIMENT.format(model=model, work=work, methods=methods))
        done = subprocess.run([cull, "run", os.path.join(work, "e.yaml"), "-o", results, "--quiet"], capture_output=True,
                              text=True)
        no_room = re.search(r'error: method "(narrow|dropped|staged)" on model.*', done.stderr)
        if done.returncode != 2 or not no_room:
            break
        print(f"{name:24} {no_room[1]:10} {no_room[0][-150:]}", flush=True)
        methods = re.sub(rf"  {no_room[1]}:.*\n(    - .*\n)*", "", methods)
    if done.returncode:
        print(f"{name:24} run ends with {done.returncode}: {done.stderr}", flush=True)
    return done.returncode == 0


def check(cull, name, kind, options, how, work):
    model, results = os.path.join(work, "model"), os.path.join(work, "results")
    make(model, kind, options, how, len(name))
    os.remove(os.path.join(model, "golden.safetensors"))
    size = options.get("vocab_size", 320)
    ids_file(os.path.join(work, "calibration.jsonl"), size, 1)
    ids = ids_file(os.path.join(work, "heldout.jsonl"), size, 2)
    good = prune(cull, name, model, results, "32" if "mxfp4" in how else "8", work)
    for trial in sorted(glob.glob(os.path.join(results, "trials", "*.h5"))):
        method = os.path.basename(trial).split("-")[1]
        if method == "dense":
            continue
        with h5py.File(trial) as h:
            recorded = dict(zip(h["metrics/metric"].asstr()[:], h["metrics/value"][:]))["perplexity"]
        for dequantise in (True, False):
            good &= check_export(cull, name, method, trial, recorded, model, ids, work, dequantise)
    return good


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    cull, *wanted = sys.argv[1:]
    good = True
    for name, (kind, options, how) in cases().items():
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as work:
            good &= check(cull, name, kind, options, how, work)
    sys.exit(not good)


if __name__ == "__main__":
    main()
