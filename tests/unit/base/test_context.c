// The host's services: memory, failures and their frames, random streams, files, parallel.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>

#include "base/read_file.h"
#include "support/fake_host.h"
#include "support/test.h"

static int setup(void **state)
{
    *state = fake_host_new(3);
    return 0;
}

static int teardown(void **state)
{
    fake_host_free(*state);
    return 0;
}

static void first_failure_is_kept(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);

    assert_int_equal(ctx->host->fail(ctx, CULL_EIO, "disk %d", 1), CULL_EIO);
    assert_int_equal(ctx->host->fail(ctx, CULL_EINVAL, "disk %d", 2), CULL_EINVAL);
    assert_int_equal(cull_while(ctx, CULL_EIO, "reading \"%s\"", "a"), CULL_EIO);
    assert_int_equal(cull_while(ctx, CULL_EIO, "running trial 3"), CULL_EIO);
    assert_int_equal(cull_while(ctx, CULL_OK, "doing nothing"), CULL_OK);
    assert_string_equal(fake_error(host),
                        "disk 1\n   while reading \"a\"\n   while running trial 3");
    fake_clear(host);
    assert_int_equal(host->context.error.status, CULL_OK);
}

static cull_status fail_some(void *arg, size_t i)
{
    cull_ctx *ctx = arg;

    if (i % 7 != 3)
        return CULL_OK;
    usleep(i == 3 ? 2000 : 0); // the lowest is late
    return ctx->host->fail(ctx, i == 3 ? CULL_ENUMERIC : CULL_EIO, "item %zu", i);
}

static void lowest_index_is_reported(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);

    for (int i = 0; i < 50; i++)
        assert_fails(host, ctx->host->parallel(ctx, 40, fail_some, ctx), CULL_ENUMERIC, "item 3");
}

static void streams_are_keyed_by_names(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    double a[8], b[8], c[8];

    host->context.owner = "one";
    ctx->host->uniform(ctx->host->rng(ctx, "order"), a, 8);
    ctx->host->uniform(ctx->host->rng(ctx, "other"), b, 8);
    ctx->host->uniform(ctx->host->rng(ctx, "order"), c, 8);
    assert_memory_equal(a, c, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
    host->context.owner = "two";
    ctx->host->uniform(ctx->host->rng(ctx, "order"), c, 8);
    assert_memory_not_equal(a, c, sizeof a);
}

static void put_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void files_plain_and_packed(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    char plain[] = "/tmp/cull-plain-XXXXXX", packed[64];
    const char *bytes, text[] = "one\ntwo\0three";
    size_t n;

    close(mkstemp(plain));
    snprintf(packed, sizeof packed, "%s.gz", plain);
    put_file(plain, text, sizeof text);
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, text, sizeof text), sizeof text);
    gzclose(gz);

    assert_ok(host, ctx->host->read_file(ctx, plain, &bytes, &n));
    assert_int_equal(n, sizeof text);
    assert_memory_equal(bytes, text, n);
    assert_int_equal(bytes[n], 0);
    assert_ok(host, ctx->host->read_file(ctx, packed, &bytes, &n));
    assert_int_equal(n, sizeof text);
    assert_memory_equal(bytes, text, n);
    assert_ok(host, ctx->host->read_file(ctx, plain, &bytes, &n));
    assert_int_equal(host->context.n_files, 2);
    assert_string_equal(host->context.files[0].key.hex, host->context.files[1].key.hex);

    const int fd = open(packed, O_RDWR); // the checksum is in the last eight bytes
    const off_t crc = lseek(fd, 0, SEEK_END) - 8;
    assert_int_equal(pwrite(fd, "wrong", 4, crc), 4);
    close(fd);
    char sentence[128];
    snprintf(sentence, sizeof sentence, "%s: cannot be unpacked: incorrect data check", packed);
    assert_fails(host, ctx->host->read_file(ctx, packed, &bytes, &n), CULL_EFORMAT, sentence);
    assert_int_equal(truncate(packed, 15), 0);
    assert_fails(host, ctx->host->read_file(ctx, packed, &bytes, &n), CULL_EFORMAT, "cut short");
    assert_fails(host, ctx->host->read_file(ctx, "/tmp", &bytes, &n), CULL_EIO, "not a regular");
    unlink(plain);
    unlink(packed);
    assert_fails(host, ctx->host->read_file(ctx, plain, &bytes, &n), CULL_EIO, "No such file");
}

static void services_are_complete(void **state)
{
    const cull_host *h = fake_ctx(*state)->host;

    assert_int_equal(h->size, sizeof *h);
    for (size_t i = offsetof(cull_host, alloc) / sizeof(void *); i < sizeof *h / sizeof(void *);
         i++)
        assert_non_null(((void *const *)(const void *)h)[i]);
    assert_non_null(h->extension(fake_ctx(*state), "cull.safetensors/1"));
    assert_null(h->extension(fake_ctx(*state), "cull.unheard-of/1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_failure_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(lowest_index_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_are_keyed_by_names, setup, teardown),
        cmocka_unit_test_setup_teardown(files_plain_and_packed, setup, teardown),
        cmocka_unit_test_setup_teardown(services_are_complete, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
