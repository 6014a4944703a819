// The tensors of a checkpoint of the variant.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "save/save.h"

// name with the layer's and the expert's new numbers; slot −1: its expert stays.
static const char *renamed(hf_saving *s, const char *name, size_t layer, int32_t slot)
{
    static const char layers[] = "layers.", experts[] = ".experts.";
    const char *rest = name, *at = slot < 0 ? NULL : strstr(name, experts);
    const size_t before = strlen(s->m->base) + sizeof layers - 1;
    char head[64] = "";

    if (layer != CULL_NONE) { // its name begins with base + "layers.N."
        (void)snprintf(head, sizeof head, "%.*s%zu", (int)before, name, s->new_layer[layer]);
        rest = strchr(name + before, '.');
    }
    if (!at)
        return hf_text(s->ctx, "%s%s", head, rest);
    const char *number = at + sizeof experts - 1;
    return hf_text(s->ctx, "%s%.*s%d%s", head, (int)(number - rest), rest, (int)slot,
                   number + strspn(number, "0123456789"));
}

static cull_status add(hf_saving *s, const hf_out *out)
{
    if (!out->name)
        return CULL_ENOMEM;
    s->out[s->n] = *out;
    hf_save_narrow(s, &s->out[s->n++]);
    return CULL_OK;
}

// A tensor as it is stored, under its new name.
static hf_out as_stored(hf_saving *s, const hf_tensor *t, size_t layer, int32_t slot)
{
    hf_out out = { .from = t,
                   .name = renamed(s, t->name, layer, slot),
                   .dtype = t->t.dtype,
                   .rank = t->t.rank,
                   .bytes = t->t.bytes,
                   .layer = layer,
                   .slot = slot };

    memcpy(out.shape, t->t.shape, sizeof out.shape);
    return out;
}

// Is x BF16 already?
static bool fits_bf16(size_t n, const float *x)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        if (bits & 0xffff)
            return false;
    }
    return true;
}

// The bits of a scale as F32 has them.
static uint32_t scale_bits(const cull_matrix *m, size_t i)
{
    const unsigned char *p = m->scale;
    uint32_t bits;

    if (m->scale_dtype == CULL_DT_F8_E8M0)
        return (uint32_t)p[i] << 23; // 0: 2^-127, which F32 has below its exponents
    memcpy(&bits, p + 4 * i, sizeof bits);
    return bits;
}

// Are all values of a quantised matrix BF16? Those of FP8 and FP4 have few digits, so that they are
// where the scales are powers of two, and large enough for the least number (2^-9) times them.
static bool is_exact(const cull_matrix *m)
{
    const size_t rows = (m->rows + m->block_rows - 1) / m->block_rows;
    const size_t cols = (m->cols + m->block_cols - 1) / m->block_cols;
    const uint32_t least = m->dtype == CULL_DT_F8_E4M3 ? 127 - 117 : 0; // exponent of 2^-117

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            const uint32_t bits = scale_bits(m, i * (size_t)m->scale_stride + j);
            const bool zero = bits == 0 && m->scale_dtype == CULL_DT_F32;
            if (!zero && (bits & 0x7fffff || (bits >> 23 & 0xff) < least))
                return false;
        }
    return true;
}

// The type that a dequantised matrix loses no digit in.
static cull_dtype wide_type(hf_saving *s, cull_matrix_id where)
{
    const cull_matrix *m = hf_matrix_place(s->m, where);
    bool exact = true, rewritten = false;

    for (size_t i = 0; i < s->cut->n_overlays; i++) {
        const cull_overlay *o = cull_overlay_at(s->cut, i);
        if (o->kind != CULL_MATRIX || o->where.layer != where.layer ||
            o->where.part != where.part || o->where.expert != where.expert)
            continue;
        rewritten = true;
        exact = fits_bf16(o->rows * o->cols, o->data);
    }
    if (!rewritten && m)
        exact = is_exact(m);
    s->n_wide += !exact;
    return exact ? CULL_DT_BF16 : CULL_DT_F32;
}

static cull_status add_matrix(hf_saving *s, const hf_tensor *t, size_t layer, int32_t slot)
{
    hf_out out = as_stored(s, t, layer, slot);

    if (t->role == HF_MATRIX_SCALE && s->how->dequantise)
        return CULL_OK;
    if (hf_is_quantised(out.dtype) && s->how->dequantise) {
        const int32_t content = slot < 0 ? 0 : hf_slot_content(s, layer, slot);
        cull_matrix_id where = t->where;
        where.expert = slot < 0 ? where.expert : (uint32_t)content;
        out.dtype = content < 0 ? CULL_DT_BF16 : wide_type(s, where); // zeros fit anywhere
        out.bytes *= out.dtype == CULL_DT_F32 ? 4 : 2;
    }
    return add(s, &out);
}

