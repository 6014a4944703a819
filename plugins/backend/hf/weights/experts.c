// A layer's routed experts, in whichever layout the checkpoint has them.
#include <string.h>

#include "load.h"
#include "names.h"

enum { GATE, UP, DOWN }; // places in hf_layer.expert; parts CULL_PART_GATE + these

static const cull_dtype bytes8[] = { CULL_DT_U8 };

static cull_status load_each(hf_loader *t, const hf_glu_names *name, size_t l)
{
    const size_t W = t->m->s.W, F = t->m->s.F;
    const bool bias = t->m->arch->expert_bias;

    for (size_t e = 0; e < t->m->layer[l].facts.E; e++) {
        if (!hf_is_stored(&t->m->layer[l], e))
            continue;
        if (name->gate)
            CULL_TRY(
                hf_load_matrix(t, cull_at_expert(l, CULL_PART_GATE, e), name->gate, F, W, bias));
        CULL_TRY(hf_load_matrix(t, cull_at_expert(l, CULL_PART_UP, e), name->up, F, W, bias));
        CULL_TRY(hf_load_matrix(t, cull_at_expert(l, CULL_PART_DOWN, e), name->down, W, F, bias));
    }
    return CULL_OK;
}

static size_t width(cull_dtype type)
{
    return type == CULL_DT_F32 ? 4 : type == CULL_DT_F8_E4M3 ? 1 : 2;
}

// Where one matrix stands in the slices of a stack: (r, c) at element offset + r × row + c × col.
typedef struct place {
    size_t which, rows, cols, offset, row, col;
} place;

// FP8 scales of a matrix in a slice, whose blocks follow the slice's axes, not the matrix's: a
// table of its own. It has a row a block where the matrix begins with a block, else a row a row.
static cull_status place_scales(hf_loader *t, const place *p, const hf_tensor *scale, size_t slice,
                                size_t slice_cols, cull_matrix *m)
{
    const size_t rows = scale->t.shape[1], cols = scale->t.shape[2];
    const bool turned = p->col != 1; // the matrix's columns are the slice's rows
    const size_t block[] = { t->m->s.block_rows, t->m->s.block_cols };
    const size_t step = turned ? p->row : 1, along = block[turned], across = block[!turned];
    const size_t start = turned ? p->offset % slice_cols : p->offset / slice_cols;
    const bool whole = along % step == 0 && start / step * step % along == 0;
    const size_t per = whole ? along / step : 1;
    const size_t n_rows = (m->rows + per - 1) / per, n_cols = (m->cols + across - 1) / across;
    float *wide = t->ctx->host->alloc(t->ctx, rows * cols, sizeof *wide);
    float *own = t->ctx->host->alloc(t->ctx, n_rows * n_cols, sizeof *own);

    if (!wide || !own)
        return CULL_ENOMEM;
    hf_widen_scales(scale->t.dtype, scale->t.data, slice * rows * cols, rows * cols, wide);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t b = 0; b < n_cols; b++) {
            const size_t at = p->offset + r * per * p->row + b * across * p->col;
            own[r * n_cols + b] =
                wide[at / slice_cols / block[0] * cols + at % slice_cols / block[1]];
        }
    m->scale = own;
    m->scale_dtype = CULL_DT_F32;
    m->block_rows = per;
    m->block_cols = across;
    m->scale_stride = (ptrdiff_t)n_cols;
    return CULL_OK;
}

// The matrices of every stored expert out of a stack.
static cull_status unstack(hf_loader *t, size_t l, const hf_tensor *stack, const hf_tensor *scale,
                           size_t n, const place *places)
{
    hf_layer *layer = &t->m->layer[l];
    const size_t size = width(stack->t.dtype), slice_cols = stack->t.shape[2];
    size_t slice = 0;

    for (size_t e = 0; e < layer->facts.E; e++) {
        if (!hf_is_stored(layer, e))
            continue;
        for (const place *p = places; p < places + n; p++) {
            cull_matrix *m = &layer->expert[3 * e + p->which];
            *m = (cull_matrix){
                .size = sizeof *m,
                .rows = p->rows,
                .cols = p->cols,
                .data = (const unsigned char *)stack->t.data +
                        (slice * stack->t.shape[1] * slice_cols + p->offset) * size,
                .dtype = stack->t.dtype,
                .row_stride = (ptrdiff_t)p->row,
                .col_stride = (ptrdiff_t)p->col,
            };
            if (scale)
                CULL_TRY(place_scales(t, p, scale, slice, slice_cols, m));
        }
        slice++;
    }
    return CULL_OK;
}

