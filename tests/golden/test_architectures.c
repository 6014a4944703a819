// Whole forwards of the backend hf, run by the naive engine, against what transformers computes:
// hidden states and logits to 5e-4, the chosen experts as sets, their gates. A choice may differ
// where the two experts' logits lie within 1e-5; such ties are counted, and what follows from one
// in its sequence is not compared.
//
// Folders: tests/golden/architectures/*, and those below $CULL_TEST_CHECKPOINTS (tests/support/
// make_checkpoints.py makes them), if that is set.
#include "support/test.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "support/fake_host.h"
#include "support/golden.h"
#include "support/naive_engine.h"

static const double tolerance = 5e-4, tie = 1e-5;

typedef struct bench {
    const char *folder;
    golden *g;
    const cull_backend *hf;
    cull_model *model;
    fake_host *host;
    bool naive;
    cull_rule *rule; // (L) of golden data that are a variant's; NULL: the model itself
    cull_cut *cut;   // the same as a cut
    size_t ties;     // choices that were too near to call
} bench;

// The worst difference, and where.
static double worst(const float *a, const float *b, size_t n, size_t *at)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - b[i]);
        if (!(d <= most)) {
            most = d;
            *at = i;
        }
    }
    return most;
}

static bool close_to(const bench *b, const char *what, size_t seq, const float *is,
                     const float *wanted, size_t n)
{
    size_t at = 0;
    const double d = worst(is, wanted, n, &at);

    if (!(d > tolerance) && !isnan(d))
        return true;
    print_error("%s: sequence %zu, %s: off by %g at %zu (%g, wanted %g)\n", b->folder, seq, what, d,
                at, (double)is[at], (double)wanted[at]);
    return false;
}

// The gate that the row's choice gives to expert e; NaN: not chosen.
static double gate_of(const int32_t *index, const float *gate, size_t K, int32_t e)
{
    for (size_t k = 0; k < K; k++)
        if (index[k] == e)
            return gate[k];
    return NAN;
}

static bool is_among(const int32_t *index, size_t n, int32_t e)
{
    while (n > 0 && index[n - 1] != e)
        n--;
    return n > 0;
}

// Is every expert that one choice has alone as good as one that the other has alone? z: (E) logits.
static bool is_tie(const float *z, const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
    for (size_t i = 0; i < n_a; i++) {
        bool near = is_among(b, n_b, a[i]);
        for (size_t j = 0; j < n_b && !near; j++)
            near = !is_among(a, n_a, b[j]) && fabs((double)z[a[i]] - (double)z[b[j]]) <= tie;
        if (!near)
            return false;
    }
    return true;
}

static bool check_routes(bench *b, size_t seq, size_t l, const naive_forward *f)
{
    const cull_layer_facts *facts = b->hf->layer_facts(b->model, l);
    const size_t first = seq * f->n, K = facts->K;
    const size_t k = b->rule && b->rule[l].k ? b->rule[l].k : K; // as golden data have it
    char name[64];
    bool ok = true;

    if (!b->rule) { // a pruned checkpoint's router yields fewer logits
        (void)snprintf(name, sizeof name, "route.%zu.logits", l);
        const float *logits = golden_f32(b->g, name, 2, NULL) + first * facts->E;
        ok = close_to(b, name, seq, f->router_logits[l], logits, f->n * facts->E);
    }
    (void)snprintf(name, sizeof name, "route.%zu.index", l);
    const int32_t *index = golden_i32(b->g, name, 2, NULL) + first * k;
    (void)snprintf(name, sizeof name, "route.%zu.gate", l);
    const float *gate = golden_f32(b->g, name, 2, NULL) + first * k;
    for (size_t i = 0; i < f->n * k && ok; i++) {
        const size_t row = i / k * K;
        const double is = gate_of(f->index[l] + row, f->gate[l] + row, K, index[i]);
        if (isnan(is) && !b->rule &&
            is_tie(f->router_logits[l] + i / k * facts->E, index + i / k * k, k, f->index[l] + row,
                   K)) {
            b->ties++;
            return true;
        }
        ok = fabs(is - gate[i]) <= tolerance; // false for NaN
        if (!ok)
            print_error("%s: sequence %zu, layer %zu, row %zu: expert %d has gate %g, wanted %g\n",
                        b->folder, seq, l, i / k, (int)index[i], is, (double)gate[i]);
    }
    return ok;
}

