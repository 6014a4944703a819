// Warnings by cause, from this process and from children.
#include "base/warnings.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

typedef struct told {
    size_t n;
    char line[4][1024];
} told;

static void tell(void *arg, const char *line)
{
    told *t = arg;

    assert_true(t->n < 4);
    snprintf(t->line[t->n++], sizeof t->line[0], "%s", line);
}

static void those_of_one_cause_are_one(void **state)
{
    (void)state;
    told t = { 0 };
    cull_warnings *w = cull_warnings_new();
    assert_non_null(w);
    for (int i = 0; i < 12; i++) {
        char text[64], trial[16];
        snprintf(text, sizeof text, "wanda: expert %d: no token", i % 10);
        snprintf(trial, sizeof trial, "trial-%d", i % 5);
        assert_true(cull_warnings_add(w, text, trial));
    }
    assert_true(cull_warnings_add(w, "something else", ""));
    cull_warnings_each(w, tell, &t);
    assert_int_equal(t.n, 2);
    assert_string_equal(t.line[0], "wanda: expert 0: no token; and 9 more like it (trial-0, "
                                   "trial-1, trial-2 and 2 more)");
    assert_string_equal(t.line[1], "something else");
    cull_warnings_free(w);
}

static void a_child_adds_to_them(void **state)
{
    (void)state;
    told t = { 0 };
    cull_warnings *w = cull_warnings_new();
    const pid_t child = fork();
    if (child == 0) {
        (void)cull_warnings_add(w, "said by 1", "a");
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(cull_warnings_add(w, "said by 2", "b"));
    cull_warnings_each(w, tell, &t);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.line[0], "said by 1; and 1 more like it (a, b)");
    cull_warnings_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_one_cause_are_one),
        cmocka_unit_test(a_child_adds_to_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
