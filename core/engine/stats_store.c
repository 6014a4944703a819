// Statistics by layer: made, merged, given out as views.
#include "engine/stats_store.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/safetensors.h"

// Shapes of a layer's arrays.
enum shape { SHAPE_E, SHAPE_EE, SHAPE_ED, SHAPE_EF, SHAPE_S };

typedef struct field {
    const char *name;
    uint32_t group;
    enum shape shape;
    size_t offset; // of the pointer in cull_layer_stats
} field;

// clang-format off
#define FIELD(group, shape, name) \
    { #name, CULL_STAT_##group, SHAPE_##shape, offsetof(cull_layer_stats, name) }

static const field fields[] = {
    FIELD(ROUTING,        E,  count),
    FIELD(ROUTING,        E,  gate_sum),
    FIELD(ROUTING,        E,  gate_sq),
    FIELD(ROUTING,        E,  prob_sum),
    FIELD(COACTIVATION,   EE, coact),
    FIELD(OUTPUT_NORM,    E,  norm_sum),
    FIELD(OUTPUT_NORM,    E,  norm_sq),
    FIELD(OUTPUT_NORM,    E,  gate_norm),
    FIELD(OUTPUT_NORM,    E,  norm_max),
    FIELD(OUTPUT_NORM,    E,  max_signed),
    FIELD(OUTPUT_NORM,    E,  max_abs),
    FIELD(OUTPUT_MOMENTS, ED, mean),
    FIELD(OUTPUT_MOMENTS, ED, var),
    FIELD(OUTPUT_MOMENTS, ED, mean_gate),
    FIELD(EASY_EP,        E,  easy_ep),
    FIELD(LOGIT_GRAM,     EE, logit_gram),
    FIELD(LOGIT_GRAM,     EE, sigmoid_gram),
    FIELD(INPUT_SQUARES,  ED, x_sq),
    FIELD(INPUT_SQUARES,  EF, u_sq),
    FIELD(DENSE_MEAN,     ED, dense_mean),
    FIELD(CHANNEL_MOMENTS, EF, u_mean),
    FIELD(CHANNEL_MOMENTS, EF, u_var),
    FIELD(GATED_SQUARES,  ED, gx_sq),
    FIELD(GATED_SQUARES,  EF, gu_sq),
    FIELD(GATED_PEAKS,    EF, gu_peak),
    FIELD(CHANNEL_MOMENTS, S, side_mean),
    FIELD(CHANNEL_MOMENTS, S, side_var),
    FIELD(GATED_SQUARES,  S,  side_gu_sq),
    FIELD(GATED_PEAKS,    S,  side_gu_peak),
    FIELD(PROB_NORM,      E,  prob_norm),
    FIELD(DENSE_GATED,    ED, dense_gated),
};
// clang-format on

enum { N_FIELDS = sizeof fields / sizeof *fields };

struct cull_stats_store {
    cull_ctx *ctx;
    cull_stats stats;
    cull_layer_stats *layer;
    size_t *width; // (L, N_PARTS) of part_sq
};

static double **slot(cull_layer_stats *s, size_t i)
{
    return (double **)(void *)((char *)s + fields[i].offset);
}

static size_t length(const cull_layer_stats *s, enum shape shape)
{
    switch (shape) {
    case SHAPE_E:
        return s->E;
    case SHAPE_EE:
        return s->E * s->E;
    case SHAPE_ED:
        return s->E * s->D;
    case SHAPE_EF:
        return s->E * s->F;
    case SHAPE_S:
        return s->side_F;
    }
    return 0;
}

static cull_status make_layer(cull_ctx *ctx, cull_layer_stats *s, uint32_t groups)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        const size_t n = length(s, fields[i].shape);
        if (!(fields[i].group & groups) || n == 0 || *slot(s, i))
            continue;
        *slot(s, i) = cull_alloc(n, sizeof(double));
        if (!*slot(s, i))
            return cull_no_memory(ctx);
    }
    return CULL_OK;
}

