// A thread that waits for wishes, and asks for one layer after the other.
#include "engine/ahead.h"

#include <pthread.h>

#include "base/call.h"
#include "base/memory.h"
#include "base/thread.h"

struct cull_ahead {
    const cull_open_model *m;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wished;
    size_t first, end; // layers that are wanted and not begun
    bool quit;
};

static void *read_layers(void *arg)
{
    cull_ahead *a = arg;

    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (a->first >= a->end && !a->quit)
            pthread_cond_wait(&a->wished, &a->lock);
        if (a->quit)
            break;
        const size_t l = a->first++;
        pthread_mutex_unlock(&a->lock);
        cull_call_enter(a->m->plugin, "prefetch", l);
        a->m->backend->prefetch(a->m->model, l);
        cull_call_leave();
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

cull_ahead *cull_ahead_new(const cull_open_model *m)
{
    cull_ahead *a = m && m->backend->prefetch ? cull_alloc(1, sizeof *a) : NULL;

    if (!a)
        return NULL;
    a->m = m;
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->wished, NULL);
    if (cull_thread_start(&a->thread, read_layers, a))
        return a;
    (void)pthread_cond_destroy(&a->wished);
    (void)pthread_mutex_destroy(&a->lock);
    cull_free(a);
    return NULL;
}

void cull_ahead_want(cull_ahead *a, size_t first, size_t end)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->first = first;
    a->end = end;
    pthread_cond_signal(&a->wished);
    pthread_mutex_unlock(&a->lock);
}

void cull_ahead_free(cull_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->quit = true;
    pthread_cond_signal(&a->wished);
    pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->thread, NULL);
    (void)pthread_cond_destroy(&a->wished);
    (void)pthread_mutex_destroy(&a->lock);
    cull_free(a);
}
