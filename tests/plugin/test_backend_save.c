// The backend hf writes variants as checkpoints: what it writes computes, when it is opened, what
// the variant computes. Every architecture and stored type, through the naive engine.
#include "support/test.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cut/variant.h"
#include "support/fake_host.h"
#include "support/naive_engine.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

enum { N = 24 };

static const char *const checkpoints[] = {
    "mixtral",         "olmoe",       "qwen2_moe",     "qwen3_moe",
    "deepseek_v2",     "deepseek_v3", "phimoe",        "arctic",
    "deepseek_v3-fp8", "gpt_oss",     "gpt_oss-mxfp4", "glm4_moe",
    "ernie4_5_moe",    "minimax_m2",  "granitemoe",    "deepseek_v3-yarn-mtp",
    "phimoe-longrope",
};
enum { N_CHECKPOINTS = sizeof checkpoints / sizeof *checkpoints };

typedef struct fixture {
    fake_host *host;
    const cull_plugin *plugin;
    const cull_backend *hf;
    void *settings;
    cull_model *model, *again;
    cull_cut *cut;
    cull_rule *rule; // (L) what the cut means to the routers
    char folder[64];
    int32_t ids[N];
} fixture;

static const void *service(cull_ctx *ctx, const char *id)
{
    (void)ctx;
    return strcmp(id, CULL_EXT_VARIANT) == 0 ? &cull_variant_service : NULL;
}

static void clear_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[512];

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            assert_int_equal(unlink(path), 0);
        }
    closedir(dir);
}

static int set_up(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);

    f->host = fake_host_new(1);
    f->host->context.extension = service;
    f->plugin = fake_plugin(f->host, "backend", "hf");
    f->hf = f->plugin->vtable;
    f->settings = fake_settings(f->host, f->plugin);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/cull-save-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    for (size_t i = 0; i < N; i++)
        f->ids[i] = (int32_t)(3 + i * 37 % 300);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    clear_folder(f->folder);
    assert_int_equal(rmdir(f->folder), 0);
    fake_host_free(f->host);
    test_free(f);
    return 0;
}

// Open a golden checkpoint and make an empty cut for it.
static void begin(fixture *f, const char *name)
{
    cull_ctx *ctx = fake_ctx(f->host);
    char path[512];

    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    fake_set(f->host, f->plugin, f->settings, "path", path);
    assert_ok(f->host, f->hf->open(ctx, f->settings, CULL_OPEN_WEIGHTS, &f->model));
    const cull_model_facts *facts = f->hf->facts(f->model);
    size_t *experts = cull_take(ctx, facts->L, sizeof *experts);
    for (size_t l = 0; l < facts->L; l++)
        experts[l] = f->hf->layer_facts(f->model, l)->E;
    f->cut = cull_cut_new(ctx, facts->L, facts->D, experts);
    f->rule = cull_take(ctx, facts->L, sizeof *f->rule);
}

static void end(fixture *f)
{
    f->hf->close(f->model);
    clear_folder(f->folder);
}

// Drop every expert that `drop` says, which also becomes the router's rule.
static void drop(fixture *f, bool (*gone)(size_t l, size_t e))
{
    const cull_model_facts *facts = f->hf->facts(f->model);

    for (size_t l = 0; l < facts->L; l++) {
        const size_t E = f->hf->layer_facts(f->model, l)->E;
        uint8_t *allowed = cull_take(fake_ctx(f->host), E + 1, 1);
        for (size_t e = 0; e < E; e++) {
            allowed[e] = !gone(l, e);
            f->cut->layer[l].action[e] = gone(l, e) ? CULL_ACTION_DROP : CULL_ACTION_BASE;
        }
        f->rule[l].allowed = E ? allowed : NULL;
    }
}

static cull_status save(fixture *f, bool dequantise, uint64_t shard)
{
    const cull_save how = { sizeof how, f->folder, dequantise, shard, false };

    return f->hf->save(fake_ctx(f->host), f->model, f->cut, &how);
}

static void reopen(fixture *f)
{
    fake_set(f->host, f->plugin, f->settings, "path", f->folder);
    assert_ok(f->host, f->hf->open(fake_ctx(f->host), f->settings, CULL_OPEN_WEIGHTS, &f->again));
}

