// Writes a cut as safetensors.
#include "cut/cut_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/narrow.h"
#include "base/new_file.h"
#include "base/safetensors.h"
#include "cut/cut.h"
#include "cut/cut_names.h"
#include "cut/packed.h"

// What is written: entries and the bytes behind them, in scratch memory.
typedef struct recipe {
    cull_ctx *ctx;
    const cull_cut *cut;
    const cull_cut_about *about;
    const char *folder; // of the file
    size_t n, n_pairs;
    cull_entry *entry;
    const void **data; // (n); NULL: computed when it is written
    size_t *overlay;   // (n) the first overlay of the matrix, where data is NULL
    cull_pair *pair;
    bool *packed;       // (n) is the overlay written so?
    FILE *packs;        // what such overlays became, in the order of entries; NULL: there are none
    cull_status status; // the first failure
} recipe;

static void *scratch(recipe *r, size_t n, size_t size)
{
    void *p = r->status == CULL_OK ? cull_scratch(r->ctx, n ? n : 1, size) : NULL;

    if (!p && r->status == CULL_OK)
        r->status = CULL_ENOMEM;
    return p;
}

static char *name_of(recipe *r, const char *fmt, size_t l)
{
    char *name = cull_arena_printf(cull_context_of(r->ctx)->scratch, fmt, l);

    if (!name && r->status == CULL_OK)
        r->status = cull_no_memory(r->ctx);
    return name;
}

static void add(recipe *r, const char *name, cull_dtype dtype, size_t rank, const size_t *shape,
                const void *data, size_t overlay)
{
    if (r->status != CULL_OK || !name)
        return;
    cull_entry *entry = &r->entry[r->n];
    *entry = (cull_entry){ .size = sizeof(cull_entry), .name = name, .dtype = dtype, .rank = rank };
    memcpy(entry->shape, shape, rank * sizeof *shape);
    r->data[r->n] = data;
    r->overlay[r->n++] = overlay;
}

static void note(recipe *r, const char *key, const char *value)
{
    if (r->status == CULL_OK && key && value)
        r->pair[r->n_pairs++] = (cull_pair){ key, value };
}

static void narrow(recipe *r, size_t n, const float *from, void *to)
{
    if (!cull_narrow(r->about->store, n, from, to) && r->status == CULL_OK)
        r->status = cull_fail(r->ctx, CULL_ENUMERIC,
                              "the cut holds numbers too large for %s; store it as f32",
                              cull_dtype_word(r->about->store));
}

// ---- what a layer's slots hold ----

static void add_novices(recipe *r, size_t l)
{
    const cull_layer_cut *layer = &r->cut->layer[l];
    const size_t D = r->cut->D, size = cull_store_size(r->about->store);
    size_t n = 0;

    for (size_t e = 0; e < layer->E; e++)
        n += layer->action[e] == CULL_ACTION_NOVICE;
    unsigned char *rows = n ? scratch(r, n * D, size) : NULL;
    if (!rows)
        return;

    size_t i = 0;
    for (size_t e = 0; e < layer->E; e++)
        if (layer->action[e] == CULL_ACTION_NOVICE)
            narrow(r, D, layer->constant + e * D, rows + i++ * D * size);
    add(r, name_of(r, "layer.%zu.novice", l), r->about->store, 2, (size_t[]){ n, D }, rows, 0);
}

static void add_slots(recipe *r, size_t l)
{
    const cull_layer_cut *layer = &r->cut->layer[l];
    int32_t *target = scratch(r, layer->E, sizeof *target);
    int32_t *kept = scratch(r, layer->E, sizeof *kept);

    if (!target || !kept)
        return;

    size_t n = 0;
    for (size_t e = 0; e < layer->E; e++) {
        target[e] = (int32_t)layer->target[e];
        if (layer->action[e] == CULL_ACTION_BASE)
            kept[n++] = (int32_t)e;
    }
    add(r, name_of(r, "layer.%zu.action", l), CULL_DT_U8, 1, &layer->E, layer->action, 0);
    add(r, name_of(r, "layer.%zu.target", l), CULL_DT_I32, 1, &layer->E, target, 0);
    add(r, name_of(r, "layer.%zu.kept", l), CULL_DT_I32, 1, &n, kept, 0);
    add_novices(r, l);
}