// A stack of n slices (rows, cols) and, in FP8, its scales.
static cull_status load_stack(hf_loader *t, size_t l, const char *name, cull_part part, size_t rows,
                              size_t cols, const hf_tensor **stack, const hf_tensor **scale)
{
    static const cull_dtype types[] = { CULL_DT_F32, CULL_DT_BF16, CULL_DT_F16, CULL_DT_F8_E4M3 };
    const size_t n = t->m->layer[l].n_stored, shape[] = { n, rows, cols };
    const hf_wanted wanted = { HF_STACK, cull_at(l, part), types, 4, 3, shape };
    const char *full = hf_loader_name(t, name, 0, "");

    *scale = NULL;
    CULL_TRY(hf_load_tensor(t, full, &wanted, stack));
    t->params += (uint64_t)n * rows * cols;
    if ((*stack)->t.dtype != CULL_DT_F8_E4M3)
        return CULL_OK;
    return hf_load_stack_scales(t, full, cull_at(l, part), *stack, scale);
}

// Both stacks of a fused layout. gate and up are by turns, or halves one after the other; `turned`:
// slices are (D, 2F) and (F, D), else (2F, D) and (D, F).
static cull_status load_fused(hf_loader *t, const hf_glu_names *name, size_t l, bool turned,
                              bool by_turns)
{
    const size_t D = t->m->s.D, F = t->m->s.F, wide = 2 * F;
    const place rows[] = { { GATE, F, D, 0, D, 1 }, { UP, F, D, F * D, D, 1 } };
    const place halves[] = { { GATE, F, D, 0, 1, wide }, { UP, F, D, F, 1, wide } };
    const place turns[] = { { GATE, F, D, 0, 2, wide }, { UP, F, D, 1, 2, wide } };
    const place down = { DOWN, D, F, 0, turned ? 1 : F, turned ? D : 1 };
    const hf_tensor *stack, *scale;

    CULL_TRY(load_stack(t, l, name->gate, CULL_PART_GATE, turned ? D : wide, turned ? wide : D,
                        &stack, &scale));
    CULL_TRY(unstack(t, l, stack, scale, 2, !turned ? rows : by_turns ? turns : halves));
    CULL_TRY(load_stack(t, l, name->down, CULL_PART_DOWN, turned ? F : D, turned ? D : F, &stack,
                        &scale));
    return unstack(t, l, stack, scale, 1, &down);
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

    CULL_TRY(hf_load_tensor(t, hf_loader_name(t, name->gate, 0, "_bias"), &first, &a));
    CULL_TRY(hf_load_tensor(t, hf_loader_name(t, name->down, 0, "_bias"), &second, &b));
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
    CULL_TRY(hf_load_tensor(t, hf_loader_name(t, name, 0, "_blocks"), &q_wanted, &q));
    CULL_TRY(hf_load_tensor(t, hf_loader_name(t, name, 0, "_scales"), &scale_wanted, &scale));
    const cull_matrix like = { .size = sizeof like,
                               .rows = rows / turns,
                               .cols = cols,
                               .dtype = CULL_DT_F4,
                               .row_stride = (ptrdiff_t)(turns * blocks * 16),
                               .col_stride = 1,
                               .scale_dtype = CULL_DT_F8_E8M0,
                               .block_rows = 1,
                               .block_cols = 32,
                               .scale_stride = (ptrdiff_t)(turns * blocks) };
    for (size_t e = 0; e < E; e++)
        for (size_t i = 0; i < turns; i++) {
            cull_matrix *m = &layer->expert[3 * e + which + i];
            *m = like;
            m->data = (const unsigned char *)q->t.data + (e * rows + i) * blocks * 16;
            m->scale = (const unsigned char *)scale->t.data + (e * rows + i) * blocks;
        }
    t->params += (uint64_t)E * rows * cols;
    return CULL_OK;
}

