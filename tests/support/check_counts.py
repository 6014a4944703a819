#!/usr/bin/env python3
"""config.json alone: `cull inspect` of a folder without weights prints as many parameters as transformers' model has on
the meta device, in all, in routed experts and in what a token uses, for every family's class defaults and every
configuration of make_checkpoints.py.

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
    from transformers import AutoConfig
    from make_checkpoints import CASES, class_of, config_of
    from stored_forms import legacy
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

# Left out of the model with a word, and not counted: see the families' lists.
LEFT_OUT = r"\.indexer\.|\.vision_moe\."


PER_TOKEN = ("num_experts_per_tok", "moe_k", "moe_topk", "top_k_experts")


def per_token(config, name):
    """Of the experts of the layer that a parameter is of; one where the configuration does not say it."""
    text = config.get_text_config()
    k = next(getattr(text, key) for key in PER_TOKEN if hasattr(text, key))
    return k[int(re.search(r"layers\.(\d+)\.", name)[1])] if isinstance(k, list) else k or 1


def expected(config):
    """Parameters of the language model, in all, in routed experts, and of a token; None: transformers makes no model."""
    try:
        with torch.device("meta"):
            model = class_of(config)(config)
    except (TypeError, ValueError, ZeroDivisionError, AttributeError):
        return None
    named = [(n, p) for n, p in model.named_parameters() if not re.search(LEFT_OUT, n)]
    if hasattr(config, "text_config") or hasattr(config, "thinker_config"):
        named = [(n, p) for n, p in named if "language_model" in n or re.search(r"(^|thinker\.)(lm_head|model)\.", n)
                 and not re.search(r"visual|vision|audio|multi_modal|mm_projector|resampler", n)]
    experts = [(n, p) for n, p in named if re.search(r"\.experts\.|sparse_moe\.\w+_linear\.", n)]
    total, routed = (sum(p.numel() for _, p in part) for part in (named, experts))
    idle = sum(p[0].numel() * (len(p) - per_token(config, n)) for n, p in experts)
    return total, routed, total - idle


def found(cull, folder):
    done = subprocess.run([cull, "inspect", folder], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    number = {k: int(n) for k, n in re.findall(r"^(parameters|routed experts|active) .*?\((\d+)", done.stdout, re.M)}
    return number["parameters"], number["routed experts"], number["active"]


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
    if want and want[1] and want != got:  # class defaults may have no experts
        print(f"{name}: {got}, wanted {want}", flush=True)
    return bool(want and want[1]) and want != got


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
        wrong += check(cull, name, config_of(kind, options, how) if options else AutoConfig.for_model(kind), how)
        count += 1
    print(f"{wrong} of {count} differ")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
