// One small thread pool. Products run in the thread that asks for them (math/gemm.h).
//
// An item costs one addition to a shared number and no lock: some 20 ns on one socket, so that 64
// threads keep up with items of a few microseconds.
//
// cull_pool_run returns when all items are done. Items are taken in order but finish in any order:
// write to places of their own, and merge in item order afterwards. Called from a worker it runs in
// place. A forked child must make a pool of its own.
#ifndef CULL_BASE_POOL_H
#define CULL_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include <cull/status.h>

typedef struct cull_pool cull_pool;

cull_pool *cull_pool_new(size_t threads); // 0: one per usable CPU; NULL: out of memory or threads
void cull_pool_free(cull_pool *pool);
size_t cull_pool_threads(const cull_pool *pool);

// fn(arg, i, worker), worker in [0, threads). The status of the lowest failing index comes back;
// after a failure no further items are begun.
cull_status cull_pool_run(cull_pool *pool, size_t n,
                          cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg);
bool cull_pool_inside(void); // is the caller one of a pool's workers, at work?
size_t cull_pool_item(void); // the item that it works on (of the outermost run); SIZE_MAX outside

#endif