// skip_layer, skip_moe, k, skip_ratio, top_p: each where some layer has it.
static void add_rules(recipe *r)
{
    const size_t L = r->cut->L;
    uint8_t *skip = scratch(r, L, 1), *skip_moe = scratch(r, L, 1);
    int32_t *k = scratch(r, L, sizeof *k);
    double *ratio = scratch(r, L, sizeof *ratio), *top_p = scratch(r, L, sizeof *top_p);
    bool any[5] = { false };

    if (!skip || !skip_moe || !k || !ratio || !top_p)
        return;

    for (size_t l = 0; l < L; l++) {
        const cull_layer_cut *layer = &r->cut->layer[l];
        any[0] |= skip[l] = layer->skip_layer;
        any[1] |= skip_moe[l] = layer->skip_moe;
        any[2] |= (k[l] = (int32_t)layer->k) != 0;
        any[3] |= (ratio[l] = layer->skip_ratio) > 0;
        any[4] |= (top_p[l] = layer->top_p) > 0;
    }
    if (any[0])
        add(r, "skip_layer", CULL_DT_U8, 1, &L, skip, 0);
    if (any[1])
        add(r, "skip_moe", CULL_DT_U8, 1, &L, skip_moe, 0);
    if (any[2])
        add(r, "k", CULL_DT_I32, 1, &L, k, 0);
    if (any[3])
        add(r, "skip_ratio", CULL_DT_F64, 1, &L, ratio, 0);
    if (any[4])
        add(r, "top_p", CULL_DT_F64, 1, &L, top_p, 0);
}

// ---- overlays ----

// The last overlay of a kind on the matrix of overlay i; SIZE_MAX: none.
static size_t last_of(const cull_cut *cut, size_t i, uint32_t kind)
{
    size_t last = SIZE_MAX;

    for (size_t j = cull_cut_first(cut, cut->overlay[i].where); j != SIZE_MAX;
         j = cull_cut_next(cut, j))
        if (cut->overlay[j].kind == kind)
            last = j;
    return last;
}

// "<place>.cols" in __metadata__ where a row of bits ends within a byte.
static void note_columns(recipe *r, const char *place, size_t n)
{
    char *key = scratch(r, CULL_PLACE, 1), *cols = scratch(r, 24, 1);

    if (!key || !cols || n % 8 == 0)
        return;
    snprintf(key, CULL_PLACE, "%s.cols", place);
    snprintf(cols, 24, "%zu", n);
    note(r, key, cols);
}

static bool is_bits(const cull_overlay *o)
{
    return o->kind == CULL_MASK || o->kind == CULL_CHANNELS;
}

// All biases of a matrix together; NULL: no memory.
static const float *sum_of_biases(recipe *r, const cull_overlay *o)
{
    float *sum = scratch(r, o->cols, sizeof *sum);

    for (size_t j = cull_cut_first(r->cut, o->where); sum && j != SIZE_MAX;
         j = cull_cut_next(r->cut, j))
        for (size_t d = 0; r->cut->overlay[j].kind == CULL_BIAS && d < o->cols; d++)
            sum[d] += ((const float *)r->cut->overlay[j].data)[d];
    return sum;
}

// The bytes of overlay i's entry: all of its kind on the matrix together, numbers in the stored
// type.
static const void *overlay_bytes(recipe *r, size_t i)
{
    const cull_overlay *o = &r->cut->overlay[i];
    const size_t bytes = is_bits(o) ? cull_overlay_bytes(o->kind, o->rows, o->cols)
                                    : o->rows * o->cols * cull_store_size(r->about->store);
    const float *numbers = o->kind == CULL_BIAS ? sum_of_biases(r, o) : o->data;
    unsigned char *out = scratch(r, bytes, 1);

    if (!out || !numbers)
        return NULL;
    if (!is_bits(o)) {
        narrow(r, o->rows * o->cols, numbers, out);
        return r->status == CULL_OK ? out : NULL;
    }

    memset(out, 0xff, bytes);
    for (size_t j = cull_cut_first(r->cut, o->where); j != SIZE_MAX; j = cull_cut_next(r->cut, j))
        for (size_t b = 0; r->cut->overlay[j].kind == o->kind && b < bytes; b++)
            out[b] &= ((const unsigned char *)r->cut->overlay[j].data)[b];
    return out;
}

// A mask or a matrix packed, in scratch memory; `pays`: is it smaller so?
static cull_packed pack(recipe *r, size_t i, bool *pays)
{
    const cull_overlay *o = &r->cut->overlay[i];
    const void *plain = overlay_bytes(r, i);
    cull_packed out = { 0 };

    *pays = false;
    if (!plain)
        return out;
    const size_t width = cull_store_size(r->about->store);
    const cull_status status =
        o->kind == CULL_MASK ? cull_pack_bits(r->ctx, o->rows, o->cols, plain, &out, pays)
                             : cull_pack_matrix(r->ctx, o->rows, o->cols, width, plain, &out, pays);
    if (status != CULL_OK && r->status == CULL_OK)
        r->status = status;
    return out;
}

static void packs_failed(recipe *r)
{
    if (r->status == CULL_OK)
        r->status = cull_fail(r->ctx, CULL_EIO, "%s: packed matrices cannot be kept here: %s",
                              r->folder, strerror(errno));
}

