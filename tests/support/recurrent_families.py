"""Small configurations of the families with recurrent or convolutional layers, as make_checkpoints.py makes them:
rows shorter and longer than the reference's chunks of 64 (Mamba2's of 256) and than the convolutions."""

import math

GQA = dict(num_key_value_heads=2)
MLA = dict(num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=24, qk_nope_head_dim=12, qk_rope_head_dim=8,
           v_head_dim=10)
LFM2 = dict(intermediate_size=96, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=2, num_dense_layers=1,
            layer_types=["conv", "full_attention", "conv"], **GQA)
NEXT = dict(num_hidden_layers=4, intermediate_size=96, moe_intermediate_size=32, shared_expert_intermediate_size=40,
            num_experts=8, num_experts_per_tok=3, head_dim=16, linear_num_key_heads=2, linear_num_value_heads=4,
            linear_key_head_dim=12, linear_value_head_dim=20, **GQA)
Q35 = {k: v for k, v in NEXT.items() if k != "intermediate_size"}
NEVER_ROTATED = dict(rope_type="default", rope_theta=77.0, partial_rotary_factor=0.5)
PUBLISHED_MROPE = dict(rope_type="default", rope_theta=1e7, partial_rotary_factor=0.25, mrope_interleaved=True,
                       mrope_section=[1, 1, 0])
KIMI = dict(num_hidden_layers=5, intermediate_size=96, moe_intermediate_size=32, num_local_experts=8,
            num_experts_per_tok=3, n_shared_experts=1, linear_head_dim=16, linear_num_heads=3,
            q_lora_rank=None, **MLA)
HYBRID = dict(intermediate_size=32, shared_intermediate_size=40, num_local_experts=8, num_experts_per_tok=3,
              layer_types=["mamba", "attention", "mamba"], mamba_n_heads=8, mamba_d_state=16, embedding_multiplier=5.0,
              residual_multiplier=0.4, attention_multiplier=0.07, logits_scaling=3.0, **GQA)
NEMOTRON = dict(intermediate_size=96, head_dim=16, ssm_state_size=16, mamba_num_heads=8, mamba_head_dim=12, n_groups=2,
                n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=32,
                moe_shared_expert_intermediate_size=40,
                layers_block_type=["mamba", "moe", "attention", "mlp", "mamba", "moe"], **GQA)
VISION = dict(depth=1, hidden_size=32, intermediate_size=32, num_heads=2, patch_size=4, temporal_patch_size=1,
              spatial_merge_size=1, out_hidden_size=64, num_position_embeddings=16)

WRAPPERS = {"qwen3_5_moe": ("Qwen3_5MoeForConditionalGeneration", dict(vision_config=VISION))}


def published_lists(config):
    """Kimi-Linear's config.json as it is published."""
    types = config.pop("layer_types")
    config["linear_attn_config"] = dict(
        num_heads=config.pop("linear_num_heads"), head_dim=config.pop("linear_head_dim"),
        short_conv_kernel_size=config.pop("linear_conv_kernel_dim"),
        full_attn_layers=[i + 1 for i, t in enumerate(types) if t == "full_attention"],
        kda_layers=[i + 1 for i, t in enumerate(types) if t != "full_attention"])
    config.pop("mlp_layer_types")
    config.update(first_k_dense_replace=1, moe_router_activation_func="sigmoid", moe_layer_freq=1, mla_use_nope=True)


def published_pattern(config):
    """Nemotron-H's, likewise: a letter a layer."""
    letters = {"linear_attention": "M", "moe": "E", "full_attention": "*", "mlp": "-"}
    config["time_step_limit"] = [0.0, math.inf]  # which Python writes as Infinity
    config["hybrid_override_pattern"] = "".join(letters[t] for t in config.pop("layers_block_type"))


