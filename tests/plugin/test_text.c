// The data reader `text`: rows of files and lines, and the calibration rows of the golden data.
#include "support/test.h"

#include <stdio.h>

#include "support/byte_text.h"
#include "support/golden.h"
#include "support/model.h"
#include "support/temp_files.h"

typedef struct fixture {
    fake_host *host;
    const cull_plugin *plugin;
    void *settings;
    cull_text text;
    temp_files files;
    cull_sequences rows;
} fixture;

static void begin(fixture *f)
{
    *f = (fixture){ .host = fake_host_new(1), .text = byte_text(1024) };
    f->plugin = fake_plugin(f->host, "data", "text");
    f->settings = fake_settings(f->host, f->plugin);
    temp_begin(&f->files);
}

static void end(fixture *f)
{
    temp_end(&f->files);
    fake_host_free(f->host);
}

static void set(fixture *f, const char *name, const char *text)
{
    fake_set(f->host, f->plugin, f->settings, name, text);
}

static cull_status load(fixture *f)
{
    const cull_data *data = f->plugin->vtable;

    f->rows = (cull_sequences){ .size = sizeof f->rows };
    return data->load(fake_ctx(f->host), f->settings, &f->text, &f->rows);
}

// A row as text, BOS shown as ^.
static void assert_row(const fixture *f, size_t r, const char *want)
{
    char got[64] = { 0 };

    for (size_t i = 0; i < f->rows.at[r].n; i++)
        got[i] = (char)(f->rows.at[r].ids[i] ? f->rows.at[r].ids[i] - 2 : '^');
    assert_string_equal(got, want);
}

static void test_files(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    temp_text(&f.files, "a.txt", "abcdefghijk");
    temp_text(&f.files, "b.heldout.txt", "0123456");
    char glob[96];
    strcat(strcpy(glob, f.files.folder), "/*.txt");
    set(&f, "files", glob);
    set(&f, "length", "4");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 5);
    assert_row(&f, 0, "^abc");
    assert_row(&f, 2, "^ghi"); // the last partial row is dropped
    assert_row(&f, 3, "^012");
    assert_string_equal(f.rows.at[4].source, "b.heldout");
    assert_int_equal(f.rows.at[4].ordinal, 1);
    set(&f, "bos", "false");
    set(&f, "rows_per_file", "1");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 2);
    assert_row(&f, 1, "0123");
    set(&f, "rows_per_file", "2");
    assert_fails(f.host, load(&f), CULL_EINVAL, "1 rows of 4; 2 are wanted");
    end(&f);
}

static void test_lines(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    set(&f, "files", temp_text(&f.files, "a.txt", "abcdefg\n \nhi\njklm"));
    set(&f, "documents", "line");
    set(&f, "length", "4");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 3);
    assert_row(&f, 1, "^def");
    assert_row(&f, 2, "^jkl");
    set(&f, "first", "1");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 2);
    set(&f, "rows", "7");
    assert_fails(f.host, load(&f), CULL_EINVAL, "the 1 files have 2 rows of 4; 7 are wanted");
    end(&f);
}

static void test_jsonl(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    set(&f, "files",
        temp_text(&f.files, "c4.jsonl", "{\"text\":\"abc\",\"url\":1}\n\n{\"text\":\"de\"}\n"));
    set(&f, "length", "3");
    set(&f, "bos", "false");
    set(&f, "join", "+");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 2);
    assert_row(&f, 1, "+de");
    set(&f, "documents", "line");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 1);
    set(&f, "field", "url");
    assert_fails(f.host, load(&f), CULL_EFORMAT, "c4.jsonl:1: \"url\" is a number, not a text");
    set(&f, "files", temp_text(&f.files, "bad.jsonl", "{\"text\":\"abc\"}\n{\"text\":\n"));
    assert_fails(f.host, load(&f), CULL_EFORMAT, "bad.jsonl:2:");
    set(&f, "files", temp_text(&f.files, "latin.txt", "caf\xe9"));
    assert_fails(f.host, load(&f), CULL_EFORMAT, "latin.txt: the file is not UTF-8");
    set(&f, "files", temp_text(&f.files, "empty.txt", ""));
    assert_fails(f.host, load(&f), CULL_EFORMAT, "empty.txt: the file holds no text");
    end(&f);
}

