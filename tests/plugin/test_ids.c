// The data reader `ids`: jsonl and npy.
#include "support/test.h"

#include "support/byte_text.h"
#include "support/fixture.h"

PLUGIN_FIXTURE("data", "ids")

static cull_status load(const char *path, const char *rows, cull_sequences *out)
{
    const cull_data *data = plugin->vtable;
    const cull_text text = byte_text(64);
    void *settings = fake_settings(host, plugin);

    fake_set(host, plugin, settings, "files", path);
    fake_set(host, plugin, settings, "rows", rows);
    *out = (cull_sequences){ .size = sizeof *out };
    return data->load(fake_ctx(host), settings, &text, out);
}

static void test_jsonl(void **state)
{
    (void)state;
    cull_sequences rows;
    const char *path = temp_text(&files, "a.jsonl", "[1,2,3]\n{\"ids\":[4]}\n\n[5, 2147483647]\n");
    assert_ok(host, load(path, "0", &rows));
    assert_int_equal(rows.n, 3);
    assert_int_equal(rows.at[0].n, 3);
    assert_int_equal(rows.at[1].ids[0], 4);
    assert_int_equal(rows.at[2].ids[1], INT32_MAX);
    assert_string_equal(rows.at[2].source, "a.jsonl");
    assert_ok(host, load(path, "2", &rows));
    assert_int_equal(rows.n, 2);
    assert_fails(host, load(path, "4", &rows), CULL_EINVAL, "3 rows; 4 are wanted");
}

static cull_status load_padded(const char *path, const char *pad, cull_sequences *out)
{
    const cull_data *data = plugin->vtable;
    const cull_text text = byte_text(64);
    void *settings = fake_settings(host, plugin);

    fake_set(host, plugin, settings, "files", path);
    fake_set(host, plugin, settings, "pad", pad);
    *out = (cull_sequences){ .size = sizeof *out };
    return data->load(fake_ctx(host), settings, &text, out);
}

static void test_padding(void **state)
{
    (void)state;
    cull_sequences rows;
    const char *path = temp_text(&files, "p.jsonl",
                                 "[9,9,1,9,3]\n"
                                 "{\"ids\":[4,9,9],\"template\":\"abc\"}\n"
                                 "{\"ids\":[9,5,6,9],\"attention_mask\":[0,1,1,1]}\n");
    assert_ok(host, load_padded(path, "9", &rows));
    assert_int_equal(rows.at[0].n, 3);
    assert_memory_equal(rows.at[0].ids, ((int32_t[]){ 1, 9, 3 }), 3 * sizeof(int32_t));
    assert_int_equal(rows.at[1].n, 1);
    assert_string_equal(rows.at[1].chat_template, "abc");
    assert_int_equal(rows.at[2].n, 2); // 5, 6 and the last 9 are there, and the latter is padding
    assert_null(rows.at[2].chat_template);
    assert_ok(host, load(path, "0", &rows));
    assert_int_equal(rows.at[0].n, 5);
    assert_int_equal(rows.at[2].n, 3);
    assert_int_equal(rows.at[2].ids[2], 9);
    assert_fails(host, load_padded(temp_text(&files, "q.jsonl", "[1]\n[9,9]\n"), "9", &rows),
                 CULL_EFORMAT, "row 1 is padding alone");
    assert_fails(
        host, load(temp_text(&files, "q.jsonl", "{\"ids\":[1],\"attention_mask\":[]}"), "0", &rows),
        CULL_EFORMAT, ":1: \"attention_mask\" has 0 entries for 1 ids");
    assert_fails(
        host,
        load(temp_text(&files, "q.jsonl", "{\"ids\":[1],\"attention_mask\":[2]}"), "0", &rows),
        CULL_EFORMAT, "is neither 0 nor 1");
    assert_fails(
        host,
        load(temp_text(&files, "q.jsonl", "{\"ids\":[1,2,3,4,5],\"attention_mask\":[0,1,0,1,0]}"),
             "0", &rows),
        CULL_EFORMAT, "between others (entry 3 is 1 again), which is no padding");
}

static void test_bad_jsonl(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "[1]\n[1,-2]\n", ":2: entry 1 is no token id" },
        { "[2147483648]", ":1: entry 0 is no token id" },
        { "[1.5]", ":1: entry 0 is no token id" },
        { "[]", ":1: the line is neither" },
        { "\"x\"", ":1: the line is neither" },
        { "[1]\n[1,", ":2:" },
        { "\n", ": the file holds no documents" },
    };
    cull_sequences rows;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(host, load(temp_text(&files, "bad.jsonl", bad[i][0]), "0", &rows),
                     CULL_EFORMAT, bad[i][1]);
}

// As numpy.save writes it: magic, version 1.0, header length, header, data.
static const char *npy(const char *name, const char *header, const void *data, size_t bytes)
{
    char file[512] = "\x93NUMPY\x01\x00";
    const size_t n = strlen(header);

    file[8] = (char)n;
    memcpy(file + 10, header, n);
    memcpy(file + 10 + n, data, bytes);
    return temp_write(&files, name, file, 10 + n + bytes);
}

static void test_npy(void **state)
{
    (void)state;
    const int32_t narrow[] = { 1, 2, 3, 4, 5, 6 };
    const int64_t wide[] = { 7, 8, 9, -1 };
    cull_sequences rows;
    const char
        *h4 = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }\n",
        *h8 = "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 3), }\n",
        *minus = "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }\n",
        *fortran = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n",
        *real = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
        *more = "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 3), }\n",
        *huge = "{'descr': '<i4', 'fortran_order': False, 'shape': (9223372036854775807, 16), }\n";
    assert_ok(host, load(npy("a.npy", h4, narrow, sizeof narrow), "0", &rows));
    assert_int_equal(rows.n, 2);
    assert_memory_equal(rows.at[1].ids, narrow + 3, 3 * sizeof *narrow);
    assert_ok(host, load(npy("b.npy", h8, wide, sizeof wide), "0", &rows));
    assert_int_equal(rows.at[0].ids[2], 9);
    assert_fails(host, load(npy("c.npy", minus, wide, sizeof wide), "0", &rows), CULL_EFORMAT,
                 "row 1, column 1 holds no token id");
    assert_fails(host, load(npy("d.npy", fortran, narrow, sizeof narrow), "0", &rows), CULL_EFORMAT,
                 "not two dimensions");
    assert_fails(host, load(npy("e.npy", real, narrow, sizeof narrow), "0", &rows), CULL_EFORMAT,
                 "not two dimensions");
    assert_fails(host, load(npy("f.npy", more, narrow, sizeof narrow), "0", &rows), CULL_EFORMAT,
                 "3 \u00d7 3 numbers, but 24 bytes");
    assert_fails(host, load(npy("g.npy", huge, narrow, sizeof narrow), "0", &rows), CULL_EFORMAT,
                 "but 24 bytes");
    assert_fails(host, load(temp_text(&files, "h.npy", "PK\x03\x04"), "0", &rows), CULL_EFORMAT,
                 "this is no .npy file");
    assert_fails(host,
                 load(temp_write(&files, "i.npy", "\x93NUMPY\x01\x00\xff\xff{", 11), "0", &rows),
                 CULL_EFORMAT, "the header does not end in the file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_bad_jsonl),
        cmocka_unit_test(test_npy),
    };

    return cmocka_run_group_tests_name("data ids", tests, setup, teardown);
}
