// GLM-4.5V's language model (GLM-V team 2025, arXiv:2507.01006): GLM-4.5 without norms of heads.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "use_qk_norm", "false|null", "transformers has no such norms here" },
    { "image_start_token_id|image_end_token_id|video_start_token_id|video_end_token_id", HF_ANY, NULL },
    { 0 },
};
// clang-format on

// Sections of channels, which together are those that rotate. The class's own defaults are not so:
// config.json alone, of which nothing is computed, may say it.
static cull_status adjust(hf_config *c, cull_model *m)
{
    static const json_int_t by_default = 8 + 12 + 12;
    const json_t *scaling = json_object_get(c->root, "rope_scaling");
    const json_t *rope =
        json_object_size(scaling) ? scaling : json_object_get(c->root, "rope_parameters");
    const json_t *sections = json_object_get(rope, "mrope_section");
    json_int_t sum = sections ? 0 : by_default;

    for (size_t i = 0; i < json_array_size(sections); i++)
        sum += json_integer_value(json_array_get(sections, i));
    if (!m->files.missing && (size_t)sum != m->heads[0].rope.rot / 2)
        return c->ctx->host->fail(c->ctx, CULL_ENOTSUP,
                                  "%s: the sections of mrope_section (rope_parameters) have %d "
                                  "channels, where %zu pairs rotate",
                                  c->path, (int)sum, m->heads[0].rope.rot / 2);
    return c->status;
}

const hf_arch hf_glm4v_moe = {
    .model_type = "glm4v_moe",
    .also = "glm4v_moe_text",
    .eps = 1e-5,
    .theta = 1e4,
    .mrope = true,
    .kv_heads = 8,
    .qkv_bias = HF_KEY("attention_bias", 1),
    .partial = HF_KEY("partial_rotary_factor", 0.5),
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 1),
    .last_moe = HF_CONSTANT(-1),
    .router = HF_ROUTER_SIGMOID(1, 1, 1),
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("n_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .adjust = adjust,
};
