// Reads a cut from safetensors, distrusting every shape and index.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/narrow.h"
#include "base/safetensors.h"
#include "cut/cut.h"
#include "cut/cut_file.h"
#include "cut/cut_names.h"
#include "cut/packed.h"

typedef struct source {
    cull_ctx *ctx;
    const char *path;
    const cull_safetensors *file;
    cull_dtype store;
    cull_cut *cut;
} source;

static cull_status wrong(const source *s, const char *name, const char *what)
{
    return cull_fail(s->ctx, CULL_EFORMAT, "%s: tensor \"%s\" %s", s->path, name, what);
}

static char *name_of(const source *s, const char *fmt, size_t l)
{
    char *name = cull_arena_printf(cull_context_of(s->ctx)->scratch, fmt, l);

    if (!name)
        cull_no_memory(s->ctx);
    return name;
}

// The tensor of a name, of this type and with n entries; *data is NULL where there is none.
static cull_status find(const source *s, const char *name, cull_dtype dtype, size_t n,
                        const void **data)
{
    cull_tensor t;

    *data = NULL;
    if (!name)
        return CULL_ENOMEM;
    if (!cull_safetensors_find(s->file, name, &t))
        return CULL_OK;
    if (t.dtype != dtype || t.rank != 1 || t.shape[0] != n)
        return cull_fail(s->ctx, CULL_EFORMAT, "%s: tensor \"%s\" is not %s (%zu)", s->path, name,
                         cull_dtype_word(dtype), n);
    *data = t.data;
    return CULL_OK;
}

static int32_t int_at(const void *data, size_t i)
{
    int32_t value;

    memcpy(&value, (const unsigned char *)data + i * sizeof value, sizeof value);
    return value;
}

static double real_at(const void *data, size_t i)
{
    double value;

    memcpy(&value, (const unsigned char *)data + i * sizeof value, sizeof value);
    return value;
}

// ---- slots ----

static cull_status load_actions(const source *s, size_t l, cull_layer_cut *layer, bool *given)
{
    const char *name = name_of(s, "layer.%zu.action", l);
    const void *data;

    CULL_TRY(find(s, name, CULL_DT_U8, layer->E, &data));
    *given = data != NULL;
    for (size_t e = 0; data && e < layer->E; e++) {
        layer->action[e] = ((const uint8_t *)data)[e];
        if (layer->action[e] > CULL_ACTION_ALIAS)
            return cull_fail(s->ctx, CULL_EFORMAT,
                             "%s: layer %zu, expert %zu: no action has number %u", s->path, l, e,
                             layer->action[e]);
    }
    return CULL_OK;
}

// The list of kept experts: agrees with the actions, or stands for them.
static cull_status load_kept(const source *s, size_t l, cull_layer_cut *layer, bool given)
{
    const char *name = name_of(s, "layer.%zu.kept", l);
    cull_tensor t;

    if (!name)
        return CULL_ENOMEM;
    if (!cull_safetensors_find(s->file, name, &t))
        return CULL_OK;
    if (t.dtype != CULL_DT_I32 || t.rank != 1)
        return wrong(s, name, "is not a list of I32");
    uint8_t *kept = cull_scratch(s->ctx, layer->E, 1);
    if (!kept)
        return CULL_ENOMEM;
    for (size_t i = 0; i < t.shape[0]; i++) {
        const int32_t e = int_at(t.data, i);
        if (e < 0 || (size_t)e >= layer->E || (i > 0 && e <= int_at(t.data, i - 1)))
            return wrong(s, name, "is no ascending list of the layer's experts");
        kept[e] = 1;
    }
    for (size_t e = 0; e < layer->E; e++) {
        if (!given)
            layer->action[e] = kept[e] ? CULL_ACTION_BASE : CULL_ACTION_DROP;
        else if (kept[e] != (layer->action[e] == CULL_ACTION_BASE))
            return wrong(s, name, "contradicts the layer's actions");
    }
    return CULL_OK;
}

