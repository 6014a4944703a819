// Attention against a naive twin in float64, over forests of spans with windows, chunks, sinks and
// grouped heads; and a row's bits, which depend on its path alone: not on how the path is cut into
// spans, on rows beside it, on where keys are kept, or on threads.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kv.h"
#include "engine/run.h"
#include "support/fake_host.h"
#include "support/test.h"

enum { POSITIONS = 1100 };

typedef struct path_rows { // what one path has at each position
    cull_attention a;
    float sink[8];
    size_t root; // position of the first row
    size_t n;
    float *q, *k, *v; // (n, H · qk), (n, KV · qk), (n, KV · v)
    double *want;     // (n, H · v)
} path_rows;

static float *random_floats(cull_rng *rng, size_t n)
{
    float *x = calloc(n, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(4 * cull_rng_uniform(rng) - 2);
    return x;
}

static size_t lowest(const path_rows *p, size_t i)
{
    const size_t pos = p->root + i;
    size_t lo = p->root;

    if (p->a.window && pos + 1 > p->a.window && pos + 1 - p->a.window > lo)
        lo = pos + 1 - p->a.window;
    if (p->a.chunk && pos / p->a.chunk * p->a.chunk > lo)
        lo = pos / p->a.chunk * p->a.chunk;
    return lo - p->root;
}

static void naive_row(path_rows *p, size_t i, size_t h)
{
    const cull_attention *a = &p->a;
    const size_t kv = h / (a->H / a->KV);
    const float *q = p->q + (i * a->H + h) * a->qk_width;
    double *out = p->want + (i * a->H + h) * a->v_width;
    double score[POSITIONS], top = a->sinks ? (double)a->sinks[h] : -INFINITY, sum = 0;

    for (size_t j = lowest(p, i); j <= i; j++) {
        score[j] = 0;
        for (size_t c = 0; c < a->qk_width; c++)
            score[j] += (double)q[c] * (double)p->k[(j * a->KV + kv) * a->qk_width + c];
        score[j] *= (double)a->scale;
        top = fmax(top, score[j]);
    }
    sum = a->sinks ? exp((double)a->sinks[h] - top) : 0;
    for (size_t j = lowest(p, i); j <= i; j++)
        sum += exp(score[j] - top);
    for (size_t j = lowest(p, i); j <= i; j++)
        for (size_t c = 0; c < a->v_width; c++)
            out[c] += exp(score[j] - top) / sum * (double)p->v[(j * a->KV + kv) * a->v_width + c];
}

static path_rows make_path(uint64_t seed, cull_attention a, bool sinks, size_t root, size_t n)
{
    cull_rng rng;
    path_rows p = { .a = a, .root = root, .n = n };

    assert_true(n <= POSITIONS && a.H <= 8);
    cull_rng_init(&rng, seed, "test", "attention");
    p.q = random_floats(&rng, n * a.H * a.qk_width);
    p.k = random_floats(&rng, n * a.KV * a.qk_width);
    p.v = random_floats(&rng, n * a.KV * a.v_width);
    p.want = calloc(n * a.H * a.v_width, sizeof *p.want);
    assert_non_null(p.want);
    for (size_t h = 0; h < a.H; h++)
        p.sink[h] = (float)(3 * cull_rng_uniform(&rng));
    p.a.sinks = sinks ? p.sink : NULL;
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < a.H; h++)
            naive_row(&p, i, h);
    p.a.sinks = NULL; // points into the copy that is returned
    return p;
}

static void free_path(path_rows *p)
{
    free(p->q);
    free(p->k);
    free(p->v);
    free(p->want);
}

// ---- the engine's ----