// The logits of the model under the rule, and of what was written.
static double difference(fixture *f)
{
    naive_forward was, is;
    double most = 0;

    assert_ok(f->host, naive_run(fake_ctx(f->host), f->hf, f->model, N, f->ids, f->rule, &was));
    assert_ok(f->host, naive_run(fake_ctx(f->host), f->hf, f->again, N, f->ids, NULL, &is));
    assert_int_equal(was.V, is.V);
    for (size_t i = 0; i < N * was.V; i++)
        if (!(fabs((double)was.logits[i] - is.logits[i]) <= most))
            most = fabs((double)was.logits[i] - is.logits[i]);
    naive_free(&was);
    naive_free(&is);
    f->hf->close(f->again);
    return most;
}

static bool odd_ones(size_t l, size_t e)
{
    return (e + l) % 2 == 1;
}
static bool none(size_t l, size_t e)
{
    return l + e > 1000;
}
static bool uneven(size_t l, size_t e)
{
    return e % 4 == 1 || (l == 1 && e % 4 == 3);
}

static void assert_same(fixture *f, const char *name, double tolerance)
{
    const double d = difference(f);

    if (!(d <= tolerance))
        fail_msg("%s: logits differ by %g", name, d);
}

static void test_halves(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < N_CHECKPOINTS; i++) {
        begin(f, checkpoints[i]);
        drop(f, odd_ones);
        assert_ok(f->host, save(f, false, i % 2 ? 50000 : UINT64_MAX));
        reopen(f);
        assert_string_equal(f->hf->facts(f->again)->dtype, f->hf->facts(f->model)->dtype);
        assert_true(f->hf->facts(f->again)->bytes < f->hf->facts(f->model)->bytes);
        assert_same(f, checkpoints[i], 2e-6);
        end(f);
    }
}

// Nothing is cut: every tensor is a copy, config.json is the same file, unless there are MTP layers
// to leave out.
static void test_copy(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < N_CHECKPOINTS; i++) {
        char command[1024];
        begin(f, checkpoints[i]);
        assert_ok(f->host, save(f, false, UINT64_MAX));
        (void)snprintf(command, sizeof command, "cmp -s " GOLDEN "%s/config.json %s/config.json",
                       checkpoints[i], f->folder);
        if (!strstr(checkpoints[i], "deepseek_v3") && !strstr(checkpoints[i], "glm4"))
            assert_int_equal(system(command), 0);
        reopen(f);
        assert_int_equal(f->hf->facts(f->again)->bytes, f->hf->facts(f->model)->bytes);
        assert_same(f, checkpoints[i], 0);
        end(f);
    }
}

// FP8 times its scale would be rounded to BF16: it is F32, to the last bit.
static void assert_widened(fixture *f, cull_matrix_id where)
{
    cull_matrix was, is;

    assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->model, where, &was));
    assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->again, where, &is));
    assert_int_equal(is.dtype, CULL_DT_F32);
    assert_null(is.scale);
    for (size_t r = 0; r < was.rows; r++)
        for (size_t c = 0; c < was.cols; c++) {
            const double a = naive_element(&was, r, c), b = naive_element(&is, r, c);
            if (a != b)
                fail_msg("(%zu, %zu): %g, wanted %g", r, c, b, a);
        }
}

static void test_dequantised(void **state)
{
    fixture *f = *state;

    begin(f, "deepseek_v3-fp8");
    assert_ok(f->host, save(f, true, UINT64_MAX));
    reopen(f);
    assert_string_equal(f->hf->facts(f->again)->dtype, "f32");
    assert_widened(f, cull_at(0, CULL_PART_KV_A));
    assert_widened(f, cull_at(0, CULL_PART_DENSE_UP));
    assert_widened(f, cull_at_expert(1, CULL_PART_DOWN, 3));
    f->hf->close(f->again);
    end(f);

    begin(f, "gpt_oss-mxfp4"); // fits BF16 exactly
    drop(f, odd_ones);
    assert_ok(f->host, save(f, true, UINT64_MAX));
    reopen(f);
    assert_string_equal(f->hf->facts(f->again)->dtype, "bf16");
    assert_same(f, "gpt_oss-mxfp4", 2e-6);
    end(f);
}