cull_status cull_stats_store_require(cull_stats_store *store, uint32_t groups)
{
    const size_t side = store->stats.L + 1;

    for (size_t l = 0; l < store->stats.L; l++)
        CULL_TRY(make_layer(store->ctx, store->layer + l, groups));
    if ((groups & CULL_STAT_LAYER_COSINES) && !store->stats.cos_sum) {
        store->stats.cos_sum = cull_alloc(side * side, sizeof(double));
        store->stats.angle_sum = cull_alloc(side * side, sizeof(double));
        if (!store->stats.cos_sum || !store->stats.angle_sum)
            return cull_no_memory(store->ctx);
    }
    store->stats.groups |= groups;
    return CULL_OK;
}

cull_stats_store *cull_stats_store_new(cull_ctx *ctx, const cull_model_facts *model,
                                       const cull_layer_facts *const *facts, uint32_t groups)
{
    cull_stats_store *store = cull_alloc(1, sizeof *store);

    if (!store) {
        (void)cull_no_memory(ctx);
        return NULL;
    }
    store->ctx = ctx;
    store->stats = (cull_stats){ .size = sizeof(cull_stats), .L = model->L };
    store->layer = cull_alloc(model->L, sizeof *store->layer);
    store->width = cull_alloc(model->L * CULL_N_PARTS, sizeof *store->width);
    if (!store->layer || !store->width) {
        (void)cull_no_memory(ctx);
        cull_stats_store_free(store);
        return NULL;
    }
    store->stats.layer = store->layer;
    for (size_t l = 0; l < model->L; l++) {
        store->layer[l].size = sizeof(cull_layer_stats);
        store->layer[l].E = facts[l]->E;
        store->layer[l].D = model->D;
        store->layer[l].F = facts[l]->F;
        store->layer[l].side_F = facts[l]->side_F;
    }
    if (cull_stats_store_require(store, groups) != CULL_OK) {
        cull_stats_store_free(store);
        return NULL;
    }
    return store;
}

void cull_stats_store_free(cull_stats_store *store)
{
    if (!store)
        return;
    for (size_t l = 0; store->layer && l < store->stats.L; l++) {
        for (size_t i = 0; i < N_FIELDS; i++)
            cull_free(*slot(store->layer + l, i));
        for (size_t p = 0; p < CULL_N_PARTS; p++)
            cull_free((void *)store->layer[l].part_sq[p]);
    }
    cull_free((void *)store->stats.cos_sum);
    cull_free((void *)store->stats.angle_sum);
    cull_free(store->layer);
    cull_free(store->width);
    cull_free(store);
}

const cull_stats *cull_stats_store_view(const cull_stats_store *store)
{
    return &store->stats;
}
cull_stats *cull_stats_store_edit(cull_stats_store *store)
{
    return &store->stats;
}

cull_layer_stats *cull_stats_store_layer(cull_stats_store *store, size_t l)
{
    return store->layer + l;
}

double *cull_stats_store_part(cull_stats_store *store, size_t l, cull_part part, size_t width)
{
    cull_layer_stats *s = store->layer + l;

    if (!s->part_sq[part]) {
        s->part_sq[part] = cull_alloc(width, sizeof(double));
        store->width[l * CULL_N_PARTS + part] = width;
    }
    return (double *)s->part_sq[part];
}

size_t cull_stats_store_put(const cull_stats_store *store, size_t l, uint32_t groups, double *out)
{
    size_t n = 0;

    for (size_t i = 0; i < N_FIELDS; i++) {
        const double *from = *slot(store->layer + l, i);
        const size_t here =
            from && fields[i].group & groups ? length(store->layer + l, fields[i].shape) : 0;
        if (out && here > 0)
            memcpy(out + n, from, here * sizeof *out);
        n += here;
    }
    return n;
}

void cull_stats_store_take(cull_stats_store *store, size_t l, uint32_t groups, const double *in)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        double *to = *slot(store->layer + l, i);
        if (!to || !(fields[i].group & groups))
            continue;
        memcpy(to, in, length(store->layer + l, fields[i].shape) * sizeof *to);
        in += length(store->layer + l, fields[i].shape);
    }
}

