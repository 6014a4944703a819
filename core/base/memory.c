// The only caller of malloc, with a counter that tests can make fail.
#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/poison.h"

enum { ALIGN = 64 };

// A block is calloc's, so that large ones cost no memory before they are touched; what precedes the
// aligned address says where it begins and how long it is.
typedef struct prefix {
    unsigned char *raw;
    size_t bytes;
} prefix;

// The only mutable globals of base: the torture tests count and fail allocations of the whole
// process.
static atomic_size_t count;
static atomic_size_t fail_at = SIZE_MAX;

void cull_torture_fail_after(size_t n)
{
    const size_t now = atomic_load(&count);

    atomic_store(&fail_at, n > SIZE_MAX - now ? SIZE_MAX : now + n);
}

size_t cull_torture_count(void)
{
    return atomic_load(&count);
}

void *cull_alloc(size_t n, size_t size)
{
    if (atomic_fetch_add(&count, 1) + 1 == atomic_load(&fail_at))
        return NULL;
    if (size && n > (SIZE_MAX - ALIGN - sizeof(prefix)) / size)
        return NULL;

    const size_t bytes = n * size, room = bytes + ALIGN + sizeof(prefix);
    unsigned char *raw = calloc(1, room);
    if (!raw)
        return NULL;

    const uintptr_t first = (uintptr_t)raw + sizeof(prefix);
    unsigned char *p = raw + sizeof(prefix) + (ALIGN - first % ALIGN) % ALIGN;
    const prefix pre = { raw, bytes };
    memcpy(p - sizeof pre, &pre, sizeof pre);
    CULL_POISON(p + bytes, (size_t)(raw + room - (p + bytes)));
    return p;
}

void *cull_grow(void *p, size_t old_n, size_t n, size_t size)
{
    void *grown = cull_alloc(n, size);

    if (!grown)
        return NULL;
    if (p && old_n && n)
        memcpy(grown, p, (old_n < n ? old_n : n) * size);
    cull_free(p);
    return grown;
}

void cull_free(void *p)
{
    if (!p)
        return;

    prefix pre;
    memcpy(&pre, (unsigned char *)p - sizeof pre, sizeof pre);
    CULL_UNPOISON(pre.raw, pre.bytes + ALIGN + sizeof pre);
    free(pre.raw);
}

char *cull_strdup(const char *s)
{
    const size_t n = strlen(s) + 1;
    char *copy = cull_alloc(n, 1);

    return copy ? memcpy(copy, s, n) : NULL;
}

uint64_t cull_peak_memory(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
            break;
    if (f)
        (void)fclose(f);
    return 1024 * (uint64_t)kib;
}

// ---- jansson ----

static _Thread_local bool json_lacked;

static void *json_alloc(size_t n)
{
    void *p = malloc(n);

    json_lacked = json_lacked || !p;
    return p;
}

void cull_json_memory_install(void)
{
    json_set_alloc_funcs(json_alloc, free);
}

bool cull_json_memory_lacked(void)
{
    const bool lacked = json_lacked;

    json_lacked = false;
    return lacked;
}
