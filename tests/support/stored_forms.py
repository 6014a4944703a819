"""What is common to all small checkpoints: their random weights, and the forms in which published ones are stored:
shards, FP8 and MXFP4 blocks, the configuration keys of earlier transformers. For make_checkpoints.py.
"""
import json
import math
import os

import torch
from safetensors.torch import save_file

VOCABULARY = 320
BASE = dict(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
            max_position_embeddings=512, bos_token_id=0, eos_token_id=1, pad_token_id=2)


def randomise(tensors, generator):
    """Weights large enough that routing is decided, norms and biases away from 1 and 0."""
    for name, t in tensors:
        noise = torch.randn(t.shape, generator=generator)
        if name.endswith("correction_bias") or name.endswith("expert_bias") or name.endswith("sinks"):
            new = 0.1 * noise
        elif t.dim() == 1 and ("norm" in name and name.endswith("weight") or "scal" in name):
            new = float(t.abs().max() > 0) + 0.2 * noise  # where norms have (1 + w) they begin with 0
        elif t.dim() == 1 or name.endswith("_bias"):
            new = 0.1 * noise
        elif "embed_tokens" in name:
            new = noise
        else:
            new = noise * (1.6 if ".gate." in name or "router" in name else 1.0) / math.sqrt(t.shape[-1])
        t.data.copy_(new)


def is_matrix(name):
    if any(word in name for word in ("vis", "audio", "norm", "indexer")):
        return False
    if name.endswith("experts.gate_up_proj") or name.endswith("experts.down_proj"):  # all experts in one
        return True
    return ("proj" in name or ".w1" in name or ".w2" in name or ".w3" in name) and name.endswith(".weight")


def quantise_fp8(tensors, block, e8m0):
    out = {}
    for name, t in tensors.items():
        out[name] = t
        if not is_matrix(name):
            continue
        *stack, rows, cols = t.shape
        grid = (*stack, -(-rows // block[0]), -(-cols // block[1]))
        scale = torch.ones(grid)
        q = torch.empty_like(t, dtype=torch.float8_e4m3fn)
        for i in range(grid[-2]):
            for j in range(grid[-1]):
                at = (..., slice(i * block[0], (i + 1) * block[0]), slice(j * block[1], (j + 1) * block[1]))
                s = t[at].float().abs().amax((-2, -1)) / 448
                scale[..., i, j] = 2.0 ** torch.ceil(torch.log2(s)) if e8m0 else s
                q[at] = (t[at].float() / scale[..., i, j, None, None]).to(torch.float8_e4m3fn)
        out[name] = q
        out[name + "_scale_inv"] = scale.to(torch.float8_e8m0fnu) if e8m0 else scale
    return out


def dequantise_fp8(tensors, block):
    out = {}
    for name, t in tensors.items():
        if name.endswith("_scale_inv"):
            continue
        if t.dtype == torch.float8_e4m3fn:
            s = tensors[name + "_scale_inv"].float()
            s = s.repeat_interleave(block[0], -2)[..., : t.shape[-2], :]
            t = t.float() * s.repeat_interleave(block[1], -1)[..., : t.shape[-1]]
        out[name] = t
    return out


FP4 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def quantise_mxfp4(tensors):
    """(E, in, out) as stored in BF16 → blocks and scales of (E, out, in), and the exact values again."""
    stored, exact = {}, {}
    for name, t in tensors.items():
        if not name.endswith("experts.gate_up_proj") and not name.endswith("experts.down_proj"):
            stored[name] = exact[name] = t
            continue
        w = t.float().transpose(1, 2).contiguous()
        e, rows, cols = w.shape
        w = w.view(e, rows, cols // 32, 32)
        scale = torch.ceil(torch.log2(w.abs().amax(-1, keepdim=True) / 6)).clamp(-127, 127)
        code = ((w / 2.0**scale).unsqueeze(-1) - FP4).abs().argmin(-1)
        stored[name + "_blocks"] = (code[..., 0::2] | code[..., 1::2] << 4).to(torch.uint8)
        stored[name + "_scales"] = (scale.squeeze(-1) + 127).to(torch.uint8)
        exact[name] = (FP4[code] * 2.0**scale).view(e, rows, cols).transpose(1, 2).contiguous()
    return stored, exact


def legacy(config):
    rope = config.pop("rope_parameters", None) or {}
    config["rope_theta"] = rope.pop("rope_theta", 10000.0)
    if "partial_rotary_factor" in rope:
        config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    kind = rope.pop("rope_type", "default")
    config["rope_scaling"] = None if kind == "default" else dict(rope, type=kind)
    config["torch_dtype"] = config.pop("dtype", None)


def write_shards(folder, tensors):
    names = sorted(tensors)
    count = 3
    where = {name: f"model-{i % count + 1:05d}-of-{count:05d}.safetensors" for i, name in enumerate(names)}
    for file in set(where.values()):
        save_file({n: tensors[n] for n in names if where[n] == file}, os.path.join(folder, file), {"format": "pt"})
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as out:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, out)


def write(folder, tensors, config, how):
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        os.remove(os.path.join(folder, old))
    tensors = {k: v.contiguous() for k, v in tensors.items()}
    if how.get("shard"):
        write_shards(folder, tensors)
    else:
        save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    if how.get("legacy"):
        legacy(config)
    for old, new in how.get("rename", {}).items():
        config[new] = config.pop(old)
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump(config, out, indent=2)
