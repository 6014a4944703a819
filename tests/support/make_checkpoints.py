#!/usr/bin/env python3
"""Small random checkpoints of every architecture with unusual shapes and options, and what transformers
computes for them (float32, eager attention), in the form of tests/golden/architectures/README.md.

    make_checkpoints.py [--golden] FOLDER [NAME…]      then  CULL_TEST_CHECKPOINTS=FOLDER test-golden-architectures

Exits 77 where torch or transformers is missing. Arctic, which transformers lacks, is computed by arctic.py.
"""
import json
import os
import sys
import tempfile

try:
    import torch
    import torch.nn.functional as F
    import transformers
    from safetensors.torch import load_file, save_file
    from transformers import AutoConfig, AutoModelForCausalLM
    import arctic
    import new_families
    import recurrent_families
    from stored_forms import BASE, VOCABULARY, dequantise_fp8, quantise_fp8, quantise_mxfp4, randomise, write
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SEQUENCES, LENGTH = 2, 48

YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32, rope_theta=10000.0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64, rope_theta=500000.0)


def longrope(pairs, original=32, **more):
    return dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=original,
                short_factor=[1 + 0.1 * i for i in range(pairs)],
                long_factor=[1.5 + 0.7 * i for i in range(pairs)], **more)


GQA = dict(num_key_value_heads=2)
MLA = dict(num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=24, q_lora_rank=20, qk_nope_head_dim=12,
           qk_rope_head_dim=8, v_head_dim=10)
MIXTRAL = dict(intermediate_size=48, num_local_experts=8, num_experts_per_tok=2, **GQA)
OLMOE = dict(intermediate_size=24, num_experts=16, num_experts_per_tok=4)
QWEN2 = dict(intermediate_size=96, moe_intermediate_size=32, shared_expert_intermediate_size=40, num_experts=8,
             num_experts_per_tok=3, **GQA)
QWEN3 = dict(intermediate_size=96, moe_intermediate_size=32, num_local_experts=12, num_experts_per_tok=4, **GQA)
V2 = dict(intermediate_size=96, moe_intermediate_size=32, n_routed_experts=12, num_experts_per_tok=3,
          n_shared_experts=2, first_k_dense_replace=1, **MLA)
V3 = dict(intermediate_size=96, moe_intermediate_size=32, n_routed_experts=16, num_experts_per_tok=4,
          n_shared_experts=1, first_k_dense_replace=1, n_group=4, topk_group=2, **MLA)
PHI = dict(intermediate_size=48, num_local_experts=8, num_experts_per_tok=2, attention_bias=True,
           lm_head_bias=True, **GQA)
OSS = dict(intermediate_size=32, num_local_experts=8, num_experts_per_tok=2, head_dim=16, sliding_window=16, **GQA)
GLM = dict(intermediate_size=96, moe_intermediate_size=32, n_routed_experts=8, num_experts_per_tok=2,
           n_shared_experts=1, first_k_dense_replace=1, head_dim=24, attention_bias=True, use_qk_norm=True, **GQA)
ERNIE = dict(intermediate_size=96, moe_intermediate_size=32, moe_num_experts=8, moe_k=3,
             moe_num_shared_experts=2, tie_word_embeddings=True, **GQA)
M2 = dict(intermediate_size=32, num_local_experts=8, num_experts_per_tok=3, head_dim=32, **GQA)
GRANITE = dict(intermediate_size=32, num_local_experts=8, num_experts_per_tok=3, attention_multiplier=0.07,
               embedding_multiplier=5.0, residual_multiplier=0.4, logits_scaling=3.0, **GQA)

