// The contents of the tensors: byte copies, and numbers where the cut changes them.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text/json_dumped.h"
#include "save/save.h"
#include "weights/load.h"

enum { BLOCK = 1 << 22 }; // bytes of zeros, or of numbers, in hand

typedef struct writing {
    hf_saving *s;
    const cull_safetensors_ext *st;
    cull_safetensors_writer *writer;
    size_t first;          // of the shard's tensors
    unsigned char *bytes;  // BLOCK bytes, or the largest slice
    unsigned char *row;    // stored numbers of the widest row
    float *numbers;        // BLOCK bytes, or the widest row
    const char *rounded;   // the type in which a constant in the place of a bias lost digits
    const char *summed;    // the type in which a bias and what the cut adds to it lost digits
    hf_sieve sieve;        // of the slice in hand
    unsigned char *passed; // BLOCK bytes that it let through
} writing;

static cull_status put_all(writing *w, const hf_out *out, const void *bytes, size_t n)
{
    return w->st->put(w->s->ctx, w->writer, (size_t)(out - w->s->out) - w->first, bytes, n);
}

static cull_status put(writing *w, const hf_out *out, const void *bytes, size_t n)
{
    const unsigned char *from = bytes;

    if (!w->sieve.kept)
        return put_all(w, out, bytes, n);
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t now = n - i < BLOCK ? n - i : BLOCK;
        CULL_TRY(put_all(w, out, w->passed, hf_sieve_pass(&w->sieve, from + i, now, w->passed)));
    }
    return CULL_OK;
}

// What fn puts of matrix `where` is sieved.
static cull_status put_sieved(writing *w, const hf_out *out, cull_matrix_id where,
                              cull_status (*fn)(writing *, const hf_out *, cull_matrix_id))
{
    const cull_scratch_mark mark = w->s->ctx->host->mark(w->s->ctx);

    CULL_TRY(hf_save_sieve(w->s, out, where, &w->sieve));
    const cull_status status = fn(w, out, where);
    w->sieve = (hf_sieve){ 0 };
    w->s->ctx->host->rewind(w->s->ctx, mark);
    return status;
}

static cull_status put_zeros(writing *w, const hf_out *out, size_t n)
{
    memset(w->bytes, 0, n < BLOCK ? n : BLOCK);
    for (; n > 0; n -= n < BLOCK ? n : BLOCK)
        CULL_TRY(put_all(w, out, w->bytes, n < BLOCK ? n : BLOCK));
    return CULL_OK;
}

static cull_status too_large(writing *w, const hf_out *out)
{
    return w->s->ctx->host->fail(w->s->ctx, CULL_ENUMERIC,
                                 "%s: a number does not fit its stored type", out->name);
}

static size_t width(cull_dtype type)
{
    return type == CULL_DT_F32 ? 4 : 2;
}

static bool changed(const writing *w, cull_matrix_id where)
{
    return w->s->variant->changed(w->s->cut, where);
}

// A matrix row by row as numbers.
static cull_status put_numbers(writing *w, const hf_out *out, cull_matrix_id where, size_t first,
                               size_t n)
{
    const cull_matrix *m = hf_matrix_place(w->s->m, where);
    const size_t fit = BLOCK / sizeof(float) / m->cols, rows = fit ? fit : 1;

    for (size_t r = first, left = n; left > 0;) {
        const size_t now = left < rows ? left : rows;
        w->s->variant->rows(w->s->cut, where, m, r, now, w->numbers);
        if (!w->s->variant->narrow(out->dtype, now * m->cols, w->numbers, w->bytes))
            return too_large(w, out);
        CULL_TRY(put(w, out, w->bytes, now * m->cols * width(out->dtype)));
        r += now;
        left -= now;
    }
    return CULL_OK;
}

// Of the types that lose digits.
static const char *type_word(cull_dtype type)
{
    return type == CULL_DT_F16 ? "f16" : "bf16";
}

static bool bias_changed(const writing *w, cull_matrix_id where)
{
    return w->s->variant->bias_changed(w->s->cut, where, hf_matrix_place(w->s->m, where));
}

// n biases of matrix `where` as numbers of the tensor's type, every `step`-th of w->bytes from
// `first` on.
static cull_status spread_biases(writing *w, const hf_out *out, cull_matrix_id where, size_t n,
                                 size_t first, size_t step)
{
    const size_t size = width(out->dtype);

    w->s->variant->bias(w->s->cut, where, hf_matrix_place(w->s->m, where), 0, n, w->numbers);
    if (!w->s->variant->narrow(out->dtype, n, w->numbers, w->row))
        return too_large(w, out);
    for (size_t i = 0; i < n; i++) {
        float back;
        memcpy(w->bytes + (first + i * step) * size, w->row + i * size, size);
        hf_widen(out->dtype, w->row + i * size, 1, &back);
        if (back != w->numbers[i])
            w->summed = type_word(out->dtype);
    }
    return CULL_OK;
}

