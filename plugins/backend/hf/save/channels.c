// Channels that are gone: narrower parts where all of a kind are alike, else zeros; and output
// biases.
//
// A checkpoint has one width for all routed experts, one for shared experts and one for dense
// parts. Where every module of a kind keeps as many channels, its tensors are written without the
// others: their axis of channels becomes shorter, and what is put for it passes through a sieve.
// Quantised blocks that run along that axis go whole, or not at all; where widths differ, bytes of
// quantised channels that are gone become zeros in their place.
#include <stdlib.h>
#include <string.h>

#include "save/save.h"

static cull_status refuse(hf_saving *s, const char *why)
{
    return s->ctx->host->fail(s->ctx, CULL_ENOTSUP, "%s cannot be exported: %s",
                              s->m->arch->model_type, why);
}

static hf_kind kind_of(uint32_t part)
{
    if (part >= CULL_PART_GATE && part <= CULL_PART_DOWN)
        return HF_ROUTED;
    if (part >= CULL_PART_SHARED_GATE && part <= CULL_PART_SHARED_DOWN)
        return HF_SHARED;
    if (part >= CULL_PART_DENSE_GATE && part <= CULL_PART_DENSE_DOWN)
        return HF_DENSE;
    return HF_N_KINDS;
}

static bool is_down(uint32_t part)
{
    return part == CULL_PART_DOWN || part == CULL_PART_SHARED_DOWN || part == CULL_PART_DENSE_DOWN;
}

static cull_matrix_id down_of(size_t l, hf_kind kind, size_t e)
{
    return kind == HF_ROUTED   ? cull_at_expert(l, CULL_PART_DOWN, e)
           : kind == HF_SHARED ? cull_at(l, CULL_PART_SHARED_DOWN)
                               : cull_at(l, CULL_PART_DENSE_DOWN);
}

// ---- widths ----

static bool cuts_channels(const hf_saving *s)
{
    bool any = false;

    for (size_t i = 0; i < s->cut->n_overlays && !any; i++)
        any = cull_overlay_at(s->cut, i)->kind == CULL_CHANNELS;
    return any;
}

// *width: what all modules of a kind keep, 0 where they differ; SIZE_MAX to begin with. all: no
// channel goes anywhere.
static void agree(const hf_saving *s, cull_matrix_id down, bool all, size_t *width)
{
    const cull_matrix *m = hf_matrix_place(s->m, down);
    size_t kept = all ? m->cols : 0;

    for (size_t c = 0; c < m->cols && !all; c++)
        kept += s->variant->keeps(s->cut, down, c);
    *width = *width == SIZE_MAX || *width == kept ? kept : 0;
}

// Of the modules that are written; SIZE_MAX where there are none.
static size_t common_width(const hf_saving *s, hf_kind kind)
{
    const bool all = !cuts_channels(s);
    size_t width = SIZE_MAX;

    for (size_t l = 0; l < s->m->s.L; l++) {
        const hf_layer *layer = &s->m->layer[l];
        if (s->new_layer[l] == SIZE_MAX)
            continue;
        for (int32_t j = 0; kind == HF_ROUTED && (size_t)j < s->rows[l]; j++) {
            const int32_t e = hf_slot_content(s, l, j);
            if (e >= 0)
                agree(s, down_of(l, kind, (size_t)e), all, &width);
        }
        if (layer->side_F && !layer->parallel && kind_of(layer->side) == kind)
            agree(s, down_of(l, kind, 0), all, &width);
    }
    return width;
}

// Two kinds whose widths follow from one key become narrower together, or not at all.
static void tie(hf_width *a, hf_width *b, size_t times)
{
    if (!b->present || b->to == times * a->to)
        return;
    a->to = a->from;
    b->to = b->from;
}

static void plan_widths(hf_saving *s)
{
    const hf_arch *arch = s->m->arch;
    const hf_shape *shape = &s->m->s;
    const size_t from[] = { shape->F, shape->shared_F, shape->dense_F };
    const char *const key[] = { arch->F.key, arch->shared_F.key, arch->dense_F.key };

    for (size_t k = 0; k < HF_N_KINDS; k++) {
        const size_t width = common_width(s, (hf_kind)k);
        const bool present = width != SIZE_MAX;
        s->width[k] = (hf_width){ from[k], present && width ? width : from[k], key[k], present };
    }
    if (arch->twofold)
        s->width[HF_ROUTED].to = s->width[HF_ROUTED].from; // its key has two widths
    if (shape->shared_as_dense)
        tie(&s->width[HF_DENSE], &s->width[HF_SHARED], 1);
    else if (!arch->shared_F.key && shape->F)
        tie(&s->width[HF_ROUTED], &s->width[HF_SHARED], shape->shared_F / shape->F);
    if (arch->dense_F.key && strcmp(arch->dense_F.key, arch->F.key) == 0)
        tie(&s->width[HF_ROUTED], &s->width[HF_DENSE], 1);
}

