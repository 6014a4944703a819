// The engine's trace of every checkpoint in tests/golden/architectures against what transformers
// computed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/golden.h"
#include "support/opened.h"
#include "support/test.h"

enum { N_SEQ = 2, LEN = 48, N = N_SEQ * LEN };

typedef struct traced {
    fake_host *host;
    cull_open_model m;
    golden *g;
    cull_trace t;
} traced;

static void *room(traced *x, size_t n, size_t size)
{
    void *p = cull_take(fake_ctx(x->host), n, size);

    assert_non_null(p);
    return p;
}

static void run_trace(traced *x)
{
    const size_t L = x->m.facts->L;

    x->t = (cull_trace){ .n_seq = N_SEQ, .len = LEN };
    x->t.ids = golden_i32(x->g, "input_ids", 2, (size_t[]){ N_SEQ, LEN });
    x->t.logits = room(x, N * x->m.facts->V, sizeof(float));
    x->t.hidden = room(x, (L + 1) * N * x->m.facts->D, sizeof(float));
    x->t.router_logits = room(x, L, sizeof(float *));
    x->t.router_index = room(x, L, sizeof(int32_t *));
    x->t.router_gate = room(x, L, sizeof(float *));
    for (size_t l = 0; l < L; l++) {
        const cull_layer_facts *f = cull_layer_of(&x->m, l);
        if (f->E == 0)
            continue;
        x->t.router_logits[l] = room(x, N * f->E, sizeof(float));
        x->t.router_index[l] = room(x, N * f->K, sizeof(int32_t));
        x->t.router_gate[l] = room(x, N * f->K, sizeof(float));
    }
    assert_ok(x->host, cull_trace_pass(fake_ctx(x->host), &x->m, NULL, NULL, &x->t));
}

static void near(const char *what, size_t at, const float *got, const float *want, size_t n,
                 double atol)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= atol))
            fail_msg("%s.%zu[%zu] is %.7g, not %.7g", what, at, i, (double)got[i], (double)want[i]);
}

static int by_value(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) -
           (*(const int32_t *)a < *(const int32_t *)b);
}

static void check_router(traced *x, size_t l)
{
    const cull_layer_facts *f = cull_layer_of(&x->m, l);
    char name[64];

    (void)snprintf(name, sizeof name, "route.%zu.logits", l);
    near("router logits", l, x->t.router_logits[l],
         golden_f32(x->g, name, 2, (size_t[]){ N, f->E }), N * f->E, 5e-4);
    (void)snprintf(name, sizeof name, "route.%zu.index", l);
    const int32_t *index = golden_i32(x->g, name, 2, (size_t[]){ N, f->K });
    for (size_t i = 0; i < N; i++) {
        int32_t got[64], want[64];
        memcpy(got, x->t.router_index[l] + i * f->K, f->K * sizeof *got);
        memcpy(want, index + i * f->K, f->K * sizeof *want);
        qsort(got, f->K, sizeof *got, by_value);
        qsort(want, f->K, sizeof *want, by_value);
        assert_memory_equal(got, want, f->K * sizeof *got);
    }
}

static void check(void **state)
{
    traced x = { .host = fake_host_new(2) };
    char path[256];

    (void)snprintf(path, sizeof path, "tests/golden/architectures/%s", (const char *)*state);
    x.m = opened_new(x.host, path);
    (void)snprintf(path, sizeof path,
                   CULL_SOURCE_DIR "/tests/golden/architectures/%s/golden.safetensors",
                   (const char *)*state);
    x.g = golden_open(x.host, path);
    run_trace(&x);
    const size_t L = x.m.facts->L, D = x.m.facts->D, V = x.m.facts->V;
    for (size_t i = 0; i <= L; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "hidden.%zu", i);
        near("hidden", i, x.t.hidden + i * N * D,
             golden_f32(x.g, name, 3, (size_t[]){ N_SEQ, LEN, D }), N * D, 2e-4);
    }
    near("logits", 0, x.t.logits, golden_f32(x.g, "logits", 3, (size_t[]){ N_SEQ, LEN, V }), N * V,
         2e-4);
    for (size_t l = 0; l < L; l++)
        if (cull_layer_of(&x.m, l)->E)
            check_router(&x, l);
    golden_close(x.g);
    opened_close(&x.m);
    fake_host_free(x.host);
}

#define ARCHITECTURE(folder)                                                                       \
    {                                                                                              \
        folder, check, NULL, NULL, (void *)(uintptr_t)folder                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARCHITECTURE("mixtral"),         ARCHITECTURE("olmoe"),
        ARCHITECTURE("qwen2_moe"),       ARCHITECTURE("qwen3_moe"),
        ARCHITECTURE("deepseek_v2"),     ARCHITECTURE("deepseek_v3"),
        ARCHITECTURE("deepseek_v3-fp8"), ARCHITECTURE("deepseek_v3-yarn-mtp"),
        ARCHITECTURE("phimoe"),          ARCHITECTURE("phimoe-longrope"),
        ARCHITECTURE("arctic"),          ARCHITECTURE("gpt_oss"),
        ARCHITECTURE("gpt_oss-mxfp4"),   ARCHITECTURE("glm4_moe"),
        ARCHITECTURE("ernie4_5_moe"),    ARCHITECTURE("minimax_m2"),
        ARCHITECTURE("granitemoe"),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
