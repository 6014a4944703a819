// Threads: they run with their argument, and who forks behind their start can go on.
#include "base/thread.h"

#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

static void *twice(void *arg)
{
    int *n = arg;

    *n *= 2;
    return n;
}

static bool started_and_joined(int n)
{
    pthread_t thread;
    void *result;
    int value = n;

    return cull_thread_start(&thread, twice, &value) && pthread_join(thread, &result) == 0 &&
           result == &value && value == 2 * n;
}

static void runs(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(started_and_joined(i));
}

static void forked_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        int value = i, status = 0;
        assert_true(cull_thread_start(&thread, twice, &value));
        const pid_t child = fork();
        if (child == 0)
            _exit(started_and_joined(i) ? 0 : 1);
        assert_true(child > 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),
        cmocka_unit_test(forked_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