static cull_status put_content(writing *w, const hf_out *out, cull_matrix_id where)
{
    const hf_tensor *t = out->from;
    const bool other = changed(w, where) && !hf_is_quantised(out->dtype);

    if (t->role == HF_MATRIX && (other || out->dtype != t->t.dtype))
        return put_numbers(w, out, where, 0, t->t.shape[0]);
    if (t->role == HF_MATRIX_BIAS && bias_changed(w, where)) {
        CULL_TRY(spread_biases(w, out, where, t->t.shape[0], 0, 1));
        return put(w, out, w->bytes, t->t.bytes);
    }
    return put(w, out, t->t.data, t->t.bytes);
}

static cull_status put_matrix(writing *w, const hf_out *out)
{
    cull_matrix_id where = out->from->where;

    if (out->slot >= 0) {
        const int32_t content = hf_slot_content(w->s, out->layer, out->slot);
        if (content < 0)
            return put_zeros(w, out, out->bytes);
        where.expert = (uint32_t)content;
    }
    if (out->from->role == HF_VECTOR || out->from->role == HF_BESIDE ||
        out->from->role == HF_SECOND)
        return put(w, out, out->from->t.data, out->from->t.bytes);
    return put_sieved(w, out, where, put_content);
}

// Matrix `where` into a slice of a stack: element (r, c) at offset + r × row_step + c × col_step.
static cull_status scatter(writing *w, const hf_out *out, cull_matrix_id where, size_t offset,
                           size_t row_step, size_t col_step)
{
    const cull_matrix *m = hf_matrix_place(w->s->m, where);
    const size_t size = width(out->dtype);

    for (size_t r = 0; r < m->rows; r++) {
        w->s->variant->rows(w->s->cut, where, m, r, 1, w->numbers);
        if (!w->s->variant->narrow(out->dtype, m->cols, w->numbers, w->row))
            return too_large(w, out);
        for (size_t c = 0; c < m->cols; c++)
            memcpy(w->bytes + (offset + r * row_step + c * col_step) * size, w->row + c * size,
                   size);
    }
    return CULL_OK;
}

// One expert's slice of a stack, which has none for constants.
static const unsigned char *slice_of(const writing *w, const hf_out *out, uint32_t e)
{
    const hf_tensor *t = out->from;
    size_t place = 0;

    for (uint32_t i = 0; i < e; i++)
        place += hf_is_stored(&w->s->m->layer[out->layer], i);
    return (const unsigned char *)t->t.data + place * (t->t.bytes / t->t.shape[0]);
}

// The same, with what the cut changes in it.
static cull_status put_slice(writing *w, const hf_out *out, cull_matrix_id of)
{
    const hf_tensor *t = out->from;
    const uint32_t e = of.expert;
    const size_t parts = t->where.part == CULL_PART_GATE ? 2 : 1;
    const size_t stored = t->t.dtype == CULL_DT_F8_E4M3 ? 1 : width(t->t.dtype);
    const unsigned char *slice = slice_of(w, out, e);
    const bool other = out->dtype != t->t.dtype;
    const size_t all = t->t.bytes / t->t.shape[0];
    const size_t bytes = other ? all / stored * width(out->dtype) : all;
    bool any = other;

    for (uint32_t p = 0; p < parts && !hf_is_quantised(out->dtype); p++)
        any |= changed(w, (cull_matrix_id){ t->where.layer, t->where.part + p, e });
    if (!any)
        return put(w, out, slice, bytes);
    if (!other)
        memcpy(w->bytes, slice, bytes);
    for (uint32_t p = 0; p < parts; p++) {
        const cull_matrix_id where = { t->where.layer, t->where.part + p, e };
        const cull_matrix *m = hf_matrix_place(w->s->m, where);
        const size_t offset = (size_t)((const unsigned char *)m->data - slice) / stored;
        if (other || changed(w, where))
            CULL_TRY(scatter(w, out, where, offset, (size_t)m->row_stride, (size_t)m->col_stride));
    }
    return put(w, out, w->bytes, bytes);
}

