// Settings from a table: defaults, values from text with precise refusals, keys, JSON.
#include "plugin/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/test.h"

struct settings {
    bool flag;
    int64_t count;
    double share;
    const char *note;
    const char *file;
    int64_t mode;
    cull_texts words;
    cull_texts files;
    cull_ints layers;
    int64_t any;
};

static const char *const modes[] = { "greedy", "global", "like", NULL };

static const cull_param table[] = {
    CULL_P_BOOL(struct settings, flag, true, "a flag"),
    CULL_P_INT(struct settings, count, 8, 1, 64, "a count"),
    CULL_P_REAL(struct settings, share, 0.1, 0.0, 1.0, "a share"),
    CULL_P_TEXT(struct settings, note, "none yet", 0, "a note"),
    CULL_P_PATH(struct settings, file, CULL_NO_KEY, "a file"),
    CULL_P_CHOICE(struct settings, mode, 1, modes, "a choice"),
    CULL_P_TEXTS(struct settings, words, 0, "words"),
    CULL_P_PATHS(struct settings, files, CULL_REQUIRED, "files"),
    CULL_P_INTS(struct settings, layers, 0, "layers"),
    CULL_P_INT(struct settings, any, -1, CULL_ANY_LO, CULL_ANY_HI, "anything"),
};

static const cull_plugin plugin = { .size = sizeof plugin,
                                    .name = "sample",
                                    CULL_SETTINGS(table, struct settings) };

static fake_host *host;
static struct settings *set;
static char message[256];

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(1);
    set = fake_settings(host, &plugin);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_host_free(host);
    return 0;
}

static cull_status parse(const char *name, const char *text)
{
    message[0] = '\0';
    return cull_setting_parse(fake_ctx(host), cull_setting_find(&plugin, name), 1, &text, "/base",
                              set, message, sizeof message);
}

static void defaults(void **state)
{
    (void)state;
    assert_true(set->flag && set->count == 8 && set->share == 0.1 && set->mode == 1);
    assert_string_equal(set->note, "none yet");
    assert_null(set->file);
    assert_int_equal(set->words.n + set->files.n + set->layers.n, 0);
    assert_null(cull_setting_find(&plugin, "Count"));
    assert_string_equal(cull_setting_nearest(&plugin, "cuont"), "count");
    bool given[10] = { false };
    assert_string_equal(cull_settings_missing(&plugin, given)->name, "files");
    given[7] = true;
    assert_null(cull_settings_missing(&plugin, given));
}

static void reads_values(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } ints[] = { { "1", 1 }, { "64", 64 }, { "+7", 7 }, { "1e1", 10 }, { "32.0", 32 } };

    (void)state;
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        assert_int_equal(parse("count", ints[i].text), CULL_OK);
        assert_int_equal(set->count, ints[i].value);
    }
    assert_int_equal(parse("any", "-9007199254740992"), CULL_OK);
    assert_true(set->any == -9007199254740992);
    assert_int_equal(parse("share", "1e-3"), CULL_OK);
    assert_true(set->share == 1e-3);
    assert_int_equal(parse("flag", "no"), CULL_OK);
    assert_false(set->flag);
    assert_int_equal(parse("mode", "like"), CULL_OK);
    assert_int_equal(set->mode, 2);
    assert_int_equal(parse("note", ""), CULL_OK);
    assert_string_equal(set->note, "");
    assert_int_equal(parse("file", "x/y"), CULL_OK);
    assert_string_equal(set->file, "/base/x/y");
    assert_int_equal(parse("file", "/x/y"), CULL_OK);
    assert_string_equal(set->file, "/x/y");
}

static void refuses_values(void **state)
{
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        { "share", "1.3", "1.3 is not within [0, 1]" },
        { "share", "nan", "\"nan\" is not a number" },
        { "share", "inf", "\"inf\" is not a number" },
        { "share", "0x1p-2", "\"0x1p-2\" is not a number" },
        { "share", "0.5 ", "\"0.5 \" is not a number" },
        { "share", "", "\"\" is not a number" },
        { "count", "0", "0 is not within [1, 64]" },
        { "count", "2.5", "\"2.5\" is not an integer" },
        { "count", "many", "\"many\" is not an integer" },
        { "any", "99999999999999999999", "\"99999999999999999999\" is not an integer" },
        { "flag", "maybe", "\"maybe\" is neither true nor false" },
        { "mode", "gloabl",
          "\"gloabl\" is none of greedy, global, like; did you mean \"global\"?" },
        { "mode", "1", "\"1\" is none of greedy, global, like" },
        { "files", "*.nowhere", "no file matches \"*.nowhere\"" },
        { "file", "", "an empty path" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct settings before = *set;
        assert_int_equal(parse(cases[i].name, cases[i].text), CULL_EINVAL);
        assert_string_equal(message, cases[i].says);
        assert_memory_equal(&before, set, sizeof before);
        assert_int_equal(host->context.error.status, CULL_OK);
    }
    const char *two[] = { "1", "2" };
    assert_int_equal(
        cull_setting_parse(fake_ctx(host), &table[1], 2, two, NULL, set, message, sizeof message),
        CULL_EINVAL);
    assert_string_equal(message, "one value is wanted, not a list");
}

