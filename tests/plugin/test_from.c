// Strategy from: lists of experts in JSON, cut files through the host, and bad input of every kind.
#include "support/methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cull/ext/cut_file.h>

#include "support/test.h"

static fake_host *host;
static tinyworld *world;
static const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = TINYWORLD_L };
static char path[64];

static int open_world(void **state)
{
    (void)state;
    host = fake_host_new(1);
    world = tinyworld_open(host, "tinyworld-mixtral");
    methods_stats(world);
    strcpy(path, "/tmp/cull-from-XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    unlink(path);
    tinyworld_close(world);
    fake_host_free(host);
    return 0;
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static cull_status select_from(const char *text, const char *const *more, cull_cut *cut)
{
    char word[80];
    methods_plugin p;
    const cull_strategy *from;

    write_text(text);
    p = methods_load(world, "strategy", "from", more);
    from = p.vtable;
    snprintf(word, sizeof word, "%s", path);
    fake_set(host, p.plugin, p.settings, "path", word);
    assert_false(from->emits_for(p.settings) & CULL_EMITS_MATRIX);
    return from->select(fake_ctx(host), p.settings, &world->view, &none, NULL, CULL_ALL_LAYERS,
                        cut);
}

// The same two lists in every spelling that is read.
static void lists_are_read(void **state)
{
    static const struct {
        const char *text, *setting;
    } spellings[] = {
        { "{\"1\": [0, 3, 15], \"3\": [7, 2]}", "lists=kept" },
        { "{\"1\": [0, 3, 15]}\n{\"3\": [2, 7]}\n", "lists=kept" },
        { "\n {\"3\":[2,7]}\t{\"1\":[15,0,3]} ", "lists=kept" },
        { "{\"1\": [1, 2, 4,5,6,7,8,9,10,11,12,13,14],"
          " \"3\": [0,1, 3,4,5,6, 8,9,10,11,12,13,14,15]}",
          "lists=removed" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        cull_cut *cut = tinyworld_cut(world);

        assert_ok(host, select_from(spellings[i].text, WORDS(spellings[i].setting), cut));
        for (size_t l = 0; l < TINYWORLD_L; l++)
            for (size_t e = 0; e < world->layer[l].E; e++) {
                const bool stays = l == 1   ? e == 0 || e == 3 || e == 15
                                   : l == 3 ? e == 2 || e == 7
                                            : true;
                assert_int_equal(cut->layer[l].action[e],
                                 stays ? CULL_ACTION_BASE : CULL_ACTION_DROP);
            }
    }
}

static void actions_apply(void **state)
{
    cull_cut *cut = tinyworld_cut(world);

    (void)state;
    // novices leave the router alone, so that even all experts may go
    assert_ok(host, select_from("{\"0\": []}", WORDS("action=novice"), cut));
    for (size_t e = 0; e < world->layer[0].E; e++) {
        assert_int_equal(cut->layer[0].action[e], CULL_ACTION_NOVICE);
        assert_true(cut->layer[0].constant[e * TINYWORLD_D] ==
                    (float)world->layer_stats[0].mean[e * TINYWORLD_D]);
    }
}

// Lists as the golden variants have them.
static void golden_lists_make_golden_cuts(void **state)
{
    golden *eval = tinyworld_golden(world, "eval");
    const char *variant = "drop-random3-12";
    char text[1024];
    size_t n = 0;

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char name[64];
        const size_t twelve = 12;

        snprintf(name, sizeof name, "%s.layer.%zu.kept", variant, l);
        const int32_t *kept = golden_i32(eval, name, 1, &twelve);
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"%zu\": [", l);
        for (size_t i = 0; i < twelve; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", i ? ", " : "", kept[i]);
        n += (size_t)snprintf(text + n, sizeof text - n, "]}\n");
    }
    cull_cut *cut = tinyworld_cut(world);
    assert_ok(host, select_from(text, NULL, cut));
    methods_assert_kept(world, eval, variant, cut, CULL_ACTION_DROP);
    golden_close(eval);
}

static void bad_lists_are_refused(void **state)
{
    static const struct {
        const char *text;
        cull_status status;
        const char *part;
    } bad[] = {
        { "", CULL_EFORMAT, "holds no lists" },
        { " \n", CULL_EFORMAT, "holds no lists" },
        { "[1, 2]", CULL_EFORMAT, "LAYER" },
        { "{\"1\": [0, 1]", CULL_EFORMAT, ":1:12: " },
        { "{\"1\": [0, 1]} x", CULL_EFORMAT, ":1:15: " },
        { "{\"1\": [0, 1]}\n {\"2\": [}", CULL_EFORMAT, ":2:9: " },
        { "{\"4\": [0, 1]}", CULL_EINVAL, "\"4\" is not one of the model's 4 layers" },
        { "{\"-1\": [0, 1]}", CULL_EINVAL, "\"-1\"" },
        { "{\"1x\": [0, 1]}", CULL_EINVAL, "\"1x\"" },
        { "{\"\": [0, 1]}", CULL_EINVAL, "\"\"" },
        { "{\"99999999999999999999999\": [0, 1]}", CULL_EINVAL, "is not one of" },
        { "{\"1\": 3}", CULL_EINVAL, "expected a list" },
        { "{\"1\": [0, 16]}", CULL_EINVAL, "layer 1, entry 2" },
        { "{\"1\": [0, -1]}", CULL_EINVAL, "layer 1, entry 2" },
        { "{\"1\": [0, 1.5]}", CULL_EINVAL, "layer 1, entry 2" },
        { "{\"1\": [0, \"1\"]}", CULL_EINVAL, "layer 1, entry 2" },
        { "{\"1\": [0, 1, 0]}", CULL_EINVAL, "lists expert 0 twice" },
        { "{\"1\": [0, 1]}\n{\"1\": [0, 1]}", CULL_EINVAL, "layer 1 is listed twice" },
        { "{\"1\": [0, 1], \"01\": [0, 1]}", CULL_EINVAL, "layer 1 is listed twice" },
        { "{\"1\": [0, 1], \"1\": [0, 1]}", CULL_EFORMAT, "duplicate" },
        { "{\"1\": [0]}", CULL_EINVAL, "keeps 1 experts, but every token needs 2" },
        { "{}", CULL_EINVAL, "its lists let no expert go" },
        { "{\"1\": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}", CULL_EINVAL, "let no expert go" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(host, select_from(bad[i].text, NULL, tinyworld_cut(world)), bad[i].status,
                     bad[i].part);
}

// ---- cut files ----

static const char *loaded;

static cull_status load(cull_ctx *ctx, const char *file, cull_cut *cut)
{
    (void)ctx;
    loaded = file;
    cut->layer[2].skip_moe = true;
    return CULL_OK;
}

static const char *made_for = "";

static cull_status ids(cull_ctx *ctx, const char *file, cull_cut_ids *out)
{
    (void)ctx, (void)file;
    *out = (cull_cut_ids){ .size = out->size };
    snprintf(out->model, sizeof out->model, "%s", made_for);
    return CULL_OK;
}

static const void *with_cut_files(cull_ctx *ctx, const char *id)
{
    static const cull_cut_file_ext ext = { .size = sizeof ext, .load = load, .ids = ids };

    (void)ctx;
    return strcmp(id, CULL_EXT_CUT_FILE) == 0 ? &ext : NULL;
}

static void cut_files_go_through_the_host(void **state)
{
    methods_plugin p = methods_load(world, "strategy", "from", NULL);
    const cull_strategy *from = p.vtable;
    cull_cut *cut = tinyworld_cut(world);

    const void *(*before)(cull_ctx *, const char *) = host->context.extension;

    (void)state;
    fake_set(host, p.plugin, p.settings, "path", "/somewhere/cut.safetensors");
    assert_int_equal(from->needs_for(p.settings), 0);
    assert_true(from->emits_for(p.settings) & CULL_EMITS_MATRIX);
    assert_fails(
        host,
        from->select(fake_ctx(host), p.settings, &world->view, &none, NULL, CULL_ALL_LAYERS, cut),
        CULL_ENOTSUP, "cut.safetensors");
    host->context.extension = with_cut_files;
    assert_ok(host, from->select(fake_ctx(host), p.settings, &world->view, &none, NULL,
                                 CULL_ALL_LAYERS, cut));
    assert_string_equal(loaded, "/somewhere/cut.safetensors");
    assert_true(cut->layer[2].skip_moe);

    world->facts.fingerprint = "00000000000000000000000000000001";
    for (int other = 0; other < 2; other++) {
        made_for = other ? "00000000000000000000000000000002" : world->facts.fingerprint;
        const cull_status status = from->select(fake_ctx(host), p.settings, &world->view, &none,
                                                NULL, CULL_ALL_LAYERS, cut);
        if (other)
            assert_fails(host, status, CULL_EINVAL, made_for);
        else
            assert_ok(host, status);
    }
    host->context.extension = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(actions_apply),
        cmocka_unit_test(golden_lists_make_golden_cuts),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(cut_files_go_through_the_host),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
