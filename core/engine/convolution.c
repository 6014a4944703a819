// The service convolve(): each channel with its own filter over the path's last rows.
//
// A part is a block of channels; its state is the last taps − 1 inputs of the path, oldest first.
#include <string.h>

#include <cull/kernel.h>

#include "base/call.h"
#include "cut/unpack.h"
#include "cut/variant.h"
#include "engine/scan.h"

enum { CHANNELS = CULL_STATE_CHANNELS }; // of a part; the last one's state has room for as many

typedef struct convolution {
    const cull_convolution *c;
    const float *x;
    const float *filter, *bias; // (taps, channels), (channels)
    float *out;
} convolution;

// out += w ∘ x
CULL_CLONES
static void add_tap(size_t n, const float *restrict w, const float *restrict x, float *restrict out)
{
    for (size_t c = 0; c < n; c++)
        out[c] += w[c] * x[c];
}

CULL_CLONES
static void silu(size_t n, float *restrict x)
{
    for (size_t c = 0; c < n; c++)
        x[c] *= cull_sigmoid(x[c]);
}

// Keep the last `taps` − 1 of what was kept and the n rows of x.
static void keep_inputs(size_t kept, size_t n, size_t width, const float *x, size_t ldx,
                        float *state)
{
    for (size_t i = 0; i < kept; i++) {
        const float *from = i + n < kept ? state + (i + n) * width : x + (i + n - kept) * ldx;
        memmove(state + i * width, from, width * sizeof *state);
    }
}

static cull_status run_part(void *arg, size_t part, size_t first, size_t n, float *state,
                            cull_arena *arena)
{
    const convolution *t = arg;
    const size_t C = t->c->channels, kept = t->c->taps - 1, c = part * CHANNELS;
    const size_t width = C - c < CHANNELS ? C - c : CHANNELS;
    const float *x = t->x + first * C + c;

    (void)arena;
    for (size_t i = 0; i < n; i++) {
        float *out = t->out + (first + i) * C + c;
        memcpy(out, t->bias + c, width * sizeof *out);
        for (size_t j = 0; j <= kept; j++) {
            const float *in = i + j < kept ? state + (i + j) * width : x + (i + j - kept) * C;
            add_tap(width, t->filter + j * C + c, in, out);
        }
        if (t->c->silu)
            silu(width, out);
    }
    keep_inputs(kept, n, width, x, C, state);
    return CULL_OK;
}

// The variant's filter, a row a tap, and its bias or zeros.
static cull_status read_filter(cull_piece *piece, const cull_convolution *c, convolution *t)
{
    cull_run *run = piece->run;
    cull_arena *arena = cull_piece_arena(piece);
    cull_matrix m;

    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, piece->layer, matrix,
                       run->m->backend->matrix(run->ctx, run->m->model, c->filter, &m)));
    if (m.rows != c->channels || m.cols != c->taps)
        return cull_fail(run->ctx, CULL_EPLUGIN,
                         "convolution of layer %zu: its filter is (%zu, %zu), not (%zu, %zu)",
                         piece->layer, m.rows, m.cols, c->channels, c->taps);
    float *rows = cull_arena_room(arena, c->channels * c->taps, sizeof *rows);
    float *filter = cull_arena_room(arena, c->channels * c->taps, sizeof *filter);
    float *bias = cull_arena_alloc(arena, c->channels, sizeof *bias);
    if (!rows || !filter || !bias)
        return cull_no_memory(run->ctx);
    cull_variant_service.rows(piece->cut, c->filter, &m, 0, c->channels, rows);
    for (size_t i = 0; i < c->channels; i++)
        for (size_t j = 0; j < c->taps; j++)
            filter[j * c->channels + i] = rows[i * c->taps + j];
    if (m.bias)
        cull_unpack_bias(&m, 0, c->channels, bias);
    t->filter = filter;
    t->bias = bias;
    return CULL_OK;
}

cull_status cull_convolve_rows(cull_pass *pass, const cull_convolution *c, const float *x,
                               float *out)
{
    cull_piece *piece = pass->core;
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    convolution t = { .c = c, .x = x, .out = out };

    if (c->taps == 0 || c->channels == 0)
        return cull_fail(piece->run->ctx, CULL_EPLUGIN, "convolution of layer %zu without taps",
                         piece->layer);
    CULL_TRY(read_filter(piece, c, &t));
    const cull_scan scan = {
        .parts = (c->channels + CHANNELS - 1) / CHANNELS,
        .floats = (c->taps - 1) * CHANNELS,
        .at = c->state_at,
        .run = run_part,
        .arg = &t,
    };
    CULL_TRY(cull_scan_rows(piece, &scan));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
