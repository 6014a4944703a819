// The only caller of malloc, with a counter that tests can make fail.
#include "base/memory.h"

#include <malloc.h>
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
// process, and --memory limits what it holds.
static atomic_size_t count;
static atomic_size_t fail_at = SIZE_MAX;
static atomic_size_t held, most, since, limit = SIZE_MAX;
static atomic_bool refused;

void cull_torture_fail_after(size_t n)
{
    const size_t now = atomic_load(&count);

    atomic_store(&fail_at, n > SIZE_MAX - now ? SIZE_MAX : now + n);
}

size_t cull_torture_count(void)
{
    return atomic_load(&count);
}

// ---- a limit on what is held ----

void cull_hold_at_most(size_t more)
{
    const size_t now = atomic_load(&held);

    atomic_store(&since, now);
    atomic_store(&most, now);
    atomic_store(&limit, more > SIZE_MAX - now ? SIZE_MAX : now + more);
    atomic_store(&refused, false);
}

bool cull_hold_refused(void)
{
    return atomic_load(&refused);
}

size_t cull_hold_peak(void)
{
    return atomic_load(&most) - atomic_load(&since);
}

static bool hold(size_t bytes)
{
    const size_t now = atomic_fetch_add(&held, bytes) + bytes;
    size_t before = atomic_load(&most);

    if (now > atomic_load(&limit)) {
        atomic_fetch_sub(&held, bytes);
        atomic_store(&refused, true);
        return false;
    }
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
        continue;
    return true;
}

static void let_go(size_t bytes)
{
    atomic_fetch_sub(&held, bytes);
}

// ---- blocks ----

void *cull_alloc(size_t n, size_t size)
{
    if (atomic_fetch_add(&count, 1) + 1 == atomic_load(&fail_at))
        return NULL;
    if (size && n > (SIZE_MAX - ALIGN - sizeof(prefix)) / size)
        return NULL;

    const size_t bytes = n * size, room = bytes + ALIGN + sizeof(prefix);
    if (!hold(room))
        return NULL;
    unsigned char *raw = calloc(1, room);
    if (!raw) {
        let_go(room);
        return NULL;
    }

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
    let_go(pre.bytes + ALIGN + sizeof pre);
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

// The C library would put blocks of up to 32 MB among the small ones, once such a block was freed:
// there they are zeroed by hand, and stay.
void cull_large_blocks_apart(void)
{
#if defined(M_MMAP_THRESHOLD) // glibc's
    enum { LARGE = 4 << 20, KEPT_FREE = 16 << 20 };

    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
#endif
}

// ---- jansson ----

static _Thread_local bool json_lacked;

// The buffer that jansson (2.14) reads a string into. Where that cannot grow, a character is lost
// and nobody is told: without the closing quote it reads on beyond the text. Others of this size
// are few between those that may be refused.
static bool may_not_be_refused(size_t n)
{
    return (n & (n - 1)) == 0;
}

static void *json_alloc(size_t n)
{
    void *p = malloc(n);

    if (p && !hold(malloc_usable_size(p))) {
        if (may_not_be_refused(n)) {
            atomic_fetch_add(&held, malloc_usable_size(p));
            return p;
        }
        free(p);
        p = NULL;
    }
    json_lacked = json_lacked || !p;
    return p;
}

static void json_free(void *p)
{
    let_go(malloc_usable_size(p));
    free(p);
}

void cull_json_memory_install(void)
{
    json_set_alloc_funcs(json_alloc, json_free);
}

bool cull_json_memory_lacked(void)
{
    const bool lacked = json_lacked;

    json_lacked = false;
    return lacked;
}