# name: (model_type, config, how it is stored)
CASES = {
    "mixtral-window": ("mixtral", dict(MIXTRAL, sliding_window=7), {}),
    "mixtral-head-dim": ("mixtral", dict(MIXTRAL, head_dim=24, num_attention_heads=6, num_key_value_heads=3), {}),
    "mixtral-one-kv": ("mixtral", dict(MIXTRAL, num_key_value_heads=1, num_experts_per_tok=1), dict(dtype="f16")),
    "mixtral-f32-shards": ("mixtral", MIXTRAL, dict(dtype="f32", shard="100KB")),
    "mixtral-fused": ("mixtral", MIXTRAL, dict(fused=True)),
    "mixtral-tied": ("mixtral", dict(MIXTRAL, tie_word_embeddings=True, num_experts_per_tok=3), dict(legacy=True)),
    "mixtral-yarn": ("mixtral", dict(MIXTRAL, head_dim=16, rope_parameters=YARN), dict(legacy=True)),
    "mixtral-yarn-factor": ("mixtral", dict(MIXTRAL, head_dim=16, rope_parameters=dict(YARN, attention_factor=1.3, beta_fast=16,
                                                                          beta_slow=2)), {}),
    "mixtral-llama3": ("mixtral", dict(MIXTRAL, rope_parameters=LLAMA3), {}),
    "mixtral-linear": ("mixtral", dict(MIXTRAL, rope_parameters=dict(rope_type="linear", factor=3.0,
                                                                     rope_theta=1e4)), dict(legacy=True)),
    "mixtral-dynamic": ("mixtral", dict(MIXTRAL, head_dim=16,  # transformers fails where it is left out
                                        rope_parameters=dict(rope_type="dynamic", factor=4.0, rope_theta=1e4)),
                        dict(legacy=True)),
    "mixtral-longrope": ("mixtral", dict(MIXTRAL, head_dim=16, rope_parameters=longrope(8)), {}),
    "mixtral-longrope-short": ("mixtral", dict(MIXTRAL, head_dim=16, rope_parameters=longrope(8, 64)), {}),
    "olmoe-clip": ("olmoe", dict(OLMOE, clip_qkv=0.6, num_key_value_heads=2, norm_topk_prob=True), {}),
    "olmoe-bias": ("olmoe", dict(OLMOE, attention_bias=True, tie_word_embeddings=True), dict(dtype="f32")),
    "olmoe-fused": ("olmoe", OLMOE, dict(fused=True, dtype="f16")),
    "qwen2-dense-layers": ("qwen2_moe", dict(QWEN2, num_hidden_layers=5, decoder_sparse_step=2), {}),
    "qwen2-mlp-only": ("qwen2_moe", dict(QWEN2, mlp_only_layers=[0, 2], norm_topk_prob=True, qkv_bias=False), {}),
    "qwen2-window": ("qwen2_moe", dict(QWEN2, num_hidden_layers=4, use_sliding_window=True, sliding_window=9,
                                       max_window_layers=2), {}),
    "qwen2-no-shared": ("qwen2_moe", dict(QWEN2, shared_expert_intermediate_size=0), {}),
    "qwen2-fused": ("qwen2_moe", QWEN2, dict(fused=True, legacy=True)),
    "qwen3-bias": ("qwen3_moe", dict(QWEN3, attention_bias=True, head_dim=20), dict(dtype="f32")),
    "qwen3-step": ("qwen3_moe", dict(QWEN3, decoder_sparse_step=2, num_hidden_layers=4, norm_topk_prob=True,
                                     head_dim=32, tie_word_embeddings=True), {}),
    "qwen3-window": ("qwen3_moe", dict(QWEN3, use_sliding_window=True, sliding_window=5, head_dim=16), {}),
    "qwen3-yarn": ("qwen3_moe", dict(QWEN3, head_dim=32, rope_parameters=YARN), dict(legacy=True, shard="60KB")),
    "qwen3-old-key": ("qwen3_moe", dict(QWEN3, mlp_only_layers=[1]), dict(rename={"num_local_experts": "num_experts"})),
    "v2-groups": ("deepseek_v2", dict(V2, n_routed_experts=16, topk_method="group_limited_greedy", n_group=4, topk_group=2,
                                      routed_scaling_factor=16.0), {}),
    "v2-no-q-lora": ("deepseek_v2", dict(V2, q_lora_rank=None, n_group=4, topk_group=2, first_k_dense_replace=2), {}),
    "v2-bias": ("deepseek_v2", dict(V2, attention_bias=True, mlp_bias=True), dict(dtype="f32")),
    "v2-yarn": ("deepseek_v2", dict(V2, rope_parameters=dict(YARN, mscale=0.707, mscale_all_dim=0.707)),
                dict(legacy=True)),
    "v3-moonlight": ("deepseek_v3", dict(V3, q_lora_rank=None, n_group=1, topk_group=1, rms_norm_eps=1e-5,
                                         n_shared_experts=2), dict(dtype="f16")),
    "v3-halves": ("deepseek_v3", dict(V3, rope_interleave=False, norm_topk_prob=False, attention_bias=True), {}),
    "v3-yarn": ("deepseek_v3", dict(V3, rope_parameters=dict(YARN, mscale=1.0, mscale_all_dim=0.5)), {}),
    "v3-fused": ("deepseek_v3", dict(V3, n_group=2, topk_group=1), dict(fused=True)),
    "v3-mtp": ("deepseek_v3", dict(V3, num_mtp_layers=1), dict(mtp=True, legacy=True)),
    "v3-fp8": ("deepseek_v3", dict(V3, hidden_size=72), dict(fp8=[32, 48])),
    "v3-fp8-e8m0": ("deepseek_v3", dict(V3, hidden_size=136), dict(fp8=[128, 128], e8m0=True, shard="100KB")),
    "phimoe-no-bias": ("phimoe", dict(PHI, attention_bias=False, lm_head_bias=False), {}),
    "phimoe-jitter": ("phimoe", dict(PHI, router_jitter_noise=0.2, num_local_experts=6, sliding_window=11), {}),
    "phimoe-mscales": ("phimoe", dict(PHI, rope_parameters=longrope(8, 40, short_mscale=1.1, long_mscale=1.3)), {}),
    "phimoe-short": ("phimoe", dict(PHI, rope_parameters=longrope(8, 64, short_mscale=1.1, long_mscale=1.3)),
                     dict(legacy=True)),
    "phimoe-tied": ("phimoe", dict(PHI, tie_word_embeddings=True), dict(dtype="f32")),
    "phimoe-fused": ("phimoe", PHI, dict(fused=True)),
    "oss-types": ("gpt_oss", dict(OSS, layer_types=["full_attention", "sliding_attention", "full_attention"]), {}),
    "oss-default-window": ("gpt_oss", OSS, dict(without=["sliding_window"], length=160)),
    "oss-plain": ("gpt_oss", dict(OSS, rope_parameters=dict(rope_type="default", rope_theta=1e4), head_dim=24,
                                  num_experts_per_tok=3), dict(dtype="f32")),
    "oss-limit": ("gpt_oss", dict(OSS, swiglu_limit=0.3, swiglu_alpha=1.2, attention_bias=False), {}),
    "oss-mxfp4": ("gpt_oss", dict(OSS, hidden_size=96, intermediate_size=64, num_local_experts=5),
                  dict(mxfp4=True)),
    "glm-groups": ("glm4_moe", dict(GLM, n_group=2, topk_group=1, routed_scaling_factor=1.7), {}),
    "glm-no-norm": ("glm4_moe", dict(GLM, use_qk_norm=False, attention_bias=False, norm_topk_prob=False,
                                     first_k_dense_replace=0), dict(dtype="f32")),
    "glm-rotary": ("glm4_moe", dict(GLM, head_dim=32, partial_rotary_factor=0.25), dict(legacy=True)),
    "glm-odd": ("glm4_moe", dict(GLM, head_dim=14), {}),
    "glm-yarn": ("glm4_moe", dict(GLM, head_dim=32, rope_parameters=dict(YARN, partial_rotary_factor=0.5)), {}),
    "glm-fused": ("glm4_moe", GLM, dict(fused=True)),
    "ernie-layers": ("ernie4_5_moe", dict(ERNIE, num_hidden_layers=6, moe_layer_start_index=1,
                                          moe_layer_end_index=4, moe_layer_interval=2), {}),
    "ernie-bias": ("ernie4_5_moe", dict(ERNIE, use_bias=True, tie_word_embeddings=False), dict(dtype="f32")),
    "ernie-no-shared": ("ernie4_5_moe", dict(ERNIE, moe_num_shared_experts=0, moe_norm_min=0.9), {}),
    "ernie-fused": ("ernie4_5_moe", ERNIE, dict(fused=True)),
    "m2-rotary": ("minimax_m2", dict(M2), dict(rotary_dim=16)),
    "m2-partial": ("minimax_m2", dict(M2, rope_parameters=dict(rope_type="default", rope_theta=1e5,
                                                               partial_rotary_factor=0.75)), {}),
    "m2-fp8": ("minimax_m2", dict(M2, head_dim=16), dict(fp8=[128, 128])),
    "m2-fused": ("minimax_m2", M2, dict(fused=True)),
    "granite-untied": ("granitemoe", GRANITE, dict(dtype="f16")),
    "granite-tied": ("granitemoe", dict(GRANITE, tie_word_embeddings=True, attention_bias=True), dict(legacy=True)),
    "granite-fused": ("granitemoe", dict(GRANITE, num_key_value_heads=4), dict(fused=True)),
    # The rule of a variant: golden data are those of the pruned checkpoint.
    "mixtral-keep": ("mixtral", MIXTRAL, dict(keep=5)),
    "mixtral-k1": ("mixtral", MIXTRAL, dict(keep=8, k=1)),
    "olmoe-keep": ("olmoe", OLMOE, dict(keep=6, k=3)),
    "qwen2-keep": ("qwen2_moe", QWEN2, dict(keep=5)),
    "qwen3-keep": ("qwen3_moe", dict(QWEN3, norm_topk_prob=True), dict(keep=4)),
    "v2-keep": ("deepseek_v2", dict(V2, topk_method="group_limited_greedy", n_group=4, topk_group=2), dict(keep=8)),
    "v3-keep": ("deepseek_v3", V3, dict(keep=12, k=3)),
    "phimoe-keep": ("phimoe", dict(PHI, router_jitter_noise=0.1), dict(keep=4)),
    "oss-keep": ("gpt_oss", OSS, dict(keep=5)),
    "glm-keep": ("glm4_moe", GLM, dict(keep=4)),
    "ernie-keep": ("ernie4_5_moe", ERNIE, dict(keep=5)),
    "m2-keep": ("minimax_m2", M2, dict(keep=4)),
    "granite-keep": ("granitemoe", GRANITE, dict(keep=5, k=2)),
    "arctic-every-other": ("arctic", dict(num_hidden_layers=4, moe_layer_frequency=2, num_experts_per_tok=2), {}),
    "arctic-plain": ("arctic", dict(moe_layer_frequency=1, num_experts_per_tok=1, parallel_attn_mlp_res=False), {}),
    "arctic-vllm": ("arctic", dict(moe_layer_frequency=1, num_experts_per_tok=2, parallel_attn_mlp_res=None,
                                   use_residual=True), {}),
}


