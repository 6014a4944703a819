// Threads started, up to their first breath.
#include "base/thread.h"

#include <errno.h>
#include <semaphore.h>

#include "base/crash.h"

typedef struct start { // its maker's, until it has begun
    void *(*run)(void *);
    void *arg;
    sem_t begun;
} start;

static void *begin(void *arg)
{
    start *s = arg;
    void *(*const run)(void *) = s->run;
    void *const own = s->arg;
    void *stack = cull_crash_stack();

    (void)sem_post(&s->begun);
    void *result = run(own);
    cull_crash_stack_free(stack);
    return result;
}

bool cull_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    start s = { .run = run, .arg = arg };

    if (sem_init(&s.begun, 0, 0) != 0)
        return false;
    const bool started = pthread_create(thread, NULL, begin, &s) == 0;
    while (started && sem_wait(&s.begun) != 0 && errno == EINTR)
        ;
    (void)sem_destroy(&s.begun);
    return started;
}