static cull_status load_mxfp4(hf_loader *t, const hf_glu_names *name, size_t l)
{
    CULL_TRY(load_blocks(t, name->gate, 2 * t->m->s.F, t->m->s.D, 2, GATE, l));
    CULL_TRY(load_blocks(t, name->down, t->m->s.D, t->m->s.F, 1, DOWN, l));
    return load_stack_biases(t, name, l);
}

static const char *suffix_of(enum hf_expert_form form)
{
    return form == HF_EACH ? ".weight" : form == HF_MXFP4 ? "_blocks" : "";
}

// Experts beyond those of config.json: it belongs to another checkpoint, or lies.
static cull_status refuse_more(hf_loader *t, const hf_glu_names *name, size_t l)
{
    const size_t E = t->m->layer[l].facts.E * (t->m->arch->twofold ? 2 : 1);
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

// Has the tensor of all experts' down the shape of a form? One of single experts has.
static bool fits(const cull_model *m, enum hf_expert_form form, const hf_tensor *down)
{
    const bool turned = form == HF_HALVES || form == HF_COLUMNS;

    if (form == HF_EACH || form == HF_MXFP4 || down->t.rank != 3)
        return true;
    return down->t.shape[1] == (turned ? m->s.F : m->s.D);
}

// The first layout whose tensors are there, in its shape, else the published one.
static cull_status choose(hf_loader *t, size_t l, const hf_expert_layout **out)
{
    const hf_expert_layout *layout = t->m->arch->experts;
    size_t e = 0; // the first that is stored

    while (!hf_is_stored(&t->m->layer[l], e))
        e++;
    while (t->m->files.missing && t->m->s.mxfp4 && layout->form != HF_MXFP4)
        layout++;
    for (*out = layout; layout->form; layout++) {
        const char *name = hf_loader_name(t, layout->name.down, e, suffix_of(layout->form));
        const hf_tensor *found = name ? hf_files_find(&t->m->files, name) : NULL;
        if (!name)
            return CULL_ENOMEM;
        if (found && fits(t->m, layout->form, found)) {
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
    const size_t D = t->m->s.D, W = t->m->s.W, F = t->m->s.F;
    const size_t shape[] = { layer->facts.E - layer->n_stored, D };
    const float *constant;

    if (!layer->constant)
        return CULL_OK;
    CULL_TRY(hf_load_vector(t, hf_loader_name(t, name, 0, ""), HF_CONSTANTS, 2, shape, &constant));
    for (size_t e = 0; e < layer->facts.E; e++) {
        if (hf_is_stored(layer, e))
            continue;
        if (arch->act != HF_RELU2)
            set_constant(&layer->expert[3 * e + GATE], F, W, NULL);
        set_constant(&layer->expert[3 * e + UP], F, W, NULL);
        set_constant(&layer->expert[3 * e + DOWN], W, F, constant);
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
    CULL_TRY(choose(t, l, &layout));
    CULL_TRY(load_constants(t, l));
    switch (layout->form) {
    case HF_EACH:
        CULL_TRY(load_each(t, &layout->name, l));
        return refuse_more(t, &layout->name, l);
    case HF_ROWS:
        return load_fused(t, &layout->name, l, false, false);
    case HF_HALVES:
        return load_fused(t, &layout->name, l, true, false);
    case HF_COLUMNS:
        CULL_TRY(load_fused(t, &layout->name, l, true, true));
        return load_stack_biases(t, &layout->name, l);
    case HF_MXFP4:
        return load_mxfp4(t, &layout->name, l);
    }
    return CULL_EPLUGIN;
}
