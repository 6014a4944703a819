// recur() and convolve() over forests of segments, held to step-by-step twins in float64, and to
// themselves: a row's bits do not depend on its company, on threads, or on how a path is cut.
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/scan.h"
#include "support/fake_host.h"

enum { MOST_SPANS = 64 };

// A backend of one layer that is nothing but a filter.
typedef struct layer {
    cull_layer_facts facts;
    cull_matrix filter;
} layer;

static layer the_layer;

static const cull_layer_facts *const layers[] = { &the_layer.facts };

static cull_status matrix(cull_ctx *ctx, const cull_model *m, cull_matrix_id where,
                          cull_matrix *out)
{
    (void)ctx, (void)m, (void)where;
    *out = the_layer.filter;
    return CULL_OK;
}

static const cull_backend backend = {
    .size = sizeof backend,
    .matrix = matrix,
};

// ---- forests ----

typedef struct forest {
    size_t n, n_rows;
    cull_span span[MOST_SPANS];
} forest;

static void add_span(forest *f, size_t parent, size_t n)
{
    const size_t pos = parent == CULL_ROOT ? 0 : f->span[parent].pos + f->span[parent].n_kv;

    f->span[f->n++] = (cull_span){ parent, pos, f->n_rows, n, f->n_rows, n, 0 };
    f->n_rows += n;
}

// Two trees in depth-first order, with segments of one row and of many.
static forest some_forest(void)
{
    forest f = { 0 };

    add_span(&f, CULL_ROOT, 37);
    add_span(&f, 0, 1);
    add_span(&f, 1, 2);
    add_span(&f, 1, 130);
    add_span(&f, 0, 65);
    add_span(&f, 0, 3);
    add_span(&f, 5, 1);
    add_span(&f, 5, 300);
    add_span(&f, CULL_ROOT, 2);
    add_span(&f, 8, 1);
    add_span(&f, 8, 64);
    return f;
}

// The rows of the path that ends with span s; returns how many.
static size_t path_of(const forest *f, size_t s, size_t *row)
{
    const size_t n = f->span[s].pos + f->span[s].n_kv;

    for (; s != CULL_ROOT; s = f->span[s].parent)
        for (size_t i = 0; i < f->span[s].n_kv; i++)
            row[f->span[s].pos + i] = f->span[s].row_first + i;
    return n;
}

// ---- numbers ----

static float uniform(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)(state >> 40) / 8388608.0f - 1.0f;
}

