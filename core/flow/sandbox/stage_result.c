// What a stage made, as bytes between child and parent.
#include "flow/sandbox/stage_result.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/pages.h"
#include "cut/cut.h"

enum { ALIGN = 64 };

// ---- writing ----

typedef struct writer {
    FILE *file;
    size_t at;
    bool failed;
} writer;

static void put(writer *w, const void *bytes, size_t n)
{
    static const char zeros[ALIGN] = { 0 };

    if (n > 0 && fwrite(bytes, 1, n, w->file) != n)
        w->failed = true;
    const size_t pad = (ALIGN - n % ALIGN) % ALIGN;
    if (pad > 0 && fwrite(zeros, 1, pad, w->file) != pad)
        w->failed = true;
}

typedef struct layer_head {
    uint64_t E, skip_layer, skip_moe, k, novices;
    double skip_ratio, top_p;
} layer_head;

typedef struct head {
    uint64_t L, D, overlays, form;
    double score_s, select_s;
} head;

static void put_layer(writer *w, const cull_layer_cut *layer, size_t D)
{
    layer_head h = { layer->E, layer->skip_layer, layer->skip_moe, layer->k,
                     0,        layer->skip_ratio, layer->top_p };

    for (size_t e = 0; e < layer->E; e++)
        h.novices += layer->action[e] == CULL_ACTION_NOVICE;
    put(w, &h, sizeof h);
    put(w, layer->action, layer->E);
    put(w, layer->target, layer->E * sizeof *layer->target);
    for (size_t e = 0; e < layer->E; e++)
        if (layer->action[e] == CULL_ACTION_NOVICE)
            put(w, layer->constant + e * D, D * sizeof *layer->constant);
}

static void put_scores(writer *w, const cull_stage_result *found)
{
    const cull_cut *cut = found->cut;

    if (found->layer)
        put(w, found->layer, cut->L * sizeof *found->layer);
    for (size_t l = 0; found->expert && l < cut->L; l++)
        put(w, found->expert[l], cut->layer[l].E * sizeof **found->expert);
}

cull_status cull_stage_result_write(cull_ctx *ctx, FILE *file, const cull_stage_result *found,
                                    size_t first)
{
    const cull_cut *cut = found->cut;
    writer w = { .file = file };
    const head h = { .L = cut->L,
                     .D = cut->D,
                     .overlays = cut->n_overlays - first,
                     .form = found->layer    ? CULL_FORM_LAYER
                             : found->expert ? CULL_FORM_EXPERT
                                             : CULL_FORM_NONE,
                     .score_s = found->score_s,
                     .select_s = found->select_s };

    put(&w, &h, sizeof h);
    for (size_t l = 0; l < cut->L; l++)
        put_layer(&w, &cut->layer[l], cut->D);
    put_scores(&w, found);
    for (size_t i = first; i < cut->n_overlays; i++) {
        const cull_overlay *o = &cut->overlay[i];
        put(&w, o, sizeof *o);
        put(&w, o->data, cull_overlay_bytes(o->kind, o->rows, o->cols));
        cull_cut_leave_matrix(cut, o->where);
    }
    if (w.failed)
        return cull_fail(ctx, CULL_EIO, "the results of a stage cannot be written: %s",
                         strerror(errno));
    return CULL_OK;
}

// ---- reading ----

typedef struct reader {
    cull_ctx *ctx;
    const char *at;
    size_t left;
    size_t only;       // the layer that may have changed; L or more: all may
    size_t first, end; // of its experts, those that are taken
} reader;

static bool is_taken(const reader *r, size_t e)
{
    return e >= r->first && e < r->end;
}

static cull_status spoilt(reader *r)
{
    return cull_fail(r->ctx, CULL_EPLUGIN, "what the stage's child left behind is damaged");
}

