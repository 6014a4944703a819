// Tensors found by name, checked and counted; their numbers as float32 where a layer wants them so.
#include "load.h"

#include <stdio.h>
#include <string.h>

#include <cull/number.h>

const cull_dtype hf_plain_types[3] = { CULL_DT_F32, CULL_DT_BF16, CULL_DT_F16 };
static const cull_dtype stored[] = { CULL_DT_F32, CULL_DT_BF16, CULL_DT_F16, CULL_DT_F8_E4M3 };
static const cull_dtype scales[] = { CULL_DT_F32, CULL_DT_F8_E8M0, CULL_DT_BF16, CULL_DT_F16 };

static const char *const dtype_word[] = {
#define WORD(name, bits, word) word,
    CULL_DTYPES(WORD)
#undef WORD
};

static const size_t bits_of[] = {
#define BITS(name, bits, word) bits,
    CULL_DTYPES(BITS)
#undef BITS
};

void hf_widen(cull_dtype type, const void *from, size_t n, float *out)
{
    const unsigned char *bytes = from;

    if (type == CULL_DT_F32) {
        memcpy(out, from, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, 2);
        out[i] = type == CULL_DT_BF16 ? cull_of_bf16(half) : cull_of_f16(half);
    }
}

void hf_widen_scales(cull_dtype type, const void *from, size_t first, size_t n, float *out)
{
    const unsigned char *bytes = from;

    if (type != CULL_DT_F8_E8M0) {
        hf_widen(type, bytes + first * (type == CULL_DT_F32 ? 4 : 2), n, out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = bytes[first + i] == 255 ? NAN : ldexpf(1, bytes[first + i] - 127);
}

// prefix + the first of `names` (a word of "a|b") with '*' as the expert's number + suffix
static char *compose(hf_loader *t, const char *name, size_t n, size_t expert, const char *suffix)
{
    const char *star = memchr(name, '*', n);

    if (!star)
        return hf_text(t->ctx, "%s%.*s%s", t->prefix, (int)n, name, suffix);
    return hf_text(t->ctx, "%s%.*s%zu%.*s%s", t->prefix, (int)(star - name), name, expert,
                   (int)(name + n - star - 1), star + 1, suffix);
}

const char *hf_loader_name(hf_loader *t, const char *names, size_t expert, const char *suffix)
{
    const char *first = NULL;

    while (*names) {
        const size_t n = strcspn(names, "|");
        const char *name = compose(t, names, n, expert, suffix);
        if (!name || hf_files_find(&t->m->files, name))
            return name;
        first = first ? first : name;
        names += n + (names[n] == '|');
    }
    return first;
}

// "[4, 64]"
static const char *shape_text(char buf[128], size_t rank, const size_t *shape)
{
    size_t at = (size_t)snprintf(buf, 128, "[");

    for (size_t i = 0; i < rank && at < 100; i++)
        at += (size_t)snprintf(buf + at, 128 - at, "%s%zu", i ? ", " : "", shape[i]);
    (void)snprintf(buf + at, 128 - at, "]");
    return buf;
}

static cull_status wrong_shape(hf_loader *t, const hf_tensor *found, const hf_wanted *wanted)
{
    char is[128], must[128];

    return t->ctx->host->fail(
        t->ctx, CULL_EFORMAT, "%s: tensor \"%s\" is %s, but by config.json it must be %s",
        t->m->facts.source, found->name, shape_text(is, found->t.rank, found->t.shape),
        shape_text(must, wanted->rank, wanted->shape));
}

// What a tensor without a file would be: a matrix of a layer FP8 where config.json says so, other
// numbers of config.json's type.
static cull_dtype imagined_type(const hf_loader *t, const hf_wanted *wanted)
{
    const uint32_t part = wanted->where.part;
    const bool quantised = t->m->s.block_rows && wanted->role == HF_MATRIX &&
                           wanted->where.layer != CULL_NONE && part != CULL_PART_SHARED_ROUTER;

    if (wanted->n_types == 1 || wanted->role == HF_MATRIX_SCALE)
        return wanted->types[0];
    return quantised ? CULL_DT_F8_E4M3 : t->m->s.dtype;
}

static cull_status imagine(hf_loader *t, const char *name, const hf_wanted *wanted,
                           const hf_tensor **out)
{
    static const unsigned char nowhere;
    hf_tensor *made = t->ctx->host->alloc(t->ctx, 1, sizeof *made);
    size_t n = 1;

    if (!made)
        return CULL_ENOMEM;
    *made = (hf_tensor){ .name = name, .role = wanted->role, .where = wanted->where };
    made->t.dtype = imagined_type(t, wanted);
    made->t.rank = wanted->rank;
    memcpy(made->t.shape, wanted->shape, wanted->rank * sizeof *wanted->shape);
    for (size_t i = 0; i < wanted->rank; i++)
        n *= wanted->shape[i];
    made->t.bytes = n * bits_of[made->t.dtype] / 8;
    made->t.data = &nowhere; // is not read
    t->bytes += made->t.bytes;
    *out = made;
    return CULL_OK;
}

cull_status hf_load_tensor(hf_loader *t, const char *name, const hf_wanted *wanted,
                           const hf_tensor **out)
{
    if (!name)
        return CULL_ENOMEM;
    if (t->m->files.missing)
        return imagine(t, name, wanted, out);
    hf_tensor *found = hf_files_find(&t->m->files, name);
    if (!found)
        return t->ctx->host->fail(t->ctx, CULL_EFORMAT, "%s: tensor \"%s\" is missing",
                                  t->m->facts.source, name);
    if (found->t.rank != wanted->rank ||
        memcmp(found->t.shape, wanted->shape, wanted->rank * sizeof *wanted->shape) != 0)
        return wrong_shape(t, found, wanted);
    for (size_t i = 0; i < wanted->n_types; i++)
        if (found->t.dtype == wanted->types[i]) {
            t->bytes += found->role ? 0 : found->t.bytes;
            found->role = wanted->role;
            found->where = wanted->where;
            *out = found;
            return CULL_OK;
        }
    return t->ctx->host->fail(t->ctx, CULL_ENOTSUP, "%s: tensor \"%s\" cannot be of type %s",
                              t->m->facts.source, name, dtype_word[found->t.dtype]);
}

cull_status hf_load_vector(hf_loader *t, const char *name, enum hf_role role, size_t rank,
                           const size_t *shape, const float **out)
{
    const hf_wanted wanted = { role,           { CULL_NONE, CULL_N_PARTS, CULL_NONE },
                               hf_plain_types, 3,
                               rank,           shape };
    const hf_tensor *found;
    size_t n = 1;

    CULL_TRY(hf_load_tensor(t, name, &wanted, &found));
    for (size_t i = 0; i < rank; i++)
        n *= shape[i];
    float *wide = t->ctx->host->alloc(t->ctx, n, sizeof *wide);
    if (!wide)
        return CULL_ENOMEM;
    if (!t->m->files.missing)
        hf_widen(found->t.dtype, found->t.data, n, wide);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(wide[i]))
            return t->ctx->host->fail(t->ctx, CULL_EFORMAT,
                                      "%s: tensor \"%s\" holds at place %zu no number",
                                      t->m->facts.source, found->name, i);
    // a correction of the choice is a buffer, no parameter, unless the family says otherwise
    t->params += role == HF_ROUTER_BIAS && !t->m->arch->router.bias_is_parameter ? 0 : n;
    *out = wide;
    return CULL_OK;
}

cull_status hf_add_one(hf_loader *t, size_t n, const float **vector)
{
    float *sum = t->ctx->host->alloc(t->ctx, n, sizeof *sum);

    if (!sum)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        sum[i] = 1 + (*vector)[i];
    *vector = sum;
    return CULL_OK;
}

static cull_status check_blocks(hf_loader *t, const char *weight)
{
    if (t->m->s.block_rows)
        return CULL_OK;
    return t->ctx->host->fail(t->ctx, CULL_EFORMAT,
                              "%s: tensor \"%s\" is F8_E4M3, but config.json has no fp8 "
                              "quantization_config",
                              t->m->facts.source, weight);
}

// An FP8 matrix's scales, one a block: value = q × scale, in spite of the name.
static cull_status load_scales(hf_loader *t, cull_matrix_id where, const char *weight,
                               cull_matrix *out)
{
    const hf_shape *s = &t->m->s;
    const hf_tensor *found;

    CULL_TRY(check_blocks(t, weight));
    const size_t shape[] = { (out->rows + s->block_rows - 1) / s->block_rows,
                             (out->cols + s->block_cols - 1) / s->block_cols };
    const hf_wanted wanted = { HF_MATRIX_SCALE, where, scales, 4, 2, shape };
    CULL_TRY(hf_load_tensor(t, hf_text(t->ctx, "%s_scale_inv", weight), &wanted, &found));
    out->block_rows = s->block_rows;
    out->block_cols = s->block_cols;
    out->scale_stride = (ptrdiff_t)shape[1];
    out->scale_dtype = found->t.dtype == CULL_DT_F8_E8M0 ? CULL_DT_F8_E8M0 : CULL_DT_F32;
    out->scale = found->t.data;
    if (found->t.dtype == CULL_DT_BF16 || found->t.dtype == CULL_DT_F16) {
        float *wide = t->ctx->host->alloc(t->ctx, shape[0] * shape[1], sizeof *wide);
        if (!wide)
            return CULL_ENOMEM;
        hf_widen(found->t.dtype, found->t.data, shape[0] * shape[1], wide);
        out->scale = wide;
    }
    return CULL_OK;
}

cull_status hf_load_stack_scales(hf_loader *t, const char *stack, cull_matrix_id where,
                                 const hf_tensor *of, const hf_tensor **out)
{
    const hf_shape *s = &t->m->s;

    CULL_TRY(check_blocks(t, stack));
    const size_t shape[] = { of->t.shape[0], (of->t.shape[1] + s->block_rows - 1) / s->block_rows,
                             (of->t.shape[2] + s->block_cols - 1) / s->block_cols };
    const hf_wanted wanted = { HF_STACK_SCALES, where, scales, 4, 3, shape };
    return hf_load_tensor(t, hf_text(t->ctx, "%s_scale_inv", stack), &wanted, out);
}

cull_status hf_load_bias(hf_loader *t, cull_matrix_id where, const char *name, cull_matrix *matrix)
{
    const enum hf_role role = where.part == CULL_PART_ROUTER ? HF_ROUTER_BIAS : HF_MATRIX_BIAS;
    const hf_wanted wanted = { role, where, hf_plain_types, 3, 1, &matrix->rows };
    const hf_tensor *found;

    CULL_TRY(hf_load_tensor(t, name, &wanted, &found));
    matrix->bias = found->t.data;
    matrix->bias_dtype = found->t.dtype;
    matrix->bias_stride = 1;
    t->params += matrix->rows;
    return CULL_OK;
}

cull_matrix *hf_matrix_place(const cull_model *m, cull_matrix_id where)
{
    if (where.layer == CULL_NONE)
        return where.part == CULL_PART_EMBED  ? &m->ends[0]
               : where.part == CULL_PART_HEAD ? &m->ends[1]
                                              : NULL;
    if (where.layer >= m->s.L || where.part >= CULL_N_PARTS)
        return NULL;
    hf_layer *layer = &m->layer[where.layer];
    if (where.expert == CULL_NONE)
        return &layer->part[where.part];
    if (where.expert >= layer->facts.E || where.part < CULL_PART_GATE ||
        where.part > CULL_PART_DOWN)
        return NULL;
    return &layer->expert[3 * where.expert + (where.part - CULL_PART_GATE)];
}

cull_status hf_load_matrix(hf_loader *t, cull_matrix_id where, const char *names, size_t rows,
                           size_t cols, bool bias)
{
    const enum hf_role role = where.part == CULL_PART_ROUTER ? HF_ROUTER : HF_MATRIX;
    const size_t shape[] = { rows, cols }, expert = where.expert == CULL_NONE ? 0 : where.expert;
    const char *name = hf_loader_name(t, names, expert, ".weight");
    const hf_wanted wanted = { role, where, stored, 4, 2, shape };
    cull_matrix *out = hf_matrix_place(t->m, where);
    const hf_tensor *found;

    CULL_TRY(hf_load_tensor(t, name, &wanted, &found));
    *out = (cull_matrix){
        .size = sizeof *out,
        .rows = rows,
        .cols = cols,
        .data = found->t.data,
        .dtype = found->t.dtype,
        .row_stride = (ptrdiff_t)cols,
        .col_stride = 1,
    };
    t->params += (uint64_t)rows * cols;
    if (found->t.dtype == CULL_DT_F8_E4M3)
        CULL_TRY(load_scales(t, where, name, out));
    return bias ? hf_load_bias(t, where, hf_loader_name(t, names, expert, ".bias"), out) : CULL_OK;
}

cull_status hf_load_turned(hf_loader *t, cull_matrix_id where, const char *name, size_t rows,
                           size_t cols)
{
    const size_t shape[] = { cols, rows };
    const hf_wanted wanted = { HF_ENTRIES, where, hf_plain_types, 3, 2, shape };
    const char *full = hf_loader_name(t, name, 0, ".weight");
    const hf_tensor *found;

    CULL_TRY(hf_load_tensor(t, full, &wanted, &found));
    hf_files_find(&t->m->files, full)->axis = 1;
    *hf_matrix_place(t->m, where) = (cull_matrix){
        .size = sizeof(cull_matrix),
        .rows = rows,
        .cols = cols,
        .data = found->t.data,
        .dtype = found->t.dtype,
        .row_stride = 1,
        .col_stride = (ptrdiff_t)rows,
    };
    t->params += (uint64_t)rows * cols;
    return CULL_OK;
}

cull_status hf_load_filter(hf_loader *t, cull_matrix_id where, const char *names, size_t channels,
                           size_t taps, bool bias)
{
    const size_t shape[] = { channels, 1, taps };
    const hf_wanted wanted = { HF_MATRIX, where, hf_plain_types, 3, 3, shape };
    cull_matrix *out = hf_matrix_place(t->m, where);
    const hf_tensor *found;

    CULL_TRY(hf_load_tensor(t, hf_loader_name(t, names, 0, ".weight"), &wanted, &found));
    *out = (cull_matrix){
        .size = sizeof *out,
        .rows = channels,
        .cols = taps,
        .data = found->t.data,
        .dtype = found->t.dtype,
        .row_stride = (ptrdiff_t)taps,
        .col_stride = 1,
    };
    t->params += (uint64_t)channels * taps;
    return bias ? hf_load_bias(t, where, hf_loader_name(t, names, 0, ".bias"), out) : CULL_OK;
}

cull_status hf_load_pair(hf_loader *t, size_t l, cull_part first, const char *name, size_t F,
                         size_t D)
{
    const size_t shape[] = { 2 * F, D };
    const hf_wanted wanted = { HF_PAIR, cull_at(l, first), hf_plain_types, 3, 2, shape };
    const hf_tensor *found;

    CULL_TRY(hf_load_tensor(t, hf_loader_name(t, name, 0, ".weight"), &wanted, &found));
    const size_t half = F * D * (found->t.dtype == CULL_DT_F32 ? 4 : 2);
    for (cull_part p = first; p < first + 2; p++)
        t->m->layer[l].part[p] = (cull_matrix){
            .size = sizeof(cull_matrix),
            .rows = F,
            .cols = D,
            .data = (const unsigned char *)found->t.data + (p - first) * half,
            .dtype = found->t.dtype,
            .row_stride = (ptrdiff_t)D,
            .col_stride = 1,
        };
    t->params += (uint64_t)2 * F * D;
    return CULL_OK;
}
