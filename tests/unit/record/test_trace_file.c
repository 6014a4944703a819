// A trace written and read back.
#include "support/test.h"

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record/h5/h5.h"
#include "record/trace_file.h"
#include "support/fake_host.h"

enum { L = 3, D = 2, V = 5, SEQ = 2, LEN = 3, N = SEQ * LEN };

// A model that is nothing but its layers: dense, four experts top 2, three experts top 1.
static const cull_layer_facts layers[L] = { { .E = 0 }, { .E = 4, .K = 2 }, { .E = 3, .K = 1 } };
static const cull_layer_facts *const every_layer[L] = { layers, layers + 1, layers + 2 };
static const cull_model_facts facts = {
    .size = sizeof facts, .L = L, .D = D, .V = V, .source = "nowhere", .fingerprint = "00"
};
static const cull_open_model model = { .facts = &facts, .layer = every_layer };

static int32_t ids[N], index1[N * 2], index2[N], *indices[L] = { NULL, index1, index2 };
static float logits[N * V], hidden[(L + 1) * N * D], logits1[N * 4], logits2[N * 3], gate1[N * 2],
    gate2[N], *router[L] = { NULL, logits1, logits2 }, *gates[L] = { NULL, gate1, gate2 };

static const cull_trace trace = { SEQ, LEN, ids, logits, hidden, router, indices, gates };
static char path[64];

static int make(void **state)
{
    *state = fake_host_new(1);
    snprintf(path, sizeof path, "/tmp/cull-trace-%ld.h5", (long)getpid());
    for (size_t i = 0; i < N; i++) {
        ids[i] = (int32_t)i;
        index2[i] = 2;
        logits2[3 * i + 1] = 7;
        logits1[4 * i + 3] = (float)i;
    }
    hidden[L * N * D] = 0.5f;
    return 0;
}

static int clear(void **state)
{
    fake_host_free(*state);
    unlink(path);
    return 0;
}

static const void *get(fake_host *host, cull_h5_in *file, const char *name, char type,
                       cull_h5_shape *shape)
{
    const void *data = NULL;

    assert_ok(host, cull_h5_get(file, name, type, shape, &data));
    return data;
}

static void everything_a_layer_computed(void **state)
{
    fake_host *host = *state;
    cull_h5_in *file;
    cull_h5_shape shape;

    assert_ok(host, cull_trace_write(fake_ctx(host), path, &model, &trace));
    assert_ok(host, cull_h5_open(fake_ctx(host), path, &file));

    const double *h = get(host, file, "/hidden", 'd', &shape);
    assert_int_equal(shape.rank, 4);
    assert_int_equal(shape.shape[0], L + 1);
    assert_true(h[L * N * D] == 0.5);
    const int64_t *layer = get(host, file, "/router/layer", 'i', &shape);
    assert_int_equal(shape.n, 2);
    assert_int_equal(layer[0], 1);

    const double *z = get(host, file, "/router/logits", 'd', &shape);
    assert_int_equal(shape.shape[3], 4);
    assert_true(z[4 * 5 + 3] == 5);
    const double *narrow = z + N * 4; // three experts, then padding
    assert_true(narrow[1] == 7 && isnan(narrow[3]));
    const int64_t *chosen = get(host, file, "/router/index", 'i', &shape);
    assert_int_equal(shape.shape[3], 2);
    assert_int_equal(chosen[N * 2], 2);
    assert_int_equal(chosen[N * 2 + 1], -1);
    (void)get(host, file, "/router/gate", 'd', &shape);
    (void)get(host, file, "/logits", 'd', &shape);
    assert_int_equal(shape.shape[2], V);
    (void)get(host, file, "/tokens", 'i', &shape);
    cull_h5_close(file);
}

static void damage_is_found(void **state)
{
    fake_host *host = *state;
    cull_h5_in *file;
    char end[48];

    assert_ok(host, cull_trace_write(fake_ctx(host), path, &model, &trace));
    const int fd = open(path, O_RDWR);
    const off_t n = lseek(fd, 0, SEEK_END);
    assert_int_equal(pread(fd, end, sizeof end, n - (off_t)sizeof end), sizeof end);
    end[0] ^= 1;
    assert_int_equal(pwrite(fd, end, sizeof end, n - (off_t)sizeof end), sizeof end);
    close(fd);
    assert_fails(host, cull_h5_open(fake_ctx(host), path, &file), CULL_EFORMAT, "is damaged");
}

static void a_full_disk_leaves_nothing(void **state)
{
    fake_host *host = *state;
    struct rlimit before, small;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const cull_status status = cull_trace_write(fake_ctx(host), path, &model, &trace);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    fake_assert_fails(host, status, CULL_EIO, "File too large", "cull_trace_write", __FILE__,
                      __LINE__);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(host, cull_trace_write(fake_ctx(host), path, &model, &trace)); // HDF5 has recovered
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_a_layer_computed, make, clear),
        cmocka_unit_test_setup_teardown(damage_is_found, make, clear),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_nothing, make, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