// n rows of a pass over `kv`, gathered from the path's positions position[i]; out (n, H · v).
static void attend(const path_rows *p, bool sinks, size_t threads, const cull_kv *kv, size_t n,
                   const size_t *position, float *out)
{
    cull_attention a = p->a;
    const size_t nq = a.H * a.qk_width, nk = a.KV * a.qk_width, nv = a.KV * a.v_width;
    float *q = calloc(n, nq * sizeof *q), *k = calloc(n, nk * sizeof *k),
          *v = calloc(n, nv * sizeof *v);
    fake_host *host = fake_host_new(threads);
    cull_run run;

    assert_true(q && k && v);
    a.sinks = sinks ? p->sink : NULL;
    for (size_t i = 0; i < n; i++) {
        memcpy(q + i * nq, p->q + position[i] * nq, nq * sizeof *q);
        memcpy(k + i * nk, p->k + position[i] * nk, nk * sizeof *k);
        memcpy(v + i * nv, p->v + position[i] * nv, nv * sizeof *v);
    }
    assert_ok(host, cull_run_init(&run, fake_ctx(host), NULL, CULL_F32));
    cull_piece piece = cull_piece_outer(&run);
    piece.kv = kv;
    piece.pass.core = &piece;
    assert_ok(host, cull_attention_rows(&piece.pass, &a, q, k, v, out));
    cull_run_release(&run);
    fake_host_free(host);
    free(q);
    free(k);
    free(v);
}

static float *attend_whole(const path_rows *p, bool sinks, size_t threads)
{
    const cull_span span = { .parent = CULL_ROOT, .pos = p->root, .n_kv = p->n, .n_rows = p->n };
    const cull_kv kv = { .n_spans = 1, .span = &span };
    float *out = calloc(p->n * p->a.H, p->a.v_width * sizeof *out);
    size_t position[POSITIONS];

    assert_non_null(out);
    for (size_t i = 0; i < p->n; i++)
        position[i] = i;
    attend(p, sinks, threads, &kv, p->n, position, out);
    return out;
}

typedef struct shape {
    cull_attention a;
    bool sinks;
    size_t root, n;
} shape;

static const shape shapes[] = {
    { { .H = 4, .KV = 4, .qk_width = 32, .v_width = 32, .scale = 0.2f }, false, 0, 300 },
    { { .H = 8, .KV = 2, .qk_width = 64, .v_width = 64, .scale = 0.125f }, false, 0, POSITIONS },
    { { .H = 6, .KV = 1, .qk_width = 24, .v_width = 16, .scale = 0.3f }, true, 0, 517 },
    { { .H = 2, .KV = 2, .qk_width = 16, .v_width = 8, .scale = 1, .window = 50 }, false, 0, 900 },
    { { .H = 4, .KV = 2, .qk_width = 16, .v_width = 16, .scale = 1, .window = 200 }, true, 0, 999 },
    { { .H = 4, .KV = 2, .qk_width = 80, .v_width = 80, .scale = 0.1f, .chunk = 192 },
      false,
      0,
      700 },
    { { .H = 3, .KV = 3, .qk_width = 128, .v_width = 128, .scale = 0.1f }, false, 77, 260 },
    { { .H = 2, .KV = 1, .qk_width = 256, .v_width = 256, .scale = 0.05f, .window = 1 },
      true,
      5,
      130 },
    { { .H = 1, .KV = 1, .qk_width = 8, .v_width = 8, .scale = 1 }, false, 0, 1 },
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static void attention_is_the_twins(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        path_rows p = make_path(s, shapes[s].a, shapes[s].sinks, shapes[s].root, shapes[s].n);
        float *out = attend_whole(&p, shapes[s].sinks, 2);
        for (size_t i = 0; i < p.n * p.a.H * p.a.v_width; i++)
            if (!(fabs((double)out[i] - p.want[i]) < 4e-6))
                fail_msg("shape %zu: value %zu is %.9g, not %.9g", s, i, (double)out[i], p.want[i]);
        free(out);
        free_path(&p);
    }
}