CASES.update(new_families.CASES)
CASES.update(recurrent_families.CASES)
# A gate over no shared expert, which the reference has and multiplies nothing by, is not stored.
CASES["qwen2-no-gate"] = ("qwen2_moe", dict(QWEN2, shared_expert_intermediate_size=0), dict(unstored="shared_expert"))
WRAPPERS = dict(new_families.WRAPPERS, **recurrent_families.WRAPPERS)


def route_of(module, args, output, config):
    """A router's logits, gates and choice, whatever it gives back; None: no router."""
    name = type(module).__name__
    if name == "Gemma4TextRouter":  # gives back probabilities
        x = module.norm(args[0]) * module.scale * module.scalar_root_size
        return F.linear(x, module.proj.weight), output[1], output[2]
    if name == "MiniMaxM3VLTopKRouter":  # the block scales what the experts yield
        return output[0], output[1] * config.routed_scaling_factor, output[2]
    if name == "Llama4Router":
        scores, logits = output
        index = logits.topk(module.top_k).indices
        return logits, scores.gather(1, index), index
    if name.lower().endswith("topkrouter") or name in ("HunYuanMoEV1Gate", "AfmoeTokenChoiceRouter"):
        return output
    return None


def capture(model, ids):
    """Forward with the inputs of every layer and the outputs of every router."""
    hidden, routes = {}, {}
    if hasattr(model, "language_model") and hasattr(model.language_model, "lm_head"):  # Llama 4's wrapper fails on text
        model = model.language_model
    inner = model.model if hasattr(model, "model") and hasattr(model.model, "layers") else model.get_decoder()
    inner = inner if hasattr(inner, "layers") else inner.model

    def enter(i):
        def hook(module, args, kwargs):
            hidden[i] = (args[0] if args else kwargs["hidden_states"]).detach().clone()
        return hook

    def routed(i):
        def hook(module, args, output):
            route = route_of(module, args, output, inner.config)
            if route:  # else some other gate
                routes[i] = route
        return hook

    for i, layer in enumerate(inner.layers):
        layer.register_forward_pre_hook(enter(i), with_kwargs=True)
        for _, module in layer.named_modules():
            if any(word in type(module).__name__ for word in ("Router", "Gate")) and "vision" not in _:
                module.register_forward_hook(routed(i))
    with torch.no_grad():
        out = model(ids, output_hidden_states=False, use_cache=False)
    last = {}
    final = next(getattr(inner, n) for n in ("norm", "embedding_norm", "norm_f") if hasattr(inner, n))
    final.register_forward_hook(lambda m, a, o: last.update(h=o))
    with torch.no_grad():
        model(ids, use_cache=False)
    hidden[len(inner.layers)] = last["h"]
    return out.logits, hidden, routes


