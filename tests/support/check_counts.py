#!/usr/bin/env python3
"""config.json alone: `cull inspect` of a folder without weights prints as many parameters as transformers' model has on
the meta device, in all and in routed experts, for every family's class defaults and every configuration of
make_checkpoints.py.

    check_counts.py CULL [CASE…]

Exits 77 where torch or transformers is missing.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import torch
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM
    from make_checkpoints import BASE, CASES, legacy
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

def expected(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    text = getattr(model, "language_model", model)
    named = dict(text.named_parameters())
    routed = sum(p.numel() for n, p in named.items() if re.search(r"\.experts\.", n))
    return sum(p.numel() for p in named.values()), routed


def found(cull, folder):
    done = subprocess.run([cull, "inspect", folder], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    number = {k: int(n) for k, n in re.findall(r"^(parameters|routed experts) .*?\((\d+)", done.stdout, re.M)}
    return number["parameters"], number["routed experts"]


def check(cull, name, config, how):
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        path = os.path.join(folder, "config.json")
        with open(path) as f:
            saved = json.load(f)
        if how.get("legacy"):
            legacy(saved)
        if how.get("mxfp4") or how.get("fp8"):
            saved["quantization_config"] = {"quant_method": "mxfp4"} if how.get("mxfp4") else {
                "quant_method": "fp8", "fmt": "e4m3", "weight_block_size": how["fp8"]}
        with open(path, "w") as f:
            json.dump(saved, f)
        want, got = expected(config), found(cull, folder)
    if want != got:
        print(f"{name}: {got}, wanted {want}", flush=True)
    return want != got


def main():
    cull, *wanted = sys.argv[1:]
    transformers.logging.set_verbosity_error()
    kinds = {kind for kind, _, _ in CASES.values() if kind != "arctic"}
    cases = {f"{kind} (class defaults)": (kind, None, {}) for kind in sorted(kinds)}
    cases.update({name: case for name, case in CASES.items() if case[0] != "arctic"})
    wrong = count = 0
    for name, (kind, options, how) in cases.items():
        if wanted and name not in wanted:
            continue
        wrong += check(cull, name, AutoConfig.for_model(kind, **(dict(BASE, **options) if options else {})), how)
        count += 1
    print(f"{wrong} of {count} differ")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
