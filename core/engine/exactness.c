// Which matrices bf16x2 cannot take as they are.
#include "engine/exactness.h"

#include "base/call.h"
#include "cut/overlay.h"
#include "cut/unpack.h"

typedef struct counting {
    cull_ctx *ctx;
    const cull_open_model *m;
    const cull_cut *cut;
    size_t n;
} counting;

static cull_status look(counting *c, cull_matrix_id where)
{
    cull_matrix w;

    CULL_TRY(CULL_CALL(c->ctx, c->m->plugin, where.layer, matrix,
                       c->m->backend->matrix(c->ctx, c->m->model, where, &w)));
    c->n += !cull_is_bf16(&w) || cull_overlay_of(c->cut, where).matrix;
    return CULL_OK;
}

static bool of_experts(cull_part part)
{
    return part == CULL_PART_GATE || part == CULL_PART_UP || part == CULL_PART_DOWN;
}

static cull_status look_at_layer(counting *c, size_t l)
{
    const cull_layer_facts *f = cull_layer_of(c->m, l);

    for (unsigned p = 0; p < CULL_N_PARTS; p++) {
        const cull_part part = (cull_part)p;
        if (!(f->parts >> p & 1) || cull_part_is_filter(part))
            continue;
        if (!of_experts(part))
            CULL_TRY(look(c, cull_at(l, part)));
        for (size_t e = 0; of_experts(part) && e < f->E; e++)
            CULL_TRY(look(c, cull_at_expert(l, part, e)));
    }
    return CULL_OK;
}

cull_status cull_count_f32_matrices(cull_ctx *ctx, const cull_open_model *m, const cull_cut *cut,
                                    size_t *n)
{
    counting c = { ctx, m, cut, 0 };

    for (size_t l = 0; l < m->facts->L; l++)
        CULL_TRY(look_at_layer(&c, l));
    CULL_TRY(look(&c, (cull_matrix_id){ CULL_NONE, CULL_PART_HEAD, CULL_NONE }));
    *n = c.n;
    return CULL_OK;
}