uint64_t cull_stats_store_bytes(const cull_model_facts *model, const cull_layer_facts *const *facts,
                                uint32_t groups)
{
    uint64_t n =
        groups & CULL_STAT_LAYER_COSINES ? 2 * (uint64_t)(model->L + 1) * (model->L + 1) : 0;

    for (size_t l = 0; l < model->L; l++) {
        const cull_layer_stats s = {
            .size = sizeof(cull_layer_stats),
            .E = facts[l]->E,
            .D = model->D,
            .F = facts[l]->F,
            .side_F = facts[l]->side_F,
        };
        for (size_t i = 0; i < N_FIELDS; i++)
            if (fields[i].group & groups)
                n += length(&s, fields[i].shape);
    }
    return n * sizeof(double);
}

// ---- files ----

// The tensors of a store, listed before they are written. Names live in the context's scratch
// arena.
typedef struct listing {
    cull_ctx *ctx;
    size_t n, room;
    cull_entry *entry;
    const double **data;
} listing;

static cull_status list(listing *to, const char *name, size_t rows, size_t cols, const double *data)
{
    if (!data)
        return CULL_OK;
    if (to->n == to->room)
        return cull_fail(to->ctx, CULL_EINVAL, "more statistics than there are names for");
    char *kept = cull_scratch(to->ctx, strlen(name) + 1, 1);
    if (!kept)
        return CULL_ENOMEM;
    strcpy(kept, name);
    to->entry[to->n] = (cull_entry){ .size = sizeof(cull_entry),
                                     .name = kept,
                                     .dtype = CULL_DT_F64,
                                     .rank = cols ? 2 : 1,
                                     .shape = { rows, cols } };
    to->data[to->n++] = data;
    return CULL_OK;
}

static cull_status list_layer(listing *to, const cull_stats_store *store, size_t l)
{
    cull_layer_stats *s = store->layer + l;
    double *scalars = cull_scratch(to->ctx, 3, sizeof *scalars);
    char name[96];

    if (!scalars)
        return CULL_ENOMEM;
    for (size_t i = 0; i < N_FIELDS; i++) {
        const size_t cols[] = {
            [SHAPE_E] = 0, [SHAPE_EE] = s->E, [SHAPE_ED] = s->D, [SHAPE_EF] = s->F, [SHAPE_S] = 0
        };
        (void)snprintf(name, sizeof name, "layer.%zu.%s", l, fields[i].name);
        CULL_TRY(list(to, name, fields[i].shape == SHAPE_S ? s->side_F : s->E,
                      cols[fields[i].shape], *slot(s, i)));
    }
    for (size_t p = 0; p < CULL_N_PARTS; p++) {
        (void)snprintf(name, sizeof name, "layer.%zu.part_sq.%s", l, cull_part_word((uint32_t)p));
        CULL_TRY(list(to, name, store->width[l * CULL_N_PARTS + p], 0, s->part_sq[p]));
    }
    scalars[0] = s->moe_cos;
    scalars[1] = s->ratio_median;
    scalars[2] = (double)s->tokens;
    (void)snprintf(name, sizeof name, "layer.%zu.scalars", l);
    return list(to, name, 3, 0, scalars);
}

static cull_status list_all(listing *to, const cull_stats_store *store)
{
    const size_t side = store->stats.L + 1;
    double *head = cull_scratch(to->ctx, 2, sizeof *head);

    to->room = store->stats.L * (N_FIELDS + CULL_N_PARTS + 1) + 3;
    to->entry = cull_scratch(to->ctx, to->room, sizeof *to->entry);
    to->data = cull_scratch(to->ctx, to->room, sizeof *to->data);
    if (!head || !to->entry || !to->data)
        return CULL_ENOMEM;
    head[0] = (double)store->stats.groups;
    head[1] = (double)store->stats.tokens;
    CULL_TRY(list(to, "model.groups", 2, 0, head));
    for (size_t l = 0; l < store->stats.L; l++)
        CULL_TRY(list_layer(to, store, l));
    CULL_TRY(list(to, "model.cos_sum", side, side, store->stats.cos_sum));
    return list(to, "model.angle_sum", side, side, store->stats.angle_sum);
}

