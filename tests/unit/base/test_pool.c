// The pool: every item once, the lowest failure, nesting, a forked child with a pool of its own.
#include "base/pool.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

enum { N = 1000, THREADS = 4 };

typedef struct tally {
    atomic_int seen[N];
    atomic_int wrong;
    cull_pool *pool;
} tally;

static cull_status count(void *arg, size_t i, size_t worker)
{
    tally *t = arg;

    t->seen[i]++;
    t->wrong += worker >= THREADS || !cull_pool_inside() || cull_pool_item() != i;
    return CULL_OK;
}

static void every_item_once(void **state)
{
    cull_pool *pool = cull_pool_new(THREADS);

    (void)state;
    assert_int_equal(cull_pool_threads(pool), THREADS);
    for (int round = 0; round < 200; round++) {
        tally t = { .wrong = 0 };
        assert_int_equal(cull_pool_run(pool, N, count, &t), CULL_OK);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(t.seen[i], 1);
        assert_int_equal(t.wrong, 0);
    }
    assert_false(cull_pool_inside());
    assert_int_equal(cull_pool_run(pool, 0, count, NULL), CULL_OK);
    cull_pool_free(pool);
}

static cull_status nest(void *arg, size_t i, size_t worker)
{
    tally *t = arg;
    tally inner = { .wrong = 0 };

    (void)worker;
    const cull_status status = cull_pool_run(t->pool, 10, count, &inner);
    for (size_t j = 0; j < 10; j++)
        t->seen[i] += inner.seen[j];
    return status;
}

static void nested_runs_in_place(void **state)
{
    tally t = { .pool = cull_pool_new(THREADS) };

    (void)state;
    assert_int_equal(cull_pool_run(t.pool, 50, nest, &t), CULL_OK);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(t.seen[i], 10);
    cull_pool_free(t.pool);
}

static cull_status fail_late(void *arg, size_t i, size_t worker)
{
    tally *t = arg;

    (void)worker;
    t->seen[i]++;
    if (i == 5)
        usleep(1000);
    return i == 5 ? CULL_EIO : i == 6 ? CULL_EFORMAT : CULL_OK;
}

static void lowest_failure_stops(void **state)
{
    cull_pool *pool = cull_pool_new(THREADS);

    (void)state;
    for (int round = 0; round < 50; round++) {
        tally t = { .wrong = 0 };
        assert_int_equal(cull_pool_run(pool, N, fail_late, &t), CULL_EIO);
    }
    cull_pool_free(pool);

    // Of several threads the one that fails may be held up while the others finish; of one not.
    pool = cull_pool_new(1);
    tally t = { .wrong = 0 };
    assert_int_equal(cull_pool_run(pool, N, fail_late, &t), CULL_EIO);
    assert_int_equal(t.seen[5], 1);
    for (size_t i = 6; i < N; i++)
        assert_int_equal(t.seen[i], 0);
    cull_pool_free(pool);
}

static void child_makes_its_own(void **state)
{
    cull_pool *pool = cull_pool_new(THREADS);
    int how = 0;

    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        tally t = { .wrong = 0 };
        cull_pool *own = cull_pool_new(2);
        const cull_status status = own ? cull_pool_run(own, N, count, &t) : CULL_ENOMEM;
        _exit(status == CULL_OK && t.seen[N - 1] == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    cull_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(nested_runs_in_place),
        cmocka_unit_test(lowest_failure_stops),
        cmocka_unit_test(child_makes_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
