// Nemotron-H and Nemotron 3 (NVIDIA 2025, arXiv:2504.03624): blocks of one part each: Mamba2,
// attention without positions, experts without a gate, or a dense part.
#include "config/config.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "mlp_hidden_act", "\"relu2\"", NULL },
    { "mamba_hidden_act", "\"silu\"", NULL },
    { "sliding_window", "null", NULL },
    { "attention_bias", "false", "transformers has none here" },
    { "n_shared_experts", "1", NULL },
    { "chunk_size|mamba_chunk_size|expand|mamba_expand|time_step_limit|time_step_max|time_step_floor", HF_ANY, NULL },
    { "mamba_dt_limit|mamba_dt_max|mamba_dt_init_floor|mamba_ssm_cache_dtype|use_mamba_kernels", HF_ANY, NULL },
    { "num_logits_to_keep|rescale_prenorm_residual|residual_in_fp32|mamba_proj_bias", HF_ANY, NULL },
    { "moe_shared_expert_overlap|mtp_layers_block_type|mtp_hybrid_override_pattern", HF_ANY, NULL },
    { "hidden_dropout", HF_ANY_NUMBER, NULL },
    { "num_hidden_layers|norm_eps", HF_ANY, NULL }, // layer_norm_epsilon is read
    { 0 }
};
// clang-format on

// The class has the list under its older name, and a null under the other one takes its place.
static cull_status adjust(hf_config *c, cull_model *m)
{
    (void)m;
    if (hf_config_is_null(c, "layer_types"))
        return hf_refuse_value(c, "layer_types", "null", "a list, or no such key");
    return c->status;
}

const hf_arch hf_nemotron_h = {
    .model_type = "nemotron_h",
    .eps = 1e-5,
    .eps_key = "layer_norm_epsilon|rms_norm_eps",
    .theta = 1e4,
    .norms = { .attention = "norm", .ffn = "norm" },
    .last_norm = "norm_f",
    .embedding = "embeddings",
    .never_tied = true,
    .reading = 1, // time steps are no shorter than time_step_min
    .rotates = HF_ROTATE_NONE,
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 8,
    .q = "mixer.q_proj",
    .k = "mixer.k_proj",
    .v = "mixer.v_proj",
    .o = "mixer.o_proj",
    .own_types = true,
    .mixer = { .kind = HF_MIXER_MAMBA2,
               .types = "layer_types|layers_block_type|hybrid_override_pattern",
               .single = true,
               .H = HF_KEY("mamba_num_heads", 128),
               .KH = HF_KEY("mamba_n_groups|n_groups", 8),
               .k_width = HF_KEY("ssm_state_size", 128),
               .v_width = HF_KEY("mamba_head_dim", 64),
               .taps = HF_KEY("mamba_d_conv|conv_kernel", 4),
               .conv_bias = HF_KEY("mamba_conv_bias|use_conv_bias", 1),
               .bias = HF_KEY("use_bias", 0),
               .least_step = HF_KEY("mamba_dt_min|time_step_min", 0.001),
               HF_MAMBA2_NAMES("mixer.") },
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .act = HF_RELU2,
    .side_act = HF_RELU2,
    .router = { .score = HF_SIGMOID,
                .name = "mixer.gate",
                .bias = "mixer.gate.e_score_correction_bias",
                .renormalise = HF_KEY("norm_topk_prob", 1),
                .add = 1e-20,
                .scale = HF_KEY("routed_scaling_factor", 1),
                .n_group = HF_KEY("n_group", 1),
                .topk_group = HF_KEY("topk_group", 1) },
    .experts = { { HF_EACH, { NULL, "mixer.experts.*.up_proj", "mixer.experts.*.down_proj" } } },
    .latent = HF_KEY("moe_latent_size", 0),
    .latent_in = "mixer.fc1_latent_proj",
    .latent_out = "mixer.fc2_latent_proj",
    .shared_F = HF_KEY("moe_shared_expert_intermediate_size", 7688),
    .shared_as_dense = true,
    .shared = { NULL, "mixer.shared_experts.up_proj", "mixer.shared_experts.down_proj" },
    .dense = { NULL, "mixer.up_proj", "mixer.down_proj" },
    .ffn_bias = HF_KEY("mlp_bias", 0),
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .adjust = adjust,
    .transformers = "NemotronHForCausalLM",
    .constants = "mixer.experts.constants",
};