static const void *get(reader *r, size_t n)
{
    const size_t padded = n + (ALIGN - n % ALIGN) % ALIGN;

    if (n > r->left || padded > r->left)
        return NULL;
    const void *bytes = r->at;
    r->at += padded;
    r->left -= padded;
    return bytes;
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static cull_status get_novices(reader *r, size_t l, const uint8_t *action, cull_layer_cut *layer,
                               size_t D)
{
    for (size_t e = 0; e < layer->E; e++) {
        if (action[e] != CULL_ACTION_NOVICE)
            continue;
        const float *constant = get(r, D * sizeof *constant);
        if (!constant)
            return spoilt(r);
        if (!all_finite(constant, D))
            return cull_fail(r->ctx, CULL_ENUMERIC,
                             "the novice of layer %zu, expert %zu is not finite", l, e);
        if (is_taken(r, e))
            memcpy(layer->constant + e * D, constant, D * sizeof *constant);
    }
    return CULL_OK;
}

static cull_status pass_over(reader *r, const layer_head *h, size_t D)
{
    get(r, h->E);
    get(r, h->E * sizeof(uint32_t));
    for (size_t i = 0; i < h->novices; i++)
        if (!get(r, D * sizeof(float)))
            return spoilt(r);
    return CULL_OK;
}

static cull_status get_layer(reader *r, size_t l, bool wanted, cull_layer_cut *layer, size_t D)
{
    const layer_head *h = get(r, sizeof *h);

    if (!h || h->E != layer->E || h->skip_layer > 1 || h->skip_moe > 1)
        return spoilt(r);
    if (!wanted)
        return pass_over(r, h, D);
    const uint8_t *action = get(r, layer->E);
    const uint32_t *target = get(r, layer->E * sizeof *target);
    if (!action || !target)
        return spoilt(r);
    for (size_t e = 0; e < layer->E; e++) {
        if (action[e] > CULL_ACTION_ALIAS || target[e] >= layer->E ||
            (action[e] == CULL_ACTION_ALIAS && action[target[e]] != CULL_ACTION_BASE))
            return cull_fail(
                r->ctx, CULL_EPLUGIN,
                "the slot of layer %zu, expert %zu makes no sense: action %u, target %u", l, e,
                action[e], target[e]);
        if (!is_taken(r, e))
            continue;
        layer->action[e] = action[e];
        layer->target[e] = target[e];
    }
    if (r->first > 0)
        return get_novices(r, l, action, layer, D);
    if (!isfinite(h->skip_ratio) || h->skip_ratio < 0)
        return cull_fail(r->ctx, CULL_ENUMERIC, "the skip ratio of layer %zu is %g", l,
                         h->skip_ratio);
    if (!(h->top_p >= 0 && h->top_p <= 1))
        return cull_fail(r->ctx, CULL_ENUMERIC, "the top-p of layer %zu is %g", l, h->top_p);
    layer->skip_layer = h->skip_layer;
    layer->skip_moe = h->skip_moe;
    layer->k = h->k;
    layer->skip_ratio = h->skip_ratio;
    layer->top_p = h->top_p;
    return get_novices(r, l, action, layer, D);
}

static cull_status get_scores(reader *r, uint64_t form, cull_stage_result *out)
{
    const size_t L = out->cut->L;

    if (form == CULL_FORM_LAYER) {
        out->layer = cull_take(r->ctx, L, sizeof *out->layer);
        const double *from = get(r, L * sizeof *from);
        if (!out->layer || !from)
            return spoilt(r);
        memcpy(out->layer, from, L * sizeof *from);
    } else if (form == CULL_FORM_EXPERT) {
        double **expert = cull_take(r->ctx, L, sizeof *expert);
        for (size_t l = 0; expert && l < L; l++) {
            const size_t bytes = out->cut->layer[l].E * sizeof **expert;
            const double *from = get(r, bytes);
            expert[l] = cull_take(r->ctx, bytes ? bytes : 1, 1);
            if (!from || !expert[l])
                return spoilt(r);
            memcpy(expert[l], from, bytes);
        }
        out->expert = expert;
    }
    return CULL_OK;
}

static cull_status get_overlay(reader *r, cull_cut *cut)
{
    const cull_overlay *from = get(r, sizeof *from);

    if (!from || !cull_overlay_fits(from->kind, from->where, from->rows) ||
        from->where.layer >= cut->L)
        return spoilt(r);
    if (r->only < cut->L && from->where.layer != r->only)
        return cull_fail(r->ctx, CULL_EPLUGIN, "layer %u was changed while layer %zu was decided",
                         from->where.layer, r->only);
    if (r->end != SIZE_MAX && !is_taken(r, from->where.expert))
        return spoilt(r);
    const size_t bytes = cull_overlay_bytes(from->kind, from->rows, from->cols);
    const void *data = bytes == SIZE_MAX ? NULL : get(r, bytes);
    if (!data)
        return spoilt(r);
    const bool numbers = from->kind == CULL_MATRIX || from->kind == CULL_BIAS;
    if (numbers && !all_finite(data, from->rows * from->cols))
        return cull_fail(r->ctx, CULL_ENUMERIC, "%s of layer %u is not finite",
                         from->kind == CULL_BIAS ? "an output bias" : "a rewritten matrix",
                         from->where.layer);
    const cull_overlay overlay = { sizeof(cull_overlay), from->kind, from->where,
                                   from->rows,           from->cols, data };
    cull_pages_leave(data, bytes);
    return cull_cut_add_paged(r->ctx, cut, &overlay);
}

static cull_status read_all(reader *r, cull_stage_result *out)
{
    cull_cut *cut = out->cut;
    const head *h = get(r, sizeof *h);

    if (!h || h->L != cut->L || h->D != cut->D)
        return spoilt(r);
    for (size_t l = 0; l < cut->L; l++)
        CULL_TRY(get_layer(r, l, r->only >= cut->L || r->only == l, &cut->layer[l], cut->D));
    CULL_TRY(get_scores(r, h->form, out));
    out->score_s += h->score_s;
    out->select_s += h->select_s;
    out->score_all_s += h->score_s;
    out->select_all_s += h->select_s;
    for (size_t i = 0; i < h->overlays; i++)
        CULL_TRY(get_overlay(r, cut));
    return CULL_OK;
}

static cull_status map_file(cull_ctx *ctx, FILE *file, cull_stage_result *out)
{
    struct stat st;
    cull_map *map = cull_take(ctx, 1, sizeof *map);

    if (!map)
        return CULL_ENOMEM;
    if (fstat(fileno(file), &st) != 0 || st.st_size <= 0)
        return cull_fail(ctx, CULL_EPLUGIN, "the stage's child left nothing behind");
    map->bytes = (size_t)st.st_size;
    // writable: what is stored in fewer digits is rounded in place (flow/apply.c); shared, so that
    // what was rounded is in the file, too, and pages can be let go
    map->at = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    if (map->at == MAP_FAILED)
        return cull_fail(ctx, CULL_EIO, "the results of a stage cannot be mapped: %s",
                         strerror(errno));
    map->next = out->maps;
    out->maps = map;
    return CULL_OK;
}

cull_status cull_stage_result_read_experts(cull_ctx *ctx, FILE *file, size_t only, size_t first,
                                           size_t end, cull_stage_result *result)
{
    CULL_TRY(map_file(ctx, file, result));
    reader r = { ctx, result->maps->at, result->maps->bytes, only, first, end };
    return read_all(&r, result);
}

cull_status cull_stage_result_read(cull_ctx *ctx, FILE *file, size_t only,
                                   cull_stage_result *result)
{
    return cull_stage_result_read_experts(ctx, file, only, 0, SIZE_MAX, result);
}

cull_status cull_stage_results_read(cull_ctx *ctx, FILE *file, size_t n, cull_stage_result *results)
{
    CULL_TRY(map_file(ctx, file, &results[0]));
    reader r = { ctx, results[0].maps->at, results[0].maps->bytes, SIZE_MAX, 0, SIZE_MAX };
    for (size_t i = 0; i < n; i++)
        CULL_TRY(read_all(&r, &results[i]));
    return CULL_OK;
}

void cull_stage_result_release(cull_stage_result *result)
{
    for (cull_map *map = result->maps; map; map = map->next)
        munmap(map->at, map->bytes);
    result->maps = NULL;
}
