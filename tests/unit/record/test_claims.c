// Claims: one owner, heirs of the dead, what is left behind.
#include "support/test.h"

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/folder/claims.h"
#include "support/fake_host.h"
#include "support/fixture.h"

FOLDER_FIXTURE

static bool claim(void **state, cull_claims *claims, const char *key)
{
    bool mine = false;

    assert_ok(*state, cull_claim(fake_ctx(*state), claims, key, &mine));
    return mine;
}

static void one_of_two_owns(void **state)
{
    cull_claims *a, *b;

    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &a));
    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &b));
    assert_int_equal(cull_claims_runs(a), 2);
    assert_true(claim(state, a, "one"));
    assert_true(claim(state, a, "one"));
    assert_false(claim(state, b, "one"));
    assert_true(claim(state, b, "two"));
    cull_claim_release(a, "one");
    assert_true(claim(state, b, "one"));
    cull_claims_close(b); // lets go of both
    assert_int_equal(cull_claims_runs(a), 1);
    assert_true(claim(state, a, "one"));
    assert_true(claim(state, a, "two"));
    cull_claims_close(a);
    assert_false(cull_claims_any(fake_ctx(*state), folder));
}

// A process that claims and ends as a killed one does.
static void leave_a_claim(void **state, const char *key)
{
    const pid_t child = fork();

    if (child == 0) {
        cull_claims *claims;
        bool mine = false;
        const bool ok = cull_claims_open(fake_ctx(*state), folder, &claims) == CULL_OK &&
                        cull_claim(fake_ctx(*state), claims, key, &mine) == CULL_OK && mine;
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child && status == 0);
}

static void the_dead_have_one_heir(void **state)
{
    cull_claims *a, *b;

    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &a));
    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &b));
    leave_a_claim(state, "work");
    assert_true(claim(state, a, "work"));
    assert_false(claim(state, b, "work"));
    cull_claim_release(a, "work");
    leave_a_claim(state, "work"); // a heir may die, too
    leave_a_claim(state, "other");
    assert_true(claim(state, b, "work"));
    assert_false(claim(state, a, "work"));
    assert_true(claim(state, a, "other"));
    cull_claims_close(a);
    cull_claims_close(b);
    char claims[96];
    snprintf(claims, sizeof claims, "%s/claims", folder);
    assert_int_equal(rmdir(claims), 0); // nothing is left
}

static void put(const char *name, const char *text, time_t age)
{
    char path[128];

    snprintf(path, sizeof path, "%s/claims/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    const struct timespec times[2] = { { time(NULL) - age, 0 }, { time(NULL) - age, 0 } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

// Of another machine only the beat is known.
static void far_runs_live_by_their_beat(void **state)
{
    static const char far[] = "{\"run\":\"far.1.0.run\",\"host\":\"far\",\"pid\":1,\"boot\":\"x\"}";
    cull_claims *a;

    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &a));
    put("far.1.0.run", far, CULL_CLAIM_STALE / 2);
    put("key.claim", far, CULL_CLAIM_STALE / 2);
    assert_int_equal(cull_claims_runs(a), 2);
    assert_false(claim(state, a, "key"));
    put("far.1.0.run", far, CULL_CLAIM_STALE + 10);
    assert_int_equal(cull_claims_runs(a), 1);
    assert_true(claim(state, a, "key"));
    put("torn.claim", "{", 0); // just being written, or damaged
    assert_false(claim(state, a, "torn"));
    put("torn.claim", "{", CULL_CLAIM_STALE + 10);
    assert_false(claim(state, a, "torn"));
    assert_true(claim(state, a, "torn"));
    cull_claims_close(a);
}

// A cache may go away and come back while a run believes to hold what is another's now.
static void what_is_lost_is_not_let_go(void **state)
{
    char command[160];
    cull_claims *a, *b, *c;

    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &a));
    assert_true(claim(state, a, "key"));
    snprintf(command, sizeof command, "rm -r %s/claims", folder);
    assert_int_equal(system(command), 0);
    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &b));
    assert_true(claim(state, b, "key"));
    cull_claim_release(a, "key");
    cull_claims_close(a);
    assert_ok(*state, cull_claims_open(fake_ctx(*state), folder, &c));
    assert_false(claim(state, c, "key"));
    cull_claims_close(c);
    cull_claims_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_two_owns, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dead_have_one_heir, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_lost_is_not_let_go, setup, teardown),
        cmocka_unit_test_setup_teardown(far_runs_live_by_their_beat, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