// Sizes have to be known before the first byte of the file is written, and all of a cut's matrices
// at once may be as large as the model: they wait beside the file.
static void keep_packed(recipe *r, const cull_packed *packed)
{
    if (!r->packs)
        r->status = cull_nameless_stream(r->ctx, r->folder, &r->packs);
    if (r->status == CULL_OK && fwrite(packed->bytes, 1, packed->n, r->packs) != packed->n)
        packs_failed(r);
}

// The next one, in scratch memory.
static const void *next_packed(recipe *r, size_t bytes)
{
    void *out = scratch(r, bytes, 1);

    if (out && fread(out, 1, bytes, r->packs) != bytes)
        packs_failed(r);
    return r->status == CULL_OK ? out : NULL;
}

static bool add_packed(recipe *r, size_t i, const char *name)
{
    char *longer = scratch(r, CULL_PLACE, 1);
    const cull_mark mark = cull_arena_mark(cull_context_of(r->ctx)->scratch);
    bool pays = false;
    const cull_packed packed = longer ? pack(r, i, &pays) : (cull_packed){ 0 };

    if (r->status == CULL_OK && pays)
        keep_packed(r, &packed);
    cull_arena_rewind(cull_context_of(r->ctx)->scratch, mark);
    cull_cut_leave_matrix(r->cut, r->cut->overlay[i].where);
    if (r->status != CULL_OK || !pays)
        return false;
    snprintf(longer, CULL_PLACE, "%s-packed", name);
    add(r, longer, CULL_DT_U8, 1, &packed.n, NULL, i);
    r->packed[r->n - 1] = true;
    return true;
}

static void add_overlay(recipe *r, size_t i)
{
    static const char *const endings[] = { [CULL_MASK] = ".mask",
                                           [CULL_MATRIX] = ".matrix",
                                           [CULL_CHANNELS] = ".channels",
                                           [CULL_BIAS] = ".bias" };
    const cull_overlay *o = &r->cut->overlay[i];
    char *place = scratch(r, CULL_PLACE, 1), *name = scratch(r, CULL_PLACE, 1);

    if (!place || !name || last_of(r->cut, i, o->kind) != i) // one entry for all of them
        return;
    cull_place_name(o->where, place);
    snprintf(name, CULL_PLACE, "%s%s", place, endings[o->kind]);
    if ((o->kind == CULL_MASK || o->kind == CULL_MATRIX) && add_packed(r, i, name))
        return;
    if (is_bits(o))
        note_columns(r, place, o->cols);
    add(r, name, is_bits(o) ? CULL_DT_U8 : r->about->store, 2,
        (size_t[]){ o->rows, is_bits(o) ? (o->cols + 7) / 8 : o->cols }, NULL, i);
}

// ---- the file ----

static bool needs_version_2(const cull_cut *cut)
{
    for (size_t i = 0; i < cut->n_overlays; i++)
        if (cut->overlay[i].kind == CULL_CHANNELS || cut->overlay[i].kind == CULL_BIAS)
            return true;
    for (size_t l = 0; l < cut->L; l++)
        if (cut->layer[l].top_p > 0)
            return true;
    return false;
}

static void describe(recipe *r)
{
    char *L = scratch(r, 24, 1), *D = scratch(r, 24, 1);

    if (!L || !D)
        return;
    snprintf(L, 24, "%zu", r->cut->L);
    snprintf(D, 24, "%zu", r->cut->D);

    note(r, "cull",
         r->packs                  ? CULL_CUT_FORMAT "3"
         : needs_version_2(r->cut) ? CULL_CUT_FORMAT "2"
                                   : CULL_CUT_FORMAT "1");
    note(r, "L", L);
    note(r, "D", D);
    note(r, "store", cull_dtype_word(r->about->store));
    note(r, "model", r->about->model);
    note(r, "calibration", r->about->calibration);
    for (size_t i = 0; i < r->about->n_notes; i++)
        note(r, r->about->notes[i].name, r->about->notes[i].text);
}

static void plan(recipe *r)
{
    const size_t room = 4 * r->cut->L + r->cut->n_overlays + 5;

    r->entry = scratch(r, room, sizeof *r->entry);
    r->data = scratch(r, room, sizeof *r->data);
    r->overlay = scratch(r, room, sizeof *r->overlay);
    r->packed = scratch(r, room, sizeof *r->packed);
    r->pair = scratch(r, 6 + r->about->n_notes + r->cut->n_overlays, sizeof *r->pair);

    for (size_t l = 0; l < r->cut->L; l++)
        if (r->cut->layer[l].E > 0)
            add_slots(r, l);
    add_rules(r);
    for (size_t i = 0; i < r->cut->n_overlays; i++)
        add_overlay(r, i);
    describe(r);
}

