// Layers are asked for in their order, by another thread than the one that wants them, which waits
// for none of them.
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "engine/ahead.h"
#include "support/test.h"

enum { MOST = 8 };

static atomic_size_t n_asked; // what the backend below was asked for
static size_t asked[MOST];
static pthread_t asker;

static void prefetch(const cull_model *m, size_t l)
{
    const struct timespec while_ = { .tv_nsec = 50 * 1000 * 1000 };

    (void)m;
    asker = pthread_self();
    (void)nanosleep(&while_, NULL);
    asked[n_asked % MOST] = l;
    n_asked++;
}

static const cull_backend backend = { .size = sizeof backend, .prefetch = prefetch };

static void wait_for(size_t n)
{
    const struct timespec moment = { .tv_nsec = 1000 * 1000 };

    for (size_t i = 0; i < 20000 && n_asked < n; i++)
        (void)nanosleep(&moment, NULL);
    assert_int_equal(n_asked, n);
}

static void layers_are_asked_for_beside(void **state)
{
    const cull_open_model m = { .backend = &backend };
    cull_ahead *ahead = cull_ahead_new(&m);

    (void)state;
    n_asked = 0;
    assert_non_null(ahead);
    const double start = cull_seconds();
    cull_ahead_want(ahead, 0, 2);
    assert_true(cull_seconds() - start < 0.04 || n_asked == 0); // it did not wait
    wait_for(2);
    cull_ahead_want(ahead, 2, 3);
    wait_for(3);
    cull_ahead_want(ahead, 3, 3); // behind the last one
    cull_ahead_free(ahead);
    assert_int_equal(n_asked, 3);
    for (size_t l = 0; l < 3; l++)
        assert_int_equal(asked[l], l);
    assert_false(pthread_equal(asker, pthread_self()));
}

// What is in hand is ended, what is not begun is dropped.
static void the_end_waits_for_one(void **state)
{
    const cull_open_model m = { .backend = &backend };
    cull_ahead *ahead = cull_ahead_new(&m);

    (void)state;
    n_asked = 0;
    assert_non_null(ahead);
    cull_ahead_want(ahead, 0, MOST);
    cull_ahead_free(ahead);
    assert_true(n_asked < MOST);
}

static void a_backend_that_cannot_is_left_alone(void **state)
{
    static const cull_backend without = { .size = sizeof without };
    const cull_open_model m = { .backend = &without };

    (void)state;
    assert_null(cull_ahead_new(&m));
    cull_ahead_want(NULL, 0, 1);
    cull_ahead_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_asked_for_beside),
        cmocka_unit_test(the_end_waits_for_one),
        cmocka_unit_test(a_backend_that_cannot_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
