// Names that several families share.
#ifndef HF_NAMES_H
#define HF_NAMES_H

#include "arch.h"

#define HF_CONSTANTS_NAME "mlp.experts.constants"

// Layout A, Mixtral's; and what transformers 5 calls both layouts in memory.
#define HF_EXPERTS_W123                                                                            \
    {                                                                                              \
        HF_EACH,                                                                                   \
        {                                                                                          \
            "block_sparse_moe.experts.*.w1", "block_sparse_moe.experts.*.w3",                      \
                "block_sparse_moe.experts.*.w2"                                                    \
        }                                                                                          \
    }
// Layout B.
#define HF_EXPERTS_PROJ                                                                            \
    {                                                                                              \
        HF_EACH,                                                                                   \
        {                                                                                          \
            "mlp.experts.*.gate_proj", "mlp.experts.*.up_proj", "mlp.experts.*.down_proj"          \
        }                                                                                          \
    }
#define HF_EXPERTS_FUSED                                                                           \
    {                                                                                              \
        HF_ROWS,                                                                                   \
        {                                                                                          \
            "mlp.experts.gate_up_proj", NULL, "mlp.experts.down_proj"                              \
        }                                                                                          \
    }
#define HF_DENSE_PROJ                                                                              \
    {                                                                                              \
        "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"                                            \
    }
#define HF_SHARED_PROJ                                                                             \
    {                                                                                              \
        "mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj",                              \
            "mlp.shared_experts.down_proj"                                                         \
    }

// Granite's MoE.
#define HF_ROUTER_GRANITE                                                                          \
    {                                                                                              \
        .score = HF_SOFTMAX, .name = "block_sparse_moe.router.layer|block_sparse_moe.router",      \
        .renormalise = HF_CONSTANT(1)                                                              \
    }
#define HF_EXPERTS_GRANITE                                                                         \
    {                                                                                              \
        HF_ROWS,                                                                                   \
        {                                                                                          \
            "block_sparse_moe.input_linear.weight|block_sparse_moe.experts.gate_up_proj", NULL,    \
                "block_sparse_moe.output_linear.weight|block_sparse_moe.experts.down_proj"         \
        }                                                                                          \
    }
// Sparse attention's indexer.
#define HF_TENSORS_INDEXER                                                                         \
    (const hf_left[])                                                                              \
    {                                                                                              \
        { "self_attn.indexer.*",                                                                   \
          "attention is dense up to index_topk positions; an export keeps them", HF_KEPT },        \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
// DeepSeek-V3's router, section 2.1.2, with a family's default scale and groups.
#define HF_ROUTER_SIGMOID(scale_, groups_, top_)                                                   \
    {                                                                                              \
        .score = HF_SIGMOID, .name = "mlp.gate", .bias = "mlp.gate.e_score_correction_bias",       \
        .renormalise = HF_KEY("norm_topk_prob", 1), .add = 1e-20,                                  \
        .scale = HF_KEY("routed_scaling_factor", scale_), .n_group = HF_KEY("n_group", groups_),   \
        .topk_group = HF_KEY("topk_group", top_)                                                   \
    }
// What leaves a DeepSeek-V3 of another kind: keys that its forward pass does not look at.
#define HF_KEYS_DEEPSEEK                                                                           \
    { "scoring_func", "\"sigmoid\"|null", NULL }, { "topk_method", "\"noaux_tc\"|null", NULL },    \
        { "moe_layer_freq", "1|null", NULL },                                                      \
    {                                                                                              \
        "head_dim|qk_head_dim|num_key_value_heads|mtp_layer_types|mtp_mlp_layer_types", HF_ANY,    \
            NULL                                                                                   \
    }
// Of gated delta nets, but for what enters them.
#define HF_DELTA_NAMES                                                                             \
    .conv = "linear_attn.conv1d", .rate = "linear_attn.A_log", .dt_bias = "linear_attn.dt_bias",   \
    .norm = "linear_attn.norm.weight", .gate = HF_GATE_SILU, .out = CULL_PART_MIX_OUT,             \
    .out_name = "linear_attn.out_proj"
// Of Mamba2, below a prefix.
#define HF_MAMBA2_NAMES(prefix)                                                                    \
    .in = prefix "in_proj", .conv = prefix "conv1d", .rate = prefix "A_log",                       \
    .dt_bias = prefix "dt_bias", .skip = prefix "D", .norm = prefix "norm.weight",                 \
    .gate = HF_GATE_FIRST, .grouped = true, .out = CULL_PART_MIX_OUT,                              \
    .out_name = prefix "out_proj"

// Of what leaves a DeepSeek-V3.2 of another kind, besides.
#define HF_KEYS_DSA                                                                                \
    HF_KEYS_DEEPSEEK,                                                                              \
    {                                                                                              \
        "index_head_dim|index_n_heads|layer_types|rope_interleave|mlp_bias", HF_ANY, NULL          \
    }
// Rows that families of one kind share; a table names what is its own beside them.
// clang-format off
#define HF_LIKE_DEEPSEEK_V32                                                                       \
    .theta = 1e4,                                                                                  \
    .attention = HF_MLA,                                                                           \
    .qkv_bias = HF_KEY("attention_bias", 0),                                                       \
    .o_bias = HF_KEY("attention_bias", 0),                                                         \
    .own_types = true,                                                                             \
    .exact = HF_KEY("index_topk", 2048),                                                           \
    .interleaved = HF_CONSTANT(1),                                                                 \
    .E = HF_NEEDS("num_local_experts|num_experts|n_routed_experts"),                               \
    .K = HF_NEEDS("num_experts_per_tok"),                                                          \
    .F = HF_NEEDS("moe_intermediate_size"),                                                        \
    .dense_F = HF_NEEDS("intermediate_size"),                                                      \
    .first_moe = HF_KEY("first_k_dense_replace", 3),                                               \
    .last_moe = HF_CONSTANT(-1),                                                                   \
    .mlp_types = true,                                                                             \
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },                                              \
    .shared_n = HF_KEY("n_shared_experts", 1),                                                     \
    .shared = HF_SHARED_PROJ,                                                                      \
    .dense = HF_DENSE_PROJ,                                                                        \
    .mtp = "num_nextn_predict_layers|num_mtp_layers",                                              \
    .tensors = HF_TENSORS_INDEXER