static void lists(void **state)
{
    const char *numbers[] = { "3", "1", "-2" };
    const char *patterns[] = { "tests/unit/plugin/test_*.c", "tests/unit/plugin/test_settings.c",
                               "tests/unit/base/test_rng.c" };

    (void)state;
    assert_int_equal(cull_setting_parse(fake_ctx(host), cull_setting_find(&plugin, "layers"), 3,
                                        numbers, NULL, set, message, sizeof message),
                     CULL_OK);
    assert_true(set->layers.n == 3 && set->layers.at[0] == 3 && set->layers.at[2] == -2);
    assert_int_equal(parse("words", "alone"), CULL_OK);
    assert_int_equal(set->words.n, 1);
    assert_int_equal(cull_setting_parse(fake_ctx(host), cull_setting_find(&plugin, "files"), 3,
                                        patterns, CULL_SOURCE_DIR, set, message, sizeof message),
                     CULL_OK);
    assert_true(set->files.n >= 3); // sorted, each once
    for (size_t i = 1; i < set->files.n; i++)
        assert_true(strcmp(set->files.at[i - 1], set->files.at[i]) < 0);
    assert_string_equal(set->files.at[0], CULL_SOURCE_DIR "/tests/unit/base/test_rng.c");
}

static cull_key key(void)
{
    cull_hash *hash = cull_hash_new();

    assert_ok(host, cull_settings_hash(fake_ctx(host), &plugin, set, hash));
    const cull_key out = cull_hash_key(hash);
    cull_hash_free(hash);
    return out;
}

static void keys_follow_what_matters(void **state)
{
    const cull_key first = key();

    (void)state;
    assert_int_equal(parse("file", "elsewhere"), CULL_OK); // has no part in keys
    assert_string_equal(key().hex, first.hex);
    assert_int_equal(parse("share", "0.2"), CULL_OK);
    assert_string_not_equal(key().hex, first.hex);
    assert_int_equal(parse("share", "0.1"), CULL_OK);
    assert_string_equal(key().hex, first.hex);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void files_count_by_content(void **state)
{
    char a[] = "/tmp/cull-settings-XXXXXX", b[] = "/tmp/cull-settings-XXXXXX", path[2][64];

    (void)state;
    assert_true(mkdtemp(a) && mkdtemp(b));
    snprintf(path[0], sizeof path[0], "%s/data.txt", a);
    snprintf(path[1], sizeof path[1], "%s/data.txt", b);
    put(path[0], "one");
    put(path[1], "one");
    assert_int_equal(parse("files", path[0]), CULL_OK);
    const cull_key first = key();
    assert_int_equal(parse("files", path[1]), CULL_OK);
    assert_string_equal(key().hex, first.hex);
    put(path[1], "two");
    assert_string_not_equal(key().hex, first.hex);
    unlink(path[0]);
    unlink(path[1]);
    rmdir(a);
    rmdir(b);
}

static void canonical_json(void **state)
{
    const char *words[] = { "a \"b\"", "c" };
    cull_buf out = CULL_BUF_INIT;

    (void)state;
    assert_int_equal(cull_setting_parse(fake_ctx(host), cull_setting_find(&plugin, "words"), 2,
                                        words, NULL, set, message, sizeof message),
                     CULL_OK);
    cull_settings_json(&plugin, set, &out);
    assert_string_equal(out.s,
                        "{\"flag\":true,\"count\":8,\"share\":0.1,\"note\":\"none yet\","
                        "\"file\":null,\"mode\":\"global\",\"words\":[\"a \\\"b\\\"\",\"c\"],"
                        "\"files\":[],\"layers\":[],\"any\":-1}");
    cull_buf_clear(&out);
    cull_setting_show(cull_setting_find(&plugin, "words"), set, &out);
    assert_string_equal(out.s, "[a \"b\", c]");
    cull_buf_release(&out);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(defaults),
        CASE(reads_values),
        CASE(refuses_values),
        CASE(lists),
        CASE(keys_follow_what_matters),
        CASE(files_count_by_content),
        CASE(canonical_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
