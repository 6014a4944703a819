// Variants that generate together: lanes are joined where their matrices are the same, and what
// each of them says is what it says alone.
#include <stdlib.h>
#include <string.h>

#include "cut/cut.h"
#include "engine/engine.h"
#include "support/model.h"
#include "support/test.h"

enum { VARIANTS = 6, PROMPTS = 5, NEW = 24 };

typedef struct generation {
    fake_host *host;
    test_model model;
    const cull_cut *cut[VARIANTS];
    int32_t ids[PROMPTS][16];
    cull_request request[PROMPTS];
    const cull_request *list[PROMPTS];
} generation;

// Two begin alike, so that they share a part of their prompts.
static void ask(generation *g)
{
    for (size_t i = 0; i < PROMPTS; i++) {
        g->request[i] = (cull_request){ .size = sizeof(cull_request),
                                        .kind = CULL_GENERATE,
                                        .ids = g->ids[i],
                                        .n = 3 + 2 * i,
                                        .max_new = NEW - 3 * i };
        g->list[i] = &g->request[i];
        for (size_t t = 0; t < 16; t++)
            g->ids[i][t] = (int32_t)(40 + (i / 2 * 37 + t * (t < 3 ? 11 : 7 + i)) % 180);
    }
}

static cull_cut *new_cut(generation *g)
{
    const cull_model_facts *f = g->model.opened.facts;
    size_t E[8];

    for (size_t l = 0; l < f->L; l++)
        E[l] = cull_layer_of(&g->model.opened, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(g->host), f->L, f->D, E);
    assert_non_null(cut);
    return cut;
}

static cull_cut *dropped(generation *g, size_t every)
{
    cull_cut *cut = new_cut(g);

    for (size_t l = 0; l < g->model.opened.facts->L; l++)
        for (size_t e = l % every; e < cull_layer_of(&g->model.opened, l)->E; e += every)
            cut->layer[l].action[e] = CULL_ACTION_DROP;
    return cut;
}

// Half of the queries' channels are kept, in one layer: before its router it meets other matrices.
static cull_cut *masked(generation *g)
{
    const size_t D = g->model.opened.facts->D;
    cull_matrix w = { .size = sizeof w };
    cull_cut *cut = new_cut(g);

    assert_ok(g->host, g->model.opened.backend->matrix(fake_ctx(g->host), g->model.opened.model,
                                                       cull_at(1, CULL_PART_Q), &w));
    uint8_t *bits =
        cull_cut_overlay(fake_ctx(g->host), cut, cull_at(1, CULL_PART_Q), CULL_MASK, w.rows, D);
    assert_non_null(bits);
    memset(bits, 0x55, cull_overlay_bytes(CULL_MASK, w.rows, D));
    return cut;
}

static cull_cut *skipping(generation *g)
{
    cull_cut *cut = new_cut(g);

    cut->layer[2].skip_layer = true;
    cut->layer[1].skip_moe = true;
    return cut;
}

static generation *begin(size_t threads)
{
    generation *g = calloc(1, sizeof *g);

    assert_non_null(g);
    g->host = fake_host_new(threads);
    test_model_open(g->host, CULL_SOURCE_DIR "/models/tinyworld-mixtral",
                    CULL_OPEN_WEIGHTS | CULL_OPEN_TOKENIZER, &g->model);
    ask(g);
    g->cut[1] = dropped(g, 2);
    g->cut[2] = masked(g);
    g->cut[3] = skipping(g);
    g->cut[4] = dropped(g, 3);
    g->cut[5] = dropped(g, 5);
    return g;
}

static void end(generation *g)
{
    test_model_close(&g->model);
    fake_host_free(g->host);
    free(g);
}

static void generate(generation *g, size_t v, size_t n_variants, cull_answer *answer)
{
    assert_ok(g->host, cull_evaluate_pass(fake_ctx(g->host), &g->model.opened, NULL, n_variants,
                                          g->cut + v, PROMPTS, g->list, answer, NULL));
}

static void assert_same(const cull_answer *a, const cull_answer *b)
{
    assert_true(a->n > 0);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->ids, b->ids, a->n * sizeof *a->ids);
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->ended, b->ended);
}

static void variants_say_what_they_say_alone(void **state)
{
    static const size_t threads[] = { 0, 2, 3 };
    cull_answer together[VARIANTS * PROMPTS], alone[PROMPTS];
    size_t differ = 0;

    (void)state;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        generation *g = begin(threads[t]);
        generate(g, 0, VARIANTS, together);
        for (size_t v = 0; v < VARIANTS; v++) {
            generate(g, v, 1, alone);
            for (size_t i = 0; i < PROMPTS; i++) {
                const cull_answer *dense = &together[i], *own = &together[v * PROMPTS + i];
                assert_same(own, &alone[i]);
                differ +=
                    own->n != dense->n || memcmp(own->ids, dense->ids, own->n * sizeof *own->ids);
            }
        }
        end(g);
    }
    assert_true(differ > VARIANTS); // or cuts would not matter here
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_say_what_they_say_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
