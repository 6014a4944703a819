#!/usr/bin/env python3
"""Every golden checkpoint, cut to half of its experts by `cull export`, loaded in transformers: its logits are those
that `cull trace` writes for it.

    check_exports.py CULL GOLDEN-FOLDER

Exits 77 where torch, transformers or h5py is missing. Arctic, which transformers lacks, is left out; quantised
checkpoints are exported dequantised.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

TOLERANCE = 1e-3


def make_cut(golden, path):
    """Every other expert of each layer, beginning with the layer's own number."""
    cut, routers = {}, load_file(golden)
    for name, t in routers.items():
        if name.startswith("route.") and name.endswith(".logits"):
            layer, experts = int(name.split(".")[1]), t.shape[1]
            cut[f"layer.{layer}.kept"] = torch.arange(layer % 2, experts, 2, dtype=torch.int32)
    save_file(cut, path, metadata={"cull": "cut/1"})


def check(cull, folder, work):
    cut, out, trace = (os.path.join(work, n) for n in ("cut.safetensors", "out", "trace.h5"))
    make_cut(os.path.join(folder, "golden.safetensors"), cut)
    with open(os.path.join(folder, "config.json")) as f:
        quantised = "quantization_config" in json.load(f)
    subprocess.run([cull, "export", cut, "--model", folder, "-o", out, "--shard", "100K"]
                   + ["--dequantise"] * quantised, check=True)
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager").eval()
    ids = load_file(os.path.join(folder, "golden.safetensors"))["input_ids"].long()
    with open(os.path.join(work, "ids.jsonl"), "w") as f:
        f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
    subprocess.run([cull, "trace", out, "--ids", f.name, "-o", trace, "--quiet"], check=True)
    with torch.no_grad(), h5py.File(trace) as h:
        return (model(ids).logits - torch.tensor(h["logits"][:])).abs().max().item()


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    cull, golden = sys.argv[1:]
    failed = 0
    for name in sorted(os.listdir(golden)):
        folder = os.path.join(golden, name)
        if name == "arctic" or not os.path.exists(os.path.join(folder, "config.json")):
            continue
        with tempfile.TemporaryDirectory() as work:
            worst = check(cull, folder, work)
        print(f"{name:24} {worst:.2g}", flush=True)
        failed += not worst <= TOLERANCE
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