// One expert's MXFP4 matrices in the BF16 form: (cols, rows), gate and up by turns.
static cull_status put_unpacked(writing *w, const hf_out *out, cull_matrix_id of)
{
    const hf_tensor *t = out->from;
    const size_t parts = t->where.part == CULL_PART_GATE ? 2 : 1;
    const size_t cols = t->t.shape[2] * 32, rows = t->t.shape[1];

    for (uint32_t p = 0; p < parts; p++)
        CULL_TRY(scatter(w, out, (cull_matrix_id){ of.layer, t->where.part + p, of.expert }, p,
                         parts, rows));
    return put(w, out, w->bytes, cols * rows * width(out->dtype));
}

// Its bytes as they are.
static cull_status put_stored(writing *w, const hf_out *out, cull_matrix_id of)
{
    return put(w, out, slice_of(w, out, of.expert), out->from->t.bytes / out->from->t.shape[0]);
}

static cull_status put_stack(writing *w, const hf_out *out)
{
    const hf_tensor *t = out->from;

    for (int32_t j = 0; (size_t)j < w->s->rows[out->layer]; j++) {
        const int32_t content = hf_slot_content(w->s, out->layer, j);
        const cull_matrix_id of = { t->where.layer, t->where.part, (uint32_t)content };
        if (!hf_slot_stored(w->s, out->layer, j))
            continue;
        if (content < 0)
            CULL_TRY(put_zeros(w, out, out->bytes / out->shape[0]));
        else
            CULL_TRY(put_sieved(w, out, of,
                                t->role == HF_STACK        ? put_slice
                                : out->dtype != t->t.dtype ? put_unpacked
                                                           : put_stored));
    }
    return CULL_OK;
}

// One expert's biases: gate's and up's by turns, or down's.
static cull_status put_biases(writing *w, const hf_out *out, cull_matrix_id of)
{
    const hf_tensor *t = out->from;
    const size_t parts = t->where.part == CULL_PART_GATE ? 2 : 1, n = t->t.shape[1];

    if (!bias_changed(w, of))
        return put_stored(w, out, of);
    for (uint32_t p = 0; p < parts; p++)
        CULL_TRY(spread_biases(w, out, (cull_matrix_id){ of.layer, of.part + p, of.expert },
                               n / parts, p, parts));
    return put(w, out, w->bytes, n * width(out->dtype));
}

// Biases of a stack; a novice is the constant in the place of down's.
static cull_status put_stack_bias(writing *w, const hf_out *out)
{
    const hf_tensor *t = out->from;
    const size_t n = t->t.shape[1], bytes = t->t.bytes / t->t.shape[0];

    for (int32_t j = 0; (size_t)j < w->s->rows[out->layer]; j++) {
        const int32_t content = hf_slot_content(w->s, out->layer, j);
        const float *constant = hf_slot_constant(w->s, out->layer, j);
        if (content >= 0) {
            CULL_TRY(put_sieved(
                w, out, (cull_matrix_id){ t->where.layer, t->where.part, (uint32_t)content },
                put_biases));
        } else if (constant && t->where.part == CULL_PART_DOWN) {
            if (!w->s->variant->narrow(out->dtype, n, constant, w->bytes))
                return too_large(w, out);
            hf_widen(out->dtype, w->bytes, n, w->numbers);
            if (memcmp(w->numbers, constant, n * sizeof *constant) != 0)
                w->rounded = type_word(out->dtype);
            CULL_TRY(put(w, out, w->bytes, bytes));
        } else {
            CULL_TRY(put_zeros(w, out, bytes));
        }
    }
    return CULL_OK;
}

// What multiplies the gates: a slot's is its expert's own, also where another serves it.
static cull_status put_gate_scale(writing *w, const hf_out *out)
{
    const hf_tensor *t = out->from;
    const size_t bytes = out->bytes / w->s->rows[out->layer];

    for (int32_t j = 0; (size_t)j < w->s->rows[out->layer]; j++) {
        const int32_t e = w->s->slot[out->layer][j];
        CULL_TRY(e == HF_PADDING
                     ? put_zeros(w, out, bytes)
                     : put(w, out, (const unsigned char *)t->t.data + (size_t)e * bytes, bytes));
    }
    return CULL_OK;
}

// Two matrices in one tensor.
static cull_status put_pair(writing *w, const hf_out *out, cull_matrix_id first)
{
    const cull_matrix_id second = { first.layer, first.part + 1, CULL_NONE };
    const size_t rows = out->from->t.shape[0] / 2;

    if (!changed(w, first) && !changed(w, second))
        return put(w, out, out->from->t.data, out->from->t.bytes);
    CULL_TRY(put_numbers(w, out, first, 0, rows));
    return put_numbers(w, out, second, 0, rows);
}

