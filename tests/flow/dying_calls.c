// Preloaded into a program: it is killed at the DIE_AT-th of its moments, which are before and
// after every call that makes, names or removes a file or folder, its children's among them. With
// COUNT_TO set, their number stands in that file all the time, as an unsigned long.
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_ulong *count; // shared with children
static unsigned long die_at;
static pid_t first;

static void moment(void)
{
    if (!count || atomic_fetch_add(count, 1) + 1 != die_at)
        return;
    if (getpid() != first)
        kill(first, SIGKILL);
    kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("DIE_AT"), *path = getenv("COUNT_TO");
    const int file = path ? open(path, O_RDWR | O_CREAT | O_TRUNC, 0666) : -1;
    const int how = file < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;

    if (file >= 0 && ftruncate(file, sizeof *count) != 0)
        abort();
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, how, file, 0);
    if (shared == MAP_FAILED)
        abort();
    if (file >= 0)
        close(file);
    die_at = at ? strtoul(at, NULL, 10) : 0;
    first = getpid();
    count = shared; // and calls are counted from here on
}

typedef int opens(const char *path, int how, ...);
typedef FILE *fopens(const char *path, const char *how);
typedef char *mkdtemps(char *path);

#define REAL(type, name)                                                                           \
    type *real;                                                                                    \
    void *symbol_of_real = dlsym(RTLD_NEXT, name);                                                 \
    memcpy(&real, &symbol_of_real, sizeof real)

// A call of the type `int (*)(parameters)`.
#define DYING(name, parameters, arguments)                                                         \
    int name parameters                                                                            \
    {                                                                                              \
        typedef int called parameters;                                                             \
        REAL(called, #name);                                                                       \
        moment();                                                                                  \
        const int result = real arguments;                                                         \
        moment();                                                                                  \
        return result;                                                                             \
    }

DYING(mkdir, (const char *path, mode_t mode), (path, mode))
DYING(rmdir, (const char *path), (path))
DYING(unlink, (const char *path), (path))
DYING(unlinkat, (int fd, const char *path, int how), (fd, path, how))
DYING(rename, (const char *from, const char *to), (from, to))
DYING(link, (const char *from, const char *to), (from, to))
DYING(mkstemp, (char *path), (path))
DYING(mkstemp64, (char *path), (path))

static int open_as(const char *name, const char *path, int how, mode_t mode)
{
    REAL(opens, name);
    if (!(how & O_CREAT))
        return real(path, how, mode);
    moment();
    const int fd = real(path, how, mode);
    moment();
    return fd;
}

int open(const char *path, int how, ...)
{
    va_list args;

    va_start(args, how);
    const mode_t mode = how & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(args, unsigned) : 0;
    va_end(args);
    return open_as("open", path, how, mode);
}

int open64(const char *path, int how, ...)
{
    va_list args;

    va_start(args, how);
    const mode_t mode = how & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(args, unsigned) : 0;
    va_end(args);
    return open_as("open64", path, how, mode);
}

static FILE *fopen_as(const char *name, const char *path, const char *how)
{
    REAL(fopens, name);
    if (*how == 'r')
        return real(path, how);
    moment();
    FILE *file = real(path, how);
    moment();
    return file;
}

FILE *fopen(const char *path, const char *how)
{
    return fopen_as("fopen", path, how);
}

FILE *fopen64(const char *path, const char *how)
{
    return fopen_as("fopen64", path, how);
}

char *mkdtemp(char *path)
{
    REAL(mkdtemps, "mkdtemp");
    moment();
    char *made = real(path);
    moment();
    return made;
}
