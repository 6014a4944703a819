// Preloaded into a program: its FAIL_AT-th allocation fails, be it the program's own or a
// library's. With COUNT_TO set, the number of allocations stands in that file all the time, as an
// unsigned long: however the program ends, nothing here is asked.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// Of the program, not of the linker or of what runs before main().
static atomic_bool on;
static atomic_ulong own;
static atomic_ulong *count = &own; // or in a file
static unsigned long fail_at;

// glibc's own, which need no dlsym() and so no allocation to be found.
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

static int fails(void)
{
    return atomic_load(&on) && atomic_fetch_add(count, 1) + 1 == fail_at;
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

// A child goes on counting for itself.
static void in_child(void)
{
    atomic_store(&own, atomic_load(count));
    count = &own;
}

static void count_in(const char *path)
{
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);

    if (file < 0 || ftruncate(file, sizeof *count) != 0)
        abort();
    void *at = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED || pthread_atfork(NULL, NULL, in_child) != 0)
        abort();
    close(file);
    count = at;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAIL_AT"), *path = getenv("COUNT_TO");

    fail_at = text ? strtoul(text, NULL, 10) : 0;
    if (path)
        count_in(path);
    atomic_store(&on, 1);
}
