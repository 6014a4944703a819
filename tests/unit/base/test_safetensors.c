// safetensors: the corpus, whose verdicts are the reference implementation's; reading; writing; a
// file that shrinks while it is mapped.
#include "base/safetensors.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/new_file.h"
#include "support/fake_host.h"
#include "support/test.h"

#define CORPUS CULL_SOURCE_DIR "/tests/fuzz/corpus/safetensors"

static fake_host *host;
static char dir[64];

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(1);
    snprintf(dir, sizeof dir, "/tmp/cull-safetensors-XXXXXX");
    return mkdtemp(dir) ? 0 : 1;
}

static int teardown(void **state)
{
    glob_t left = { 0 };

    (void)state;
    char pattern[80];
    snprintf(pattern, sizeof pattern, "%s/*", dir);
    if (glob(pattern, 0, NULL, &left) == 0)
        for (size_t i = 0; i < left.gl_pathc; i++)
            unlink(left.gl_pathv[i]);
    globfree(&left);
    fake_host_free(host);
    return rmdir(dir);
}

static const char *in_dir(const char *name)
{
    return cull_arena_printf(host->context.alloc, "%s/%s", dir, name);
}

static void good_files_open(void **state)
{
    glob_t files = { 0 };

    (void)state;
    assert_int_equal(glob(CORPUS "/good/*.safetensors", 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, 14);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        cull_safetensors *file = NULL;
        unsigned sum = 0;
        assert_ok(host, cull_safetensors_open(fake_ctx(host), files.gl_pathv[i], &file));
        for (size_t j = 0; j < cull_safetensors_count(file); j++) {
            cull_tensor t, found;
            const char *name = cull_safetensors_at(file, j, &t);
            assert_true(cull_safetensors_find(file, name, &found) && found.data == t.data);
            for (size_t k = 0; k < t.bytes; k++) // every byte can be read
                sum += ((const unsigned char *)t.data)[k];
        }
        assert_true(sum < 1u << 20);
        cull_safetensors_close(file);
    }
    globfree(&files);
}

static void bad_files_are_refused(void **state)
{
    glob_t files = { 0 };

    (void)state;
    assert_int_equal(glob(CORPUS "/bad/*.safetensors", 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, 59);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *name = strrchr(files.gl_pathv[i], '/') + 1; // in the sentence
        cull_safetensors *file = NULL;
        assert_fails(host, cull_safetensors_open(fake_ctx(host), files.gl_pathv[i], &file),
                     CULL_EFORMAT, name);
        assert_null(file);
    }
    globfree(&files);
    cull_safetensors *file = NULL;
    assert_fails(host, cull_safetensors_open(fake_ctx(host), "/nowhere", &file), CULL_EIO,
                 "/nowhere: No such file");
    assert_fails(host, cull_safetensors_open(fake_ctx(host), "/tmp", &file), CULL_EIO,
                 "/tmp: not a regular file");
}