// Which rows a seed draws: each exactly once, ascending, the same again, others for another seed.
static void test_whole(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    const char *path = temp_text(&f.files, "a.jsonl",
                                 "{\"text\":\"ab\",\"template\":\"h\"}\n{\"text\":\"cdefgh\"}\n");
    set(&f, "files", path);
    set(&f, "documents", "line");
    set(&f, "whole", "true");
    set(&f, "length", "4");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 2);
    assert_row(&f, 0, "^ab");
    assert_row(&f, 1, "^cde");
    assert_string_equal(f.rows.at[0].chat_template, "h");
    assert_null(f.rows.at[1].chat_template);
    set(&f, "bos", "false");
    assert_ok(f.host, load(&f));
    assert_row(&f, 0, "ab");
    assert_row(&f, 1, "cdef");
    set(&f, "whole", "false");
    set(&f, "length", "2");
    assert_ok(f.host, load(&f));
    assert_int_equal(f.rows.n, 4);
    assert_string_equal(f.rows.at[0].chat_template, "h");
    assert_null(f.rows.at[3].chat_template);
    end(&f);
}

static void test_sample(void **state)
{
    (void)state;
    fixture f;
    char text[401], seen[2][8];
    begin(&f);
    for (size_t i = 0; i < 400; i++)
        text[i] = (char)('A' + i / 10);
    text[400] = '\0';
    set(&f, "files", temp_text(&f.files, "a.txt", text));
    set(&f, "length", "10");
    set(&f, "bos", "false");
    set(&f, "rows", "8");
    const cull_data *data = f.plugin->vtable;
    assert_false(data->random(f.settings));
    set(&f, "take", "sample");
    assert_true(data->random(f.settings));
    for (size_t run = 0; run < 3; run++) {
        f.host->context.seed = run < 2 ? 1 : 2;
        assert_ok(f.host, load(&f));
        assert_int_equal(f.rows.n, 8);
        char *now = seen[run > 0];
        for (size_t r = 0; r < 8; r++) {
            now[r] = (char)(f.rows.at[r].ids[0] - 2);
            assert_true(r == 0 || now[r] > now[r - 1]);
            assert_int_equal(f.rows.at[r].ordinal, now[r] - 'A');
        }
        if (run == 1)
            assert_memory_equal(seen[0], seen[1], 8);
    }
    assert_memory_not_equal(seen[0], seen[1], 8);
    end(&f);
}

static void test_no_bos(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.text.bos = -1;
    set(&f, "files", temp_text(&f.files, "a.txt", "abcdef"));
    set(&f, "length", "3");
    assert_fails(f.host, load(&f), CULL_ENOTSUP, "the tokenizer has none");
    end(&f);
}

static void golden_rows(const char *model, const char *split, const char *rows, const char *tensor)
{
    fixture f;
    char path[256];
    test_model m;

    begin(&f);
    snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/tinyworld-%s", model);
    test_model_open(f.host, path, CULL_OPEN_TOKENIZER, &m);
    f.text = m.text;
    snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/tinyworld/text/*.%s.txt", split);
    set(&f, "files", path);
    set(&f, "length", "256");
    set(&f, "rows_per_file", rows);
    assert_ok(f.host, load(&f));
    snprintf(path, sizeof path,
             CULL_SOURCE_DIR "/tests/golden/methods/tinyworld-%s/calibration.safetensors", model);
    golden *g = golden_open(f.host, path);
    const int32_t *want = golden_i32(g, tensor, 2, (size_t[]){ f.rows.n, 256 });
    for (size_t r = 0; r < f.rows.n; r++)
        assert_memory_equal(f.rows.at[r].ids, want + r * 256, 256 * sizeof *want);
    golden_close(g);
    test_model_close(&m);
    end(&f);
}

static void test_golden(void **state)
{
    (void)state;
    golden_rows("mixtral", "calibration", "8", "ids");
    golden_rows("mixtral", "heldout", "20", "heldout_ids");
    golden_rows("olmoe", "calibration", "8", "ids");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),  cmocka_unit_test(test_lines),  cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_whole),  cmocka_unit_test(test_sample), cmocka_unit_test(test_no_bos),
        cmocka_unit_test(test_golden),
    };

    return cmocka_run_group_tests_name("data text", tests, NULL, NULL);
}