static bool is_narrower(const hf_saving *s, hf_kind kind)
{
    return kind < HF_N_KINDS && s->width[kind].to < s->width[kind].from;
}

// ---- what a checkpoint cannot say ----

// Do channels that are gone fill whole blocks of so many?
static bool whole_blocks(const hf_saving *s, cull_matrix_id down, size_t F, size_t block)
{
    for (size_t c = 0; c < F; c++)
        if (s->variant->keeps(s->cut, down, c) !=
            s->variant->keeps(s->cut, down, c / block * block))
            return false;
    return true;
}

// A stack in FP8 has one tensor of scales for gate and up, whose form differs by checkpoint.
static bool in_fp8_stack(const hf_saving *s, size_t l)
{
    for (size_t i = s->m->layer[l].first_tensor; i < s->m->layer[l].end_tensor; i++)
        if (s->m->files.tensor[i].role == HF_STACK &&
            s->m->files.tensor[i].t.dtype == CULL_DT_F8_E4M3)
            return true;
    return false;
}

static cull_status check_blocks(hf_saving *s, cull_matrix_id down)
{
    const cull_matrix *out = hf_matrix_place(s->m, down);
    const cull_matrix_id gate = { down.layer, down.part - 2, down.expert };
    const cull_matrix *in = hf_matrix_place(s->m, gate);

    if (!is_narrower(s, kind_of(down.part)) || s->how->dequantise || !hf_is_quantised(out->dtype))
        return CULL_OK;
    if (down.part == CULL_PART_DOWN && in_fp8_stack(s, down.layer))
        return refuse(s, "its stacked FP8 experts become narrower only dequantised");
    const size_t block = in->block_rows > out->block_cols ? in->block_rows : out->block_cols;
    if (whole_blocks(s, down, out->cols, block))
        return CULL_OK;
    return s->ctx->host->fail(s->ctx, CULL_ENOTSUP,
                              "%s cannot be exported: its quantised weights stand in blocks of %zu "
                              "channels, which go whole (multiple: %zu) or only dequantised",
                              s->m->arch->model_type, block, block);
}

static cull_status check_bias(hf_saving *s, cull_matrix_id down)
{
    if (hf_matrix_place(s->m, down)->bias || s->how->drop_bias)
        return CULL_OK;
    return refuse(s, "its experts have no output bias, as the cut has (drop it with --drop-bias)");
}

cull_status hf_save_widths(hf_saving *s)
{
    bool dropped = false;

    plan_widths(s);
    for (size_t i = 0; i < s->cut->n_overlays; i++) {
        const cull_overlay *o = cull_overlay_at(s->cut, i);
        const cull_matrix *m = hf_matrix_place(s->m, o->where);
        if (!m || !m->rows)
            continue;
        if (o->kind == CULL_CHANNELS)
            CULL_TRY(check_blocks(s, o->where));
        if (o->kind == CULL_BIAS)
            CULL_TRY(check_bias(s, o->where));
        dropped |= o->kind == CULL_BIAS && !m->bias;
    }
    if (dropped)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "output biases are left out: the checkpoint does not compute what the "
                          "trial was evaluated with");
    else if (s->how->drop_bias)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "drop-bias changes nothing: no output bias would be left out");
    return CULL_OK;
}

// ---- the axis of channels ----

// Where a stored tensor has its channels.
typedef struct axis {
    size_t at;                           // the dimension
    size_t block;                        // channels of one place
    enum { PLAIN, HALVES, TURNS } order; // gate's channels and then up's, or by turns
} axis;

// The first expert of the layer that has matrices: its gate's strides tell how gate and up stand in
// a stack.
static const cull_matrix *first_gate(const hf_saving *s, size_t l)
{
    uint32_t e = 0;

    while (!hf_is_stored(&s->m->layer[l], e))
        e++;
    return hf_matrix_place(s->m, cull_at_expert(l, CULL_PART_GATE, e));
}

static axis stack_axis(const hf_saving *s, const hf_tensor *t, bool down)
{
    const cull_matrix *gate = first_gate(s, t->where.layer);
    const bool packed =
        t->role != HF_STACK && !s->how->dequantise; // (E, 2F, …), (E, D, blocks of F)
    const bool rows =
        packed || (t->role == HF_STACK && gate->col_stride == 1); // (E, 2F, D), (E, D, F)

    if (t->role == HF_STACK_BIAS)
        return (axis){ 1, 1, TURNS };
    if (down)
        return (axis){ rows ? 2 : 1, packed ? 32 : 1, PLAIN };
    const bool halves = t->role == HF_STACK && (rows || gate->row_stride == 1);
    return (axis){ rows ? 1 : 2, 1, halves ? HALVES : TURNS };
}