static float *randoms(size_t n, float scale)
{
    float *x = malloc(n * sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = scale * uniform();
    return x;
}

typedef struct inputs {
    float *q, *k, *v, *g, *beta; // beta NULL: none
} inputs;

enum decays { RANDOM, STEEP, SLOW, NONE, MIXED, N_DECAYS };

static float a_decay(enum decays kind)
{
    switch (kind) {
    case RANDOM:
        return -fabsf(uniform());
    case STEEP:
        return -20;
    case SLOW:
        return -1e-3f;
    case NONE:
        return 0;
    default:
        return uniform() < 0 ? -1e-4f * fabsf(uniform()) : -1000 * fabsf(uniform());
    }
}

// Keys of length one where there is a β, as delta nets have them.
static inputs make_inputs(const cull_recurrence *r, size_t n, enum decays kind, bool delta)
{
    const size_t decays = r->H * (r->per_channel ? r->k_width : 1);
    inputs in = { randoms(n * r->KH * r->k_width, 1), randoms(n * r->KH * r->k_width, 1),
                  randoms(n * r->H * r->v_width, 1), malloc(n * decays * sizeof(float)), NULL };

    for (size_t i = 0; i < n * decays; i++)
        in.g[i] = a_decay(kind);
    if (!delta)
        return in;
    in.beta = malloc(n * r->H * sizeof *in.beta);
    for (size_t i = 0; i < n * r->H; i++)
        in.beta[i] = fabsf(uniform());
    for (size_t i = 0; i < n * r->KH; i++) {
        double length = 0;
        for (size_t c = 0; c < r->k_width; c++)
            length += (double)in.k[i * r->k_width + c] * in.k[i * r->k_width + c];
        for (size_t c = 0; c < r->k_width; c++)
            in.k[i * r->k_width + c] /= (float)sqrt(length);
    }
    return in;
}

static void free_inputs(inputs *in)
{
    free(in->q);
    free(in->k);
    free(in->v);
    free(in->g);
    free(in->beta);
}

// ---- the twin ----

// Head h of one row: the formula of backend.h.
static void twin_row(const cull_recurrence *r, const inputs *in, size_t row, size_t h, double *S,
                     double *out)
{
    const size_t K = r->k_width, V = r->v_width, group = h / (r->H / r->KH);
    const float *q = in->q + (row * r->KH + group) * K, *k = in->k + (row * r->KH + group) * K;
    const float *v = in->v + (row * r->H + h) * V;
    const float *g = in->g + (row * r->H + h) * (r->per_channel ? K : 1);

    for (size_t i = 0; i < K; i++)
        for (size_t c = 0; c < V; c++)
            S[i * V + c] *= exp((double)g[r->per_channel ? i : 0]);
    for (size_t c = 0; c < V; c++) {
        double seen = 0, w = v[c];
        for (size_t i = 0; i < K; i++)
            seen += k[i] * S[i * V + c];
        if (in->beta)
            w = in->beta[row * r->H + h] * (v[c] - seen);
        out[(row * r->H + h) * V + c] = 0;
        for (size_t i = 0; i < K; i++) {
            S[i * V + c] += k[i] * w;
            out[(row * r->H + h) * V + c] += q[i] * S[i * V + c];
        }
    }
}

static double *twin(const cull_recurrence *r, const inputs *in, const forest *f)
{
    double *out = malloc(f->n_rows * r->H * r->v_width * sizeof *out);
    double *S = malloc(r->k_width * r->v_width * sizeof *S);
    size_t *path = malloc(f->n_rows * sizeof *path);

    for (size_t s = 0; s < f->n;
         s++) { // every path from its root: later ones repeat what earlier ones gave
        const size_t n = path_of(f, s, path);
        for (size_t h = 0; h < r->H; h++) {
            memset(S, 0, r->k_width * r->v_width * sizeof *S);
            for (size_t i = 0; i < n; i++)
                twin_row(r, in, path[i], h, S, out);
        }
    }
    free(path);
    free(S);
    return out;
}

static void assert_near(const char *what, size_t n, const float *is, const double *wanted)
{
    double most = 0, off = 0;

    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(wanted[i]));
        off = fmax(off, fabs(is[i] - wanted[i]));
        if (isnan(is[i]))
            off = INFINITY;
    }
    if (!(off <= 1e-5 * most))
        fail_msg("%s: off by %g of %g", what, off, most);
}

// ---- running ----

typedef struct bench {
    fake_host *host;
    cull_open_model opened;
    cull_run run;
    cull_piece piece;
    cull_kv kv;
} bench;

static void begin(bench *b, size_t threads, const forest *f)
{
    *b = (bench){ .host = fake_host_new(threads),
                  .opened = { .backend = &backend, .layer = layers } };
    assert_ok(b->host, cull_run_init(&b->run, fake_ctx(b->host), &b->opened, CULL_F32));
    b->piece = cull_piece_outer(&b->run);
    b->kv = (cull_kv){ .n_spans = f->n, .span = f->span };
    b->piece.kv = &b->kv;
    b->piece.pass.core = &b->piece;
}

static void end(bench *b)
{
    cull_run_release(&b->run);
    fake_host_free(b->host);
}

static float *recur(size_t threads, const cull_recurrence *r, const inputs *in, const forest *f)
{
    float *out = malloc(f->n_rows * r->H * r->v_width * sizeof *out);
    bench b;

    the_layer.facts.state_width = cull_recurrence_floats(r);
    begin(&b, threads, f);
    assert_ok(b.host, cull_recur_rows(&b.piece.pass, r, in->q, in->k, in->v, in->g, in->beta, out));
    end(&b);
    return out;
}

static const cull_recurrence shapes[] = {
    { .H = 4, .KH = 2, .k_width = 16, .v_width = 40 },
    { .H = 3, .KH = 3, .k_width = 5, .v_width = 7, .per_channel = true },
    { .H = 2, .KH = 1, .k_width = 128, .v_width = 128 },
    { .H = 2, .KH = 2, .k_width = 64, .v_width = 64, .per_channel = true },
};