static cull_status load_targets(const source *s, size_t l, cull_layer_cut *layer)
{
    const char *name = name_of(s, "layer.%zu.target", l);
    const void *data;

    CULL_TRY(find(s, name, CULL_DT_I32, layer->E, &data));
    for (size_t e = 0; e < layer->E; e++) {
        const int32_t target = data ? int_at(data, e) : (int32_t)e;
        const bool alias = layer->action[e] == CULL_ACTION_ALIAS;
        if (target < 0 || (size_t)target >= layer->E || (!alias && (size_t)target != e))
            return cull_fail(s->ctx, CULL_EFORMAT,
                             "%s: layer %zu, expert %zu: %d cannot be its target", s->path, l, e,
                             target);
        if (alias && layer->action[target] != CULL_ACTION_BASE)
            return cull_fail(s->ctx, CULL_EFORMAT,
                             "%s: layer %zu, expert %zu: is served by expert %d, which is not kept",
                             s->path, l, e, target);
        layer->target[e] = (uint32_t)target;
    }
    return CULL_OK;
}

// n stored numbers as float32; they must be finite.
static cull_status widen(const source *s, const char *name, const cull_tensor *t, size_t n,
                         float *to)
{
    cull_widen(t->dtype, n, t->data, to);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(to[i]))
            return wrong(s, name, "holds a number that is not finite");
    return CULL_OK;
}

static cull_status load_novices(const source *s, size_t l, cull_layer_cut *layer)
{
    const size_t D = s->cut->D;
    size_t n = 0;

    for (size_t e = 0; e < layer->E; e++)
        n += layer->action[e] == CULL_ACTION_NOVICE;

    const char *name = name_of(s, "layer.%zu.novice", l);
    cull_tensor t;
    if (!name)
        return CULL_ENOMEM;
    if (!cull_safetensors_find(s->file, name, &t))
        return n == 0 ? CULL_OK : wrong(s, name, "is missing");
    if (t.dtype != s->store || t.rank != 2 || t.shape[0] != n || t.shape[1] != D)
        return cull_fail(s->ctx, CULL_EFORMAT, "%s: tensor \"%s\" is not %s (%zu, %zu)", s->path,
                         name, cull_dtype_word(s->store), n, D);
    if (!layer->constant)
        layer->constant = s->ctx->host->alloc(s->ctx, layer->E * D, sizeof *layer->constant);
    float *rows = cull_scratch(s->ctx, n * D, sizeof *rows);
    if (!layer->constant || !rows)
        return CULL_ENOMEM;
    CULL_TRY(widen(s, name, &t, n * D, rows));
    for (size_t e = 0, i = 0; e < layer->E; e++)
        if (layer->action[e] == CULL_ACTION_NOVICE)
            memcpy(layer->constant + e * D, rows + i++ * D, D * sizeof *rows);
    return CULL_OK;
}

static cull_status load_slots(const source *s, size_t l)
{
    cull_layer_cut *layer = &s->cut->layer[l];
    bool given = false;

    CULL_TRY(load_actions(s, l, layer, &given));
    CULL_TRY(load_kept(s, l, layer, given));
    CULL_TRY(load_targets(s, l, layer));
    return load_novices(s, l, layer);
}

// ---- rules ----