// Qwen3-MoE's language model in a wrapper, but for keys of experts and their layouts.
#define HF_LIKE_QWEN3_WRAPPED                                                                      \
    .eps = 1e-6,                                                                                   \
    .mrope = true,                                                                                 \
    .qkv_bias = HF_KEY("attention_bias", 0),                                                       \
    .o_bias = HF_KEY("attention_bias", 0),                                                         \
    .qk_norm = HF_QK_HEAD,                                                                         \
    .K = HF_NEEDS("num_experts_per_tok"),                                                          \
    .F = HF_NEEDS("moe_intermediate_size"),                                                        \
    .dense_F = HF_NEEDS("intermediate_size"),                                                      \
    .last_moe = HF_CONSTANT(-1),                                                                   \
    .moe_step = HF_KEY("decoder_sparse_step", 1),                                                  \
    .except = "mlp_only_layers",                                                                   \
    .dense = HF_DENSE_PROJ
// ERNIE 4.5, but for its routers and which layers have experts.
#define HF_LIKE_ERNIE                                                                              \
    .eps = 1e-5,                                                                                   \
    .theta = 5e5,                                                                                  \
    .tied = true,                                                                                  \
    .kv_heads = 4,                                                                                 \
    .qkv_bias = HF_KEY("use_bias", 0),                                                             \
    .o_bias = HF_KEY("use_bias", 0),                                                               \
    .interleaved = HF_CONSTANT(1),                                                                 \
    .E = HF_NEEDS("num_experts|moe_num_experts"),                                                  \
    .K = HF_NEEDS("num_experts_per_tok|moe_k"),                                                    \
    .F = HF_NEEDS("moe_intermediate_size"),                                                        \
    .dense_F = HF_NEEDS("intermediate_size"),                                                      \
    .shared_n = HF_KEY("moe_num_shared_experts", 2),                                               \
    .shared = HF_SHARED_PROJ,                                                                      \
    .dense = HF_DENSE_PROJ,                                                                        \
    .ffn_bias = HF_KEY("use_bias", 0)
// Granite 3 and 4, but for what runs beside the experts and which layers attend.
#define HF_LIKE_GRANITE                                                                            \
    .eps = 1e-6,                                                                                   \
    .theta = 1e4,                                                                                  \
    .embed_scale = HF_KEY("embedding_multiplier", 1),                                              \
    .residual_scale = HF_KEY("residual_multiplier", 1),                                            \
    .logit_divisor = HF_KEY("logits_scaling", 1),                                                  \
    .qkv_bias = HF_KEY("attention_bias", 0),                                                       \
    .o_bias = HF_KEY("attention_bias", 0),                                                         \
    .attention_scale = HF_KEY("attention_multiplier", 1),                                          \
    .E = HF_NEEDS("num_local_experts"),                                                            \
    .K = HF_NEEDS("num_experts_per_tok"),                                                          \
    .F = HF_NEEDS("intermediate_size"),                                                            \
    .last_moe = HF_CONSTANT(-1),                                                                   \
    .router = HF_ROUTER_GRANITE,                                                                   \
    .experts = { HF_EXPERTS_GRANITE },                                                             \
    .constants = "block_sparse_moe.experts.constants"
// Qwen3-Next, but for the inputs of its delta nets and which layers are dense.
#define HF_LIKE_QWEN3_NEXT                                                                         \
    .eps = 1e-6,                                                                                   \
    .theta = 1e4,                                                                                  \
    .norm = HF_RMS_ONE,                                                                            \
    .head_dim = HF_KEY("head_dim", 256),                                                           \
    .kv_heads = 2,                                                                                 \
    .qkv_bias = HF_KEY("attention_bias", 0),                                                       \
    .o_bias = HF_KEY("attention_bias", 0),                                                         \
    .qk_norm = HF_QK_HEAD,                                                                         \
    .gated_query = true,                                                                           \
    .partial = HF_KEY("partial_rotary_factor", 0.25),                                              \
    .own_types = true,                                                                             \
    .E = HF_NEEDS("num_experts"),                                                                  \
    .K = HF_NEEDS("num_experts_per_tok"),                                                          \
    .F = HF_NEEDS("moe_intermediate_size"),                                                        \
    .last_moe = HF_CONSTANT(-1),                                                                   \
    .shared_F = HF_NEEDS("shared_expert_intermediate_size"),                                       \
    .shared = { "mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj",                        \
                "mlp.shared_expert.down_proj" },                                                   \
    .shared_gate = "mlp.shared_expert_gate"
#define HF_MIXER_QWEN3_NEXT                                                                        \
    .kind = HF_MIXER_DELTA,                                                                        \
    .types = "layer_types",                                                                        \
    .attends = HF_KEY("full_attention_interval", 4),                                               \
    .H = HF_KEY("linear_num_value_heads", 32),                                                     \
    .KH = HF_KEY("linear_num_key_heads", 16),                                                      \
    .k_width = HF_KEY("linear_key_head_dim", 128),                                                 \
    .v_width = HF_KEY("linear_value_head_dim", 128),                                               \
    .taps = HF_KEY("linear_conv_kernel_dim", 4),                                                   \
    HF_DELTA_NAMES
// clang-format on

#endif
