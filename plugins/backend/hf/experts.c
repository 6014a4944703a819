// A layer's routed experts, in whichever layout the checkpoint has them.
#include <string.h>

#include "load.h"
#include "names.h"

enum { GATE, UP, DOWN }; // places in hf_layer.expert; parts CULL_PART_GATE + these

static const cull_dtype bytes8[] = { CULL_DT_U8 };

// One matrix of every stored expert out of a stack: they follow each other at `stride` bytes.
typedef struct stack {
    const unsigned char *data;
    size_t stride;
    cull_matrix like; // rows, cols, dtype, strides
} stack;

static void unstack(hf_layer *layer, size_t which, const stack *s)
{
    const unsigned char *data = s->data;

    for (size_t e = 0; e < layer->facts.E; e++) {
        cull_matrix *m = &layer->expert[3 * e + which];
        if (!hf_is_stored(layer, e))
            continue;
        *m = s->like;
        m->size = sizeof *m;
        m->data = data;
        data += s->stride;
    }
}

static cull_status load_each(hf_loader *t, const hf_glu_names *name, size_t l)
{
    const size_t D = t->m->s.D, F = t->m->s.F;
    const bool bias = t->m->arch->expert_bias;

    for (size_t e = 0; e < t->m->layer[l].facts.E; e++) {
        if (!hf_is_stored(&t->m->layer[l], e))
            continue;
        HF_TRY(hf_load_matrix(t, cull_at_expert(l, CULL_PART_GATE, e), name->gate, F, D, bias));
        HF_TRY(hf_load_matrix(t, cull_at_expert(l, CULL_PART_UP, e), name->up, F, D, bias));
        HF_TRY(hf_load_matrix(t, cull_at_expert(l, CULL_PART_DOWN, e), name->down, D, F, bias));
    }
    return CULL_OK;
}

static size_t width(cull_dtype type)
{
    return type == CULL_DT_F32 ? 4 : 2;
}

// The two tensors of a fused layout, of the shapes given.
static cull_status load_stacks(hf_loader *t, const hf_glu_names *name, size_t l,
                               const size_t gate_up[3], const size_t down[3], const hf_tensor **a,
                               const hf_tensor **b)
{
    const hf_wanted first = { HF_STACK, cull_at(l, CULL_PART_GATE), hf_plain_types, 3, 3, gate_up };
    const hf_wanted second = { HF_STACK, cull_at(l, CULL_PART_DOWN), hf_plain_types, 3, 3, down };

    HF_TRY(hf_take(t, hf_loader_name(t, name->gate, 0, ""), &first, a));
    HF_TRY(hf_take(t, hf_loader_name(t, name->down, 0, ""), &second, b));
    t->params += (uint64_t)gate_up[0] * 3 * t->m->s.D * t->m->s.F;
    return CULL_OK;
}

static cull_status load_rows(hf_loader *t, const hf_glu_names *name, size_t l)
{
    hf_layer *layer = &t->m->layer[l];
    const size_t n = layer->n_stored, D = t->m->s.D, F = t->m->s.F;
    const size_t gate_up[] = { n, 2 * F, D }, down[] = { n, D, F };
    const hf_tensor *a, *b;

    HF_TRY(load_stacks(t, name, l, gate_up, down, &a, &b));
    const size_t wa = width(a->t.dtype), wb = width(b->t.dtype);
    const cull_matrix in = {
        .rows = F, .cols = D, .dtype = a->t.dtype, .row_stride = (ptrdiff_t)D, .col_stride = 1
    };
    const cull_matrix out = {
        .rows = D, .cols = F, .dtype = b->t.dtype, .row_stride = (ptrdiff_t)F, .col_stride = 1
    };
    unstack(layer, GATE, &(stack){ a->t.data, 2 * F * D * wa, in });
    unstack(layer, UP,
            &(stack){ (const unsigned char *)a->t.data + F * D * wa, 2 * F * D * wa, in });
    unstack(layer, DOWN, &(stack){ b->t.data, D * F * wb, out });
    return CULL_OK;
}