def answers(model, ids):
    """Greedy answers to prompts that share their beginnings, as far as they are decided: a whole forward for each id,
    so that no cache has a part in it."""
    golden = {}
    for prompt in (ids, ids[:-3], torch.cat((ids[:-3], ids[:5])), ids[:10], ids[:1], ids[3:5]):
        path, new = prompt, []
        while len(prompt) and len(new) < 12:
            with torch.no_grad():
                best = model(path[None], use_cache=False).logits[0, -1].topk(2)
            if best.values[0] - best.values[1] < 1e-3 or best.indices[0] < 3:
                break  # too near to call; or an id that ends an answer
            new.append(best.indices[0])
            path = torch.cat((path, best.indices[:1]))
        if new:
            n = len(golden) // 2
            golden.update({f"answer.{n}.prompt": prompt.int(), f"answer.{n}.ids": torch.stack(new).int()})
    return golden


def save_golden(folder, ids, logits, hidden, routes, rule=None):
    """rule.L.allowed (E) and rule.k: the variant whose numbers these are; or answers, as above."""
    golden = dict(rule or {}, input_ids=ids.int(), logits=logits.float())
    for i, h in hidden.items():
        golden[f"hidden.{i}"] = h.float()
    for i, (router, weights, index) in routes.items():
        golden[f"route.{i}.logits"] = router.float().view(-1, router.shape[-1])
        golden[f"route.{i}.index"] = index.int()
        golden[f"route.{i}.gate"] = weights.float()
    save_file({k: v.contiguous().clone() for k, v in golden.items()}, os.path.join(folder, "golden.safetensors"))


