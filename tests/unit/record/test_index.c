// A folder's index: what it knows of trials' files without opening them, and when it must not.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/folder/index.h"
#include "record/trial_file.h"
#include "results/frame.h"
#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/made_trial.h"

FOLDER_FIXTURE

// Trials of n seeds; the name of the last one's file.
static const char *write_trials(fake_host *host, size_t n)
{
    static const uint8_t acc[] = { 1, 0, 1, 1 };
    static const double nll[] = { 10, 12.1 };
    cull_ctx *ctx = fake_ctx(host);
    const char *name = NULL;

    for (size_t i = 0; i < n; i++) {
        made_trial *m = made_new(ctx, "reap", 0.25, i, 2);
        made_report(ctx, m, &(made_task){ .task = "facts", .n = 4, .acc = acc });
        made_report(ctx, m, &(made_task){ .task = "prose", .n = 2, .nll = nll, .tokens = 8 });
        assert_ok(host, cull_trial_write(ctx, folder, &m->trial));
        name = cull_trial_name(ctx, &m->trial.axes, m->trial.id);
        made_free(m);
    }
    return strrchr(name, '/') + 1;
}

static const char *path_of(fake_host *host, const char *name)
{
    return cull_arena_printf(host->context.alloc, "%s/trials/%s", folder, name);
}

// Does the index, as it is, answer for the file?
static bool answers(fake_host *host, const char *name)
{
    cull_index index;
    cull_h5_in *file;

    assert_ok(host, cull_index_read(fake_ctx(host), folder, &index));
    assert_ok(host, cull_index_open(fake_ctx(host), &index, name, path_of(host, name), &file));
    const bool known = cull_h5_has_excerpt(file);
    cull_h5_close(file);
    return known;
}

// What two files answer, one of them from an excerpt, to questions of every kind.
static void same_answers(fake_host *host, cull_h5_in *a, cull_h5_in *b)
{
    static const char *const paths[] = { "/metrics/task", "/timing/phase", "/no/such/thing",
                                         "/experts/kept" };
    static const struct {
        const char *path;
        char type;
    } arrays[] = { { "/metrics/value", 'd' },  { "/metrics/n", 'i' },
                   { "/metrics/task", 's' },   { "/metrics/higher_is_better", 'b' },
                   { "/eval/facts/acc", 'd' }, { "/eval/prose/nll", 'd' },
                   { "/experts/score", 'd' },  { "/provenance/config_resolved", 's' } };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(cull_h5_has(a, paths[i]), cull_h5_has(b, paths[i]));
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        cull_h5_shape x, y;
        const void *p, *q;
        assert_ok(host, cull_h5_get(a, arrays[i].path, arrays[i].type, &x, &p));
        assert_ok(host, cull_h5_get(b, arrays[i].path, arrays[i].type, &y, &q));
        assert_memory_equal(&x, &y, sizeof x);
        for (size_t j = 0; j < x.n && arrays[i].type == 's'; j++)
            assert_string_equal(((const char *const *)p)[j], ((const char *const *)q)[j]);
        if (arrays[i].type != 's')
            assert_memory_equal(p, q, x.n * (arrays[i].type == 'b' ? 1 : 8));
    }
    const char *text = "none", *again = "none";
    assert_ok(host, cull_h5_get_text(a, "/", "method", &text));
    assert_ok(host, cull_h5_get_text(b, "/", "method", &again));
    assert_string_equal(text, again);
    assert_ok(host, cull_h5_get_text(b, "/", "no_such_text", &again));
    assert_string_equal(text, again);
    double real = 1, other = 1;
    assert_ok(host, cull_h5_get_real(a, "/", "seed", &real));
    assert_ok(host, cull_h5_get_real(b, "/", "seed", &other));
    assert_true(real == other);
    assert_ok(host, cull_h5_get_real(b, "/", "no_such_number", &other));
    assert_true(real == other);
}

static void an_index_answers_as_the_file_does(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    const char *name = write_trials(host, 3);
    cull_h5_in *plain, *known;
    cull_index index;

    assert_ok(host, cull_index_write(ctx, folder, cull_frame_read_file));
    assert_ok(host, cull_index_read(ctx, folder, &index));
    assert_int_equal(index.n, 3);
    assert_ok(host, cull_h5_open(ctx, path_of(host, name), &plain));
    assert_ok(host, cull_index_open(ctx, &index, name, path_of(host, name), &known));
    assert_true(cull_h5_has_excerpt(known));
    same_answers(host, plain, known); // also what the excerpt does not know
    cull_h5_close(known);
    cull_h5_close(plain);
}

// A frame of the folder as a text: all that is compared.
static const char *frame_text(fake_host *host)
{
    cull_frame f;
    cull_buf text = CULL_BUF_INIT;
    const char *at = folder;

    assert_ok(host, cull_frame_load(fake_ctx(host), 1, &at, NULL, &f));
    for (size_t i = 0; i < f.n_trials; i++)
        cull_buf_printf(&text, "%s %s %a %a %s\n", f.trial[i].id, f.trial[i].method,
                        f.trial[i].seed, f.trial[i].achieved, f.trial[i].recipe);
    for (size_t i = 0; i < f.n_rows; i++) {
        const cull_row *r = &f.row[i];
        cull_buf_printf(&text, "%zu %s %s %a %a %zu %d %s", r->trial, r->task, r->metric, r->value,
                        r->error, r->n, (int)r->law, r->conditions);
        for (size_t j = 0; j < r->items.n; j++)
            cull_buf_printf(&text, " %a %a", r->items.a[j], r->items.b ? r->items.b[j] : 1);
    }
    const char *kept = cull_arena_copy(host->context.alloc, text.s, text.n);
    cull_buf_release(&text);
    return kept;
}

