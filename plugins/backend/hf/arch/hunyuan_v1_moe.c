// Hunyuan-A13B (Tencent 2025): heads are normed after their rotation, a shared MLP beside the
// experts.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "use_cla", "false|null", NULL },
    { "moe_layer_num_skipped", "0|null", NULL },
    { "use_mixed_mlp_moe|use_qk_norm|use_rotary_pos_emb", "true|null", NULL },
    { "eod_token_id|im_start_id|im_end_id|im_newline_id|text_start_id|text_end_id", HF_ANY, NULL },
    { "moe_intermediate_size|num_shared_expert|attention_head_dim|norm_type|mlp_bias", HF_ANY, NULL },
    { "cla_share_factor|moe_drop_tokens|moe_random_routing_dropped_token|capacity_factor", HF_ANY, NULL },
    { "group_limited_greedy|n_group|topk_group|routed_scaling_factor|norm_topk_prob", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_hunyuan_v1_moe = {
    .model_type = "hunyuan_v1_moe",
    .also = "hunyuan",
    .eps = 1e-5,
    .theta = 1e4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .qk_norm_last = true,
    .q_norm = "self_attn.query_layernorm",
    .k_norm = "self_attn.key_layernorm",
    .alpha = true,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok|moe_topk"),
    .K_lists = true,
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX, .name = "mlp.gate.wg", .renormalise = HF_CONSTANT(1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_F = HF_NEEDS("intermediate_size"),
    .shared = { "mlp.shared_mlp.gate_proj", "mlp.shared_mlp.up_proj", "mlp.shared_mlp.down_proj" },
    .keys = keys,
    .transformers = "HunYuanMoEV1ForCausalLM",
};
