"""Snowflake's Arctic, which transformers lacks: configurations, random tensors, and what its modeling_arctic.py
computes for them. For make_checkpoints.py.
"""
import math

import torch
import torch.nn.functional as F
from stored_forms import BASE, VOCABULARY, randomise


def config_of(options):
    config = dict(BASE, model_type="arctic", intermediate_size=48, num_key_value_heads=2, num_local_experts=8,
                  hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0, parallel_attn_mlp_res=True,
                  tie_word_embeddings=False, torch_dtype="float32", sliding_window=None)
    config.update(options)
    return {k: v for k, v in config.items() if v is not None or k == "sliding_window"}


def tensors_of(c, generator):
    d, ff, e, kv = c["hidden_size"], c["intermediate_size"], c["num_local_experts"], 2 * 16
    parallel = c.get("parallel_attn_mlp_res", c.get("use_residual", False))
    shapes = {"model.embed_tokens.weight": (VOCABULARY, d), "lm_head.weight": (VOCABULARY, d),
              "model.norm.weight": (d,)}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        moe = (i + 1) % c["moe_layer_frequency"] == 0
        shapes.update({p + "input_layernorm.weight": (d,), p + "post_attention_layernorm.weight": (d,),
                       p + "self_attn.q_proj.weight": (d, d), p + "self_attn.k_proj.weight": (kv, d),
                       p + "self_attn.v_proj.weight": (kv, d), p + "self_attn.o_proj.weight": (d, d)})
        if moe and parallel:
            shapes[p + "residual_layernorm.weight"] = (d,)
            shapes.update({p + f"residual_mlp.{w}.weight": (d, d) for w in ("w1", "w2", "w3")})
        mlps = [f"block_sparse_moe.experts.{x}" for x in range(e)] if moe else ["block_sparse_moe.mlp"]
        if moe:
            shapes[p + "block_sparse_moe.gate.weight"] = (e, d)
        for m in mlps:
            shapes.update({p + m + ".w1.weight": (ff, d), p + m + ".w2.weight": (d, ff), p + m + ".w3.weight": (ff, d)})
    tensors = {k: torch.empty(s) for k, s in shapes.items()}
    randomise(tensors.items(), generator)
    return tensors


def rms(x, w):
    return w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def attention(t, p, x):
    n, hd = x.shape[1], 16
    q, k, v = (F.linear(x, t[p + f"self_attn.{m}_proj.weight"]).view(x.shape[0], n, -1, hd).transpose(1, 2)
               for m in "qkv")
    angle = torch.arange(n)[:, None] / 10000.0 ** (torch.arange(0, hd, 2) / hd)
    cos, sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
    half = lambda y: torch.cat((-y[..., hd // 2:], y[..., : hd // 2]), -1)
    q, k = q * cos + half(q) * sin, k * cos + half(k) * sin
    k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
    s = (q @ k.transpose(2, 3) / math.sqrt(hd)).masked_fill(torch.ones(n, n).triu(1).bool(), -math.inf)
    return F.linear((s.softmax(-1) @ v).transpose(1, 2).reshape(x.shape), t[p + "self_attn.o_proj.weight"])


def mlp(t, p, x):
    return F.linear(F.silu(F.linear(x, t[p + ".w1.weight"])) * F.linear(x, t[p + ".w3.weight"]), t[p + ".w2.weight"])


def forward(t, c, ids):
    """Snowflake's modeling_arctic.py, layer by layer."""
    parallel = c.get("parallel_attn_mlp_res", c.get("use_residual", False))
    h, hidden, routes = t["model.embed_tokens.weight"][ids], {}, {}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        hidden[i] = h
        r = h + attention(t, p, rms(h, t[p + "input_layernorm.weight"]))
        moe = (i + 1) % c["moe_layer_frequency"] == 0
        x = rms(h if moe and parallel else r, t[p + "post_attention_layernorm.weight"])
        if not moe:
            h = r + mlp(t, p + "block_sparse_moe.mlp", x)
            continue
        flat = x.reshape(-1, x.shape[-1])
        logits = F.linear(flat, t[p + "block_sparse_moe.gate.weight"])
        gate, index = logits.softmax(-1).topk(c["num_experts_per_tok"])
        gate = gate / gate.sum(-1, keepdim=True) if c["num_experts_per_tok"] > 1 else gate
        routes[i] = (logits, gate, index)
        out = torch.zeros_like(flat)
        for e in range(c["num_local_experts"]):
            weight = (gate * (index == e)).sum(-1, keepdim=True)
            out += weight * mlp(t, p + f"block_sparse_moe.experts.{e}", flat)
        side = 0
        if parallel:
            side = mlp(t, p + "residual_mlp", rms(r, t[p + "residual_layernorm.weight"]))
        h = r + side + out.view(x.shape)
    hidden[c["num_hidden_layers"]] = rms(h, t["model.norm.weight"])
    return F.linear(hidden[c["num_hidden_layers"]], t["lm_head.weight"]), hidden, routes