static cull_status put(recipe *r, cull_safetensors_writer *writer)
{
    if (r->packs && fseek(r->packs, 0, SEEK_SET) != 0)
        packs_failed(r);
    for (size_t i = 0; r->status == CULL_OK && i < r->n; i++) {
        const cull_mark mark = cull_arena_mark(cull_context_of(r->ctx)->scratch);
        size_t bytes = 0;
        (void)cull_tensor_bytes(r->entry[i].dtype, r->entry[i].rank, r->entry[i].shape, &bytes);
        const void *data = r->data[i]     ? r->data[i]
                           : r->packed[i] ? next_packed(r, bytes)
                                          : overlay_bytes(r, r->overlay[i]);
        if (!data)
            return r->status;
        CULL_TRY(cull_safetensors_put(r->ctx, writer, i, data, bytes));
        if (!r->data[i])
            cull_cut_leave_matrix(r->cut, r->cut->overlay[r->overlay[i]].where);
        cull_arena_rewind(cull_context_of(r->ctx)->scratch, mark);
    }
    return r->status;
}

// The folder that holds `path`, in scratch memory.
static const char *folder_of(recipe *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 1;
    char *folder = scratch(r, n + 1, 1);

    return folder ? memcpy(folder, slash ? path : ".", n) : NULL;
}

// Write to `path`, or with a name to be filled into the folder `path`.
static cull_status save(cull_ctx *ctx, const cull_cut *cut, const cull_cut_about *about,
                        const char *path, cull_cut_name *name)
{
    recipe r = { .ctx = ctx, .cut = cut, .about = about };

    if (!cull_store_size(about->store))
        return cull_fail(ctx, CULL_EINVAL, "%s: a cut is not stored as %s", path,
                         cull_dtype_word(about->store));
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    r.folder = name ? path : folder_of(&r, path);
    if (r.folder)
        plan(&r);
    const char *first =
        name ? cull_arena_printf(cull_context_of(ctx)->scratch, "%s/cut", path) : path;
    cull_safetensors_writer *writer = NULL;
    cull_status status = r.status != CULL_OK ? r.status : first ? CULL_OK : cull_no_memory(ctx);
    if (status == CULL_OK)
        status =
            cull_safetensors_create_sealed(ctx, first, r.n, r.entry, r.n_pairs, r.pair, &writer);
    if (status == CULL_OK)
        status = put(&r, writer);
    if (status != CULL_OK)
        cull_safetensors_abandon(writer);
    else if (name)
        status = cull_safetensors_finish_named(ctx, writer, path, name->text, sizeof name->text);
    else
        status = cull_safetensors_finish(ctx, writer);
    if (r.packs)
        (void)fclose(r.packs);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return cull_while(ctx, status, "storing the cut");
}

cull_status cull_cut_save(cull_ctx *ctx, const cull_cut *cut, const cull_cut_about *about,
                          const char *path)
{
    return save(ctx, cut, about, path, NULL);
}

cull_status cull_cut_keep(cull_ctx *ctx, const cull_cut *cut, const cull_cut_about *about,
                          const char *dir, cull_cut_name *out)
{
    return save(ctx, cut, about, dir, out);
}

// ---- rounding ----

cull_status cull_cut_store(cull_ctx *ctx, const char *word, const char *model_dtype,
                           cull_dtype *out)
{
    const bool own = strcmp(word, "model") == 0;
    const char *type = own ? model_dtype : word;

    if (strcmp(type, "bf16") == 0)
        *out = CULL_DT_BF16;
    else if (strcmp(type, "f16") == 0)
        *out = CULL_DT_F16;
    else if (own || strcmp(type, "f32") == 0)
        *out = CULL_DT_F32;
    else
        return cull_fail(ctx, CULL_EINVAL, "a cut is stored as f32, bf16, f16 or model, not \"%s\"",
                         word);
    return CULL_OK;
}

static void round_floats(cull_dtype store, size_t n, float *values)
{
    for (size_t i = 0; i < n; i++) {
        float stored; // has room for any of the types
        cull_narrow(store, 1, &values[i], &stored);
        cull_widen(store, 1, &stored, &values[i]);
    }
}

void cull_cut_round(cull_cut *cut, cull_dtype store)
{
    if (store == CULL_DT_F32)
        return;
    for (size_t l = 0; l < cut->L; l++)
        for (size_t e = 0; e < cut->layer[l].E; e++)
            if (cut->layer[l].action[e] == CULL_ACTION_NOVICE)
                round_floats(store, cut->D, cut->layer[l].constant + e * cut->D);
    for (size_t i = 0; i < cut->n_overlays; i++) {
        if (is_bits(&cut->overlay[i]))
            continue;
        round_floats(store, cut->overlay[i].rows * cut->overlay[i].cols,
                     (float *)(uintptr_t)cut->overlay[i].data); // the room is the cut's own
        cull_cut_leave_matrix(cut, cut->overlay[i].where);
    }
}
