// A small pool of threads: one loop at a time, shared out item by item.
#include "base/pool.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "base/thread.h"

enum { LINE = 64 }; // bytes that processors pass to each other

typedef struct worker {
    cull_pool *pool;
    size_t index;
    pthread_t thread;
} worker;

// One job at a time. The caller works too, as worker 0; `generation` tells the others that there is
// a new job, `busy` counts those that have not finished it. The lock is for the job's beginning and
// end: an item is taken by adding to `next`, which has a line of its own.
struct cull_pool {
    size_t threads;
    worker *worker; // [1, threads)
    pthread_mutex_t lock, turn;
    pthread_cond_t begun, ended;
    uint64_t generation;
    size_t busy;
    bool quit;

    cull_status (*fn)(void *arg, size_t i, size_t worker);
    void *arg;
    size_t n;
    cull_status status;

    alignas(LINE) atomic_size_t next;
    alignas(LINE) atomic_size_t failed; // the lowest failing index, n: none; seldom written
};

static _Thread_local size_t item = SIZE_MAX;

size_t cull_pool_item(void)
{
    return item;
}

bool cull_pool_inside(void)
{
    return item != SIZE_MAX;
}

static void fail(cull_pool *pool, size_t i, cull_status status)
{
    pthread_mutex_lock(&pool->lock);
    if (i < atomic_load(&pool->failed)) {
        atomic_store(&pool->failed, i);
        pool->status = status;
    }
    pthread_mutex_unlock(&pool->lock);
}

// Take items until none is left or one has failed.
static void work(cull_pool *pool, size_t index)
{
    while (atomic_load_explicit(&pool->failed, memory_order_relaxed) == pool->n) {
        const size_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= pool->n)
            break;
        item = i;
        const cull_status status = pool->fn(pool->arg, i, index);
        item = SIZE_MAX;
        if (status != CULL_OK)
            fail(pool, i, status);
    }
}

// With the lock: one fewer to wait for.
static void report(cull_pool *pool)
{
    if (--pool->busy == 0)
        pthread_cond_signal(&pool->ended);
}

// With the lock: until all have reported.
static void await_all(cull_pool *pool)
{
    while (pool->busy)
        pthread_cond_wait(&pool->ended, &pool->lock);
}

static void *worker_main(void *arg)
{
    const worker *self = arg;
    cull_pool *pool = self->pool;
    uint64_t seen = 0;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->generation == seen && !pool->quit)
            pthread_cond_wait(&pool->begun, &pool->lock);
        if (pool->quit)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        work(pool, self->index);
        pthread_mutex_lock(&pool->lock);
        report(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

// Threads that wait for work.
static bool start_workers(cull_pool *pool, size_t threads)
{
    bool fine = true;

    for (size_t i = 1; fine && i < threads; i++) {
        pool->worker[i] = (worker){ .pool = pool, .index = i };
        fine = cull_thread_start(&pool->worker[i].thread, worker_main, &pool->worker[i]);
        pool->threads += fine;
    }
    return fine;
}

cull_pool *cull_pool_new(size_t threads)
{
    cull_pool *pool = cull_alloc(1, sizeof *pool);

    if (!pool)
        return NULL;

    threads = threads ? threads : cull_usable_cpus();
    pool->threads = 1;
    pool->worker = cull_alloc(threads, sizeof *pool->worker);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->turn, NULL);
    pthread_cond_init(&pool->begun, NULL);
    pthread_cond_init(&pool->ended, NULL);
    if (pool->worker && start_workers(pool, threads))
        return pool;

    cull_pool_free(pool);
    return NULL;
}

void cull_pool_free(cull_pool *pool)
{
    if (!pool)
        return;

    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 1; i < pool->threads; i++)
        pthread_join(pool->worker[i].thread, NULL);
    pthread_cond_destroy(&pool->ended);
    pthread_cond_destroy(&pool->begun);
    pthread_mutex_destroy(&pool->turn);
    pthread_mutex_destroy(&pool->lock);
    cull_free(pool->worker);
    cull_free(pool);
}

size_t cull_pool_threads(const cull_pool *pool)
{
    return pool ? pool->threads : 1;
}

static cull_status run_in_place(size_t n, cull_status (*fn)(void *arg, size_t i, size_t worker),
                                void *arg)
{
    const size_t outer = item;
    cull_status status = CULL_OK;

    for (size_t i = 0; i < n && status == CULL_OK; i++) {
        item = outer == SIZE_MAX ? i : outer;
        status = fn(arg, i, 0);
    }
    item = outer;
    return status;
}

cull_status cull_pool_run(cull_pool *pool, size_t n,
                          cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    if (!pool || pool->threads == 1 || n <= 1 || cull_pool_inside())
        return run_in_place(n, fn, arg);

    pthread_mutex_lock(&pool->turn);
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->arg = arg;
    pool->n = n;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->failed, n);
    pool->status = CULL_OK;
    pool->busy = pool->threads - 1;
    pool->generation++;
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->lock);
    work(pool, 0);
    pthread_mutex_lock(&pool->lock);
    await_all(pool);
    const cull_status status = pool->status;
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->turn);
    return status;
}