static void test_recurrence_is_its_twin(void **state)
{
    const forest f = some_forest();

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = 0; kind < N_DECAYS; kind++)
            for (int delta = 0; delta < 2; delta++) {
                const cull_recurrence *r = shapes + i;
                inputs in = make_inputs(r, f.n_rows, (enum decays)kind, delta);
                double *wanted = twin(r, &in, &f);
                float *is = recur(1, r, &in, &f);
                char what[64];
                (void)snprintf(what, sizeof what, "shape %zu, decays %d, delta %d", i, kind, delta);
                assert_near(what, f.n_rows * r->H * r->v_width, is, wanted);
                free(is);
                free(wanted);
                free_inputs(&in);
            }
}

static void test_long_path_with_slow_decay(void **state)
{
    const cull_recurrence r = {
        .size = sizeof(cull_recurrence), .H = 1, .KH = 1, .k_width = 64, .v_width = 32
    };
    forest f = { 0 };

    (void)state;
    add_span(&f, CULL_ROOT, 20000);
    for (int delta = 0; delta < 2; delta++) {
        inputs in = make_inputs(&r, f.n_rows, SLOW, delta);
        for (size_t i = 0; i < f.n_rows; i++)
            in.g[i] = -1e-5f; // the same rounding at every row, if it were rounded
        double *wanted = twin(&r, &in, &f);
        float *is = recur(1, &r, &in, &f);
        assert_near("20000 rows", f.n_rows * r.v_width, is, wanted);
        free(is);
        free(wanted);
        free_inputs(&in);
    }
}

// Rows of a path as a forest of its own, out of arrays of `width` a row.
static float *gathered(const float *x, size_t n, const size_t *row, size_t width)
{
    float *out = malloc(n * width * sizeof *out);

    for (size_t i = 0; x && i < n; i++)
        memcpy(out + i * width, x + row[i] * width, width * sizeof *out);
    return out;
}

static void test_bits_do_not_depend_on_company(void **state)
{
    const cull_recurrence *r = shapes;
    const forest f = some_forest();
    inputs in = make_inputs(r, f.n_rows, RANDOM, true);
    float *one = recur(1, r, &in, &f), *three = recur(3, r, &in, &f);
    const size_t V = r->H * r->v_width, Q = r->KH * r->k_width;
    size_t path[1024];

    (void)state;
    assert_memory_equal(one, three, f.n_rows * V * sizeof *one);
    for (size_t s = 0; s < f.n; s++) {
        forest alone = { 0 };
        const size_t n = path_of(&f, s, path);
        inputs own = { gathered(in.q, n, path, Q), gathered(in.k, n, path, Q),
                       gathered(in.v, n, path, V), gathered(in.g, n, path, r->H),
                       gathered(in.beta, n, path, r->H) };
        add_span(&alone, CULL_ROOT, n);
        float *is = recur(1, r, &own, &alone), *wanted = gathered(one, n, path, V);
        assert_memory_equal(is, wanted, n * V * sizeof *is);
        free(wanted);
        free(is);
        free_inputs(&own);
    }
    free(three);
    free(one);
    free_inputs(&in);
}

// ---- kept states: a prompt, then tails of it row by row ----

typedef struct stepper {
    const cull_recurrence *r;
    const cull_convolution *c;
    inputs in;  // of the recurrence, all rows
    float *x;   // of the convolution
    float *out; // all rows
} stepper;

static cull_status one_call(bench *b, const stepper *t, size_t first)
{
    const size_t V = t->r ? t->r->H * t->r->v_width : 0, Q = t->r ? t->r->KH * t->r->k_width : 0;

    if (t->c)
        return cull_convolve_rows(&b->piece.pass, t->c, t->x + first * t->c->channels,
                                  t->out + first * t->c->channels);
    return cull_recur_rows(&b->piece.pass, t->r, t->in.q + first * Q, t->in.k + first * Q,
                           t->in.v + first * V, t->in.g + first * t->r->H,
                           t->in.beta + first * t->r->H, t->out + first * V);
}

enum { PROMPT = 50, TAILS = 3, STEPS = 7 };

