// Mistral 4 (Mistral AI 2026): DeepSeek's latent attention with queries that grow sharper by
// position, softmax gates in groups.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "qk_head_dim|num_key_value_heads", HF_ANY, NULL },
    { "sliding_window", "null", NULL },
    { 0 },
};
// clang-format on

// The reference turns the share of a head that is said, of some types the whole of it; where that
// is not the part that stands apart, it fails.
static cull_status check_turned(hf_config *c, const cull_model *m)
{
    static const char key[] = "partial_rotary_factor";
    hf_config rope;

    if (m->s.nope == 0 || !hf_config_sub(c, "rope_parameters", &rope))
        return c->status;
    const char *type = hf_word(&rope, "rope_type|type", "default");
    const json_t *share = json_object_get(rope.root, key);
    const double turned = (double)m->heads[0].qk * json_number_value(share);
    cull_status status = rope.status;
    if (status == CULL_OK && hf_one_of(type, "default|proportional"))
        status = hf_refuse(&rope, "rope_type", type, "dynamic, linear, llama3, longrope, yarn");
    else if (status == CULL_OK && share && (size_t)turned != m->s.rope)
        status = hf_wrong(&rope, key, share, "qk_rope_head_dim of a head's channels");
    hf_config_close(&rope);
    return status;
}

static cull_status adjust(hf_config *c, cull_model *m)
{
    if (!hf_config_has(c, "rope_parameters"))
        return hf_wrong(c, "rope_parameters", NULL, "");
    CULL_TRY(hf_rope_no_older(c, "llama_4_scaling_beta|original_max_position_embeddings"));
    CULL_TRY(check_turned(c, m));
    if (hf_size(c, (hf_num)HF_KEY("head_dim", 0), 1) != m->heads[0].qk &&
        hf_config_has(c, "head_dim"))
        return hf_wrong(c, "head_dim", hf_config_value(c, "head_dim"),
                        "qk_nope_head_dim + qk_rope_head_dim");
    m->s.temper = (float)m->heads[0].rope.beta;
    m->s.temper_span = (float)m->heads[0].rope.original;
    m->facts.reading += m->heads[0].rope.asked; // it was the longest path
    for (size_t l = 0; l < m->s.L; l++)
        m->layer[l].tempered = m->s.temper != 0;
    return c->status;
}

const hf_arch hf_mistral4 = {
    .model_type = "mistral4",
    .eps = 1e-6,
    .theta = 1e4,
    .kv_heads = 32,
    .kv_null = true,
    .attention = HF_MLA,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .interleaved = HF_KEY("rope_interleave", 1),
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 0),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 1),
                .add = 1e-20,
                .scale = HF_KEY("routed_scaling_factor", 1),
                .n_group = HF_KEY("n_group", 1),
                .topk_group = HF_KEY("topk_group", 1) },
    .experts = { HF_EXPERTS_FUSED, HF_EXPERTS_PROJ },
    .shared_n = HF_KEY("n_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .adjust = adjust,
    .transformers = "Mistral4ForCausalLM",
};