// Biases of the fused forms: gate_up (E, 2F) by turns, down (E, D).
static cull_status load_stack_biases(hf_loader *t, const hf_glu_names *name, size_t l)
{
    hf_layer *layer = &t->m->layer[l];
    const size_t E = layer->facts.E, D = t->m->s.D, F = t->m->s.F;
    const size_t gate_up[] = { E, 2 * F }, down[] = { E, D };
    const hf_wanted first = { HF_STACK_BIAS, cull_at(l, CULL_PART_GATE), hf_plain_types, 3, 2,
                              gate_up };
    const hf_wanted second = {
        HF_STACK_BIAS, cull_at(l, CULL_PART_DOWN), hf_plain_types, 3, 2, down
    };
    const hf_tensor *a, *b;

    HF_TRY(hf_take(t, hf_loader_name(t, name->gate, 0, "_bias"), &first, &a));
    HF_TRY(hf_take(t, hf_loader_name(t, name->down, 0, "_bias"), &second, &b));
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

static cull_status load_columns(hf_loader *t, const hf_glu_names *name, size_t l)
{
    hf_layer *layer = &t->m->layer[l];
    const size_t E = layer->facts.E, D = t->m->s.D, F = t->m->s.F;
    const size_t gate_up[] = { E, D, 2 * F }, down[] = { E, F, D };
    const hf_tensor *a, *b;

    HF_TRY(load_stacks(t, name, l, gate_up, down, &a, &b));
    const size_t wa = width(a->t.dtype), wb = width(b->t.dtype);
    const cull_matrix in = {
        .rows = F, .cols = D, .dtype = a->t.dtype, .row_stride = 2, .col_stride = (ptrdiff_t)(2 * F)
    };
    const cull_matrix out = {
        .rows = D, .cols = F, .dtype = b->t.dtype, .row_stride = 1, .col_stride = (ptrdiff_t)D
    };
    unstack(layer, GATE, &(stack){ a->t.data, 2 * F * D * wa, in });
    unstack(layer, UP, &(stack){ (const unsigned char *)a->t.data + wa, 2 * F * D * wa, in });
    unstack(layer, DOWN, &(stack){ b->t.data, D * F * wb, out });
    return load_stack_biases(t, name, l);
}

// Blocks U8 (E, rows, cols/32, 16) and scales U8 (E, rows, cols/32) of one projection. `turns`:
// gate and up stand in it row by row in turn, and `which` is the first of them.
static cull_status load_blocks(hf_loader *t, const char *name, size_t rows, size_t cols,
                               size_t turns, size_t which, size_t l)
{
    hf_layer *layer = &t->m->layer[l];
    const size_t E = layer->facts.E, blocks = cols / 32;
    const size_t block_shape[] = { E, rows, blocks, 16 }, scale_shape[] = { E, rows, blocks };
    const cull_matrix_id where = cull_at(l, (cull_part)(CULL_PART_GATE + which));
    const hf_wanted q_wanted = { HF_STACK_BLOCKS, where, bytes8, 1, 4, block_shape };
    const hf_wanted scale_wanted = { HF_STACK_SCALES, where, bytes8, 1, 3, scale_shape };
    const hf_tensor *q, *scale;

    if (cols % 32 != 0)
        return t->ctx->host->fail(t->ctx, CULL_EFORMAT,
                                  "%s: mxfp4 needs %zu columns in blocks of 32", t->m->facts.source,
                                  cols);
    HF_TRY(hf_take(t, hf_loader_name(t, name, 0, "_blocks"), &q_wanted, &q));
    HF_TRY(hf_take(t, hf_loader_name(t, name, 0, "_scales"), &scale_wanted, &scale));
    const cull_matrix like = { .rows = rows / turns,
                               .cols = cols,
                               .dtype = CULL_DT_F4,
                               .row_stride = (ptrdiff_t)(turns * blocks * 16),
                               .col_stride = 1,
                               .scale_dtype = CULL_DT_F8_E8M0,
                               .block_rows = 1,
                               .block_cols = 32,
                               .scale_stride = (ptrdiff_t)(turns * blocks) };
    for (size_t i = 0; i < turns; i++) {
        unstack(layer, which + i,
                &(stack){ (const unsigned char *)q->t.data + i * blocks * 16, rows * blocks * 16,
                          like });
        for (size_t e = 0; e < E; e++)
            layer->expert[3 * e + which + i].scale =
                (const unsigned char *)scale->t.data + (e * rows + i) * blocks;
    }
    t->params += (uint64_t)E * rows * cols;
    return CULL_OK;
}

static cull_status load_mxfp4(hf_loader *t, const hf_glu_names *name, size_t l)
{
    HF_TRY(load_blocks(t, name->gate, 2 * t->m->s.F, t->m->s.D, 2, GATE, l));
    HF_TRY(load_blocks(t, name->down, t->m->s.D, t->m->s.F, 1, DOWN, l));
    return load_stack_biases(t, name, l);
}

static const char *suffix_of(enum hf_expert_form form)
{
    return form == HF_EACH ? ".weight" : form == HF_MXFP4 ? "_blocks" : "";
}

// Experts beyond those of config.json: it belongs to another checkpoint, or lies.
static cull_status refuse_more(hf_loader *t, const hf_glu_names *name, size_t l)
{
    const size_t E = t->m->layer[l].facts.E;
    const char *extra = hf_loader_name(t, name->down, E, ".weight");

    if (!extra)
        return CULL_ENOMEM;
    if (!hf_files_find(&t->m->files, extra))
        return CULL_OK;
    return t->ctx->host->fail(
        t->ctx, CULL_EFORMAT,
        "%s: tensor \"%s\" is there, but by config.json a layer has %zu experts",
        t->m->facts.source, extra, E);
}

// The first layout whose tensors are there, else the published one.
static cull_status choose(hf_loader *t, size_t l, const hf_expert_layout **out)
{
    const hf_expert_layout *layout = t->m->arch->experts;
    size_t e = 0; // the first that is stored

    while (!hf_is_stored(&t->m->layer[l], e))
        e++;
    for (*out = layout; layout->form; layout++) {
        const char *name = hf_loader_name(t, layout->name.down, e, suffix_of(layout->form));
        if (!name)
            return CULL_ENOMEM;
        if (hf_files_find(&t->m->files, name)) {
            *out = layout;
            break;
        }
    }
    return CULL_OK;
}

// An expert that is a constant: matrices of one zero, with the constant as down's bias.
static void set_constant(cull_matrix *m, size_t rows, size_t cols, const float *bias)
{
    static const float zero;

    *m = (cull_matrix){ .size = sizeof *m,
                        .rows = rows,
                        .cols = cols,
                        .data = &zero,
                        .dtype = CULL_DT_F32,
                        .bias = bias,
                        .bias_dtype = CULL_DT_F32,
                        .bias_stride = bias ? 1 : 0 };
}

static cull_status load_constants(hf_loader *t, size_t l)
{
    hf_layer *layer = &t->m->layer[l];
    const hf_arch *arch = t->m->arch;
    const char *name = arch->constants ? arch->constants : HF_CONSTANTS_NAME;
    const size_t D = t->m->s.D, F = t->m->s.F;
    const size_t shape[] = { layer->facts.E - layer->n_stored, D };
    const float *constant;

    if (!layer->constant)
        return CULL_OK;
    HF_TRY(hf_load_vector(t, hf_loader_name(t, name, 0, ""), HF_CONSTANTS, 2, shape, &constant));
    for (size_t e = 0; e < layer->facts.E; e++) {
        if (hf_is_stored(layer, e))
            continue;
        set_constant(&layer->expert[3 * e + GATE], F, D, NULL);
        set_constant(&layer->expert[3 * e + UP], F, D, NULL);
        set_constant(&layer->expert[3 * e + DOWN], D, F, constant);
        constant += D;
    }
    return CULL_OK;
}

cull_status hf_load_experts(hf_loader *t, size_t l)
{
    hf_layer *layer = &t->m->layer[l];
    const hf_expert_layout *layout;

    layer->expert = t->ctx->host->alloc(t->ctx, layer->facts.E, 3 * sizeof *layer->expert);
    if (!layer->expert)
        return CULL_ENOMEM;
    HF_TRY(choose(t, l, &layout));
    HF_TRY(load_constants(t, l));
    switch (layout->form) {
    case HF_EACH:
        HF_TRY(load_each(t, &layout->name, l));
        return refuse_more(t, &layout->name, l);
    case HF_ROWS:
        return load_rows(t, &layout->name, l);
    case HF_COLUMNS:
        return load_columns(t, &layout->name, l);
    case HF_MXFP4:
        return load_mxfp4(t, &layout->name, l);
    }
    return CULL_EPLUGIN;
}