// The prompt's rows come first, then a row of each tail a step.
static void run_kept(const stepper *t, size_t threads)
{
    const size_t parent[1 + TAILS] = { CULL_ROOT, 0, 0, 0 };
    forest f = { 0 };
    size_t slot[1 + TAILS], n_slots;
    bench b;

    add_span(&f, CULL_ROOT, PROMPT);
    for (size_t i = 0; i < TAILS; i++)
        add_span(&f, 0, 1);
    begin(&b, threads, &f);
    assert_ok(b.host,
              cull_scan_slots(b.run.ctx, b.host->context.alloc, f.n, parent, true, slot, &n_slots));
    assert_int_equal(n_slots, TAILS);
    for (size_t s = 0; s < f.n; s++)
        f.span[s].slot = slot[s];
    b.kv.states = malloc(n_slots * the_layer.facts.state_width * sizeof(float));
    b.kv.n_spans = 1;
    assert_ok(b.host, one_call(&b, t, 0));
    b.kv.n_spans = f.n;
    f.span[0].n_rows = 0;
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < TAILS; i++) {
            f.span[1 + i].n_kv = step + 1;
            f.span[1 + i].row_first = i;
        }
        assert_ok(b.host, one_call(&b, t, PROMPT + step * TAILS));
    }
    free(b.kv.states);
    end(&b);
}

// What a tail's rows are when its path is computed at once.
static void assert_kept(const stepper *t, size_t width,
                        float *(*whole)(const stepper *, size_t n, const size_t *row))
{
    size_t path[PROMPT + STEPS];

    for (size_t i = 0; i < TAILS; i++) {
        for (size_t p = 0; p < PROMPT + STEPS; p++)
            path[p] = p < PROMPT ? p : PROMPT + (p - PROMPT) * TAILS + i;
        float *wanted = whole(t, PROMPT + STEPS, path);
        float *is = gathered(t->out, PROMPT + STEPS, path, width);
        assert_memory_equal(is, wanted, (PROMPT + STEPS) * width * sizeof *is);
        free(is);
        free(wanted);
    }
}

static float *whole_recurrence(const stepper *t, size_t n, const size_t *row)
{
    const cull_recurrence *r = t->r;
    const size_t V = r->H * r->v_width, Q = r->KH * r->k_width;
    inputs own = { gathered(t->in.q, n, row, Q), gathered(t->in.k, n, row, Q),
                   gathered(t->in.v, n, row, V), gathered(t->in.g, n, row, r->H),
                   gathered(t->in.beta, n, row, r->H) };
    forest alone = { 0 };

    add_span(&alone, CULL_ROOT, n);
    float *out = recur(1, r, &own, &alone);
    free_inputs(&own);
    return out;
}

static void test_kept_states_go_on(void **state)
{
    const cull_recurrence *r = shapes;
    const size_t n = PROMPT + TAILS * STEPS;
    stepper t = { .r = r, .in = make_inputs(r, n, RANDOM, true) };

    (void)state;
    t.out = malloc(n * r->H * r->v_width * sizeof *t.out);
    the_layer.facts.state_width = cull_recurrence_floats(r);
    run_kept(&t, 1);
    assert_kept(&t, r->H * r->v_width, whole_recurrence);
    run_kept(&t, 3);
    assert_kept(&t, r->H * r->v_width, whole_recurrence);
    free(t.out);
    free_inputs(&t.in);
}

// ---- convolutions ----

static float *convolve(size_t threads, const cull_convolution *c, const float *x, const forest *f)
{
    float *out = malloc(f->n_rows * c->channels * sizeof *out);
    bench b;

    the_layer.facts.state_width = cull_convolution_floats(c);
    begin(&b, threads, f);
    assert_ok(b.host, cull_convolve_rows(&b.piece.pass, c, x, out));
    end(&b);
    return out;
}

