// A trial's file written and read back.
#include "support/test.h"

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"
#include "record/folder/index.h"
#include "record/h5/h5.h"
#include "record/trial_file.h"
#include "results/frame.h"
#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/made_trial.h"

FOLDER_FIXTURE

static made_trial *finished(fake_host *host)
{
    static const uint8_t acc[] = { 1, 0, 1, 1 };
    static const double nll[] = { 10, 12 };
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = made_new(ctx, "reap", 0.25, 7, 2);

    made_report(ctx, m,
                &(made_task){ .task = "facts", .n = 4, .acc = acc, .protocol = "lm-eval-0.4.13" });
    made_report(ctx, m, &(made_task){ .task = "prose", .n = 2, .nll = nll, .tokens = 8 });
    return m;
}

static const void *array(fake_host *host, cull_h5_in *file, const char *path, char type, size_t n)
{
    cull_h5_shape shape;
    const void *data = NULL;

    assert_ok(host, cull_h5_get(file, path, type, &shape, &data));
    assert_int_equal(shape.n, n);
    return data;
}

static size_t entries(const char *dir) // hidden files count too
{
    size_t n = 0;
    DIR *d = opendir(dir);

    for (const struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

static void what_is_written_is_read(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = finished(host);

    assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
    const char *path = cull_arena_printf(host->context.alloc, "%s/%s", folder,
                                         cull_trial_name(ctx, &m->trial.axes, m->trial.id));
    assert_non_null(strstr(path, "/trials/tiny-reap-s0.25-layer-seed7-"));

    cull_h5_in *file;
    assert_ok(host, cull_h5_open(ctx, path, &file));
    const char *text = "";
    assert_ok(host, cull_h5_get_text(file, "/", "trial_id", &text));
    assert_string_equal(text, m->trial.id);
    const char *const *yaml = array(host, file, "/provenance/config_yaml", 's', 1);
    assert_string_equal(yaml[0], "question: é?\nmodels: {}\n");

    // layer 0 is dense: the axis has the decoder indices 1, 2, 3
    const int64_t *layer = array(host, file, "/experts/layer", 'i', 3);
    assert_int_equal(layer[0], 1);
    assert_int_equal(layer[2], 3);
    const uint8_t *kept = array(host, file, "/experts/kept", 'b', 24);
    size_t n_kept = 0;
    for (size_t i = 0; i < 16; i++)
        n_kept += kept[i];
    assert_int_equal(n_kept, 12); // 2 of 8 are gone in each of the two
    assert_int_equal(kept[2 * 8 + 6], 255);
    const double *score = array(host, file, "/experts/score", 'd', 24);
    assert_true(score[1] == (5 * 1 + 3 * 1) % 8);
    assert_true(isnan(score[2 * 8 + 7]));

    const double *values = array(host, file, "/metrics/value", 'd', 2);
    assert_true(values[0] == 0.75);
    assert_true(fabs(values[1] - exp(22.0 / 16)) < 1e-12);
    const uint8_t *acc = array(host, file, "/eval/facts/acc", 'b', 4);
    assert_int_equal(acc[1], 0);
    assert_ok(host, cull_h5_get_text(file, "/eval/facts", "protocol", &text));
    assert_string_equal(text, "lm-eval-0.4.13");
    cull_h5_close(file);
    made_free(m);
}

// A trial of 200 questions in 25 clusters, whose names take more than 8 kB.
static made_trial *asked(fake_host *host, uint64_t seed)
{
    enum { N = 200 };
    static uint8_t acc[N];
    static const char *cluster[N];
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = made_new(ctx, "reap", 0.25, seed, 2);

    for (size_t i = 0; i < N; i++) {
        acc[i] = (i + seed) % 3 == 0;
        cluster[i] = cull_arena_printf(host->context.alloc, "%064zu", i / 8);
    }
    made_report(ctx, m, &(made_task){ .task = "facts", .n = N, .acc = acc, .cluster = cluster });
    return m;
}

static void what_is_asked_stands_once(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    char questions[80], kept[80], command[160];

    for (uint64_t seed = 1; seed <= 2; seed++) {
        made_trial *m = asked(host, seed);
        assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
        made_free(m);
    }
    snprintf(questions, sizeof questions, "%s/questions", folder);
    assert_int_equal(entries(questions), 1);

    cull_stored_trials stored;
    assert_ok(host, cull_find_stored_trials(ctx, folder, &stored));
    assert_int_equal(stored.n, 2);
    assert_int_equal(stored.at[0].n_questions, 1);
    assert_string_equal(stored.at[0].question[0], stored.at[1].question[0]);

    cull_h5_in *file;
    assert_ok(host, cull_h5_open(ctx, stored.at[0].path, &file));
    const char *const *cluster = array(host, file, "/eval/facts/cluster", 's', 200);
    assert_int_equal(strlen(cluster[199]), 64);
    assert_string_equal(cluster[199] + 62, "24");
    cull_h5_close(file);

    // they count in what is compared; without the file a warning says so, and trials are still read
    cull_frame frame;
    const char *const folders[] = { folder };
    assert_ok(host, cull_frame_load(ctx, 1, folders, NULL, &frame));
    assert_int_equal(frame.n_rows, 2);
    assert_non_null(frame.row[0].items.cluster);
    snprintf(kept, sizeof kept, "%s/elsewhere", folder);
    assert_int_equal(rename(questions, kept), 0);
    assert_ok(host, cull_frame_load(ctx, 1, folders, NULL, &frame));
    assert_null(frame.row[0].items.cluster);

    // a damaged one is written anew
    assert_int_equal(rename(kept, questions), 0);
    snprintf(command, sizeof command, "truncate -s 500 '%s/%s'", folder, stored.at[0].question[0]);
    assert_int_equal(system(command), 0);
    made_trial *m = asked(host, 3);
    assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
    made_free(m);
    assert_ok(host, cull_frame_load(ctx, 1, folders, NULL, &frame));
    assert_non_null(frame.row[0].items.cluster);
}

static void a_later_metric_becomes_a_sibling(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = finished(host);
    const char *first = m->evaluation.key;

    assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
    m->evaluation.metric = "kl";
    m->evaluation.key = "ffffffffffffffffffffffffffffffff";
    assert_ok(host, cull_trial_write_added(ctx, folder, &m->trial));

    cull_stored_trials stored;
    assert_ok(host, cull_find_stored_trials(ctx, folder, &stored));
    assert_int_equal(stored.n, 1);
    const cull_stored_trial *p = cull_trial_exists(&stored, m->trial.id);
    assert_non_null(p);
    assert_true(cull_evaluation_exists(p, first));
    assert_true(cull_evaluation_exists(p, m->evaluation.key));
    assert_false(cull_evaluation_exists(p, "00000000000000000000000000000000"));
    assert_null(cull_trial_exists(&stored, first));

    assert_ok(host, cull_index_write(ctx, folder, NULL));
    cull_h5_in *file;
    assert_ok(host, cull_h5_open(ctx, cull_arena_printf(host->context.alloc, "%s/index.h5", folder),
                                 &file));
    array(host, file, "/trials/trial_id", 's', 2);
    const char *linked =
        cull_arena_printf(host->context.alloc, "/files/%s/experts/kept", strrchr(p->path, '/') + 1);
    array(host, file, linked, 'b', 24); // through the external link
    cull_h5_close(file);
    made_free(m);
}

static void no_folder_holds_no_trials(void **state)
{
    fake_host *host = *state;
    cull_stored_trials stored;

    assert_ok(host, cull_find_stored_trials(fake_ctx(host), "/tmp/cull-there-is-no-such-folder",
                                            &stored));
    assert_int_equal(stored.n, 0);
}

static void a_damaged_file_counts_as_absent(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = finished(host);

    assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
    cull_stored_trials stored;
    assert_ok(host, cull_find_stored_trials(ctx, folder, &stored));
    const char *path = stored.at[0].path;
    assert_int_equal(truncate(path, 1000), 0);
    assert_ok(host, cull_find_stored_trials(ctx, folder, &stored));
    assert_int_equal(stored.n, 0);

    cull_h5_in *file;
    assert_fails(host, cull_h5_open(ctx, path, &file), CULL_EFORMAT, "is not a whole HDF5 file");
    assert_ok(host, cull_index_write(ctx, folder, NULL));
    assert_ok(host, cull_trial_write(ctx, folder, &m->trial)); // and is replaced
    assert_ok(host, cull_find_stored_trials(ctx, folder, &stored));
    assert_int_equal(stored.n, 1);
    made_free(m);
}

static const char *written(fake_host *host, size_t *bytes)
{
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = finished(host);
    cull_stored_trials stored;
    struct stat st;

    assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
    assert_ok(host, cull_find_stored_trials(ctx, folder, &stored));
    assert_int_equal(stored.n, 1);
    assert_int_equal(stat(stored.at[0].path, &st), 0);
    *bytes = (size_t)st.st_size;
    made_free(m);
    return stored.at[0].path;
}

static void flip(int fd, size_t at, unsigned char bits)
{
    unsigned char byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static void every_damage_is_found(void **state)
{
    fake_host *host = *state;
    size_t n;
    const char *path = written(host, &n);
    const int fd = open(path, O_RDWR);

    assert_true(fd >= 0);
    cull_h5_in *file;
    for (size_t i = 0; i < n; i += i < 128 || i + 128 >= n ? 1 : 61) { // its ends byte by byte
        flip(fd, i, (unsigned char)(1u << i % 8));
        assert_fails(host, cull_h5_open(fake_ctx(host), path, &file), CULL_EFORMAT,
                     "is damaged: its checksum does not match");
        flip(fd, i, (unsigned char)(1u << i % 8));
    }

    static const char zeros[64];
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, (off_t)(n - sizeof zeros)), sizeof zeros);
    assert_fails(host, cull_h5_open(fake_ctx(host), path, &file), CULL_EFORMAT, "is damaged");
    assert_int_equal(ftruncate(fd, (off_t)(n - 41)), 0); // with the last byte of HDF5
    assert_fails(host, cull_h5_open(fake_ctx(host), path, &file), CULL_EFORMAT,
                 "is not a whole HDF5 file");
    close(fd);
}

// As HDF5 leaves it when it has written to it.
static void a_file_without_a_checksum_is_read_where_that_is_asked(void **state)
{
    fake_host *host = *state;
    size_t n;
    const char *path = written(host, &n), *text = "";
    char before[8] = "";
    const int fd = open(path, O_RDWR);

    assert_int_equal(pread(fd, before, sizeof before, (off_t)(n - 40)), sizeof before);
    assert_memory_equal(before, "xxh3-128", sizeof before);
    assert_int_equal(ftruncate(fd, (off_t)(n - 40)), 0);
    close(fd);
    cull_h5_in *file;
    cull_stored_trials presents;
    assert_fails(host, cull_h5_open(fake_ctx(host), path, &file), CULL_EFORMAT,
                 "has no checksum: it is damaged, or was written by another program");
    assert_ok(host, cull_find_stored_trials(fake_ctx(host), folder, &presents));
    assert_int_equal(presents.n, 0);
    host->context.unsealed = true;
    assert_ok(host, cull_h5_open(fake_ctx(host), path, &file));
    assert_ok(host, cull_h5_get_text(file, "/", "method", &text));
    assert_string_equal(text, "reap");
    cull_h5_close(file);
}

// A file may grow to a few kilobytes only, as on a disk that is full.
static void a_full_disk_is_one_sentence(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = finished(host);
    struct rlimit before, small;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const cull_status status = cull_trial_write(ctx, folder, &m->trial);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);

    fake_assert_fails(host, status, CULL_EIO, "File too large", "cull_trial_write", __FILE__,
                      __LINE__);
    assert_int_equal(entries(cull_arena_printf(host->context.alloc, "%s/trials", folder)), 0);
    made_free(m);
}