// false: the tensor has no such axis.
static bool axis_of(const hf_saving *s, const hf_tensor *t, axis *out)
{
    const bool down = is_down(t->where.part);

    if (kind_of(t->where.part) == HF_N_KINDS)
        return false;
    switch (t->role) {
    case HF_MATRIX:
        *out = (axis){ down, 1, PLAIN };
        return true;
    case HF_MATRIX_SCALE: {
        const cull_matrix *m = hf_matrix_place(s->m, t->where);
        *out = (axis){ down, down ? m->block_cols : m->block_rows, PLAIN };
        return true;
    }
    case HF_MATRIX_BIAS:
        *out = (axis){ 0, 1, PLAIN };
        return !down;
    case HF_PAIR:
        *out = (axis){ 0, 1, HALVES };
        return true;
    case HF_STACK_BIAS:
    case HF_STACK:
    case HF_STACK_BLOCKS:
    case HF_STACK_SCALES:
        *out = stack_axis(s, t, down);
        return !(down && t->role == HF_STACK_BIAS);
    default:
        return false;
    }
}

void hf_save_narrow(const hf_saving *s, hf_out *out)
{
    const hf_kind kind = kind_of(out->from->where.part);
    axis a;

    if (!is_narrower(s, kind) || !axis_of(s, out->from, &a))
        return;
    const size_t to = s->width[kind].to, old = out->shape[a.at];
    out->shape[a.at] = a.order == PLAIN ? (to + a.block - 1) / a.block : 2 * to;
    out->bytes = out->bytes / old * out->shape[a.at];
}

// ---- the sieve ----

static size_t element_bytes(const hf_out *out)
{
    size_t n = 1;

    for (size_t i = 0; i < out->rank; i++)
        n *= out->shape[i];
    return n ? out->bytes / n : 0;
}

// Places of the axis, and which of them stay: of the module whose matrix `where` is.
static cull_status fill(hf_saving *s, const axis *a, cull_matrix_id where, size_t F, bool nibbles,
                        hf_sieve *out)
{
    const size_t block = nibbles ? 1 : a->block;
    uint8_t *kept;

    out->n = a->order == PLAIN ? (F + block - 1) / block : 2 * F;
    kept = s->ctx->host->scratch(s->ctx, out->n, 1);
    if (!kept)
        return CULL_ENOMEM;
    for (size_t j = 0; j < out->n; j++) {
        const size_t c = a->order == HALVES ? j % F : a->order == TURNS ? j / 2 : j * block;
        kept[j] = s->variant->keeps(s->cut, where, c);
    }
    out->kept = kept;
    return CULL_OK;
}

cull_status hf_save_sieve(hf_saving *s, const hf_out *out, cull_matrix_id where, hf_sieve *sieve)
{
    const hf_tensor *t = out->from;
    const hf_kind kind = kind_of(t->where.part);
    const bool narrower = is_narrower(s, kind);
    const bool packed = t->role == HF_STACK_BLOCKS && !s->how->dequantise;
    const bool plain = t->role == HF_MATRIX || t->role == HF_STACK;
    const bool raw = packed || (plain && hf_is_quantised(out->dtype));
    axis a;

    *sieve = (hf_sieve){ 0 };
    if (kind == HF_N_KINDS || !(narrower || raw) || !axis_of(s, t, &a) ||
        !s->variant->changed(s->cut, where))
        return CULL_OK;
    const cull_matrix *m = hf_matrix_place(s->m, where);
    const bool nibbles = packed && !narrower && is_down(t->where.part);
    CULL_TRY(fill(s, &a, where, is_down(where.part) ? m->cols : m->rows, nibbles, sieve));
    sieve->zero = !narrower;
    sieve->nibbles = nibbles;
    sieve->inner = element_bytes(out);
    for (size_t i = a.at + 1; i < out->rank && !nibbles; i++)
        sieve->inner *= out->shape[i];
    return CULL_OK;
}

// Bytes [0, n) that stand at `at` of a slice: what stays of them goes to `to`; returns how many
// bytes that is.
size_t hf_sieve_pass(hf_sieve *sieve, const unsigned char *from, size_t n, unsigned char *to)
{
    size_t passed = 0;

    for (size_t i = 0; i < n;) {
        const size_t within = sieve->at % sieve->inner, place = sieve->at / sieve->inner;
        size_t run = sieve->inner - within < n - i ? sieve->inner - within : n - i;
        if (sieve->nibbles) { // two channels a byte, the lower one first
            const size_t c = 2 * place % sieve->n;
            to[passed++] =
                from[i] & ((sieve->kept[c] ? 0x0f : 0) | (sieve->kept[c + 1] ? 0xf0 : 0));
        } else if (sieve->kept[place % sieve->n]) {
            memcpy(to + passed, from + i, run);
            passed += run;
        } else if (sieve->zero) {
            memset(to + passed, 0, run);
            passed += run;
        }
        sieve->at += run;
        i += run;
    }
    return passed;
}