// What takes no part in text is written as it is, so that it cannot be dequantised.
static cull_status check_beside(hf_saving *s, const hf_tensor *t)
{
    if (hf_is_quantised(t->t.dtype) && s->how->dequantise)
        return s->ctx->host->fail(
            s->ctx, CULL_ENOTSUP,
            "%s is quantised, and belongs to no part that could be dequantised", t->name);
    return CULL_OK;
}

static cull_status add_beside(hf_saving *s, const hf_tensor *t, size_t layer)
{
    const hf_out out = as_stored(s, t, layer, -1);

    CULL_TRY(check_beside(s, t));
    return add(s, &out);
}

// A tensor of one expert: once for every slot that has this expert's matrices. A slot without any
// has zeros of the shape that the expert's own have, or, for padding, the first expert's; or, in
// Cull's own layout, no tensor.
static cull_status add_expert(hf_saving *s, const hf_tensor *t)
{
    const size_t l = t->where.layer;

    for (int32_t j = 0; (size_t)j < s->rows[l]; j++) {
        const int32_t content = hf_slot_content(s, l, j), own = s->slot[l][j];
        const int32_t model = content >= 0 ? content : own >= 0 ? own : 0;
        if (model == (int32_t)t->where.expert && hf_slot_stored(s, l, j))
            CULL_TRY(add_matrix(s, t, l, j));
    }
    return CULL_OK;
}

// The type that loses no digit of a layer's stack, which may hold gate with up.
static cull_dtype wide_type_of_stack(hf_saving *s, const hf_tensor *t, size_t layer)
{
    const uint32_t first = t->where.part, n = first == CULL_PART_GATE ? 2 : 1;
    cull_dtype type = CULL_DT_BF16;

    for (int32_t j = 0; (size_t)j < s->rows[layer]; j++) {
        const int32_t e = hf_slot_content(s, layer, j);
        for (uint32_t p = first; e >= 0 && p < first + n; p++)
            if (wide_type(s, (cull_matrix_id){ (uint32_t)layer, p, (uint32_t)e }) == CULL_DT_F32)
                type = CULL_DT_F32;
    }
    return type;
}

// Has every expert of the layer its own row of the router still?
static bool is_whole(const hf_saving *s, size_t layer)
{
    const size_t E = s->m->layer[layer].facts.E;

    for (size_t j = 0; j < s->rows[layer]; j++)
        if (s->rows[layer] != E || s->slot[layer][j] != (int32_t)j)
            return false;
    return true;
}

// All experts in one tensor, or a router's row or entry for each: the axis of E entries becomes
// shorter.
static cull_status add_stack(hf_saving *s, const hf_tensor *t, size_t layer)
{
    hf_out out = as_stored(s, t, layer, -1);
    const size_t axis = t->role == HF_ROUTER_BIAS ? t->t.rank - 1 : 0;
    const bool router =
        t->role == HF_ROUTER || t->role == HF_ROUTER_BIAS || t->role == HF_GATE_SCALE;
    const size_t n = router ? s->rows[layer] : hf_slots_stored(s, layer);

    if (t->role == HF_ROUTER && hf_is_quantised(t->t.dtype) && !s->how->dequantise &&
        !is_whole(s, layer))
        return s->ctx->host->fail(s->ctx, CULL_ENOTSUP,
                                  "%s is FP8, in blocks of several experts: experts can only be "
                                  "taken from it dequantised",
                                  t->name);
    out.bytes = t->t.bytes / t->t.shape[axis] * n;
    out.shape[axis] = n;
    if (t->t.dtype == CULL_DT_F8_E4M3 && s->how->dequantise) {
        out.dtype = router ? wide_type(s, t->where) : wide_type_of_stack(s, t, layer);
        out.bytes *= out.dtype == CULL_DT_F32 ? 4 : 2;
    }
    return add(s, &out);
}

// MXFP4 blocks as the BF16 form has them, (E, cols, rows).
static cull_status add_unpacked(hf_saving *s, const hf_tensor *t, size_t layer)
{
    hf_out out = as_stored(s, t, layer, -1);

    out.name = out.name
                   ? hf_text(s->ctx, "%.*s", (int)(strlen(out.name) - strlen("_blocks")), out.name)
                   : NULL;
    out.dtype = wide_type_of_stack(s, t, layer);
    out.rank = 3;
    out.shape[0] = hf_slots_stored(s, layer);
    out.shape[1] = t->t.shape[2] * 32;
    out.shape[2] = t->t.shape[1];
    out.bytes = (out.dtype == CULL_DT_F32 ? 4 : 2) * out.shape[0] * out.shape[1] * out.shape[2];
    return add(s, &out);
}