// An empty file of `pid` as a temporary one is named, in the folder's `inside`.
static void leave(const char *inside, const char *prefix, pid_t pid, const char *rest)
{
    char path[512];

    snprintf(path, sizeof path, "%s%s", folder, inside);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s%s/%s%ld.%s", folder, inside, prefix, (long)pid, rest);
    const int fd = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(fd >= 0);
    close(fd);
}

static pid_t end_a_child(void)
{
    const pid_t child = fork();

    if (child == 0)
        _exit(0);
    return child;
}

static void temporary_files_of_the_dead_go(void **state)
{
    static const char *const folders[] = { "",       "/trials",    "/cuts",  "/calibration",
                                           "/steps", "/questions", "/claims" };
    enum { N = sizeof folders / sizeof *folders };
    const pid_t gone = end_a_child(), ended = end_a_child();
    siginfo_t how;

    assert_int_equal(waitpid(gone, NULL, 0), gone); // its number is free now
    assert_int_equal(waitid(P_PID, (id_t)ended, &how, WEXITED | WNOWAIT), 0); // nobody waits yet
    char prefix[CULL_TEMPORARY_PREFIX], path[512];
    cull_temporary_prefix(prefix);
    for (size_t i = 0; i < N; i++) {
        leave(folders[i], prefix, gone, "dead.h5");
        leave(folders[i], prefix, ended, "dead.h5");
        leave(folders[i], prefix, getppid(), "alive.h5");
        leave(folders[i], ".tmp.another-host.", gone, "h5");
    }

    size_t removed;
    assert_ok(*state, cull_results_sweep(fake_ctx(*state), folder, &removed));
    assert_int_equal(waitpid(ended, NULL, 0), ended);
    assert_int_equal(removed, 2 * N);
    snprintf(path, sizeof path, "%s/trials", folder);
    assert_int_equal(entries(path), 2);
}