EXPERTS = {"mixtral": "num_local_experts", "olmoe": "num_experts", "qwen2_moe": "num_experts",
           "qwen3_moe": "num_local_experts", "deepseek_v2": "n_routed_experts", "deepseek_v3": "n_routed_experts",
           "phimoe": "num_local_experts", "gpt_oss": "num_local_experts", "glm4_moe": "n_routed_experts",
           "ernie4_5_moe": "moe_num_experts", "minimax_m2": "num_local_experts", "granitemoe": "num_local_experts",
           **new_families.EXPERTS, **recurrent_families.EXPERTS}


def choose(count, keep, groups, generator):
    """`keep` of `count` experts, the same number of each group, in order."""
    size, each = count // groups, keep // groups
    kept = [g * size + torch.randperm(size, generator=generator)[:each].sort().values for g in range(groups)]
    return torch.cat(kept)


def prune(model, kind, how, generator):
    """A copy of the model without the other experts, and the experts kept by layer."""
    config = type(model.config).from_dict(model.config.to_dict())
    count = getattr(config, EXPERTS[kind])
    groups = (getattr(config, "n_group", 1) or 1) if kind.startswith("deepseek") else 1
    setattr(config, EXPERTS[kind], how["keep"])
    if "k" in how:
        setattr(config, "moe_k" if kind == "ernie4_5_moe" else "num_experts_per_tok", how["k"])
    config._attn_implementation = "eager"
    pruned, kept, state = AutoModelForCausalLM.from_config(config), {}, model.state_dict()
    wanted = pruned.state_dict()
    for name, t in state.items():
        if t.shape == wanted[name].shape:
            continue
        layer = int(name.split(".")[2])
        if layer not in kept:
            kept[layer] = choose(count, how["keep"], groups, generator)
        state[name] = t.index_select(list(t.shape).index(count), kept[layer])
    pruned.load_state_dict(state)
    return pruned.float().eval(), kept, count