// One sequence through the engine.
static cull_status engine_run(bench *b, size_t n, const int32_t *ids, naive_forward *f)
{
    cull_open_model opened = { .backend = b->hf, .model = b->model };
    const cull_engine_options options = { 0 };

    assert_ok(b->host, cull_open_model_look(fake_ctx(b->host), &opened));
    naive_room(b->hf, b->model, n, f);
    cull_trace trace = { .n_seq = 1,
                         .len = n,
                         .ids = ids,
                         .logits = f->logits,
                         .hidden = f->hidden,
                         .router_logits = f->router_logits,
                         .router_index = f->index,
                         .router_gate = f->gate };
    return cull_trace_pass(fake_ctx(b->host), &opened, &options, b->cut, &trace);
}

static bool check_sequence(bench *b, size_t seq, const cull_tensor *shape, const int32_t *ids)
{
    const size_t n = shape->shape[1];
    const size_t ties = b->ties;
    naive_forward f;
    char name[64];
    bool ok = true;

    ids += seq * n;
    assert_ok(b->host, b->naive ? naive_run(fake_ctx(b->host), b->hf, b->model, n, ids, b->rule, &f)
                                : engine_run(b, n, ids, &f));
    for (size_t l = 0; l <= f.L && ok && b->ties == ties; l++) {
        (void)snprintf(name, sizeof name, "hidden.%zu", l);
        const float *hidden = golden_f32(b->g, name, 3, NULL) + seq * n * f.D;
        ok = close_to(b, name, seq, f.hidden + l * n * f.D, hidden, n * f.D);
        if (ok && l < f.L && b->hf->layer_facts(b->model, l)->E)
            ok = check_routes(b, seq, l, &f);
    }
    const float *logits = golden_f32(b->g, "logits", 3, NULL) + seq * n * f.V;
    ok = ok && (b->ties > ties || close_to(b, "logits", seq, f.logits, logits, n * f.V));
    naive_free(&f);
    return ok;
}

static cull_status no_text(cull_ctx *ctx, const cull_model *m, const int32_t *ids, size_t n,
                           uint32_t flags, char **text, size_t *len)
{
    (void)m, (void)ids, (void)n, (void)flags;
    *len = 0;
    *text = ctx->host->alloc(ctx, 1, 1);
    return *text ? CULL_OK : CULL_ENOMEM;
}

enum { MOST_ANSWERS = 8 };

// Answers to prompts that share beginnings, all together: K/V and states are kept and handed on.
static bool check_answers(bench *b)
{
    cull_backend without_text = *b->hf;
    cull_open_model opened = { .backend = &without_text, .model = b->model };
    const cull_engine_options options = { 0 };
    cull_request request[MOST_ANSWERS];
    const cull_request *at[MOST_ANSWERS];
    cull_answer answer[MOST_ANSWERS];
    const cull_cut *cut = NULL;
    size_t n = 0;
    bool ok = true;
    char name[64];

    without_text.decode = no_text;
    assert_ok(b->host, cull_open_model_look(fake_ctx(b->host), &opened));
    for (; n < MOST_ANSWERS; n++) {
        (void)snprintf(name, sizeof name, "answer.%zu.prompt", n);
        if (!golden_has(b->g, name))
            break;
        const size_t length = golden_tensor(b->g, name).shape[0];
        const int32_t *ids = golden_i32(b->g, name, 1, NULL);
        (void)snprintf(name, sizeof name, "answer.%zu.ids", n);
        request[n] = (cull_request){ .kind = CULL_GENERATE,
                                     .ids = ids,
                                     .n = length,
                                     .max_new = golden_tensor(b->g, name).shape[0] };
        at[n] = &request[n];
    }
    assert_ok(b->host, cull_evaluate_pass(fake_ctx(b->host), &opened, &options, 1, &cut, n, at,
                                          answer, NULL));
    for (size_t i = 0; i < n && ok; i++) {
        (void)snprintf(name, sizeof name, "answer.%zu.ids", i);
        const int32_t *wanted = golden_i32(b->g, name, 1, NULL);
        ok = answer[i].n == request[i].max_new &&
             memcmp(answer[i].ids, wanted, answer[i].n * sizeof *wanted) == 0;
        if (!ok)
            print_error("%s: answer %zu differs from transformers'\n", b->folder, i);
    }
    return ok;
}

