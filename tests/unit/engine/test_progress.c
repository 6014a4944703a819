// A pass moves within its layers: a visit is worth what its layer's parameters say, whoever
// computes it; and who wants to stop need not wait for the layer's end.
#include <stdlib.h>

#include "engine/blocks.h"
#include "engine/progress.h"
#include "engine/visit.h"
#include "ranks/link.h"
#include "support/model.h"
#include "support/test.h"

enum { ROWS = 300 };

typedef struct visited {
    fake_host *host;
    test_model model;
    cull_run run;
    int32_t pos[ROWS], ids[ROWS];
    cull_span span;
    cull_kv kv;
    cull_lane lane;
    float *h;
} visited;

static visited *open_visited(size_t threads)
{
    visited *v = calloc(1, sizeof *v);

    assert_non_null(v);
    v->host = fake_host_new(threads);
    test_model_open(v->host, CULL_SOURCE_DIR "/models/tinyworld-mixtral", CULL_OPEN_WEIGHTS,
                    &v->model);
    assert_ok(v->host, cull_run_init(&v->run, fake_ctx(v->host), &v->model.opened, CULL_F32));
    v->h = calloc(ROWS * v->model.opened.facts->D, sizeof *v->h);
    assert_non_null(v->h);
    for (size_t i = 0; i < ROWS; i++) {
        v->pos[i] = (int32_t)i;
        v->ids[i] = (int32_t)(i * 7 % v->model.opened.facts->V);
    }
    assert_ok(v->host, cull_embed_rows(&v->run, ROWS, v->ids, v->h));
    v->span = (cull_span){ .parent = CULL_ROOT, .n_rows = ROWS, .n_kv = ROWS };
    v->kv = (cull_kv){ .n_spans = 1, .span = &v->span };
    v->lane = (cull_lane){ .n = ROWS, .pos = v->pos, .kv = &v->kv, .h_in = v->h, .h_out = v->h };
    return v;
}

static void close_visited(visited *v)
{
    cull_run_release(&v->run);
    test_model_close(&v->model);
    fake_host_free(v->host);
    free(v->h);
    free(v);
}

static void a_visit_moves_all_of_its_step(void **state)
{
    (void)state;
    for (size_t threads = 1; threads <= 3; threads += 2) {
        visited *v = open_visited(threads);
        cull_pass_begin(&v->run, "visiting", ROWS);
        for (size_t l = 0; l < v->model.opened.facts->L; l++) {
            cull_pass_span(&v->run, 0, 1);
            cull_pass_visits(&v->run, l, ROWS);
            assert_true(v->run.progress.work > 0);
            assert_int_equal(atomic_load(&v->run.progress.done), 0);
            assert_ok(v->host, cull_visit_layer(&v->run, l, 1, &v->lane, NULL));
            assert_true((double)atomic_load(&v->run.progress.done) == v->run.progress.work);
        }
        cull_pass_end(&v->run);
        close_visited(v);
    }
}

// What is shown of a step stays between its ends, also where more is done than was said.
static void a_step_stays_within_its_span(void **state)
{
    visited *v = open_visited(1);
    cull_ranks_page *page = calloc(1, sizeof *page);
    cull_ranks ranks = { .size = 1, .page = page };

    (void)state;
    assert_non_null(page);
    v->host->context.ranks = &ranks;
    cull_pass_begin(&v->run, "visiting", ROWS);
    cull_pass_span(&v->run, 0.25, 0.5);
    cull_pass_visits(&v->run, 0, ROWS);
    for (size_t i = 1; i <= 6; i++) {
        v->run.progress.told = 0;
        cull_pass_moved(&v->run, 0, 1, (uint64_t)(v->run.progress.work / 4));
        const double expected = 0.25 + 0.25 * (i < 4 ? (double)i / 4 : 1);
        assert_float_equal(cull_ranks_part(atomic_load(&page->part), (double)v->run.progress.phase),
                           expected, 1e-6);
    }
    v->host->context.ranks = NULL;
    cull_pass_end(&v->run);
    close_visited(v);
    free(page);
}

static size_t asked, most;

static bool stop_at_last(void)
{
    return ++asked >= most;
}

static void who_stops_does_not_wait_for_the_layer(void **state)
{
    visited *v = open_visited(2);

    (void)state;
    v->host->context.stop = stop_at_last;
    cull_pass_begin(&v->run, "visiting", ROWS);
    for (most = 1; most <= 2; most++) { // after attention, after a wave of experts
        asked = 0;
        assert_fails(v->host, cull_visit_layer(&v->run, 0, 1, &v->lane, NULL), CULL_ECANCELED,
                     "interrupted");
    }
    v->host->context.stop = NULL;
    cull_pass_end(&v->run);
    close_visited(v);
}

// A rank in an earlier phase has done none of this one, one in a later phase all of it.
static void places_compare_across_phases(void **state)
{
    (void)state;
    for (double part = 0; part <= 1; part += 0.125) {
        assert_float_equal(cull_ranks_part(cull_ranks_place(640, part), 640), part, 1e-9);
        assert_float_equal(cull_ranks_part(cull_ranks_place(639, part), 640), 0, 0);
        assert_float_equal(cull_ranks_part(cull_ranks_place(704, part), 640), 1, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visit_moves_all_of_its_step),
        cmocka_unit_test(a_step_stays_within_its_span),
        cmocka_unit_test(who_stops_does_not_wait_for_the_layer),
        cmocka_unit_test(places_compare_across_phases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