# name: (model_type, config, how it is stored)
PLAIN = {
    "lfm2": ("lfm2_moe", LFM2, {}),
    "lfm2-bias": ("lfm2_moe", dict(LFM2, conv_bias=True, conv_L_cache=5, use_expert_bias=False, norm_topk_prob=False,
                                   tie_word_embeddings=False), dict(dtype="f16")),
    "lfm2-long": ("lfm2_moe", dict(LFM2, num_hidden_layers=5, conv_L_cache=2, routed_scaling_factor=1.3,
                                   layer_types=["full_attention", "conv", "conv", "full_attention", "conv"]),
                  dict(length=150, shard=True)),
    "lfm2-fused": ("lfm2_moe", LFM2, dict(fused=True, length=2)),
    "next": ("qwen3_next", NEXT, {}),
    "next-long": ("qwen3_next", dict(NEXT, num_hidden_layers=5, linear_num_key_heads=3, linear_num_value_heads=3,
                                     linear_key_head_dim=24, linear_value_head_dim=8, linear_conv_kernel_dim=2,
                                     layer_types=["full_attention"] + 4 * ["linear_attention"]),
                  dict(length=170, dtype="f32")),
    "next-step": ("qwen3_next", dict(NEXT, num_hidden_layers=6, decoder_sparse_step=2, norm_topk_prob=False,
                                     attention_bias=True, head_dim=24,
                                     rope_parameters=dict(rope_type="default", rope_theta=1e6,
                                                          partial_rotary_factor=0.5)), dict(dtype="f16")),
    "next-odd": ("qwen3_next", dict(NEXT, head_dim=14, hidden_size=60), {}),
    "next-fp8": ("qwen3_next", dict(NEXT, linear_num_key_heads=4, linear_num_value_heads=8), dict(fp8=[32, 48])),
    "next-fused": ("qwen3_next", dict(NEXT, mlp_only_layers=[1]), dict(fused=True, legacy=True)),
    "next-interval": ("qwen3_next", dict(NEXT, full_attention_interval=2, tie_word_embeddings=True), dict(without=["layer_types"],
                                                                                with_key=dict(full_attention_interval=2))),
    "q35": ("qwen3_5_moe_text", Q35, {}),
    "q35-long": ("qwen3_5_moe_text", dict(Q35, linear_num_key_heads=1, linear_num_value_heads=3, linear_key_head_dim=32,
                                          attention_bias=True), dict(length=140, dtype="f32")),
    "q35-fused": ("qwen3_5_moe_text", dict(Q35, tie_word_embeddings=True), dict(fused=True)),
    "q35-wrapper": ("qwen3_5_moe", dict(Q35, rope_parameters=PUBLISHED_MROPE), {}),
    "q35-wrapper-fused": ("qwen3_5_moe", dict(Q35, num_hidden_layers=3, layer_types=["linear_attention",
                          "full_attention", "linear_attention"]), dict(fused=True, outer=dict(tie_word_embeddings=True))),
    "kimi": ("kimi_linear", KIMI, {}),
    "kimi-long": ("kimi_linear", dict(KIMI, linear_head_dim=24, linear_num_heads=2, linear_conv_kernel_dim=3,
                                      q_lora_rank=20, num_expert_group=2, topk_group=1, routed_scaling_factor=1.7),
                  dict(length=140, dtype="f32")),
    "kimi-lists": ("kimi_linear", dict(KIMI, num_hidden_layers=4, moe_renormalize=False, n_shared_experts=2,
                                       layer_types=["linear_attention", "full_attention"] * 2),
                   dict(publish=published_lists, dtype="f16")),
    "hybrid": ("granitemoehybrid", HYBRID, {}),
    "hybrid-groups": ("granitemoehybrid", dict(HYBRID, mamba_n_groups=2, mamba_conv_bias=False, mamba_proj_bias=True,
                                               position_embedding_type="rope", mamba_n_heads=4, mamba_expand=1,
                                               attention_bias=True), dict(length=140, dtype="f32")),
    "hybrid-tied": ("granitemoehybrid", dict(HYBRID, tie_word_embeddings=True, mamba_d_conv=2, mamba_d_state=40,
                                             num_key_value_heads=4), dict(dtype="f16", length=300)),
    "hybrid-limit": ("granitemoehybrid", dict(HYBRID, time_step_limit=[0.5, 0.9]), dict(fused=True)),
    "hybrid-odd": ("granitemoehybrid", dict(
        HYBRID, num_hidden_layers=5, hidden_size=60, num_attention_heads=6, num_key_value_heads=3, rms_norm_eps=1e-2,
        mamba_n_heads=5, mamba_n_groups=5, mamba_d_state=7, mamba_d_conv=3, mamba_conv_bias=False, num_local_experts=7,
        num_experts_per_tok=5, intermediate_size=20, shared_intermediate_size=22, mamba_chunk_size=8,
        rope_parameters=NEVER_ROTATED,
        layer_types=["attention", "mamba", "mamba", "attention", "attention"]), dict(dtype="f32", length=53)),
    "hybrid-one": ("granitemoehybrid", dict(
        HYBRID, hidden_size=60, num_attention_heads=6, num_key_value_heads=3, mamba_n_heads=1, mamba_d_state=3,
        mamba_d_conv=1, attention_multiplier=0.3, layer_types=["mamba", "mamba", "attention"],
        position_embedding_type="rope", rope_parameters=dict(rope_type="default", rope_theta=77.0)),
        dict(dtype="f16", length=270)),
    "nemotron": ("nemotron_h", NEMOTRON, {}),
    "nemotron-latent": ("nemotron_h", dict(NEMOTRON, moe_latent_size=24, mlp_bias=True, use_bias=True, n_group=2,
                                           topk_group=1, num_experts_per_tok=2), dict(dtype="f32", length=140)),
    "nemotron-steps": ("nemotron_h", dict(NEMOTRON, time_step_min=0.6, time_step_limit=[0.1, 0.7], moe_latent_size=64,
                                          attention_bias=True), dict(length=70)),
    "nemotron-no-shared": ("nemotron_h", dict(NEMOTRON, moe_shared_expert_intermediate_size=0), dict(dtype="f32")),
    "nemotron-pattern": ("nemotron_h", dict(NEMOTRON, n_groups=4, conv_kernel=2, use_conv_bias=False,
                                            routed_scaling_factor=2.5, norm_topk_prob=False,
                                            layers_block_type=["attention", "mamba", "moe", "mamba", "moe"]),
                         dict(publish=published_pattern, dtype="f16")),
    "nemotron-odd": ("nemotron_h", dict(
        NEMOTRON, hidden_size=52, num_attention_heads=3, num_key_value_heads=3, head_dim=12, layer_norm_epsilon=1e-2,
        mamba_num_heads=6, mamba_head_dim=10, n_groups=3, ssm_state_size=9, conv_kernel=5, n_routed_experts=9,
        num_experts_per_tok=4, moe_intermediate_size=20, moe_shared_expert_intermediate_size=28, intermediate_size=44,
        n_group=3, topk_group=2, routed_scaling_factor=0.7, moe_latent_size=12, chunk_size=7,
        layers_block_type=["mlp", "attention", "attention", "moe", "mamba", "moe", "mlp"]),
        dict(dtype="f32", length=53)),
    "nemotron-narrow": ("nemotron_h", dict(
        NEMOTRON, hidden_size=52, num_attention_heads=3, num_key_value_heads=1, head_dim=12, mamba_head_dim=5,
        n_groups=8, ssm_state_size=33, conv_kernel=3, n_routed_experts=3, num_experts_per_tok=2, tie_word_embeddings=True,
        rope_parameters=dict(NEVER_ROTATED, rope_type="linear", factor=2.0),
        layers_block_type=["moe", "moe", "mamba", "attention"]), dict(dtype="f16", length=280)),
}