static void names_bear_any_word(void **state)
{
    cull_ctx *ctx = fake_ctx(*state);
    const cull_trial_axes axes = { .model = "../Évil/..", .method = "a b", .sparsity = NAN };
    const char *slug = cull_trial_slug(ctx, &axes);

    assert_null(strchr(slug, '/'));
    assert_int_not_equal(slug[0], '.');
    assert_null(strchr(slug, ' '));
}

static void every_allocation_may_fail(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    made_trial *m = finished(host);

    for (size_t n = 0; n < 1000; n++) {
        cull_torture_fail_after(n);
        const cull_status status = cull_trial_write(ctx, folder, &m->trial);
        cull_torture_fail_after(SIZE_MAX);
        if (status == CULL_OK) {
            made_free(m);
            return;
        }
        assert_int_equal(status, CULL_ENOMEM);
        fake_clear(host);
    }
    fail_msg("a thousand allocations were not enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_asked_stands_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_later_metric_becomes_a_sibling, setup, teardown),
        cmocka_unit_test_setup_teardown(no_folder_holds_no_trials, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_file_counts_as_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(every_damage_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_without_a_checksum_is_read_where_that_is_asked,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_one_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(temporary_files_of_the_dead_go, setup, teardown),
        cmocka_unit_test_setup_teardown(names_bear_any_word, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