// What has an entry an expert along one axis.
static cull_status add_entries(hf_saving *s, const hf_tensor *t, size_t layer)
{
    hf_out out = as_stored(s, t, layer, -1);

    CULL_TRY(check_beside(s, t));
    out.bytes = t->t.bytes / t->t.shape[t->axis] * s->rows[layer];
    out.shape[t->axis] = s->rows[layer];
    return add(s, &out);
}

// A tensor of an expert of a second set: once for every slot that has the first set's of its
// number, numbered on from those.
static cull_status add_second(hf_saving *s, const hf_tensor *t)
{
    const size_t l = t->where.layer, rows = s->rows[l];

    CULL_TRY(check_beside(s, t));
    for (size_t j = 0; j < rows; j++) {
        hf_out out = as_stored(s, t, l, (int32_t)(rows + j));
        out.slot = -1;
        if (s->slot[l][j] == (int32_t)t->where.expert)
            CULL_TRY(add(s, &out));
    }
    return CULL_OK;
}

// The layer that a tensor belongs to, by its name; CULL_NONE: none.
static size_t layer_of(const hf_saving *s, const hf_tensor *t)
{
    for (size_t l = 0; l < s->m->s.L; l++) {
        const size_t at = (size_t)(t - s->m->files.tensor);
        if (at >= s->m->layer[l].first_tensor && at < s->m->layer[l].end_tensor)
            return l;
    }
    return CULL_NONE;
}

static cull_status add_tensor(hf_saving *s, const hf_tensor *t, size_t layer)
{
    switch (t->role) {
    case HF_UNUSED:
    case HF_CONSTANTS: // written anew
        return CULL_OK;
    case HF_VECTOR:
    case HF_PAIR:
    case HF_MATRIX:
    case HF_MATRIX_SCALE:
    case HF_MATRIX_BIAS:
        return t->where.expert == CULL_NONE ? add_matrix(s, t, layer, -1) : add_expert(s, t);
    case HF_BESIDE:
        return add_beside(s, t, layer);
    case HF_ENTRIES:
        return add_entries(s, t, layer);
    case HF_SECOND:
        return add_second(s, t);
    case HF_STACK_BLOCKS:
        return s->how->dequantise ? add_unpacked(s, t, layer) : add_stack(s, t, layer);
    case HF_STACK_SCALES:
        return s->how->dequantise ? CULL_OK : add_stack(s, t, layer);
    case HF_STACK:
    case HF_STACK_BIAS:
    case HF_ROUTER:
    case HF_ROUTER_BIAS:
    case HF_GATE_SCALE:
        return add_stack(s, t, layer);
    }
    return CULL_OK;
}

// No more tensors come out than this: each slot may repeat its expert's.
static size_t at_most(const hf_saving *s)
{
    return s->m->files.n_tensors + s->m->s.L * (s->E * 9 + 1);
}

// What Cull's own layout has in the place of matrices: a row for each slot without any.
static cull_status add_constants(hf_saving *s, size_t layer)
{
    static const hf_tensor constants = { .role = HF_CONSTANTS };
    const char *name = s->m->arch->constants ? s->m->arch->constants : HF_CONSTANTS_NAME;
    const size_t n = s->rows[layer] - hf_slots_stored(s, layer), D = s->m->s.D;

    if (n == 0)
        return CULL_OK;
    const hf_out out = { .from = &constants,
                         .name = hf_text(s->ctx, "%slayers.%zu.%s", s->m->base, s->new_layer[layer],
                                         name),
                         .dtype = CULL_DT_F32,
                         .rank = 2,
                         .shape = { n, D },
                         .bytes = n * D * sizeof(float),
                         .layer = layer,
                         .slot = -1 };
    return add(s, &out);
}

cull_status hf_save_list(hf_saving *s)
{
    size_t layer = CULL_NONE;

    s->out = s->ctx->host->alloc(s->ctx, at_most(s), sizeof *s->out);
    if (!s->out)
        return CULL_ENOMEM;
    for (size_t i = 0; i < s->m->files.n_tensors; i++) {
        const hf_tensor *t = &s->m->files.tensor[i];
        if (layer == CULL_NONE || i < s->m->layer[layer].first_tensor ||
            i >= s->m->layer[layer].end_tensor)
            layer = layer_of(s, t);
        if (layer == CULL_NONE || s->new_layer[layer] != SIZE_MAX)
            CULL_TRY(add_tensor(s, t, layer));
    }
    for (size_t l = 0; l < s->m->s.L; l++)
        CULL_TRY(add_constants(s, l));
    if (s->n_wide)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "%zu matrices are written as F32: BF16 would round what was evaluated",
                          s->n_wide);
    return CULL_OK;
}
