// A layer's routed experts, in whichever layout the checkpoint has them.
#include <string.h>

#include "take.h"

enum { GATE, UP, DOWN };

static const cull_dtype plain[] = { CULL_DT_F32, CULL_DT_BF16, CULL_DT_F16 };
static const cull_dtype bytes8[] = { CULL_DT_U8 };

// Matrices at[e * 3 + which] of all experts: rows × cols, where expert e begins at e × expert_bytes
// and which one's first row `first` rows later.
typedef struct hf_slices {
    const unsigned char *data;
    size_t expert_bytes;
    cull_matrix like; // rows, cols, dtype, strides
} hf_slices;

static void slice(hf_layer *layer, size_t which, const hf_slices *s)
{
    for (size_t e = 0; e < layer->facts.E; e++) {
        cull_matrix *m = &layer->expert[3 * e + which];
        *m = s->like;
        m->size = sizeof *m;
        m->data = s->data + e * s->expert_bytes;
    }
}

static cull_status take_each(hf_taker *t, const hf_glu_names *name, hf_layer *layer)
{
    const size_t D = t->m->s.D, F = t->m->s.F;
    const bool bias = t->m->arch->expert_bias;

    for (size_t e = 0; e < layer->facts.E; e++) {
        cull_matrix *m = &layer->expert[3 * e];
        HF_TRY(hf_take_matrix(t, name->gate, e, F, D, bias, &m[GATE]));
        HF_TRY(hf_take_matrix(t, name->up, e, F, D, bias, &m[UP]));
        HF_TRY(hf_take_matrix(t, name->down, e, D, F, bias, &m[DOWN]));
    }
    return CULL_OK;
}

// A fused tensor, "name" or "name.weight".
static cull_status take_fused(hf_taker *t, const char *name, const size_t shape[3],
                              const hf_tensor **out)
{
    const char *found = hf_taker_name(t, name, 0, "");
    return hf_take(t, found, 3, shape, plain, 3, out);
}

static size_t width(cull_dtype type)
{
    return type == CULL_DT_F32 ? 4 : 2;
}

static cull_status take_rows(hf_taker *t, const hf_glu_names *name, hf_layer *layer)
{
    const size_t E = layer->facts.E, D = t->m->s.D, F = t->m->s.F;
    const size_t gate_up[] = { E, 2 * F, D }, down[] = { E, D, F };
    const hf_tensor *a, *b;

    HF_TRY(take_fused(t, name->gate, gate_up, &a));
    HF_TRY(take_fused(t, name->down, down, &b));
    const size_t wa = width(a->t.dtype), wb = width(b->t.dtype);
    hf_slices s = {
        a->t.data,
        2 * F * D * wa,
        { .rows = F, .cols = D, .dtype = a->t.dtype, .row_stride = (ptrdiff_t)D, .col_stride = 1 }
    };
    slice(layer, GATE, &s);
    s.data += F * D * wa;
    slice(layer, UP, &s);
    s = (hf_slices){
        b->t.data,
        D * F * wb,
        { .rows = D, .cols = F, .dtype = b->t.dtype, .row_stride = (ptrdiff_t)F, .col_stride = 1 }
    };
    slice(layer, DOWN, &s);
    t->params += (uint64_t)E * 3 * D * F;
    return CULL_OK;
}

// Biases of the fused forms: gate_up (E, 2F) by turns, down (E, D).
static cull_status take_fused_bias(hf_taker *t, const hf_glu_names *name, hf_layer *layer)
{
    const size_t E = layer->facts.E, D = t->m->s.D, F = t->m->s.F;
    const size_t gate_up[] = { E, 2 * F }, down[] = { E, D };
    const hf_tensor *a, *b;

    HF_TRY(hf_take(t, hf_taker_name(t, name->gate, 0, "_bias"), 2, gate_up, plain, 3, &a));
    HF_TRY(hf_take(t, hf_taker_name(t, name->down, 0, "_bias"), 2, down, plain, 3, &b));
    const size_t wa = width(a->t.dtype), wb = width(b->t.dtype);
    for (size_t e = 0; e < E; e++) {
        cull_matrix *m = &layer->expert[3 * e];
        const unsigned char *row = (const unsigned char *)a->t.data + e * 2 * F * wa;
        m[GATE].bias = row;
        m[UP].bias = row + wa;
        m[DOWN].bias = (const unsigned char *)b->t.data + e * D * wb;
        m[GATE].bias_dtype = m[UP].bias_dtype = a->t.dtype;
        m[DOWN].bias_dtype = b->t.dtype;
        m[GATE].bias_stride = m[UP].bias_stride = 2;
        m[DOWN].bias_stride = 1;
    }
    t->params += (uint64_t)E * (2 * F + D);
    return CULL_OK;
}

