// The embedded models and their golden files.
#include "support/tinyworld.h"

#include <stdio.h>

#include "base/memory.h"
#include "support/test.h"

typedef struct shape {
    const char *name;
    size_t E, K, F;
    bool renormalise;
    const char *gate, *up, *down, *router; // formats of the checkpoint's names
} shape;

static const shape shapes[] = {
    { "tinyworld-mixtral", 16, 2, 128, true,
      "model.layers.%zu.block_sparse_moe.experts.%zu.w1.weight",
      "model.layers.%zu.block_sparse_moe.experts.%zu.w3.weight",
      "model.layers.%zu.block_sparse_moe.experts.%zu.w2.weight",
      "model.layers.%zu.block_sparse_moe.gate.weight" },
    { "tinyworld-olmoe", 32, 4, 64, false, "model.layers.%zu.mlp.experts.%zu.gate_proj.weight",
      "model.layers.%zu.mlp.experts.%zu.up_proj.weight",
      "model.layers.%zu.mlp.experts.%zu.down_proj.weight", "model.layers.%zu.mlp.gate.weight" },
};

static const shape *shape_of(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    fail_msg("no embedded model \"%s\"", name);
    return NULL;
}

static void checkpoint_name(const tinyworld *world, cull_matrix_id where, char *out, size_t size)
{
    static const char *const attention[] = { "q", "k", "v", "o" };
    const shape *s = shape_of(world->name);
    const size_t l = where.layer;
    const size_t e = where.expert;
    int n = -1;

    switch (where.part) {
    case CULL_PART_Q:
    case CULL_PART_K:
    case CULL_PART_V:
    case CULL_PART_O:
        n = snprintf(out, size, "model.layers.%zu.self_attn.%s_proj.weight", l,
                     attention[where.part - CULL_PART_Q]);
        break;
    case CULL_PART_ROUTER:
        n = snprintf(out, size, s->router, l);
        break;
    case CULL_PART_GATE:
        n = snprintf(out, size, s->gate, l, e);
        break;
    case CULL_PART_UP:
        n = snprintf(out, size, s->up, l, e);
        break;
    case CULL_PART_DOWN:
        n = snprintf(out, size, s->down, l, e);
        break;
    default:
        fail_msg("the embedded models have no part %u", where.part);
    }
    assert_true(n > 0 && (size_t)n < size);
}

// Where a matrix is kept once it has been widened.
enum { MOST_EXPERTS = 32, N_MATRICES = TINYWORLD_L * CULL_N_PARTS * (MOST_EXPERTS + 1) };

static size_t place(cull_matrix_id where)
{
    const size_t expert = where.expert == CULL_NONE ? MOST_EXPERTS : where.expert;

    return (where.layer * CULL_N_PARTS + where.part) * (MOST_EXPERTS + 1) + expert;
}

const float *tinyworld_matrix(tinyworld *world, cull_matrix_id where, size_t *rows, size_t *cols)
{
    char name[128];
    size_t n = 0;

    checkpoint_name(world, where, name, sizeof name);
    const cull_tensor t = golden_tensor(world->model, name);
    *rows = t.shape[0];
    *cols = t.shape[1];
    if (world->matrices[place(where)])
        return world->matrices[place(where)];
    const double *numbers = golden_numbers(world->model, name, &n);
    float *w = cull_take(fake_ctx(world->host), n, sizeof *w);
    assert_non_null(w);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)numbers[i];
    return world->matrices[place(where)] = w;
}

static cull_status view_weights(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                const float **w, size_t *rows, size_t *cols, const float **bias)
{
    (void)ctx;
    *w = tinyworld_matrix(view->core, where, rows, cols);
    if (bias)
        *bias = NULL;
    return CULL_OK;
}

static cull_status weight_scores(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                 size_t rows, size_t cols, const float *w, float *out)
{
    const tinyworld *world = view->core;

    return world->criterion->score_weights(ctx, world->criterion_settings, view, where, rows, cols,
                                           w, out);
}

static const void *extension(cull_ctx *ctx, const char *id)
{
    static const cull_weight_scores_ext scores = { sizeof scores, weight_scores };

    (void)ctx;
    return strcmp(id, CULL_EXT_WEIGHT_SCORES) == 0 ? &scores : NULL;
}

