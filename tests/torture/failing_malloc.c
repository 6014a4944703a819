// Preloaded into a program: its FAIL_AT-th allocation fails, be it the program's own or a
// library's. With COUNT_TO set, the number of allocations is written there when the program ends.
#define _GNU_SOURCE // syscall
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// Of the program, not of the linker or of what runs before main().
static atomic_bool on;
static atomic_ulong count;
static unsigned long fail_at;

// glibc's own, which need no dlsym() and so no allocation to be found.
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

static int fails(void)
{
    return atomic_load(&on) && atomic_fetch_add(&count, 1) + 1 == fail_at;
}

static void *lacking(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t n)
{
    return fails() ? lacking() : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? lacking() : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails() ? lacking() : __libc_realloc(p, n);
}

void *memalign(size_t alignment, size_t n)
{
    return fails() ? lacking() : __libc_memalign(alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? lacking() : __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    void *p = fails() ? NULL : __libc_memalign(alignment, n);

    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

_Noreturn void _exit(int status)
{
    const char *to = getenv("COUNT_TO");
    FILE *file = to ? fopen(to, "w") : NULL;

    if (file) {
        fprintf(file, "%lu\n", atomic_load(&count));
        fclose(file);
    }
    for (;;)
        syscall(SYS_exit_group, status);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAIL_AT");

    fail_at = text ? strtoul(text, NULL, 10) : 0;
    atomic_store(&on, 1);
}
