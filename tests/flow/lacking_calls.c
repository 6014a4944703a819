// Preloaded into a program: a file system that lacks what LACKS names, one word.
//     link       no hard links
//     rename     files cannot be renamed
//     exclusive  files cannot be created exclusively
//     exclusion  files that are to be created exclusively are opened where they are there
//     lock       neither flock() nor locks of fcntl()
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int opens(const char *path, int how, ...);

static int lacks(const char *what)
{
    const char *lacking = getenv("LACKS");

    return lacking && strcmp(lacking, what) == 0;
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int open_as(const char *name, const char *path, int how, mode_t mode)
{
    void *symbol = next(name);
    opens *real;

    memcpy(&real, &symbol, sizeof real);
    if ((how & O_EXCL) && lacks("exclusive"))
        return refuse(EOPNOTSUPP);
    return real(path, lacks("exclusion") ? how & ~O_EXCL : how, mode);
}

static mode_t mode_of(int how, va_list args)
{
    return how & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(args, unsigned) : 0;
}

int open(const char *path, int how, ...)
{
    va_list args;

    va_start(args, how);
    const mode_t mode = mode_of(how, args);
    va_end(args);
    return open_as("open", path, how, mode);
}

int open64(const char *path, int how, ...)
{
    va_list args;

    va_start(args, how);
    const mode_t mode = mode_of(how, args);
    va_end(args);
    return open_as("open64", path, how, mode);
}

int link(const char *from, const char *to)
{
    void *symbol = next("link");
    int (*real)(const char *, const char *);

    memcpy(&real, &symbol, sizeof real);
    return lacks("link") ? refuse(EPERM) : real(from, to);
}

int rename(const char *from, const char *to)
{
    void *symbol = next("rename");
    int (*real)(const char *, const char *);

    memcpy(&real, &symbol, sizeof real);
    return lacks("rename") ? refuse(EPERM) : real(from, to);
}

int flock(int fd, int operation)
{
    void *symbol = next("flock");
    int (*real)(int, int);

    memcpy(&real, &symbol, sizeof real);
    return lacks("lock") ? refuse(ENOLCK) : real(fd, operation);
}

int fcntl(int fd, int what, ...)
{
    void *symbol = next("fcntl");
    int (*real)(int, int, ...);
    va_list args;

    memcpy(&real, &symbol, sizeof real);
    va_start(args, what);
    void *with = va_arg(args, void *);
    va_end(args);
    if ((what == F_SETLK || what == F_SETLKW) && lacks("lock"))
        return refuse(ENOLCK);
    return real(fd, what, with);
}
