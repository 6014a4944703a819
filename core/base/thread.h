// A thread that is there when its maker goes on.
#ifndef CULL_BASE_THREAD_H
#define CULL_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

// Starts run(arg), with a stack for crashes (crash.h), and waits until it has begun: who forks next
// forks no half-made thread, whose locks nobody would open in the child. To be joined; false: it
// could not be started.
bool cull_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