VARIANTS = {
    "lfm2-keep": ("lfm2_moe", LFM2, dict(keep=4)),
    "next-keep": ("qwen3_next", NEXT, dict(keep=4)),
    "q35-keep": ("qwen3_5_moe_text", Q35, dict(keep=5, k=2)),
    "kimi-keep": ("kimi_linear", KIMI, dict(keep=4)),
    "hybrid-keep": ("granitemoehybrid", HYBRID, dict(keep=4)),
    "nemotron-keep": ("nemotron_h", dict(NEMOTRON, moe_latent_size=24), dict(keep=4)),
}

CASES = dict({name: (kind, options, dict(how, answers=True)) for name, (kind, options, how) in PLAIN.items()}, **VARIANTS)

# Smaller still, for tests/golden/architectures: `make_checkpoints.py --golden FOLDER` makes them.
TINY = dict(vocab_size=264, hidden_size=24, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
            num_experts_per_tok=2)
TINY_DELTA = dict(TINY, num_hidden_layers=3, moe_intermediate_size=12, num_experts=4, head_dim=8,
                  shared_expert_intermediate_size=16, linear_num_key_heads=1, linear_num_value_heads=2,
                  linear_key_head_dim=6, linear_value_head_dim=10,
                  layer_types=["linear_attention", "full_attention", "linear_attention"])
TINY_HOW = dict(sequences=1, length=20)
GOLDEN = {
    "lfm2_moe": ("lfm2_moe", dict(TINY, intermediate_size=24, moe_intermediate_size=12, num_experts=4,
                                  num_dense_layers=1, layer_types=["conv", "full_attention", "conv"]), TINY_HOW),
    "qwen3_next": ("qwen3_next", dict(TINY_DELTA, intermediate_size=24, mlp_only_layers=[1]), TINY_HOW),
    "qwen3_5_moe": ("qwen3_5_moe_text", TINY_DELTA, TINY_HOW),
    "kimi_linear": ("kimi_linear", dict(
        TINY, num_hidden_layers=3, num_key_value_heads=2, intermediate_size=24, moe_intermediate_size=12,
        num_local_experts=4, n_shared_experts=1, linear_head_dim=6, linear_num_heads=2, q_lora_rank=None,
        kv_lora_rank=8, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=5,
        layer_types=["linear_attention", "full_attention", "linear_attention"]), dict(TINY_HOW, publish=published_lists)),
    "granitemoehybrid": ("granitemoehybrid", dict(
        TINY, intermediate_size=12, shared_intermediate_size=16, num_local_experts=4, mamba_n_heads=4, mamba_d_state=6,
        mamba_expand=1, layer_types=["mamba", "attention", "mamba"], embedding_multiplier=5.0, residual_multiplier=0.4,
        attention_multiplier=0.07, logits_scaling=3.0), TINY_HOW),
    "nemotron_h": ("nemotron_h", dict(
        TINY, intermediate_size=24, head_dim=8, ssm_state_size=6, mamba_num_heads=4, mamba_head_dim=6, n_groups=2,
        n_routed_experts=4, moe_intermediate_size=12, moe_shared_expert_intermediate_size=16, moe_latent_size=16,
        layers_block_type=["mamba", "moe", "attention", "mlp", "moe"]), dict(TINY_HOW, publish=published_pattern)),
}

EXPERTS = {"lfm2_moe": "num_experts", "qwen3_next": "num_experts", "qwen3_5_moe_text": "num_experts",
           "kimi_linear": "num_local_experts", "granitemoehybrid": "num_local_experts", "nemotron_h": "n_routed_experts"}