static const double *layer_numbers(tinyworld *world, size_t l, const char *name)
{
    char full[64];
    size_t n = 0;

    snprintf(full, sizeof full, "layer.%zu.%s", l, name);
    return golden_numbers(world->stats, full, &n);
}

static void describe(tinyworld *world)
{
    const shape *s = shape_of(world->name);
    uint64_t parts = 0;

    for (cull_part p = CULL_PART_Q; p <= CULL_PART_O; p++)
        parts |= (uint64_t)1 << p;
    for (cull_part p = CULL_PART_ROUTER; p <= CULL_PART_DOWN; p++)
        parts |= (uint64_t)1 << p;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        world->layer[l] = (cull_layer_facts){ .size = sizeof world->layer[l],
                                              .E = s->E,
                                              .K = s->K,
                                              .F = s->F,
                                              .n_group = 1,
                                              .topk_group = 1,
                                              .renormalise = s->renormalise,
                                              .parts = parts,
                                              .expert_params = 3 * TINYWORLD_D * s->F,
                                              .channel_params = 3 * TINYWORLD_D };
        cull_layer_stats *st = &world->layer_stats[l];
        *st = (cull_layer_stats){ .size = sizeof(cull_layer_stats),
                                  .E = s->E,
                                  .D = TINYWORLD_D,
                                  .F = s->F,
                                  .tokens = 18432 };
        st->count = layer_numbers(world, l, "n");
        st->x_sq = layer_numbers(world, l, "sum_x2");
        st->u_sq = layer_numbers(world, l, "sum_u2");
        for (cull_part p = CULL_PART_Q; p <= CULL_PART_V; p++)
            st->part_sq[p] = layer_numbers(world, l, "sum_attn_in2");
        st->part_sq[CULL_PART_O] = layer_numbers(world, l, "sum_o_in2");
        st->part_sq[CULL_PART_ROUTER] = layer_numbers(world, l, "sum_moe_in2");
    }
}

golden *tinyworld_golden(tinyworld *world, const char *file)
{
    char path[512];

    snprintf(path, sizeof path, CULL_SOURCE_DIR "/tests/golden/methods/%s/%s.safetensors",
             world->name, file);
    return golden_open(world->host, path);
}

tinyworld *tinyworld_open(fake_host *host, const char *name)
{
    char path[512];
    tinyworld *world = cull_alloc(1, sizeof *world);

    assert_non_null(world);
    world->host = host;
    world->name = name;
    world->matrices = cull_take(fake_ctx(host), N_MATRICES, sizeof *world->matrices);
    assert_non_null(world->matrices);
    snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/%s/model.safetensors", name);
    world->model = golden_open(host, path);
    world->stats = tinyworld_golden(world, "stats");
    describe(world);
    world->facts = (cull_model_facts){
        .size = sizeof world->facts, .arch = name, .L = TINYWORLD_L, .D = TINYWORLD_D
    };
    world->all_stats = (cull_stats){ .size = sizeof world->all_stats,
                                     .groups = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES,
                                     .L = TINYWORLD_L,
                                     .tokens = 18432,
                                     .layer = world->layer_stats };
    world->view = (cull_view){ .size = sizeof world->view,
                               .model = &world->facts,
                               .layer = world->layer,
                               .stats = &world->all_stats,
                               .before = tinyworld_cut(world),
                               .weights = view_weights,
                               .core = world };
    host->context.extension = extension;
    return world;
}

void tinyworld_close(tinyworld *world)
{
    golden_close(world->model);
    golden_close(world->stats);
    cull_free(world);
}

cull_cut *tinyworld_cut(tinyworld *world)
{
    size_t experts[TINYWORLD_L];

    for (size_t l = 0; l < TINYWORLD_L; l++)
        experts[l] = world->layer[l].E;
    cull_cut *cut = cull_cut_new(fake_ctx(world->host), TINYWORLD_L, TINYWORLD_D, experts);
    assert_non_null(cut);
    return cut;
}

const char *tinyworld_w(cull_part part)
{
    return part == CULL_PART_GATE ? "w1" : part == CULL_PART_UP ? "w3" : "w2";
}
