// Granite 4 (IBM 2025): Mamba2 between blocks of attention, with Granite 3's multipliers and a
// shared expert.
#include <string.h>

#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "mamba_chunk_size", HF_ANY, NULL },
    { 0 }
};
// clang-format on

// Heads are as many as fit mamba_expand.
static cull_status adjust(hf_config *c, cull_model *m)
{
    hf_mixer_shape *s = &m->s.mix;
    const size_t inner = hf_size(c, (hf_num)HF_KEY("mamba_expand", 2), 1) * m->s.D;
    const json_t *width = hf_config_value(c, "mamba_d_head");

    if (hf_config_is_null(c, "mamba_d_head") || hf_config_is_null(c, "time_step_limit"))
        return hf_refuse_value(
            c, hf_config_is_null(c, "mamba_d_head") ? "mamba_d_head" : "time_step_limit", "null",
            "a value, or no such key");
    if (width && !json_is_integer(width) && strcmp(hf_word(c, "mamba_d_head", ""), "auto") != 0)
        return hf_wrong(c, "mamba_d_head", width, "a number, or \"auto\"");
    s->v_width = json_is_integer(width) ? (size_t)json_integer_value(width) : inner / s->H;
    if (c->status == CULL_OK && s->v_width * s->H != inner)
        return c->ctx->host->fail(
            c->ctx, CULL_EFORMAT,
            "%s: mamba_n_heads %zu of mamba_d_head %zu are not mamba_expand × hidden_size (%zu)",
            c->path, s->H, s->v_width, inner);
    return c->status;
}

const hf_arch hf_granitemoehybrid = {
    HF_LIKE_GRANITE,
    .model_type = "granitemoehybrid",
    .rotates = HF_ROTATE_SAID,
    .own_types = true,
    .mixer = { .kind = HF_MIXER_MAMBA2,
               .types = "layers_block_type|layer_types",
               .H = HF_KEY("mamba_n_heads", 128),
               .KH = HF_KEY("mamba_n_groups", 1),
               .k_width = HF_KEY("mamba_d_state", 256),
               .taps = HF_KEY("mamba_d_conv", 4),
               .conv_bias = HF_KEY("mamba_conv_bias", 1),
               .bias = HF_KEY("mamba_proj_bias", 0),
               .limits = "time_step_limit",
               HF_MAMBA2_NAMES("mamba.") },
    .shared_F = HF_KEY("shared_intermediate_size", 1024),
    .shared = { .pair = "shared_mlp.input_linear", .down = "shared_mlp.output_linear" },
    .keys = keys,
    .adjust = adjust,
    .transformers = "GraniteMoeHybridForCausalLM",
};