static cull_status load_rules(const source *s)
{
    const size_t L = s->cut->L;
    const void *skip, *skip_moe, *k, *ratio, *top_p;

    CULL_TRY(find(s, "skip_layer", CULL_DT_U8, L, &skip));
    CULL_TRY(find(s, "skip_moe", CULL_DT_U8, L, &skip_moe));
    CULL_TRY(find(s, "k", CULL_DT_I32, L, &k));
    CULL_TRY(find(s, "skip_ratio", CULL_DT_F64, L, &ratio));
    CULL_TRY(find(s, "top_p", CULL_DT_F64, L, &top_p));

    for (size_t l = 0; l < L; l++) {
        cull_layer_cut *layer = &s->cut->layer[l];
        const uint8_t a = skip ? ((const uint8_t *)skip)[l] : 0;
        const uint8_t b = skip_moe ? ((const uint8_t *)skip_moe)[l] : 0;
        const int32_t chosen = k ? int_at(k, l) : 0;
        const double r = ratio ? real_at(ratio, l) : 0, p = top_p ? real_at(top_p, l) : 0;
        if (a > 1 || b > 1 || (b && layer->E == 0))
            return cull_fail(s->ctx, CULL_EFORMAT, "%s: layer %zu: cannot be passed over like that",
                             s->path, l);
        if (chosen < 0 || (size_t)chosen > layer->E || !(r >= 0) || !(r <= 1) || !(p >= 0) ||
            !(p <= 1))
            return cull_fail(s->ctx, CULL_EFORMAT,
                             "%s: layer %zu: k %d, skip_ratio %g, top_p %g make no sense", s->path,
                             l, chosen, r, p);
        layer->skip_layer = a;
        layer->skip_moe = b;
        layer->k = (size_t)chosen;
        layer->skip_ratio = r;
        layer->top_p = p;
    }
    return CULL_OK;
}

// ---- overlays ----

static cull_status check_place(const source *s, const char *name, cull_matrix_id where)
{
    const bool routed =
        where.part == CULL_PART_GATE || where.part == CULL_PART_UP || where.part == CULL_PART_DOWN;
    const bool outside = where.part == CULL_PART_EMBED || where.part == CULL_PART_HEAD;

    if (outside != (where.layer == CULL_NONE) || routed != (where.expert != CULL_NONE) ||
        (!outside && where.layer >= s->cut->L) ||
        (routed && where.expert >= s->cut->layer[where.layer].E))
        return wrong(s, name, "names no matrix of the model");
    return CULL_OK;
}

// A matrix (rows, cols), or the bias (1, rows) of a matrix.
static cull_status load_numbers(const source *s, const char *name, const cull_tensor *t,
                                cull_matrix_id where, uint32_t kind)
{
    CULL_TRY(check_place(s, name, where));
    if (t->rank != 2 || t->dtype != s->store || !t->shape[0] || !t->shape[1] ||
        !cull_overlay_fits(kind, where, t->shape[0]))
        return wrong(s, name, "is no matrix of the type that the file declares");
    float *to = s->ctx->host->overlay(s->ctx, s->cut, where, kind, t->shape[0], t->shape[1]);
    return to ? widen(s, name, t, t->shape[0] * t->shape[1], to) : CULL_ENOMEM;
}

// A mask (rows, bytes), or the channels (1, bytes) of a module.
static cull_status load_bits(const source *s, const char *name, const cull_tensor *t,
                             cull_matrix_id where, uint32_t kind)
{
    CULL_TRY(check_place(s, name, where));
    if (t->rank != 2 || t->dtype != CULL_DT_U8 || !t->shape[0] || !t->shape[1] ||
        t->shape[1] > SIZE_MAX / 8 || !cull_overlay_fits(kind, where, t->shape[0]))
        return wrong(s, name, "is no packed mask");

    char place[CULL_PLACE];
    cull_place_name(where, place);
    const char *said = cull_safetensors_metadata(s->file, strcat(place, ".cols"));
    const size_t cols = said ? strtoul(said, NULL, 10) : 8 * t->shape[1];
    if (cols > 8 * t->shape[1] || cols + 8 <= 8 * t->shape[1])
        return wrong(s, name, "does not have as many columns as its metadata says");
    void *to = s->ctx->host->overlay(s->ctx, s->cut, where, kind, t->shape[0], cols);
    if (!to)
        return CULL_ENOMEM;
    memcpy(to, t->data, t->bytes);
    return CULL_OK;
}

