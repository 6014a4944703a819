// A mapped file that shrinks ends in a sentence instead of a signal.
#include "base/sigbus.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { WATCHED = 512, EXIT_ENVIRONMENT = 3 };

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

static void say(const char *text)
{
    const ssize_t wrote = write(STDERR_FILENO, text, strlen(text));

    (void)wrote;
}

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
    const uintptr_t at = (uintptr_t)info->si_addr;
    const char *path = NULL;

    (void)context;
    for (size_t i = 0; i < WATCHED && !path; i++) {
        const uintptr_t start = atomic_load(&watched[i].start);
        if (start > 1 && at >= start && at - start < watched[i].bytes)
            path = watched[i].path;
    }
    if (!path) {
        signal(signal_number,
               SIG_DFL); // not a file of ours: the fault repeats and ends the program
        return;
    }
    say("\nerror: ");
    say(path);
    say(": the file became shorter, or could not be read, while it was in use\n");
    _exit(EXIT_ENVIRONMENT);
}

void cull_sigbus_install(void)
{
    struct sigaction action = { 0 };

    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