// A mask over an expert's matrices, as the engine would apply it: its twin is a model whose numbers
// are zero there.
static void mask(fixture *f, size_t l, size_t e)
{
    for (int p = 0; p < 3; p++) {
        cull_matrix m;
        const cull_matrix_id where = cull_at_expert(l, (cull_part)(CULL_PART_GATE + p), e);
        assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->model, where, &m));
        unsigned char *bits =
            cull_cut_overlay(fake_ctx(f->host), f->cut, where, CULL_MASK, m.rows, m.cols);
        for (size_t i = 0; i < m.rows * ((m.cols + 7) / 8); i++)
            bits[i] = (unsigned char)(i * 73 + 11);
    }
}

static void assert_masked(fixture *f, size_t l, size_t e)
{
    for (int p = 0; p < 3; p++) {
        cull_matrix was, is;
        const cull_matrix_id where = cull_at_expert(l, (cull_part)(CULL_PART_GATE + p), e);
        assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->model, where, &was));
        assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->again, where, &is));
        for (size_t r = 0; r < was.rows; r++)
            for (size_t c = 0; c < was.cols; c++) {
                const size_t at = r * ((was.cols + 7) / 8) + c / 8;
                const bool kept = (unsigned char)(at * 73 + 11) >> c % 8 & 1;
                const float wanted = kept ? naive_element(&was, r, c) : 0;
                if (naive_element(&is, r, c) != wanted)
                    fail_msg("part %d, (%zu, %zu): %g, wanted %g", p, r, c,
                             (double)naive_element(&is, r, c), (double)wanted);
            }
    }
}

static void test_masks(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *name;
        bool dequantise;
    } cases[] = { { "mixtral", false },
                  { "granitemoe", false },
                  { "gpt_oss", false },
                  { "gpt_oss-mxfp4", true } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(f, cases[i].name);
        mask(f, 1, 3);
        if (cases[i].dequantise)
            assert_fails(f->host, save(f, false, UINT64_MAX), CULL_ENOTSUP,
                         "can only be stored dequantised");
        assert_ok(f->host, save(f, cases[i].dequantise, UINT64_MAX));
        reopen(f);
        assert_masked(f, 1, 3);
        f->hf->close(f->again);
        end(f);
    }
}

static void test_matrix(void **state)
{
    fixture *f = *state;
    cull_matrix m;
    const cull_matrix_id where = cull_at(1, CULL_PART_O);

    begin(f, "mixtral");
    float *w = cull_cut_overlay(fake_ctx(f->host), f->cut, where, CULL_MATRIX, 64, 64);
    for (size_t i = 0; i < 64 * 64; i++)
        w[i] = (float)i / 4;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->again, where, &m));
    assert_int_equal(m.dtype, CULL_DT_BF16);
    assert_float_equal(naive_element(&m, 1, 3), 67.0f / 4, 0);
    assert_float_equal(naive_element(&m, 63, 63), 1024, 0); // 1023.75 to the nearest
    f->hf->close(f->again);
    w[0] = 3.4e38f; // rounds beyond the largest
    clear_folder(f->folder);
    assert_fails(f->host, save(f, false, UINT64_MAX), CULL_ENUMERIC,
                 "does not fit its stored type");
    end(f);
}

// Served by another expert, or by nothing: the router stays whole.
static void test_actions(void **state)
{
    fixture *f = *state;
    static const char *const names[] = { "olmoe", "granitemoe", "gpt_oss-mxfp4",
                                         "deepseek_v3-fp8" };

    for (size_t i = 0; i < 4; i++) {
        cull_matrix two, five, six;
        begin(f, names[i]);
        f->cut->layer[1].action[2] = CULL_ACTION_ALIAS;
        f->cut->layer[1].target[2] = 5;
        f->cut->layer[1].action[6] = CULL_ACTION_ZERO;
        assert_ok(f->host, save(f, false, UINT64_MAX));
        reopen(f);
        assert_int_equal(f->hf->layer_facts(f->again, 1)->E, f->hf->layer_facts(f->model, 1)->E);
        cull_ctx *ctx = fake_ctx(f->host);
        assert_ok(f->host, f->hf->matrix(ctx, f->again, cull_at_expert(1, CULL_PART_UP, 2), &two));
        assert_ok(f->host, f->hf->matrix(ctx, f->again, cull_at_expert(1, CULL_PART_UP, 6), &six));
        assert_ok(f->host, f->hf->matrix(ctx, f->model, cull_at_expert(1, CULL_PART_UP, 5), &five));
        for (size_t r = 0; r < two.rows; r++)
            for (size_t c = 0; c < two.cols; c++) {
                assert_true(naive_element(&two, r, c) == naive_element(&five, r, c));
                assert_true(naive_element(&six, r, c) == 0);
            }
        f->hf->close(f->again);
        end(f);
    }
}