// A router's rows, or entries of its bias. A slot of padding is never chosen.
static cull_status put_router(writing *w, const hf_out *out)
{
    const hf_tensor *t = out->from;
    const size_t rows = w->s->rows[out->layer], bytes = out->bytes / rows;
    const float never = t->role == HF_ROUTER ? 0 : out->dtype == CULL_DT_F16 ? -6e4f : -1e9f;

    for (int32_t j = 0; (size_t)j < rows; j++) {
        const int32_t e = w->s->slot[out->layer][j];
        if (e == HF_PADDING && never < 0) {
            (void)w->s->variant->narrow(out->dtype, 1, &never, w->bytes);
            CULL_TRY(put(w, out, w->bytes, bytes));
        } else if (e == HF_PADDING) {
            CULL_TRY(put_zeros(w, out, bytes));
        } else if (t->role == HF_ROUTER && (changed(w, t->where) || out->dtype != t->t.dtype)) {
            CULL_TRY(put_numbers(w, out, t->where, (size_t)e, 1));
        } else {
            CULL_TRY(put(w, out, (const unsigned char *)t->t.data + (size_t)e * bytes, bytes));
        }
    }
    return CULL_OK;
}

// Of all entries along an axis those of the slots' own experts, in each row before it.
static cull_status put_entries(writing *w, const hf_out *out)
{
    const cull_tensor *t = &out->from->t;
    const unsigned char *from = t->data;
    size_t before = 1;

    for (size_t i = 0; i < out->from->axis; i++)
        before *= t->shape[i];
    const size_t n = t->shape[out->from->axis], bytes = t->bytes / before / n;
    for (size_t r = 0; r < before; r++)
        for (size_t j = 0; j < w->s->rows[out->layer]; j++) {
            const size_t e = (size_t)w->s->slot[out->layer][j];
            CULL_TRY(put(w, out, from + (r * n + e) * bytes, bytes));
        }
    return CULL_OK;
}

static cull_status put_constants(writing *w, const hf_out *out)
{
    const size_t l = out->layer, bytes = out->shape[1] * sizeof(float);

    for (int32_t j = 0; (size_t)j < w->s->rows[l]; j++) {
        const float *constant = hf_slot_constant(w->s, l, j);
        if (hf_slot_stored(w->s, l, j))
            continue;
        CULL_TRY(constant ? put(w, out, constant, bytes) : put_zeros(w, out, bytes));
    }
    return CULL_OK;
}

static cull_status put_tensor(writing *w, const hf_out *out)
{
    switch (out->from->role) {
    case HF_STACK:
    case HF_STACK_BLOCKS:
    case HF_STACK_SCALES:
        return put_stack(w, out);
    case HF_STACK_BIAS:
        return put_stack_bias(w, out);
    case HF_ROUTER:
    case HF_ROUTER_BIAS:
        return put_router(w, out);
    case HF_GATE_SCALE:
        return put_gate_scale(w, out);
    case HF_ENTRIES:
        return put_entries(w, out);
    case HF_PAIR:
        return put_sieved(w, out, out->from->where, put_pair);
    case HF_CONSTANTS:
        return put_constants(w, out);
    default:
        return put_matrix(w, out);
    }
}

// The layer of tensor i is done with where the next one is of another, and what is of none at once:
// let its pages go.
static void release_after(const hf_saving *s, size_t i)
{
    const hf_files *files = &s->m->files;
    const hf_tensor *from = s->out[i].from;
    const size_t l = s->out[i].layer;

    if (l == CULL_NONE)
        files->st->release(files->file[from->file], from->t.data, from->t.bytes);
    else if (i + 1 == s->n || s->out[i + 1].layer != l)
        hf_files_release(files, s->m->layer[l].first_tensor, s->m->layer[l].end_tensor);
}

// Tensors [first, end) as one file.
static cull_status write_shard(writing *w, const char *path, size_t first, size_t end)
{
    cull_ctx *ctx = w->s->ctx;
    cull_entry *entries = calloc(end - first, sizeof *entries);

    if (!entries)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    for (size_t i = first; i < end; i++) {
        const hf_out *out = &w->s->out[i];
        entries[i - first] = (cull_entry){
            .size = sizeof(cull_entry), .name = out->name, .dtype = out->dtype, .rank = out->rank
        };
        memcpy(entries[i - first].shape, out->shape, sizeof out->shape);
    }
    cull_status status = w->st->create(ctx, path, end - first, entries, 0, NULL, &w->writer);
    free(entries);
    if (status != CULL_OK)
        return status;
    w->first = first;
    for (size_t i = first; i < end && status == CULL_OK; i++) {
        status = put_tensor(w, &w->s->out[i]);
        release_after(w->s, i);
        if (status == CULL_OK && !ctx->host->progress(ctx, (double)i + 1, (double)w->s->n))
            status = ctx->host->fail(ctx, CULL_ECANCELED, "interrupted");
    }
    if (status == CULL_OK)
        return w->st->finish(ctx, w->writer);
    w->st->abandon(w->writer);
    return status;
}

