// A mapped file that shrinks ends in a sentence instead of a signal.
#include "base/sigbus.h"

#include <stdatomic.h>
#include <stdint.h>

enum { WATCHED = 512 };

// The handler may look only at what is always whole: a slot is free (0), or being filled (1), or
// the address where its mapping starts. A process has one set of signal handlers, and so one table.
static struct {
    atomic_uintptr_t start;
    size_t bytes;
    const char *path;
} watched[WATCHED];

void cull_sigbus_watch(const void *start, size_t bytes, const char *path)
{
    for (size_t i = 0; i < WATCHED; i++) {
        uintptr_t unused = 0;
        if (!atomic_compare_exchange_strong(&watched[i].start, &unused, 1))
            continue;
        watched[i].bytes = bytes;
        watched[i].path = path;
        atomic_store(&watched[i].start, (uintptr_t)start);
        return;
    }
}

void cull_sigbus_forget(const void *start)
{
    for (size_t i = 0; i < WATCHED; i++)
        if (atomic_load(&watched[i].start) == (uintptr_t)start) {
            atomic_store(&watched[i].start, 0);
            return;
        }
}

const char *cull_sigbus_file(const void *address)
{
    const uintptr_t at = (uintptr_t)address;

    for (size_t i = 0; i < WATCHED; i++) {
        const uintptr_t start = atomic_load(&watched[i].start);
        if (start > 1 && at >= start && at - start < watched[i].bytes)
            return watched[i].path;
    }
    return NULL;
}
