// The service recur(): a head's state, a block of its columns at a time, along the forest.
#include <cull/kernel.h>

#include "engine/scan.h"
#include "math/recurrence.h"

typedef struct recurrence {
    const cull_recurrence *r;
    const float *q, *k, *v, *g, *beta;
    float *out;
    cull_ctx *ctx;
    size_t blocks; // of a head's columns
} recurrence;

static cull_status run_part(void *arg, size_t part, size_t first, size_t n, float *state,
                            cull_arena *arena)
{
    const recurrence *t = arg;
    const cull_recurrence *r = t->r;
    const size_t h = part / t->blocks, c = part % t->blocks * CULL_STATE_COLS;
    const size_t decays = r->per_channel ? r->k_width : 1;
    const size_t ldk = r->KH * r->k_width, ldv = r->H * r->v_width;
    const size_t key = first * ldk + h / (r->H / r->KH) * r->k_width;
    const size_t value = first * ldv + h * r->v_width + c;
    const cull_mark mark = cull_arena_mark(arena);
    float *scratch = cull_arena_room(arena, cull_state_scratch(r->k_width), sizeof *scratch);

    if (!scratch)
        return cull_no_memory(t->ctx);
    const cull_state_rows rows = {
        .n = n,
        .k_width = r->k_width,
        .cols = r->v_width - c < CULL_STATE_COLS ? r->v_width - c : CULL_STATE_COLS,
        .decays = decays,
        .q = t->q + key,
        .k = t->k + key,
        .v = t->v + value,
        .g = t->g + (first * r->H + h) * decays,
        .beta = t->beta ? t->beta + first * r->H + h : NULL,
        .out = t->out + value,
        .ldk = ldk,
        .ldv = ldv,
        .ldg = r->H * decays,
        .ldb = r->H,
    };
    cull_state_run(&rows, state, scratch);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

cull_status cull_recur_rows(cull_pass *pass, const cull_recurrence *r, const float *q,
                            const float *k, const float *v, const float *g, const float *beta,
                            float *out)
{
    cull_piece *piece = pass->core;
    recurrence t = { r, q, k, v, g, beta, out, piece->run->ctx, 0 };

    if (r->KH == 0 || r->H % r->KH != 0)
        return cull_fail(piece->run->ctx, CULL_EPLUGIN,
                         "recurrence of layer %zu: %zu heads for %zu heads of keys", piece->layer,
                         r->H, r->KH);
    t.blocks = (r->v_width + CULL_STATE_COLS - 1) / CULL_STATE_COLS;
    const cull_scan scan = {
        .parts = r->H * t.blocks,
        .floats = cull_state_floats(r->k_width, r->per_channel ? r->k_width : 1),
        .at = r->state_at,
        .run = run_part,
        .arg = &t,
    };
    return cull_scan_rows(piece, &scan);
}