def as_before(routes, kept):
    """Routes of a pruned model in the numbers that the experts had before."""
    out = {}
    for i, (router, weights, index) in routes.items():
        out[i] = (router, weights, kept[i][index] if i in kept else index)
    return out


DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


def class_of(config):
    wrapper = WRAPPERS.get(config.model_type)
    if wrapper:
        return getattr(transformers, wrapper[0])
    if config.model_type == "mistral4":  # transformers has it for images and text
        return transformers.Mistral4ForCausalLM
    return transformers.MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]


def config_of(kind, options, how):
    options = dict(BASE, **options)
    if kind not in WRAPPERS:
        more = dict(rotary_dim=how["rotary_dim"]) if how.get("rotary_dim") else {}
        return AutoConfig.for_model(kind, **more, **options)
    rest = dict(WRAPPERS[kind][1])
    if how.get("vision"):
        rest["vision_config"] = dict(rest["vision_config"], **how["vision"])
    return AutoConfig.for_model(kind, text_config=options, **rest, **how.get("outer", {}))


def make(folder, kind, options, how, seed):
    generator = torch.Generator().manual_seed(seed)
    dtype = DTYPES[how.get("dtype", "bf16")]
    config = config_of(kind, options, how)
    model = class_of(config)._from_config(config, attn_implementation="eager")
    randomise(list(model.named_parameters()) + [(n, b) for n, b in model.named_buffers()
                                                if any(w in n for w in ("correction", "scalar", "expert_bias"))],
              generator)
    model.tie_weights()
    with tempfile.TemporaryDirectory() as t:
        model.to(dtype).save_pretrained(t, save_original_format=not how.get("fused", False))
        tensors = load_file(os.path.join(t, "model.safetensors"))
        with open(os.path.join(t, "config.json")) as f:
            saved = json.load(f)
    tensors = {k.replace(*how.get("published", ("", ""))): v for k, v in tensors.items()}
    for key in how.get("without", ()):
        del saved[key]
    saved.update(how.get("with_key", {}))
    if how.get("publish"):
        how["publish"](saved)
    exact = tensors
    if how.get("fp8"):
        tensors = quantise_fp8(tensors, how["fp8"], how.get("e8m0"))
        exact = dequantise_fp8(tensors, how["fp8"])
        saved["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                        "weight_block_size": how["fp8"]}
    if how.get("mxfp4"):
        tensors, exact = quantise_mxfp4(tensors)
        saved["quantization_config"] = {"quant_method": "mxfp4"}
    with tempfile.TemporaryDirectory() as t:
        save_file({k: v.contiguous().float() for k, v in exact.items()}, os.path.join(t, "model.safetensors"),
                  {"format": "pt"})
        plain = {k: v for k, v in saved.items() if k not in ("quantization_config", "dtype")}
        with open(os.path.join(t, "config.json"), "w") as f:
            json.dump(plain, f)
        model = class_of(config).from_pretrained(t, dtype=torch.float32, attn_implementation="eager").eval()
    if how.get("whole"):  # the language model's own wrapper within another
        tensors = {f"{how['whole']}.{k}": v for k, v in tensors.items()}
        saved = {"model_type": kind.rsplit("_", 1)[0], f"{how['whole']}_config": saved}
    if how.get("bare"):  # the language model without what stood round it, under its own type
        tensors = {k.replace("language_model.", "", 1): v for k, v in tensors.items()
                   if not any(word in k for word in ("visual", "audio"))}
        saved = dict(saved["text_config"], tie_word_embeddings=saved["tie_word_embeddings"])
    if how.get("mtp"):
        last = config.num_hidden_layers
        extra = {k.replace(f"layers.{last - 1}.", f"layers.{last}."): v for k, v in tensors.items()
                 if f"layers.{last - 1}." in k}
        tensors = dict(tensors, **{k: v.clone() for k, v in extra.items()})
    if how.get("rotary_dim"):
        saved.pop("partial_rotary_factor", None)
        saved["rope_parameters"].pop("partial_rotary_factor", None)
        saved["rotary_dim"] = how["rotary_dim"]
    if how.get("unstored"):
        tensors = {k: v for k, v in tensors.items() if how["unstored"] not in k}
    write(folder, tensors, saved, how)
    ids = torch.randint(3, options.get("vocab_size", VOCABULARY), (how.get("sequences", SEQUENCES), how.get("length", LENGTH)),
                        generator=generator)
    if not how.get("keep"):
        more = answers(model, ids[0]) if how.get("answers") else None  # before anybody listens
        save_golden(folder, ids, *capture(model, ids), more)
        return
    model, kept, count = prune(model, kind, how, generator)
    logits, hidden, routes = capture(model, ids)
    rule = {f"rule.{i}.allowed": torch.zeros(count, dtype=torch.uint8).index_fill_(0, k, 1) for i, k in kept.items()}
    rule["rule.k"] = torch.tensor([how.get("k", 0)], dtype=torch.int32)
    save_golden(folder, ids, logits, hidden, as_before(routes, kept), rule)


def make_arctic(folder, options, how, seed):
    generator = torch.Generator().manual_seed(seed)
    config = arctic.config_of(options)
    tensors = arctic.tensors_of(config, generator)
    write(folder, tensors, config, how)
    ids = torch.randint(3, VOCABULARY, (SEQUENCES, LENGTH), generator=generator)
    save_golden(folder, ids, *arctic.forward(tensors, config, ids))


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the models are tiny
    cases = dict(new_families.GOLDEN, **recurrent_families.GOLDEN) if "--golden" in sys.argv else CASES
    parent, *wanted = [word for word in sys.argv[1:] if word != "--golden"]
    for seed, (name, (kind, options, how)) in enumerate(cases.items()):
        if wanted and name not in wanted:
            continue
        folder = os.path.join(parent, name)
        if kind == "arctic":
            make_arctic(folder, options, how, seed)
        else:
            make(folder, kind, options, how, seed)
        print(name, flush=True)


if __name__ == "__main__":
    main()