static cull_status take_columns(hf_taker *t, const hf_glu_names *name, hf_layer *layer)
{
    const size_t E = layer->facts.E, D = t->m->s.D, F = t->m->s.F;
    const size_t gate_up[] = { E, D, 2 * F }, down[] = { E, F, D };
    const hf_tensor *a, *b;

    HF_TRY(take_fused(t, name->gate, gate_up, &a));
    HF_TRY(take_fused(t, name->down, down, &b));
    const size_t wa = width(a->t.dtype), wb = width(b->t.dtype);
    hf_slices s = { a->t.data,
                    2 * F * D * wa,
                    { .rows = F,
                      .cols = D,
                      .dtype = a->t.dtype,
                      .row_stride = 2,
                      .col_stride = (ptrdiff_t)(2 * F) } };
    slice(layer, GATE, &s);
    s.data += wa;
    slice(layer, UP, &s);
    s = (hf_slices){
        b->t.data,
        D * F * wb,
        { .rows = D, .cols = F, .dtype = b->t.dtype, .row_stride = 1, .col_stride = (ptrdiff_t)D }
    };
    slice(layer, DOWN, &s);
    t->params += (uint64_t)E * 3 * D * F;
    return take_fused_bias(t, name, layer);
}

// Blocks U8 (E, rows, cols/32, 16) and scales U8 (E, rows, cols/32) of one projection. `turns`:
// gate and up stand in it row by row in turn, and `which` is the first of them.
static cull_status take_blocks(hf_taker *t, const char *name, size_t rows, size_t cols,
                               size_t turns, size_t which, hf_layer *layer)
{
    const size_t E = layer->facts.E, blocks = cols / 32;
    const size_t block_shape[] = { E, rows, blocks, 16 }, scale_shape[] = { E, rows, blocks };
    const hf_tensor *q, *scale;

    if (cols % 32 != 0)
        return t->ctx->host->fail(t->ctx, CULL_EFORMAT,
                                  "%s: mxfp4 needs %zu columns in blocks of 32", t->m->facts.source,
                                  cols);
    HF_TRY(hf_take(t, hf_taker_name(t, name, 0, "_blocks"), 4, block_shape, bytes8, 1, &q));
    HF_TRY(hf_take(t, hf_taker_name(t, name, 0, "_scales"), 3, scale_shape, bytes8, 1, &scale));
    for (size_t i = 0; i < turns; i++) {
        const hf_slices s = { (const unsigned char *)q->t.data + i * blocks * 16,
                              rows * blocks * 16,
                              { .rows = rows / turns,
                                .cols = cols,
                                .dtype = CULL_DT_F4,
                                .row_stride = (ptrdiff_t)(turns * blocks * 16),
                                .col_stride = 1,
                                .scale_dtype = CULL_DT_F8_E8M0,
                                .block_rows = 1,
                                .block_cols = 32,
                                .scale_stride = (ptrdiff_t)(turns * blocks) } };
        slice(layer, which + i, &s);
        for (size_t e = 0; e < E; e++)
            layer->expert[3 * e + which + i].scale =
                (const unsigned char *)scale->t.data + (e * rows + i) * blocks;
    }
    t->params += (uint64_t)E * rows * cols;
    return CULL_OK;
}

static cull_status take_mxfp4(hf_taker *t, const hf_glu_names *name, hf_layer *layer)
{
    HF_TRY(take_blocks(t, name->gate, 2 * t->m->s.F, t->m->s.D, 2, GATE, layer));
    HF_TRY(take_blocks(t, name->down, t->m->s.D, t->m->s.F, 1, DOWN, layer));
    return take_fused_bias(t, name, layer);
}

static const char *suffix_of(enum hf_expert_form form)
{
    return form == HF_EACH ? ".weight" : form == HF_MXFP4 ? "_blocks" : "";
}

// Experts beyond those of config.json: a checkpoint that was pruned by half, or a config that lies.
static cull_status refuse_more(hf_taker *t, const hf_glu_names *name, const hf_layer *layer)
{
    const char *extra = hf_taker_name(t, name->down, layer->facts.E, ".weight");

    if (!extra)
        return CULL_ENOMEM;
    if (!hf_files_find(&t->m->files, extra))
        return CULL_OK;
    return t->ctx->host->fail(
        t->ctx, CULL_EFORMAT,
        "%s: tensor \"%s\" is there, but by config.json a layer has %zu experts",
        t->m->facts.source, extra, layer->facts.E);
}

cull_status hf_take_experts(hf_taker *t, hf_layer *layer)
{
    const hf_expert_layout *layout = t->m->arch->experts, *chosen = layout;

    layer->expert = t->ctx->host->alloc(t->ctx, layer->facts.E, 3 * sizeof *layer->expert);
    if (!layer->expert)
        return CULL_ENOMEM;
    for (; layout->form; layout++) {
        const char *name = hf_taker_name(t, layout->name.down, 0, suffix_of(layout->form));
        if (!name)
            return CULL_ENOMEM;
        if (hf_files_find(&t->m->files, name)) {
            chosen = layout;
            break;
        }
    }
    switch (chosen->form) {
    case HF_EACH:
        HF_TRY(take_each(t, &chosen->name, layer));
        return refuse_more(t, &chosen->name, layer);
    case HF_ROWS:
        return take_rows(t, &chosen->name, layer);
    case HF_COLUMNS:
        return take_columns(t, &chosen->name, layer);
    case HF_MXFP4:
        return take_mxfp4(t, &chosen->name, layer);
    }
    return CULL_EPLUGIN;
}
