// ERNIE 4.5 VL's language model (Baidu 2025, technical report): ERNIE 4.5 with a second set of
// experts, for the tokens of images and films.
#include <string.h>

#include "config/config.h"
#include "model.h"
#include "names.h"

#define OF_IMAGES "experts of images, which no text reaches; an export keeps as many as of text's"

// clang-format off
static const hf_key keys[] = {
    { "moe_capacity|moe_layer_start_index|moe_layer_end_index|moe_layer_interval", HF_ANY, NULL },
    { 0 }
};
static const hf_left tensors[] = {
    { "mlp.vision_moe.experts.*", OF_IMAGES, HF_KEPT_ROWS },
    { "mlp.vision_moe.gate.weight", OF_IMAGES, HF_KEPT_ROWS },
    { "mlp.vision_moe.gate.moe_statics.*", OF_IMAGES, HF_KEPT_COLUMNS },
    { "mlp.gate.weight_1", OF_IMAGES, HF_KEPT_COLUMNS },
    { 0 },
};
// clang-format on

// M-RoPE's sections of height and width take turns, so that on text, where all positions are one,
// their frequencies are in order again; that of time has the rest.
static cull_status adjust(hf_config *c, cull_model *m)
{
    const json_t *scaling = json_object_get(c->root, "rope_scaling");
    const json_t *rope =
        json_object_size(scaling) ? scaling : json_object_get(c->root, "rope_parameters");
    const json_t *sections = json_object_get(rope, "mrope_section");
    const json_t *type = json_object_get(rope, "rope_type");
    const char *word = json_string_value(type ? type : json_object_get(rope, "type"));
    json_int_t n[3] = { 22, 22, 20 };

    for (size_t i = 0; sections && i < 3; i++)
        n[i] = json_integer_value(json_array_get(sections, i));
    if (word && strcmp(word, "default") != 0)
        return hf_refuse(c, "rope_type", word, "default");
    if (n[0] != n[1] || n[2] < 1 || n[0] < 0 ||
        (size_t)(n[0] + n[1] + n[2]) != m->heads[0].rope.rot / 2)
        return c->ctx->host->fail(c->ctx, CULL_ENOTSUP,
                                  "%s: mrope_section (rope_parameters) must have two equal "
                                  "sections and a third, together the %zu pairs of a head",
                                  c->path, m->heads[0].rope.rot / 2);
    return c->status;
}

const hf_arch hf_ernie4_5_vl_moe = {
    HF_LIKE_ERNIE,
    .model_type = "ernie4_5_vl_moe",
    .also = "ernie4_5_vl_moe_text",
    .mrope = true,
    .twofold = true,
    .first_moe = HF_CONSTANT(1),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.text_moe.gate",
                .turned = "mlp.gate",
                .bias = "mlp.moe_statics.e_score_correction_bias|mlp.text_moe.gate.moe_statics.e_"
                        "score_correction_bias",
                .bias_is_parameter = true,
                .renormalise = HF_CONSTANT(1),
                .floor = HF_KEY("moe_norm_min", 1e-12) },
    .experts = { HF_EXPERTS_PROJ,
                 { HF_ROWS,
                   { "mlp.text_moe.experts.gate_up_proj", NULL,
                     "mlp.text_moe.experts.down_proj" } } },
    .keys = keys,
    .tensors = tensors,
    .adjust = adjust,
};