// gpt-oss can say a constant: no weights, and the constant as down's bias.
static void test_novice(void **state)
{
    fixture *f = *state;
    cull_matrix down;

    begin(f, "gpt_oss");
    f->cut->layer[2].action[4] = CULL_ACTION_NOVICE;
    for (size_t d = 0; d < 64; d++)
        f->cut->layer[2].constant[4 * 64 + d] = (float)d / 8;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_ok(f->host, f->hf->matrix(fake_ctx(f->host), f->again,
                                     cull_at_expert(2, CULL_PART_DOWN, 4), &down));
    for (size_t d = 0; d < 64; d++) {
        assert_true(naive_bias(&down, d) == (float)d / 8);
        assert_true(naive_element(&down, d, 5) == 0);
    }
    f->hf->close(f->again);
    end(f);
}

// What the experts of layer 2 of a checkpoint in Cull's own layout must be: two constants among
// stored ones.
static void assert_constants(fixture *f, const cull_model *model)
{
    cull_ctx *ctx = fake_ctx(f->host);
    const size_t D = f->hf->facts(model)->D;
    cull_matrix down, was;

    for (size_t e = 0; e < 4; e++) {
        assert_ok(f->host, f->hf->matrix(ctx, model, cull_at_expert(2, CULL_PART_DOWN, e), &down));
        assert_ok(f->host,
                  f->hf->matrix(ctx, f->model, cull_at_expert(2, CULL_PART_DOWN, e), &was));
        for (size_t d = 0; d < D; d++) {
            const bool constant = e == 0 || e == 3;
            assert_true(naive_bias(&down, d) == (constant ? (float)(e + d) / 8 : 0));
            assert_true(naive_element(&down, d, 5) == (constant ? 0 : naive_element(&was, d, 5)));
        }
    }
}

// Elsewhere a constant needs Cull's own layout, and what is read from it can be written again.
static void test_constants(void **state)
{
    fixture *f = *state;
    static const char *const names[] = { "mixtral", "granitemoe", "deepseek_v3-fp8", "olmoe" };

    for (size_t i = 0; i < 4; i++) {
        cull_model *first;
        begin(f, names[i]);
        const size_t D = f->hf->facts(f->model)->D;
        cull_layer_cut *cut = &f->cut->layer[2];
        for (size_t e = 0; e < 4; e += 3) {
            cut->action[e] = CULL_ACTION_NOVICE;
            for (size_t d = 0; d < D; d++)
                cut->constant[e * D + d] = (float)(e + d) / 8;
        }
        assert_ok(f->host, save(f, false, UINT64_MAX));
        reopen(f);
        assert_constants(f, f->again);
        first = f->model;
        f->model = f->again;
        cut->action[0] = cut->action[3] = CULL_ACTION_BASE;
        char folder[sizeof f->folder];
        (void)strcpy(folder, f->folder);
        (void)strcpy(f->folder, "/tmp/cull-save-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        assert_ok(f->host, save(f, false, UINT64_MAX));
        reopen(f);
        f->hf->close(f->model);
        f->model = first;
        assert_constants(f, f->again);
        f->hf->close(f->again);
        end(f);
        assert_int_equal(rmdir(f->folder), 0);
        (void)strcpy(f->folder, folder);
        clear_folder(f->folder);
    }
    begin(f, "arctic");
    f->cut->layer[1].action[4] = CULL_ACTION_NOVICE;
    assert_fails(f->host, save(f, false, UINT64_MAX), CULL_ENOTSUP, "transformers lacks");
    end(f);
}

// Layers that keep different numbers: padded by a bias where the router has one that keeps padding
// out, else in Cull's own layout.
static void test_uneven(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {
        "deepseek_v3-fp8", "glm4_moe",  "minimax_m2", "gpt_oss", "gpt_oss-mxfp4", "deepseek_v3",
        "mixtral",         "qwen2_moe", "olmoe",      "phimoe",  "granitemoe",    "ernie4_5_moe",
    };

    for (size_t i = 0; i < 12; i++) {
        char path[128];
        begin(f, names[i]);
        drop(f, uneven);
        assert_ok(f->host, save(f, false, UINT64_MAX));
        (void)snprintf(path, sizeof path, "%s/modeling_cull.py", f->folder);
        assert_int_equal(access(path, F_OK) == 0, i >= 6);
        reopen(f);
        assert_same(f, names[i], 2e-6);
        end(f);
    }
}

// Of four groups of four.
static bool leaves_two(size_t l, size_t e)
{
    return l == 1 && e >= 1 && e < 3;
}
static bool leaves_one(size_t l, size_t e)
{
    return l == 1 && e >= 1 && e < 4;
}
static bool leaves_none(size_t l, size_t e)
{
    return l == 1 && e < 4;
}
static bool leaves_few(size_t l, size_t e) // 2, 0, 0 and 3, where two groups give a token four
{
    return l == 1 && e >= 2 && e < 13;
}

// Groups that keep different numbers: padded while a stock router still chooses alike, else in
// Cull's own layout, which says how many each has.
static void test_uneven_groups(void **state)
{
    static bool (*const gone[])(size_t, size_t) = { leaves_two, leaves_one, leaves_none,
                                                    leaves_few };
    fixture *f = *state;
    char path[128];

    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        begin(f, "deepseek_v3");
        drop(f, gone[i]);
        assert_ok(f->host, save(f, false, UINT64_MAX));
        (void)snprintf(path, sizeof path, "%s/modeling_cull.py", f->folder);
        assert_int_equal(access(path, F_OK) == 0, i > 0);
        reopen(f);
        assert_same(f, "deepseek_v3", 2e-6);
        end(f);
    }
}

