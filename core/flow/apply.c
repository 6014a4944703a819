// A stage's cut joined to those before it: checked, rounded to the stored type.
#include "flow/apply.h"

#include "cut/cut.h"
#include "cut/cut_file.h"

cull_cut *cull_empty_cut(cull_ctx *ctx, const cull_prepared_model *prepared)
{
    const cull_model_facts *facts = prepared->opened.facts;
    size_t *experts = cull_scratch(ctx, facts->L + 1, sizeof *experts);

    if (!experts)
        return NULL;
    for (size_t l = 0; l < facts->L; l++)
        experts[l] = prepared->layer[l]->E;
    return cull_cut_new(ctx, facts->L, facts->D, experts);
}

static cull_status check_overlay(cull_ctx *ctx, const cull_prepared_model *s,
                                 const cull_overlay *overlay)
{
    const cull_matrix_id where = overlay->where;
    cull_matrix matrix = { .size = sizeof matrix };

    if (where.layer != CULL_NONE &&
        (where.layer >= s->opened.facts->L || !(s->layer[where.layer]->parts >> where.part & 1)))
        return cull_fail(ctx, CULL_EPLUGIN, "an overlay for layer %u, %s, which the model has not",
                         where.layer, cull_part_word(where.part));
    if (where.expert != CULL_NONE && where.expert >= s->layer[where.layer]->E)
        return cull_fail(ctx, CULL_EPLUGIN,
                         "an overlay for layer %u, expert %u, which the model has not", where.layer,
                         where.expert);
    CULL_TRY(CULL_CALL(ctx, s->opened.plugin, where.layer, matrix,
                       s->opened.backend->matrix(ctx, s->opened.model, where, &matrix)));
    if (overlay->kind == CULL_CHANNELS || overlay->kind == CULL_BIAS) {
        const size_t n = overlay->kind == CULL_BIAS ? matrix.rows : matrix.cols;
        if (overlay->rows != 1 || overlay->cols != n)
            return cull_fail(ctx, CULL_EPLUGIN, "%zu %s of layer %u, %s, which has %zu",
                             overlay->cols, overlay->kind == CULL_BIAS ? "biases" : "channels",
                             where.layer, cull_part_word(where.part), n);
        return CULL_OK;
    }
    if (matrix.rows != overlay->rows || matrix.cols != overlay->cols)
        return cull_fail(ctx, CULL_EPLUGIN,
                         "an overlay of %zu × %zu for layer %u, %s, which has %zu × %zu",
                         overlay->rows, overlay->cols, where.layer, cull_part_word(where.part),
                         matrix.rows, matrix.cols);
    return CULL_OK;
}

static cull_status round_to_store(cull_ctx *ctx, const cull_prepared_model *s, const char *store,
                                  cull_cut *cut)
{
    cull_dtype dtype;

    CULL_TRY(cull_cut_store(ctx, store, s->opened.facts->dtype, &dtype));
    cull_cut_round(cut, dtype);
    return CULL_OK;
}

cull_status cull_apply(cull_ctx *ctx, const cull_prepared_model *s, const uint8_t *frozen,
                       const char *store, cull_cut *cut, cull_routing_counts usage,
                       cull_variant *out)
{
    *out = (cull_variant){ .cut = cut };
    if (cut) {
        for (size_t i = 0; i < cut->n_overlays; i++)
            CULL_TRY(check_overlay(ctx, s, &cut->overlay[i]));
        CULL_TRY(round_to_store(ctx, s, store, cut));
    }
    return cull_cut_size_of(ctx, &s->opened, cut, frozen, usage, &out->size);
}