// A mask or a matrix that is packed.
static cull_status load_packed(const source *s, const char *name, const cull_tensor *t,
                               cull_matrix_id where, uint32_t kind)
{
    size_t rows, cols;

    CULL_TRY(check_place(s, name, where));
    if (t->rank != 1 || t->dtype != CULL_DT_U8 ||
        !cull_packed_shape(t->data, t->bytes, &rows, &cols) ||
        !cull_overlay_fits(kind, where, rows))
        return wrong(s, name, "is no packed matrix");
    void *to = s->ctx->host->overlay(s->ctx, s->cut, where, kind, rows, cols);
    const size_t width = cull_store_size(s->store), n = rows * cols;
    if (!to)
        return CULL_ENOMEM;
    if (kind == CULL_MASK) {
        const cull_status status = cull_unpack_bits(s->ctx, t->data, t->bytes, to);
        return status == CULL_EFORMAT ? wrong(s, name, "is damaged") : status;
    }

    const cull_mark mark = cull_arena_mark(cull_context_of(s->ctx)->scratch);
    void *numbers = cull_scratch(s->ctx, n, width);
    cull_status status =
        numbers ? cull_unpack_matrix(s->ctx, t->data, t->bytes, width, numbers) : CULL_ENOMEM;
    if (status == CULL_EFORMAT)
        status = wrong(s, name, "is damaged");
    if (status == CULL_OK) {
        const cull_tensor plain = { .dtype = s->store, .data = numbers };
        status = widen(s, name, &plain, n, to);
    }
    cull_arena_rewind(cull_context_of(s->ctx)->scratch, mark);
    return status;
}

static cull_status load_overlay(const source *s, const char *name, const cull_tensor *t,
                                bool *is_one)
{
    static const struct {
        const char *ending;
        uint32_t kind;
        cull_status (*load)(const source *, const char *, const cull_tensor *, cull_matrix_id,
                            uint32_t);
    } kinds[] = {
        { ".matrix", CULL_MATRIX, load_numbers },   { ".bias", CULL_BIAS, load_numbers },
        { ".mask", CULL_MASK, load_bits },          { ".channels", CULL_CHANNELS, load_bits },
        { ".mask-packed", CULL_MASK, load_packed }, { ".matrix-packed", CULL_MATRIX, load_packed },
    };
    cull_matrix_id where;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((*is_one = cull_place_of(name, kinds[i].ending, &where))) {
            CULL_TRY(kinds[i].load(s, name, t, where, kinds[i].kind));
            cull_safetensors_release(s->file, t->data, t->bytes);
            cull_cut_leave_matrix(s->cut, where);
            return CULL_OK;
        }
    return CULL_OK;
}

// Every tensor of the file is one that is read: an overlay, or one of the slots and rules.
static cull_status load_overlays(const source *s)
{
    static const char *const known[] = { ".action", ".target", ".kept", ".novice" };

    for (size_t i = 0; i < cull_safetensors_count(s->file); i++) {
        cull_tensor t;
        const char *name = cull_safetensors_at(s->file, i, &t);
        bool overlay;
        CULL_TRY(load_overlay(s, name, &t, &overlay));
        if (overlay)
            continue;
        bool fine = strcmp(name, "skip_layer") == 0 || strcmp(name, "skip_moe") == 0 ||
                    strcmp(name, "k") == 0 || strcmp(name, "skip_ratio") == 0 ||
                    strcmp(name, "top_p") == 0;
        uint32_t layer = 0;
        for (size_t j = 0; !fine && j < sizeof known / sizeof known[0]; j++)
            fine = cull_layer_of_name(name, known[j], &layer) && layer < s->cut->L &&
                   s->cut->layer[layer].E > 0;
        if (!fine)
            return wrong(s, name, "has no meaning in a cut of this model");
    }
    return CULL_OK;
}

// ---- the file ----

static cull_status check_size(const source *s, const char *key, size_t have)
{
    const char *said = cull_safetensors_metadata(s->file, key);

    if (said && strtoul(said, NULL, 10) != have)
        return cull_fail(s->ctx, CULL_EFORMAT, "%s: is a cut of a model with %s = %s, not %zu",
                         s->path, key, said, have);
    return CULL_OK;
}

