"""Checkpoints of random bfloat16 weights with the layer shapes of published models and tinyworld's tokenizer, by the
standard library alone."""
import array
import json
import pathlib
import random
import shutil
import struct

TOKENIZER = pathlib.Path(__file__).resolve().parent.parent / "models/tinyworld-olmoe"  # of 1,024 tokens
BLOCK = 1 << 21  # random numbers, of which every tensor is cut

SHAPES = {
    "olmoe": dict(model_type="olmoe", architectures=["OlmoeForCausalLM"], hidden_size=2048, intermediate_size=1024,
                  num_attention_heads=16, num_key_value_heads=16, num_experts=64, num_experts_per_tok=8,
                  norm_topk_prob=False, clip_qkv=None, attention_bias=False),
    "mixtral": dict(model_type="mixtral", architectures=["MixtralForCausalLM"], hidden_size=4096,
                    intermediate_size=14336, num_attention_heads=32, num_key_value_heads=8, num_local_experts=8,
                    num_experts_per_tok=2, sliding_window=None, head_dim=128),
    "qwen3": dict(model_type="qwen3_moe", architectures=["Qwen3MoeForCausalLM"], hidden_size=2048,
                  intermediate_size=6144, moe_intermediate_size=768, num_attention_heads=32, num_key_value_heads=4,
                  head_dim=128, num_experts=128, num_experts_per_tok=8, norm_topk_prob=True, decoder_sparse_step=1,
                  mlp_only_layers=[], attention_bias=False, sliding_window=None, use_sliding_window=False),
}
COMMON = dict(vocab_size=1024, max_position_embeddings=8192, rms_norm_eps=1e-5, hidden_act="silu", torch_dtype="bfloat16",
              tie_word_embeddings=False, rope_theta=10000.0, bos_token_id=1, eos_token_id=2, use_cache=True)


def attention(c, at):
    D, heads, kv = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
    width = c.get("head_dim", D // heads)
    yield at + "self_attn.q_proj.weight", (heads * width, D)
    yield at + "self_attn.k_proj.weight", (kv * width, D)
    yield at + "self_attn.v_proj.weight", (kv * width, D)
    yield at + "self_attn.o_proj.weight", (D, heads * width)
    if c["model_type"] == "olmoe":
        yield at + "self_attn.q_norm.weight", (heads * width,)
        yield at + "self_attn.k_norm.weight", (kv * width,)
    if c["model_type"] == "qwen3_moe":
        yield at + "self_attn.q_norm.weight", (width,)
        yield at + "self_attn.k_norm.weight", (width,)


def experts(c, at):
    D, mixtral = c["hidden_size"], c["model_type"] == "mixtral"
    F = c.get("moe_intermediate_size", c["intermediate_size"])
    E = c["num_local_experts"] if mixtral else c["num_experts"]
    room = at + ("block_sparse_moe." if mixtral else "mlp.")
    names = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
    yield room + "gate.weight", (E, D)
    for e in range(E):
        for name, shape in zip(names, ((F, D), (F, D), (D, F))):
            yield f"{room}experts.{e}.{name}.weight", shape


def tensors(c):
    D, V = c["hidden_size"], c["vocab_size"]
    yield "model.embed_tokens.weight", (V, D)
    for layer in range(c["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", (D,)
        yield at + "post_attention_layernorm.weight", (D,)
        yield from attention(c, at)
        yield from experts(c, at)
    yield "model.norm.weight", (D,)
    yield "lm_head.weight", (V, D)


def count(shape):
    n = 1
    for s in shape:
        n *= s
    return n


def random_bf16(rng):
    floats = array.array("f", (rng.gauss(0, 0.02) for _ in range(BLOCK)))
    return array.array("H", floats.tobytes())[1::2].tobytes()  # the upper halves, little-endian


def write(folder, c, rng):
    block, ones = random_bf16(rng), b"\x80\x3f"
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors(c):
        n = 2 * count(shape)
        header[name] = dict(dtype="BF16", shape=list(shape), data_offsets=[at, at + n])
        at += n
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors(c):
            left = 2 * count(shape)
            if len(shape) == 1:
                f.write(ones * (left // 2))
                continue
            first = 2 * rng.randrange(BLOCK)  # no two tensors are the same
            while left:
                part = block[first : first + left]
                f.write(part)
                left, first = left - len(part), 0


def make(root, name, layers, **changes):
    """The folder of a checkpoint, made where it is not there."""
    label = "-".join([name, str(layers)] + [f"{k}{v}" for k, v in sorted(changes.items())])
    folder = pathlib.Path(root) / label
    if not (folder / "config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        c = dict(COMMON, **SHAPES[name], num_hidden_layers=layers)
        c.update(changes)
        write(folder, c, random.Random(label))
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / name, folder)
        (folder / "config.json").write_text(json.dumps(c, indent=1))
    return folder
