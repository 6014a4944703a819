// Snowflake Arctic (2024): a dense transformer whose MoE runs beside it and reads the block's
// input.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "moe_train_capacity_factor|moe_eval_capacity_factor|moe_min_capacity|moe_token_dropping", HF_ANY, NULL },
    { "enable_expert_tensor_parallelism|quantization|enc_index", HF_ANY, NULL },
    { 0 }
};
// clang-format on

// The authors' code asks parallel_attn_mlp_res, vLLM's asks use_residual.
static cull_status adjust(hf_config *c, cull_model *m)
{
    const bool vllm = hf_flag(c, (hf_num)HF_KEY("use_residual", 0));
    const bool authors = hf_flag(c, (hf_num)HF_KEY("parallel_attn_mlp_res", vllm));

    if (c->status == CULL_OK && hf_config_has(c, "use_residual") && vllm != authors)
        return c->ctx->host->fail(
            c->ctx, CULL_EFORMAT,
            "%s: use_residual and parallel_attn_mlp_res contradict each other", c->path);
    m->s.parallel = authors;
    m->s.renormalise = m->s.K > 1;
    return c->status;
}

const hf_arch hf_arctic = {
    .model_type = "arctic",
    .eps = 1e-5,
    .theta = 1e6,
    .local_layers = HF_LOCAL_ALL,
    .E = HF_NEEDS("num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .moe_step = HF_KEY("moe_layer_frequency", 2),
    .router = { .score = HF_SOFTMAX, .name = "block_sparse_moe.gate", .alone_as_is = true },
    .experts = { HF_EXPERTS_W123 },
    .dense = { "block_sparse_moe.mlp.w1", "block_sparse_moe.mlp.w3", "block_sparse_moe.mlp.w2" },
    .parallel = { "residual_mlp.w1", "residual_mlp.w3", "residual_mlp.w2" },
    .keys = keys,
    .adjust = adjust,
};