cull_status cull_stats_store_save(cull_ctx *ctx, const cull_stats_store *store, const char *path)
{
    listing all = { .ctx = ctx };
    cull_safetensors_writer *w = NULL;

    CULL_TRY(list_all(&all, store));
    CULL_TRY(cull_safetensors_create_sealed(ctx, path, all.n, all.entry, 0, NULL, &w));
    for (size_t i = 0; i < all.n; i++) {
        const size_t cols = all.entry[i].rank == 2 ? all.entry[i].shape[1] : 1;
        const cull_status status = cull_safetensors_put(
            ctx, w, i, all.data[i], all.entry[i].shape[0] * cols * sizeof(double));
        if (status != CULL_OK) {
            cull_safetensors_abandon(w);
            return status;
        }
    }
    return cull_safetensors_finish(ctx, w);
}

static cull_status take(cull_ctx *ctx, const cull_safetensors *file, const char *path,
                        const char *name, size_t n, double *out)
{
    cull_tensor t;

    if (!cull_safetensors_find(file, name, &t) || t.dtype != CULL_DT_F64 ||
        t.bytes != n * sizeof(double))
        return cull_fail(ctx, CULL_EFORMAT, "%s: tensor %s is missing or of another shape", path,
                         name);
    memcpy(out, t.data, t.bytes);
    return CULL_OK;
}

static cull_status take_parts(cull_stats_store *store, const cull_safetensors *file, size_t l)
{
    char name[96];
    cull_tensor t;

    for (size_t p = 0; p < CULL_N_PARTS; p++) {
        (void)snprintf(name, sizeof name, "layer.%zu.part_sq.%s", l, cull_part_word((uint32_t)p));
        if (!cull_safetensors_find(file, name, &t) || t.dtype != CULL_DT_F64)
            continue;
        double *to = cull_stats_store_part(store, l, (cull_part)p, t.bytes / sizeof(double));
        if (!to)
            return cull_no_memory(store->ctx);
        if (store->width[l * CULL_N_PARTS + p] == t.bytes / sizeof(double))
            memcpy(to, t.data, t.bytes);
    }
    return CULL_OK;
}

static cull_status take_layer(cull_ctx *ctx, cull_stats_store *store, const cull_safetensors *file,
                              const char *path, size_t l, uint32_t groups)
{
    cull_layer_stats *s = store->layer + l;
    double scalars[3];
    char name[96];

    for (size_t i = 0; i < N_FIELDS; i++) {
        (void)snprintf(name, sizeof name, "layer.%zu.%s", l, fields[i].name);
        if ((fields[i].group & groups) && *slot(s, i))
            CULL_TRY(take(ctx, file, path, name, length(s, fields[i].shape), *slot(s, i)));
    }
    CULL_TRY(take_parts(store, file, l));
    (void)snprintf(name, sizeof name, "layer.%zu.scalars", l);
    CULL_TRY(take(ctx, file, path, name, 3, scalars));
    if (groups & CULL_STAT_LAYER_COSINES)
        s->moe_cos = scalars[0];
    if (groups & CULL_STAT_GATE_RATIO)
        s->ratio_median = scalars[1];
    s->tokens = (uint64_t)scalars[2];
    return CULL_OK;
}

static cull_status take_all(cull_ctx *ctx, cull_stats_store *store, const cull_safetensors *file,
                            const char *path)
{
    const size_t side = store->stats.L + 1;
    double head[2];

    CULL_TRY(take(ctx, file, path, "model.groups", 2, head));
    const uint32_t groups = (uint32_t)head[0];
    CULL_TRY(cull_stats_store_require(store, groups));
    store->stats.tokens = (uint64_t)head[1];
    for (size_t l = 0; l < store->stats.L; l++)
        CULL_TRY(take_layer(ctx, store, file, path, l, groups));
    if (!(groups & CULL_STAT_LAYER_COSINES))
        return CULL_OK;
    CULL_TRY(take(ctx, file, path, "model.cos_sum", side * side, (double *)store->stats.cos_sum));
    return take(ctx, file, path, "model.angle_sum", side * side, (double *)store->stats.angle_sum);
}

cull_status cull_stats_store_load(cull_ctx *ctx, cull_stats_store *store, const char *path)
{
    cull_safetensors *file = NULL;

    CULL_TRY(cull_safetensors_open_sealed(ctx, path, &file));
    const cull_status status = take_all(ctx, store, file, path);
    cull_safetensors_close(file);
    return status;
}