static void threads_leave_every_bit(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        path_rows p = make_path(s, shapes[s].a, shapes[s].sinks, shapes[s].root, shapes[s].n);
        float *one = attend_whole(&p, shapes[s].sinks, 1);
        for (size_t threads = 2; threads <= 4; threads++) {
            float *more = attend_whole(&p, shapes[s].sinks, threads);
            assert_memory_equal(one, more, p.n * p.a.H * p.a.v_width * sizeof *one);
            free(more);
        }
        free(one);
        free_path(&p);
    }
}

// The path in spans of random lengths, and branches beside it that share its beginning.
static void spans_leave_every_bit(void **state)
{
    cull_rng rng;

    (void)state;
    cull_rng_init(&rng, 9, "test", "spans");
    for (size_t s = 0; s < SHAPES; s++) {
        path_rows p = make_path(s, shapes[s].a, shapes[s].sinks, shapes[s].root, shapes[s].n);
        const size_t width = p.a.H * p.a.v_width;
        float *whole = attend_whole(&p, shapes[s].sinks, 2);
        cull_span span[2 * POSITIONS];
        size_t position[3 * POSITIONS], n_spans = 0, rows = 0, last = CULL_ROOT;
        for (size_t at = 0; at < p.n;) {
            const size_t left = p.n - at, n = 1 + cull_rng_below(&rng, left < 170 ? left : 170);
            for (size_t branch = 0; branch < 2; branch++) { // the second one is the path's
                span[n_spans++] = (cull_span){ .parent = last,
                                               .pos = p.root + at,
                                               .kv_first = rows,
                                               .n_kv = n,
                                               .row_first = rows,
                                               .n_rows = n };
                for (size_t i = 0; i < n; i++)
                    position[rows++] = branch ? at + i : (at + 7 * i) % p.n;
            }
            last = n_spans - 1;
            at += n;
        }
        const cull_kv kv = { .n_spans = n_spans, .span = span };
        float *out = calloc(rows, width * sizeof *out);
        assert_non_null(out);
        attend(&p, shapes[s].sinks, 3, &kv, rows, position, out);
        for (size_t i = 1; i < n_spans; i += 2)
            assert_memory_equal(out + span[i].row_first * width,
                                whole + (span[i].pos - p.root) * width,
                                span[i].n_kv * width * sizeof *out);
        free(out);
        free(whole);
        free_path(&p);
    }
}

// As generation goes: a prompt, then rows one by one, keys kept in a store.
static void kept_keys_leave_every_bit(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        path_rows p = make_path(s, shapes[s].a, shapes[s].sinks, shapes[s].root, shapes[s].n);
        const size_t width = p.a.H * p.a.v_width, kv_width = p.a.qk_width + p.a.v_width;
        float *whole = attend_whole(&p, shapes[s].sinks, 2);
        float *store = calloc((p.n + 3) * p.a.KV, kv_width * sizeof *store);
        float *out = calloc(p.n, width * sizeof *out);
        assert_true(store && out);
        for (size_t at = 0, n; at < p.n; at += n) {
            size_t position[POSITIONS];
            n = at == 0 ? (p.n + 1) / 2 : 1 + at % 2 * (at + 2 < p.n);
            for (size_t i = 0; i < n; i++)
                position[i] = at + i;
            const cull_span span = {
                .parent = CULL_ROOT, .pos = p.root, .kv_first = 3, .n_kv = at + n, .n_rows = n
            };
            const cull_kv kv = {
                .n_spans = 1, .span = &span, .store = store, .store_rows = p.n + 3
            };
            attend(&p, shapes[s].sinks, 1, &kv, n, position, out);
            assert_memory_equal(out, whole + at * width, n * width * sizeof *out);
        }
        free(store);
        free(out);
        free(whole);
        free_path(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_the_twins),
        cmocka_unit_test(threads_leave_every_bit),
        cmocka_unit_test(spans_leave_every_bit),
        cmocka_unit_test(kept_keys_leave_every_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