static cull_status check_version(const source *s, const char *format)
{
    const size_t n = strlen(CULL_CUT_FORMAT);
    char *end = NULL;
    const unsigned long version =
        strncmp(format, CULL_CUT_FORMAT, n) == 0 ? strtoul(format + n, &end, 10) : 0;

    if (!end || *end || version == 0)
        return cull_fail(s->ctx, CULL_EFORMAT, "%s: is a cut of the unknown form \"%s\"", s->path,
                         format);
    if (version > CULL_CUT_VERSION)
        return cull_fail(s->ctx, CULL_EFORMAT,
                         "%s: is a cut of the form \"%s\", written by a newer Cull; this one reads "
                         "up to \"" CULL_CUT_FORMAT "%d\"",
                         s->path, format, CULL_CUT_VERSION);
    return CULL_OK;
}

static cull_status check_head(source *s)
{
    const char *format = cull_safetensors_metadata(s->file, "cull");
    const char *store = cull_safetensors_metadata(s->file, "store");

    if (!format)
        return cull_fail(s->ctx, CULL_EFORMAT,
                         "%s: is no cut file (__metadata__ has no entry \"cull\")", s->path);
    CULL_TRY(check_version(s, format));
    s->store = CULL_DT_F32;
    if (store && (!cull_dtype_of_word(store, &s->store) || !cull_store_size(s->store)))
        return cull_fail(s->ctx, CULL_EFORMAT, "%s: cannot store numbers as \"%s\"", s->path,
                         store);
    return CULL_OK;
}

static cull_status check_empty(const source *s)
{
    for (size_t l = 0; l < s->cut->L; l++) {
        const cull_layer_cut *layer = &s->cut->layer[l];
        bool touched = layer->skip_layer || layer->skip_moe || layer->k || layer->skip_ratio > 0 ||
                       layer->top_p > 0;
        for (size_t e = 0; e < layer->E; e++)
            touched |= layer->action[e] != CULL_ACTION_BASE;
        if (touched || s->cut->n_overlays)
            return cull_fail(s->ctx, CULL_EINVAL,
                             "%s: a stored cut is whole and must come before other stages",
                             s->path);
    }
    return CULL_OK;
}

static cull_status load(source *s)
{
    CULL_TRY(check_head(s));
    CULL_TRY(check_size(s, "L", s->cut->L));
    CULL_TRY(check_size(s, "D", s->cut->D));
    CULL_TRY(check_empty(s));
    for (size_t l = 0; l < s->cut->L; l++)
        if (s->cut->layer[l].E > 0)
            CULL_TRY(load_slots(s, l));
    CULL_TRY(load_rules(s));
    return load_overlays(s);
}

cull_status cull_cut_load(cull_ctx *ctx, const char *path, cull_cut *cut)
{
    cull_safetensors *file;

    CULL_TRY(cull_safetensors_open_sealed(ctx, path, &file));

    source s = { .ctx = ctx, .path = path, .file = file, .cut = cut };
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    const cull_status status = load(&s);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    cull_safetensors_close(file);
    return status;
}

static void copy_key(const char *from, char to[33])
{
    if (from && strlen(from) == 32)
        memcpy(to, from, 33);
}

cull_status cull_cut_read_ids(cull_ctx *ctx, const char *path, cull_cut_ids *out)
{
    out->model[0] = out->calibration[0] = '\0';
    cull_safetensors *file;
    CULL_TRY(cull_safetensors_open_sealed(ctx, path, &file));

    source s = { .ctx = ctx, .path = path, .file = file };
    const cull_status status = check_head(&s);
    copy_key(cull_safetensors_metadata(file, "model"), out->model);
    copy_key(cull_safetensors_metadata(file, "calibration"), out->calibration);
    cull_safetensors_close(file);
    return status;
}

const cull_cut_file_ext cull_cut_file_service = {
    .size = sizeof cull_cut_file_service,
    .load = cull_cut_load,
    .ids = cull_cut_read_ids,
};
