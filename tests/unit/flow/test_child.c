// Work in a child: what it finds, and how its deaths are told.
#include "flow/sandbox/child.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/test.h"

HOST_FIXTURE(2)

static cull_status run(cull_status (*work)(cull_ctx *, void *, FILE *, char *), void *arg,
                       FILE **out)
{
    const cull_child_job job = { "/tmp", 0.5, work, arg };

    return cull_child_run(fake_ctx(host), &job, out);
}

static cull_status square(void *arg, size_t i, size_t worker)
{
    (void)worker;
    ((int *)arg)[i] = (int)(i * i);
    return CULL_OK;
}

// Uses a pool, which a forked child must have of its own.
static cull_status find(cull_ctx *ctx, void *arg, FILE *out, char *doing)
{
    int numbers[100];

    (void)arg;
    (void)doing;
    CULL_TRY(cull_pool_run(cull_context_of(ctx)->pool, 100, square, numbers));
    fwrite(numbers, sizeof numbers, 1, out);
    return CULL_OK;
}

static void brings_back_what_it_finds(void **state)
{
    int numbers[100];
    FILE *out;

    (void)state;
    assert_ok(host, run(find, NULL, &out));
    assert_int_equal(fread(numbers, sizeof numbers, 1, out), 1);
    assert_int_equal(numbers[99], 99 * 99);
    fclose(out);
}

static cull_status change(cull_ctx *ctx, void *arg, FILE *out, char *doing)
{
    (void)ctx;
    (void)out;
    (void)doing;
    *(int *)arg = 2;
    return CULL_OK;
}

static void changes_nothing_here(void **state)
{
    int number = 1;
    FILE *out;

    (void)state;
    assert_ok(host, run(change, &number, &out));
    assert_int_equal(number, 1);
    fclose(out);
}

static cull_status die(cull_ctx *ctx, void *arg, FILE *out, char *doing)
{
    const int how = *(int *)arg;

    (void)out;
    snprintf(doing, CULL_DOING, "criterion mine, scoring");
    if (how == 0)
        raise(SIGKILL);
    if (how == 1)
        for (;;)
            usleep(1000);
    if (how == 2)
        _exit(7);
    if (how == 3)
        return CULL_ENUMERIC;
    return cull_while(ctx, cull_fail(ctx, CULL_EBUDGET, "three too many"), "selecting");
}

static void fails(int how, cull_status status, const char *part)
{
    FILE *out;

    assert_fails(host, run(die, &how, &out), status, part);
    assert_null(out);
}

static void tells_how_it_died(void **state)
{
    (void)state;
    fails(0, CULL_EPLUGIN, "criterion mine, scoring: crashed (Killed)");
    fails(1, CULL_EPLUGIN, "criterion mine, scoring: no end after 0.5 seconds");
    fails(2, CULL_EPLUGIN, "criterion mine, scoring: ended the program (exit status 7)");
    fails(3, CULL_ENUMERIC, "failed without saying why");
    fails(4, CULL_EBUDGET, "three too many\n   while selecting");
}

static bool stop(void)
{
    return true;
}

static void stops_when_asked(void **state)
{
    int how = 1;
    FILE *out;

    (void)state;
    host->context.stop = stop;
    assert_fails(host, run(die, &how, &out), CULL_ECANCELED, "interrupted");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(brings_back_what_it_finds),
        TEST(changes_nothing_here),
        TEST(tells_how_it_died),
        TEST(stops_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