static double *twin_convolution(const cull_convolution *c, const float *x, const forest *f)
{
    const float *w = the_layer.filter.data, *bias = the_layer.filter.bias;
    double *out = malloc(f->n_rows * c->channels * sizeof *out);
    size_t *path = malloc(f->n_rows * sizeof *path);

    for (size_t s = 0; s < f->n; s++) {
        const size_t n = path_of(f, s, path);
        for (size_t i = 0; i < n * c->channels; i++) {
            const size_t p = i / c->channels, ch = i % c->channels;
            double y = bias ? bias[ch] : 0;
            for (size_t j = 0; j < c->taps; j++)
                if (p + j + 1 >= c->taps)
                    y += (double)w[ch * c->taps + j] *
                         x[path[p + j + 1 - c->taps] * c->channels + ch];
            out[path[p] * c->channels + ch] = c->silu ? y / (1 + exp(-y)) : y;
        }
    }
    free(path);
    return out;
}

static const cull_convolution filters[] = {
    { .channels = 5, .taps = 4, .silu = true },
    { .channels = 700, .taps = 3 },
    { .channels = 256, .taps = 1, .silu = true },
    { .channels = 9, .taps = 60 },
};

static float *whole_convolution(const stepper *t, size_t n, const size_t *row)
{
    float *x = gathered(t->x, n, row, t->c->channels);
    forest alone = { 0 };

    add_span(&alone, CULL_ROOT, n);
    float *out = convolve(1, t->c, x, &alone);
    free(x);
    return out;
}

static void set_filter(const cull_convolution *c, bool biased)
{
    the_layer.filter = (cull_matrix){ .size = sizeof(cull_matrix),
                                      .rows = c->channels,
                                      .cols = c->taps,
                                      .data = randoms(c->channels * c->taps, 1),
                                      .dtype = CULL_DT_F32,
                                      .row_stride = (ptrdiff_t)c->taps,
                                      .col_stride = 1,
                                      .bias = biased ? randoms(c->channels, 1) : NULL,
                                      .bias_dtype = CULL_DT_F32,
                                      .bias_stride = 1 };
}

static void free_filter(void)
{
    free((void *)(uintptr_t)the_layer.filter.data);
    free((void *)(uintptr_t)the_layer.filter.bias);
}

static void test_convolution_is_its_twin(void **state)
{
    const forest f = some_forest();

    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const cull_convolution *c = filters + i;
        float *x = randoms(f.n_rows * c->channels, 2);
        set_filter(c, i % 2 == 0);
        double *wanted = twin_convolution(c, x, &f);
        float *one = convolve(1, c, x, &f), *three = convolve(3, c, x, &f);
        assert_near("convolution", f.n_rows * c->channels, one, wanted);
        assert_memory_equal(one, three, f.n_rows * c->channels * sizeof *one);
        free(three);
        free(one);
        free(wanted);
        free(x);
        free_filter();
    }
}

static void test_kept_inputs_go_on(void **state)
{
    const size_t n = PROMPT + TAILS * STEPS;

    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const cull_convolution *c = filters + i;
        stepper t = { .c = c, .x = randoms(n * c->channels, 1) };
        t.out = malloc(n * c->channels * sizeof *t.out);
        set_filter(c, true);
        the_layer.facts.state_width = cull_convolution_floats(c);
        run_kept(&t, 2);
        assert_kept(&t, c->channels, whole_convolution);
        free(t.out);
        free(t.x);
        free_filter();
    }
}

// Facts without room for the state are a fault of the backend's, told as such.
static void test_facts_must_have_room(void **state)
{
    const cull_recurrence *r = shapes;
    const forest f = some_forest();
    inputs in = make_inputs(r, f.n_rows, RANDOM, true);
    float *out = malloc(f.n_rows * r->H * r->v_width * sizeof *out);
    bench b;

    (void)state;
    the_layer.facts.state_width = cull_recurrence_floats(r) - 1;
    begin(&b, 1, &f);
    assert_fails(b.host, cull_recur_rows(&b.piece.pass, r, in.q, in.k, in.v, in.g, in.beta, out),
                 CULL_EPLUGIN, "facts");
    end(&b);
    free(out);
    free_inputs(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recurrence_is_its_twin),
        cmocka_unit_test(test_long_path_with_slow_decay),
        cmocka_unit_test(test_bits_do_not_depend_on_company),
        cmocka_unit_test(test_kept_states_go_on),
        cmocka_unit_test(test_convolution_is_its_twin),
        cmocka_unit_test(test_kept_inputs_go_on),
        cmocka_unit_test(test_facts_must_have_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