static void frames_are_the_same_with_and_without(void **state)
{
    fake_host *host = *state;

    (void)write_trials(host, 3);
    const char *without = frame_text(host);
    assert_ok(host, cull_index_write(fake_ctx(host), folder, cull_frame_read_file));
    assert_string_equal(frame_text(host), without);
    // one that was written without being read: as older ones, it names files alone
    const char *path = cull_arena_printf(host->context.alloc, "%s/index.h5", folder);
    assert_int_equal(unlink(path), 0);
    assert_ok(host, cull_index_write(fake_ctx(host), folder, NULL));
    assert_string_equal(frame_text(host), without);
    assert_int_equal(truncate(path, 999), 0); // damaged
    assert_string_equal(frame_text(host), without);
}

static char gone[512]; // a file that goes while an index is written; "": none

static cull_status read_while_it_goes(cull_ctx *ctx, cull_h5_in *file)
{
    if (*gone)
        assert_int_equal(unlink(gone), 0);
    *gone = '\0';
    return cull_frame_read_file(ctx, file);
}

static void others_change_the_folder_meanwhile(void **state)
{
    fake_host *host = *state;
    cull_index index;
    const char *name = write_trials(host, 3);

    snprintf(gone, sizeof gone, "%s", path_of(host, name));
    assert_ok(host, cull_index_write(fake_ctx(host), folder, read_while_it_goes));
    assert_string_equal(gone, "");
    assert_ok(host, cull_index_read(fake_ctx(host), folder, &index));
    assert_int_equal(index.n, 2);
    assert_true(answers(host, index.file[0]) && answers(host, index.file[1]));
}

static void a_file_that_changed_is_read(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    const char *name = write_trials(host, 2), *path = path_of(host, name);

    assert_ok(host, cull_index_write(ctx, folder, cull_frame_read_file));
    assert_true(answers(host, name));
    cull_h5 *file = cull_h5_edit(ctx, path, path);
    assert_non_null(file);
    cull_h5_forget(file, "/", "method");
    cull_h5_text(file, "/", "method", "another");
    assert_ok(host, cull_h5_commit(file));
    assert_false(answers(host, name));
    assert_non_null(strstr(frame_text(host), " another "));

    // made anew, it takes over what did not change, also where nobody reads
    bool fits = false;
    assert_ok(host, cull_index_write(ctx, folder, cull_frame_read_file));
    assert_true(answers(host, name));
    assert_ok(host, cull_index_write(ctx, folder, NULL));
    assert_true(answers(host, name));
    assert_ok(host, cull_index_fits(ctx, folder, &fits));
    assert_true(fits);

    assert_int_equal(truncate(path, 5000), 0); // its excerpt would serve, but for the seal
    cull_index index;
    cull_h5_in *in;
    assert_ok(host, cull_index_read(ctx, folder, &index));
    assert_fails(host, cull_index_open(ctx, &index, name, path, &in), CULL_EFORMAT, "cut short");
}

// Bytes of a stranger's making: no excerpt, or one that answers wrongly, and never a crash.
static void excerpts_are_checked(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    const char *name = write_trials(host, 1), *path = path_of(host, name);
    cull_buf noted = CULL_BUF_INIT, packed = CULL_BUF_INIT;
    cull_h5_in *file;

    assert_ok(host, cull_h5_open(ctx, path, &file));
    char seal[64];
    snprintf(seal, sizeof seal, "%s", cull_h5_seal_of(file));
    cull_h5_note(file, &noted);
    assert_ok(host, cull_frame_read_file(ctx, file));
    cull_h5_close(file);
    for (size_t i = 0; i < noted.n; i += 7) {
        const cull_mark mark = cull_arena_mark(host->context.alloc);
        noted.s[i] = (char)(noted.s[i] ^ (1 << i % 8));
        cull_buf_clear(&packed);
        cull_h5_pack_notes(&noted, &packed);
        noted.s[i] = (char)(noted.s[i] ^ (1 << i % 8));
        const size_t n = i % 3 ? packed.n : packed.n * i / noted.n; // or cut short
        const cull_h5_excerpt excerpt = { seal, n, packed.s };
        assert_ok(host, cull_h5_open_excerpt(ctx, path, &excerpt, &file));
        if (cull_frame_read_file(ctx, file) != CULL_OK)
            cull_error_clear(ctx);
        cull_h5_close(file);
        cull_arena_rewind(host->context.alloc, mark);
    }
    cull_buf_release(&noted);
    cull_buf_release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_index_answers_as_the_file_does, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_are_the_same_with_and_without, setup, teardown),
        cmocka_unit_test_setup_teardown(others_change_the_folder_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_changed_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(excerpts_are_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
