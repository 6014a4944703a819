#!/usr/bin/env python3
"""Channels taken from checkpoints with quantised blocks, shared experts and biases: what `cull export` writes computes
what the variant did, as `cull trace` shows both. Blocks that run along the axis of channels (32 in MXFP4, 128 in FP8)
go whole, or only with --dequantise; where widths differ there are zeros.

    check_channels.py CULL GOLDEN-FOLDER

Exits 77 where torch, h5py or safetensors is missing.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import torch
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

TOLERANCE = 1e-5


def bits_of(gone, width):
    """A row of mask bits, least significant first: 1 = kept."""
    row = bytearray((width + 7) // 8)
    for c in set(range(width)) - set(gone):
        row[c // 8] |= 1 << c % 8
    return torch.tensor([list(row)], dtype=torch.uint8)


def cut_of(path, modules):
    """modules: {place of a matrix down: (width, channels that go)}"""
    save_file({f"{place}.channels": bits_of(gone, width) for place, (width, gone) in modules.items()}, path,
              metadata={"cull": "cut/2", **{f"{place}.cols": str(width) for place, (width, gone) in modules.items()
                                            if width % 8}})


def wider(folder, out):
    """gpt_oss in MXFP4 with twice the channels: every expert's stand there twice, with half the output of each."""
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("golden*"))
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    for name, t in tensors.items():
        axis = 2 if "down_proj_blocks" in name or "down_proj_scales" in name else 1
        if ".experts." in name and "down_proj_bias" not in name:
            tensors[name] = torch.cat([t, t.flip(axis) if "blocks" not in name else t], axis).contiguous()
    save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(out, "config.json")) as f:
        config = json.load(f)
    config["intermediate_size"] *= 2
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(config, f)
    return out


def check_biases(cull, folder, work, step, warned):
    """A bias on top of an expert's own, in multiples of `step`: rounded in the checkpoint's type or not, and said so."""
    cut, out = os.path.join(work, f"bias-{warned}.safetensors"), os.path.join(work, f"bias-{warned}")
    own = load_file(os.path.join(folder, "model.safetensors"))["model.layers.1.mlp.experts.down_proj_bias"][3]
    want = torch.arange(1, len(own) + 1) * step
    save_file({"layer.1.expert.3.down.bias": (want - own.float())[None]}, cut, metadata={"cull": "cut/2"})
    done = subprocess.run([cull, "export", cut, "--model", folder, "-o", out], stderr=subprocess.PIPE, text=True)
    said = "output biases, added to those that are there, are rounded to bf16" in done.stderr
    good = done.returncode == 0 and said == warned
    print(f"biases in steps of {step:.3f} {'are' if warned else 'are not'} rounded: {good or done.stderr}", flush=True)
    return good


def trace(cull, model, ids, work, *more):
    out = os.path.join(work, "trace.h5")
    subprocess.run([cull, "trace", model, "--ids", ids, "-o", out, "--quiet", *more], check=True)
    with h5py.File(out) as h:
        return torch.tensor(h["logits"][:])


def check(cull, folder, name, modules, work, key=None, width=None, refused=None, dequantise=False):
    cut, out, ids = (os.path.join(work, f"{name}{ending}") for ending in (".safetensors", "", ".jsonl"))
    cut_of(cut, modules)
    with open(ids, "w") as f:
        f.write(json.dumps(torch.randint(96, (40,), generator=torch.Generator().manual_seed(3)).tolist()) + "\n")
    done = subprocess.run([cull, "export", cut, "--model", folder, "-o", out] + ["--dequantise"] * dequantise,
                          stderr=subprocess.PIPE, text=True)
    if refused:
        good = done.returncode == 3 and refused in done.stderr
        print(f"{name:28} {'refused' if good else 'NOT refused: ' + done.stderr}", flush=True)
        return good
    if done.returncode:
        print(f"{name:28} {done.stderr}", flush=True)
        return False
    variant = trace(cull, folder, ids, work, "--cut", cut)
    worst = (trace(cull, out, ids, work) - variant).abs().max().item()
    changed = (trace(cull, folder, ids, work) - variant).abs().max().item()
    with open(os.path.join(out, "config.json")) as f:
        config = json.load(f)
    print(f"{name:28} {worst:.2g}; what went changed logits by {changed:.2g}; {key}: {config.get(key)}", flush=True)
    return worst <= TOLERANCE and changed > 100 * TOLERANCE and config.get(key) == width


def routed(layers, experts, width, gone):
    return {f"layer.{l}.expert.{e}.down": (width, gone) for l in layers for e in range(experts)}


def main():
    cull, golden = sys.argv[1:3]
    of = lambda name: os.path.join(golden, name)
    with tempfile.TemporaryDirectory() as work:
        mx = wider(of("gpt_oss-mxfp4"), os.path.join(work, "mx"))
        tail, block, odd = range(128, 144), range(32), range(0, 32, 2)
        fp8 = {**routed((1, 2), 8, 144, tail), **{f"layer.{l}.shared_down": (144, tail) for l in (1, 2)}}
        split = {**routed((1, 2), 8, 144, range(8)), **{f"layer.{l}.shared_down": (144, range(8)) for l in (1, 2)}}
        some = {"layer.1.expert.3.down": (144, range(5, 90, 3)), "layer.2.expert.0.down": (144, range(40))}
        with open(os.path.join(of("qwen2_moe"), "config.json")) as f:
            experts = json.load(f)["num_experts"]
        qwen = {**routed(range(3), experts, 32, odd), **{f"layer.{l}.shared_down": (48, range(30, 46)) for l in range(3)}}
        results = [
            check(cull, mx, "mxfp4-block", routed(range(3), 8, 64, block), work, "intermediate_size", 32),
            check(cull, mx, "mxfp4-split", routed(range(3), 8, 64, odd), work, refused="blocks of 32"),
            check(cull, mx, "mxfp4-dequantised", routed(range(3), 8, 64, odd), work, "intermediate_size", 48,
                  dequantise=True),
            check(cull, mx, "mxfp4-zeros", {"layer.1.expert.3.down": (64, odd)}, work, "intermediate_size", 64),
            check(cull, of("deepseek_v3-fp8"), "fp8-block", fp8, work, "moe_intermediate_size", 128),
            check(cull, of("deepseek_v3-fp8"), "fp8-split", split, work, refused="blocks of 128"),
            check(cull, of("deepseek_v3-fp8"), "fp8-dequantised", split, work, "moe_intermediate_size", 136,
                  dequantise=True),
            check(cull, of("deepseek_v3-fp8"), "fp8-zeros", some, work, "moe_intermediate_size", 144),
            check(cull, of("qwen2_moe"), "shared", qwen, work, "shared_expert_intermediate_size", 32),
            check_biases(cull, of("gpt_oss-mxfp4"), work, 1 / 8, warned=False),
            check_biases(cull, of("gpt_oss-mxfp4"), work, 1 / 7, warned=True),
        ]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