// The rule that golden data were made under, if any.
static void read_rule(bench *b)
{
    cull_ctx *ctx = fake_ctx(b->host);
    const cull_model_facts *facts = b->hf->facts(b->model);
    char name[64];

    if (!golden_has(b->g, "rule.k"))
        return;
    size_t *experts = cull_take(ctx, facts->L, sizeof *experts);
    for (size_t l = 0; l < facts->L; l++)
        experts[l] = b->hf->layer_facts(b->model, l)->E;
    b->rule = cull_take(ctx, facts->L, sizeof *b->rule);
    b->cut = cull_cut_new(ctx, facts->L, facts->D, experts);
    for (size_t l = 0; l < facts->L; l++) {
        const size_t E = experts[l];
        (void)snprintf(name, sizeof name, "rule.%zu.allowed", l);
        b->rule[l].k = b->cut->layer[l].k = (size_t)*golden_i32(b->g, "rule.k", 1, NULL);
        if (!E || !golden_has(b->g, name))
            continue;
        b->rule[l].allowed = golden_u8(b->g, name, 1, &E);
        for (size_t e = 0; e < E; e++)
            b->cut->layer[l].action[e] =
                b->rule[l].allowed[e] ? CULL_ACTION_BASE : CULL_ACTION_DROP;
    }
}

static bool check_folder(const char *folder, bool naive, size_t *ties)
{
    fake_host *host = fake_host_new(1);
    const cull_plugin *plugin = fake_plugin(host, "backend", "hf");
    void *settings = fake_settings(host, plugin);
    bench b = { .folder = folder, .naive = naive, .host = host, .hf = plugin->vtable };
    char path[4096];
    bool ok = true;

    fake_set(host, plugin, settings, "path", folder);
    (void)snprintf(path, sizeof path, "%s/golden.safetensors", folder);
    b.g = golden_open(host, path);
    const cull_status status = b.hf->open(fake_ctx(host), settings, CULL_OPEN_WEIGHTS, &b.model);
    if (status != CULL_OK) {
        print_error("%s\n", fake_error(host));
        ok = false;
    } else {
        read_rule(&b);
        const cull_tensor shape = golden_tensor(b.g, "input_ids");
        const int32_t *ids = golden_i32(b.g, "input_ids", 2, NULL);
        for (size_t s = 0; s < shape.shape[0] && ok; s++)
            ok = check_sequence(&b, s, &shape, ids);
        ok = ok && (naive || check_answers(&b));
        b.hf->close(b.model);
    }
    *ties += b.ties;
    golden_close(b.g);
    fake_host_free(host);
    return ok;
}

static void check_all(const char *parent, bool naive)
{
    struct dirent **entries;
    const int n = scandir(parent, &entries, NULL, alphasort);
    size_t checked = 0, failed = 0, ties = 0;

    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char path[2048], file[4096];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", parent, entries[i]->d_name);
        (void)snprintf(file, sizeof file, "%s/golden.safetensors", path);
        if (entries[i]->d_name[0] != '.' && stat(file, &st) == 0) {
            checked++;
            failed += !check_folder(path, naive, &ties);
        }
        free(entries[i]);
    }
    free(entries);
    print_message("%zu of %zu checkpoints agree, %zu choices were too near to call\n",
                  checked - failed, checked, ties);
    assert_true(checked > 0);
    assert_int_equal(failed, 0);
}

static const char golden_folders[] = CULL_SOURCE_DIR "/tests/golden/architectures";

static void test_golden(void **state)
{
    (void)state;
    check_all(golden_folders, false);
}

static void test_golden_naive(void **state)
{
    (void)state;
    check_all(golden_folders, true);
}

static void test_more(void **state)
{
    const char *folder = getenv("CULL_TEST_CHECKPOINTS");

    (void)state;
    if (!folder || !*folder)
        skip();
    check_all(folder, true);
    check_all(folder, false);
}

// DeepSeek-V3.2's attention is dense up to index_topk positions, 32 of this checkpoint, and refused
// beyond.
static void test_beyond_the_indexer(void **state)
{
    fake_host *host = fake_host_new(1);
    const cull_plugin *plugin = fake_plugin(host, "backend", "hf");
    const cull_backend *hf = plugin->vtable;
    void *settings = fake_settings(host, plugin);
    int32_t ids[33] = { 0 };
    cull_model *model;

    (void)state;
    for (size_t n = 32; n <= 33; n++) {
        naive_forward f;
        fake_set(host, plugin, settings, "path",
                 CULL_SOURCE_DIR "/tests/golden/architectures/deepseek_v32");
        assert_ok(host, hf->open(fake_ctx(host), settings, CULL_OPEN_WEIGHTS, &model));
        const cull_status status = naive_run(fake_ctx(host), hf, model, n, ids, NULL, &f);
        if (n == 32)
            assert_ok(host, status);
        else
            assert_fails(host, status, CULL_ENOTSUP, "position 32 is beyond the 32");
        naive_free(&f);
        hf->close(model);
    }
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_naive),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_beyond_the_indexer),
        cmocka_unit_test(test_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
