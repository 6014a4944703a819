// Cohere's MoE (Cohere 2026): attention and experts side by side from one norm, shared experts that
// are summed or averaged with the routed ones.
#include <string.h>

#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "layer_switch|order_of_interleaved_layers|position_embedding_type|rotary_pct", HF_ANY, NULL },
    { "use_embedding_sharing|use_gated_activation|use_parallel_block|use_parallel_embedding", HF_ANY, NULL },
    { "sliding_window_pattern|cache_implementation", HF_ANY, NULL },
    { 0 },
};
// clang-format on

// Without lists of types the first layers are dense, with a pattern of windows of their own.
static void default_layers(hf_config *c, cull_model *m)
{
    const size_t dense = hf_size(c, (hf_num)HF_KEY("first_k_dense_replace", 0), 0);
    const size_t prefix = hf_size(c, (hf_num)HF_KEY("prefix_dense_sliding_window_pattern", 1), 1);
    const size_t rest = hf_size(c, (hf_num)HF_KEY("sliding_window_pattern", 4), 1);

    if (hf_config_has(c, "layer_types") || m->s.window == 0)
        return;
    for (size_t l = 0; l < m->s.L; l++)
        m->layer[l].local = l < dense ? (l + 1) % prefix != 0 : (l - dense + 1) % rest != 0;
}

static cull_status adjust(hf_config *c, cull_model *m)
{
    const char *by = hf_word(c, "expert_selection_fn", "softmax");
    const char *how = hf_word(c, "shared_expert_combination_strategy", "average");
    const size_t prefix = hf_size(c, (hf_num)HF_KEY("prefix_dense_sliding_window_pattern", 1), 1);

    CULL_TRY(hf_rope_no_older(c, "rope_theta"));
    if (hf_config_is_null(c, "first_k_dense_replace"))
        return hf_refuse_value(c, "first_k_dense_replace", "null", "a number, or no such key");
    if (!hf_one_of(by, "softmax|sigmoid"))
        return hf_refuse(c, "expert_selection_fn", by, "softmax, sigmoid");
    if (!hf_one_of(how, "sum|average"))
        return hf_refuse(c, "shared_expert_combination_strategy", how, "sum, average");
    if (strcmp(by, "sigmoid") == 0)
        m->s.score = HF_TOP_SIGMOID;
    else
        m->s.renormalise = true;
    m->s.shared_mean = m->s.shared_F && strcmp(how, "average") == 0;
    if (hf_config_has(c, "rms_norm_eps")) {
        m->s.norm = HF_RMS;
        m->s.eps = hf_real(c, (hf_num)HF_NEEDS("rms_norm_eps"));
    }
    m->s.dense_F = m->s.dense_F ? m->s.dense_F : m->s.F;
    default_layers(c, m);
    for (size_t l = 0; l < m->s.L; l++)
        m->layer[l].rotates = m->layer[l].local || (m->layer[l].facts.E == 0 && prefix == 1);
    return c->status;
}

const hf_arch hf_cohere2_moe = {
    .model_type = "cohere2_moe",
    .eps = 1e-5,
    .theta = 1e4,
    .tied = true,
    .norm = HF_CENTRED,
    .eps_key = "layer_norm_eps",
    .norms = { .attention = "input_layernorm" },
    .one_norm = true,
    .logit_scale = HF_KEY("logit_scale", 0.0625),
    .head_dim = HF_KEY("head_dim", 128),
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .local_layers = HF_LOCAL_BUT_NTH,
    .local_n = HF_KEY("sliding_window_pattern", 4),
    .window = 4096,
    .interleaved = HF_CONSTANT(1),
    .E = HF_NEEDS("num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .dense_F = HF_KEY("prefix_dense_intermediate_size", 0),
    .first_moe = HF_KEY("first_k_dense_replace", 0),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("num_shared_experts", 0),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .adjust = adjust,
    .transformers = "Cohere2MoeForCausalLM",
};