static void test_layers(void **state)
{
    fixture *f = *state;

    begin(f, "mixtral");
    f->cut->layer[1].skip_layer = true;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_int_equal(f->hf->facts(f->again)->L, 2);
    f->hf->close(f->again);
    end(f);
    begin(f, "gpt_oss"); // layer_types goes along
    f->cut->layer[0].skip_layer = true;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_int_equal(f->hf->layer_facts(f->again, 0)->window, 0);
    assert_int_equal(f->hf->layer_facts(f->again, 1)->window, 16);
    f->hf->close(f->again);
    end(f);
    begin(f,
          "deepseek_v2"); // the first layer is dense, which first_k_dense_replace goes along with
    f->cut->layer[0].skip_layer = true;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_true(f->hf->layer_facts(f->again, 0)->E > 0);
    f->hf->close(f->again);
    end(f);
    begin(f, "kimi_linear"); // lists within linear_attn_config are renumbered
    f->cut->layer[0].skip_layer = true;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_int_equal(f->hf->facts(f->again)->L, 2);
    assert_int_equal(f->hf->layer_facts(f->again, 0)->state_width, 0);
    assert_true(f->hf->layer_facts(f->again, 1)->state_width > 0);
    f->hf->close(f->again);
    end(f);
}

static void test_rules(void **state)
{
    fixture *f = *state;

    begin(f, "olmoe");
    for (size_t l = 0; l < 3; l++)
        f->rule[l].k = f->cut->layer[l].k = 2;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_int_equal(f->hf->layer_facts(f->again, 0)->K, 2);
    assert_same(f, "olmoe", 2e-6);
    clear_folder(f->folder);
    f->rule[1].k = f->cut->layer[1].k = 3;
    assert_ok(f->host, save(f, false, UINT64_MAX));
    reopen(f);
    assert_int_equal(f->hf->layer_facts(f->again, 0)->K, 2);
    assert_int_equal(f->hf->layer_facts(f->again, 1)->K, 3);
    assert_same(f, "olmoe", 2e-6);
    clear_folder(f->folder);
    f->cut->layer[1].skip_ratio = 0.3;
    assert_fails(f->host, save(f, false, UINT64_MAX), CULL_ENOTSUP, "small gates are skipped");
    end(f);
    begin(f, "mixtral");
    drop(f, none);
    for (size_t e = 1; e < 8; e++)
        for (size_t l = 0; l < 3; l++)
            f->cut->layer[l].action[e] = CULL_ACTION_DROP;
    assert_fails(f->host, save(f, false, UINT64_MAX), CULL_ENOTSUP, "lower k");
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_halves), TEST(test_copy),          TEST(test_dequantised), TEST(test_masks),
        TEST(test_matrix), TEST(test_actions),       TEST(test_novice),      TEST(test_constants),
        TEST(test_uneven), TEST(test_uneven_groups), TEST(test_layers),      TEST(test_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