// The end of the shard that begins at `first`.
static size_t shard_end(const hf_saving *s, size_t first)
{
    uint64_t bytes = s->out[first].bytes;
    size_t end = first + 1;

    while (end < s->n && bytes + s->out[end].bytes <= s->how->shard_bytes)
        bytes += s->out[end++].bytes;
    return end;
}

static cull_status write_index(hf_saving *s, const char *const *shard)
{
    json_t *map = json_object(), *root = NULL;
    json_int_t total = 0;
    cull_status status = CULL_ENOMEM;

    for (size_t i = 0; map && i < s->n; i++) {
        total += (json_int_t)s->out[i].bytes;
        if (json_object_set_new(map, s->out[i].name, json_string(shard[i])) != 0)
            break;
    }
    root = json_pack("{s:{s:I},s:O}", "metadata", "total_size", total, "weight_map", map);
    char *text = root && json_object_size(map) == s->n ? json_dumps(root, JSON_INDENT(2)) : NULL;
    const char *path =
        text ? hf_text(s->ctx, "%s/model.safetensors.index.json", s->how->folder) : NULL;
    if (path)
        status = hf_write_file(s->ctx, path, text, strlen(text));
    else
        (void)s->ctx->host->fail(s->ctx, CULL_ENOMEM, "out of memory");
    json_free_dumped(text);
    json_decref(map);
    json_decref(root);
    return status;
}

static cull_status write_shards(writing *w)
{
    hf_saving *s = w->s;
    const char **shard = s->ctx->host->alloc(s->ctx, s->n, sizeof *shard);
    size_t count = 0, number = 0;

    for (size_t i = 0; i < s->n; i = shard_end(s, i))
        count++;
    for (size_t i = 0, end; i < s->n; i = end) {
        end = shard_end(s, i);
        const char *name =
            count == 1 ? "model.safetensors"
                       : hf_text(s->ctx, "model-%05zu-of-%05zu.safetensors", ++number, count);
        const char *path = name ? hf_text(s->ctx, "%s/%s", s->how->folder, name) : NULL;
        if (!path || !shard)
            return CULL_ENOMEM;
        CULL_TRY(write_shard(w, path, i, end));
        for (size_t j = i; j < end; j++)
            shard[j] = name;
    }
    return count == 1 ? CULL_OK : write_index(s, shard);
}

cull_status hf_save_tensors(hf_saving *s)
{
    writing w = { .s = s, .st = s->m->files.st };
    size_t widest = hf_larger(s->m->s.D, s->m->s.F), slice = BLOCK;

    for (size_t i = 0; i < s->n; i++) {
        const hf_out *out = &s->out[i];
        widest = hf_larger(widest, out->rank ? out->shape[out->rank - 1] : 1);
        const cull_tensor *t = &out->from->t;
        if (out->from->role == HF_STACK ||
            out->from->role == HF_STACK_BLOCKS) // which may be unpacked
            slice = hf_larger(slice, 4 * (t->bytes / t->shape[0]));
    }
    w.bytes = malloc(hf_larger(slice, widest * sizeof(float)));
    w.row = malloc(widest * sizeof(float));
    w.numbers = malloc(hf_larger(BLOCK, widest * sizeof(float)));
    w.passed = malloc(BLOCK);
    cull_status status = w.bytes && w.row && w.numbers && w.passed
                             ? CULL_OK
                             : s->ctx->host->fail(s->ctx, CULL_ENOMEM, "out of memory");
    if (status == CULL_OK)
        status = write_shards(&w);
    if (status == CULL_OK && w.rounded)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "constants are rounded to the type of the experts' biases; a trial with "
                          "store: %s is evaluated as it is exported",
                          w.rounded);
    if (status == CULL_OK && w.summed)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "output biases, added to those that are there, are rounded to %s: the "
                          "checkpoint does not evaluate to quite the same",
                          w.summed);
    free(w.bytes);
    free(w.row);
    free(w.numbers);
    free(w.passed);
    return status;
}