static void sentences_say_what(void **state)
{
    static const struct {
        const char *file, *says;
    } cases[] = {
        { "trailing-bytes", "the tensors cover 8 bytes, but the file has 9 bytes of data" },
        { "hole", "tensor \"b\": its data begins at 8, after the end of the one before it at 4" },
        { "duplicate-name", "duplicate object key" },
        { "unknown-dtype", "tensor \"a\": unknown dtype \"F7\"" },
        { "shape-too-large", "its dtype and shape need 12 bytes, but its data_offsets span 8" },
        { "shape-negative", "entry 0 of shape is not a non-negative integer" },
        { "length-over-limit", "a header of 100000001 bytes, more than 100000000" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cull_safetensors *file = NULL;
        const char *path =
            cull_arena_printf(host->context.alloc, CORPUS "/bad/%s.safetensors", cases[i].file);
        assert_fails(host, cull_safetensors_open(fake_ctx(host), path, &file), CULL_EFORMAT,
                     cases[i].says);
    }
}

static void finds_by_name(void **state)
{
    cull_safetensors *file = NULL;
    cull_tensor t;

    (void)state;
    assert_ok(host,
              cull_safetensors_open(fake_ctx(host), CORPUS "/good/every-dtype.safetensors", &file));
    assert_int_equal(cull_safetensors_count(file), CULL_N_DTYPES);
    assert_true(cull_safetensors_find(file, "x.F6_E2M3", &t));
    assert_int_equal(t.dtype, CULL_DT_F6_E2M3);
    assert_int_equal(t.bytes, 6);
    assert_int_equal(t.rank, 2);
    assert_int_equal(t.shape[1], 4);
    assert_int_equal(*(const unsigned char *)t.data, 12); // bytes count up; BOOL 8 and F4 4 precede
    assert_false(cull_safetensors_find(file, "x.F7", &t));
    cull_safetensors_close(file);

    assert_ok(host, cull_safetensors_open(fake_ctx(host), CORPUS "/good/only-metadata.safetensors",
                                          &file));
    assert_string_equal(cull_safetensors_metadata(file, "note"), "é");
    assert_null(cull_safetensors_metadata(file, "nota"));
    cull_safetensors_close(file);
}

static const cull_entry entries[] = {
    { .size = sizeof(cull_entry), .name = "z", .dtype = CULL_DT_U8, .rank = 1, .shape = { 3 } },
    { .size = sizeof(cull_entry),
      .name = "b\"é",
      .dtype = CULL_DT_F32,
      .rank = 2,
      .shape = { 2, 2 } },
    { .size = sizeof(cull_entry), .name = "a", .dtype = CULL_DT_F32, .rank = 0 },
    { .size = sizeof(cull_entry),
      .name = "wide",
      .dtype = CULL_DT_F64,
      .rank = 2,
      .shape = { 0, 5 } },
};
static const float b_data[4] = { 1, 2, 3, 4 };

static void write_entries(const char *path)
{
    static const cull_pair pairs[] = { { "made", "by a\ttest" } };
    cull_ctx *ctx = fake_ctx(host);
    cull_safetensors_writer *w = NULL;

    assert_ok(host, cull_safetensors_create(ctx, path, 4, entries, 1, pairs, &w));
    assert_ok(host, cull_safetensors_put(ctx, w, 1, b_data, 4));
    assert_ok(host, cull_safetensors_put(ctx, w, 0, "xyz", 3));
    assert_ok(host, cull_safetensors_put(ctx, w, 1, b_data + 1, 12));
    assert_ok(host, cull_safetensors_put(ctx, w, 2, b_data, 4));
    assert_int_equal(access(path, F_OK), -1); // not before it is whole
    assert_ok(host, cull_safetensors_finish(ctx, w));
}

static void writes_what_it_reads(void **state)
{
    cull_ctx *ctx = fake_ctx(host);
    const char *path = in_dir("new.safetensors");
    cull_safetensors *file = NULL;
    cull_tensor t;

    (void)state;
    write_entries(path);
    assert_ok(host, cull_safetensors_open(ctx, path, &file));
    assert_string_equal(cull_safetensors_metadata(file, "format"), "pt");
    assert_string_equal(cull_safetensors_metadata(file, "made"), "by a\ttest");
    assert_true(cull_safetensors_find(file, "b\"é", &t));
    assert_int_equal((uintptr_t)t.data % 4, 0);
    assert_memory_equal(t.data, b_data, sizeof b_data);
    const void *b = t.data;
    assert_true(cull_safetensors_find(file, "a", &t));
    assert_ptr_equal((const char *)t.data + 4, b); // by dtype, then by name
    assert_true(cull_safetensors_find(file, "z", &t));
    assert_memory_equal(t.data, "xyz", 3);
    char first[33], again[33];
    cull_safetensors_fingerprint(file, first);
    cull_safetensors_close(file);

    write_entries(in_dir("again.safetensors"));
    assert_ok(host, cull_safetensors_open(ctx, in_dir("again.safetensors"), &file));
    cull_safetensors_fingerprint(file, again);
    cull_safetensors_close(file);
    assert_string_equal(first, again);
}

static void writing_leaves_nothing_half_done(void **state)
{
    cull_ctx *ctx = fake_ctx(host);
    const char *path = in_dir("half.safetensors");
    cull_safetensors_writer *w = NULL;

    (void)state;
    assert_ok(host, cull_safetensors_create(ctx, path, 4, entries, 0, NULL, &w));
    assert_fails(host, cull_safetensors_put(ctx, w, 2, b_data, 5), CULL_EINVAL,
                 "\"a\" has 4 bytes");
    assert_fails(host, cull_safetensors_finish(ctx, w), CULL_EINVAL, "\"z\" got 0 of its 3 bytes");
    assert_fails(host, cull_safetensors_create(ctx, in_dir("no/where"), 4, entries, 0, NULL, &w),
                 CULL_EIO, "No such file");
    assert_int_equal(rmdir(dir), 0); // empty
    assert_non_null(mkdtemp(strcpy(dir, "/tmp/cull-safetensors-XXXXXX")));
}

static void planted_links_are_not_followed(void **state)
{
    cull_ctx *ctx = fake_ctx(host);
    cull_safetensors_writer *w = NULL;
    static const cull_entry big = { sizeof(cull_entry), "big", CULL_DT_U8, 1, { 64 } };

    (void)state;
    const char *path = in_dir("full");
    char prefix[CULL_TEMPORARY_PREFIX];
    cull_temporary_prefix(prefix);
    const char *temporary =
        cull_arena_printf(host->context.alloc, "%s/%s%ld.full", dir, prefix, (long)getpid());
    const char *elsewhere = in_dir("elsewhere");
    assert_int_equal(symlink(elsewhere, temporary), 0);
    assert_ok(host, cull_safetensors_create(ctx, path, 1, &big, 0, NULL, &w)); // in its place
    assert_int_equal(access(elsewhere, F_OK), -1);
    cull_safetensors_abandon(w);
}

static void shrunk_file_ends_with_a_sentence(void **state)
{
    const char *path = in_dir("shrinks.safetensors");
    static const cull_entry big = { sizeof(cull_entry), "big", CULL_DT_U8, 1, { 100000 } };
    static const char zeros[100000];
    cull_safetensors_writer *w = NULL;
    int ends[2], how = 0;
    char said[256] = "";

    (void)state;
    assert_ok(host, cull_safetensors_create(fake_ctx(host), path, 1, &big, 0, NULL, &w));
    assert_ok(host, cull_safetensors_put(fake_ctx(host), w, 0, zeros, sizeof zeros));
    assert_ok(host, cull_safetensors_finish(fake_ctx(host), w));
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        cull_safetensors *file = NULL;
        cull_tensor t;
        dup2(ends[1], STDERR_FILENO);
        cull_crash_install();
        if (cull_safetensors_open(fake_ctx(host), path, &file) != CULL_OK || truncate(path, 4096))
            _exit(9);
        cull_safetensors_at(file, 0, &t);
        _exit(((const volatile char *)t.data)[t.bytes - 1] ? 8 : 7);
    }
    close(ends[1]);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    for (size_t n = strlen(said); read(ends[0], said + n, sizeof said - 1 - n) > 0;)
        n = strlen(said);
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 3);
    assert_non_null(strstr(said, "shrinks.safetensors: the file became shorter"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_files_open, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(sentences_say_what, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_what_it_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(writing_leaves_nothing_half_done, setup, teardown),
        cmocka_unit_test_setup_teardown(planted_links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(shrunk_file_ends_with_a_sentence, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
