// MiniMax-M3's language model (MiniMax 2026): norms (1 + w), gpt-oss's activation in all parts,
// sparse attention of chosen blocks, which is dense where there are no more blocks than are chosen.
#include <string.h>

#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"sigmoid\"|null", NULL },
    { "use_qk_norm|use_gemma_norm|use_routing_bias", "true|null", NULL },
    { "qk_norm_type", "\"per_head\"|null", NULL },
    { "attention_output_gate|router_jitter_noise|attention_bias", "false|0.0|null", "transformers has none here" },
    { "index_n_heads|index_head_dim|index_local_blocks|n_shared_experts", HF_ANY, NULL },
    { "moe_layer_freq|partial_rotary_factor|use_mtp", HF_ANY, NULL },
    { 0 },
};
static const hf_left tensors[] = {
    { "self_attn.indexer.*", "attention is dense up to as many blocks as are chosen; an export keeps them", HF_KEPT },
    { "self_attn.index_*", "attention is dense up to as many blocks as are chosen; an export keeps them", HF_KEPT },
    { 0 },
};
// clang-format on

// Positions up to which all blocks are chosen: of layers that choose, which are listed by word or
// by 1.
static cull_status adjust(hf_config *c, cull_model *m)
{
    const json_t *types = hf_config_value(c, "layer_types");
    const size_t block = hf_size(c, (hf_num)HF_KEY("index_block_size", 128), 1);
    const size_t most = hf_size(c, (hf_num)HF_KEY("index_topk_blocks", 16), 1);
    hf_config sparse;
    bool any = false;

    CULL_TRY(hf_check_words(c, "layer_types", types, m->s.L));
    const bool old = hf_config_sub(c, "sparse_attention_config", &sparse);
    const json_t *freq = types ? NULL : hf_config_value(&sparse, "sparse_attention_freq");
    if (freq && json_array_size(freq) != m->s.L)
        (void)hf_wrong(&sparse, "sparse_attention_freq", freq,
                       "a list with a number for each layer");
    for (size_t l = 0; l < m->s.L; l++) {
        const char *word = json_string_value(json_array_get(types, l));
        if (word && !hf_one_of(word, "minimax_m3_sparse|full_attention"))
            (void)hf_refuse(c, "layer_types", word, "full_attention, minimax_m3_sparse");
        m->layer[l].chooses = word ? strcmp(word, "full_attention") != 0
                                   : json_integer_value(json_array_get(freq, l)) != 0;
        any |= m->layer[l].chooses;
    }
    if (old)
        m->s.exact = hf_size(&sparse, (hf_num)HF_KEY("sparse_block_size", (double)block), 1) *
                     hf_size(&sparse, (hf_num)HF_KEY("sparse_topk_blocks", (double)most), 1);
    else
        m->s.exact = block * most;
    m->s.exact = any ? m->s.exact : 0;
    c->status = c->status ? c->status : sparse.status;
    hf_config_close(&sparse);
    if (hf_size(c, (hf_num)HF_KEY("rotary_dim", (double)m->heads[0].rope.rot), 0) !=
        m->heads[0].rope.rot)
        hf_note(c->ctx, m,
                "config.json: rotary_dim is left out: transformers looks at partial_rotary_factor, "
                "by which %zu channels of a head are rotated",
                m->heads[0].rope.rot);
    return c->status;
}

const hf_arch hf_minimax_m3_vl = {
    .model_type = "minimax_m3_vl",
    .also = "minimax_m3_vl_text|minimax_m3",
    .eps = 1e-6,
    .theta = 5e6,
    .norm = HF_RMS_ONE,
    .own_types = true,
    .indexer = "self_attn.indexer.q_proj|self_attn.index_q_proj",
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 4,
    .qk_norm = HF_QK_HEAD,
    .partial = HF_KEY("partial_rotary_factor", 1),
    .E = HF_NEEDS("num_experts|num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .dense_F = HF_NEEDS("dense_intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .flags = "moe_layer_freq",
    .act = HF_CLAMPED,
    .side_act = HF_CLAMPED,
    .act_words = "silu|swigluoai",
    .router = { .score = HF_SIGMOID,
                .name = "block_sparse_moe.gate|mlp.gate",
                .bias = "block_sparse_moe.e_score_correction_bias|mlp.gate.e_score_correction_bias",
                .renormalise = HF_CONSTANT(1),
                .scale = HF_KEY("routed_scaling_factor", 2) },
    .experts = { HF_EXPERTS_W123, HF_EXPERTS_FUSED },
    .shared_F = HF_KEY("shared_intermediate_size", 3072),
    .shared = { "block_sparse_moe.shared_experts.gate_proj",
                "block_sparse_moe.shared_experts.up_proj",
                "block_sparse_moe.shared_experts.down_proj|mlp.shared_experts.down_proj",
                "mlp.shared_experts.gate_up_proj" },
    .dense = { "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "mlp.gate_up_proj" },
    .keys = keys,
    .tensors = tensors,
    .mtp = "num_mtp_modules|num_nextn_predict_layers",
    .adjust = adjust,
    .transformers = "MiniMaxM3VLForCausalLM",
};
