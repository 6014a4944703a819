// What is said when a fault or an exit() ends the program, whatever plugins did to prevent it.
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE // RTLD_NEXT
#endif
#include "base/crash.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cull/model.h>

#include "base/sigbus.h"

enum { NESTED = 8, STACK = 1 << 17, EXIT_ENVIRONMENT = 3, SENTENCE = 1024, CONSOLE = 100 };

// The sanitizer says more of a fault than we can.
#ifdef CULL_SANITIZED
static const int faults[] = { SIGBUS };
#else
static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT };
#endif

typedef struct calling_stack {
    size_t depth;
    cull_calling at[NESTED]; // the outermost first; deeper ones are counted, not kept
    bool telling;            // this thread is the one that says what happened
} calling_stack;

typedef int change(int number, const struct sigaction *action, struct sigaction *before);

// Handlers see nothing but this; what they read is written whole.
static struct {
    atomic_bool working;   // an exit() is not the program's own
    atomic_bool forgotten; // a fault ends this process as it does any other
    atomic_bool said;      // by the first thread that failed
    _Atomic(const char *) results;
    const calling_stack *main; // the first thread's
    change *change;            // libc's sigaction()
    int console;               // what stderr was at the beginning, whoever closes it since
    atomic_int log;            // log.jsonl, −1: none
    size_t n;
    char sentence[SENTENCE]; // (n) of what happened
} state = { .console = -1, .log = -1 };

static _Thread_local calling_stack calls;

void cull_crash_enter(cull_calling calling)
{
    if (calls.depth < NESTED)
        calls.at[calls.depth] = calling;
    calls.depth++;
}

// Files that were opened where a plugin closed stderr would be written to in its place.
static void restore_stderr(void)
{
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && errno == EBADF && state.console >= 0)
        (void)dup2(state.console, STDERR_FILENO);
}

cull_calling cull_crash_leave(void)
{
    const cull_calling none = { .layer = SIZE_MAX };
    const int before = errno;

    restore_stderr();
    errno = before;

    if (calls.depth == 0)
        return none;
    calls.depth--;
    return calls.depth < NESTED ? calls.at[calls.depth] : none;
}

// ---- saying it: with what a signal handler may call ----

static void say(const char *text)
{
    const size_t n = strlen(text), room = sizeof state.sentence - state.n;

    memcpy(state.sentence + state.n, text, n < room ? n : room);
    state.n += n < room ? n : room;
}

static void put(int file, const char *text, size_t n)
{
    const ssize_t wrote = file >= 0 ? write(file, text, n) : 0;

    (void)wrote;
}

static void say_number(size_t n)
{
    char digits[24], *at = digits + sizeof digits - 1;

    *at = '\0';
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    say(at);
}

static void say_who(void)
{
    const size_t depth = calls.depth < NESTED ? calls.depth : NESTED;

    if (depth == 0) {
        say("the program");
        return;
    }
    const cull_calling *c = &calls.at[depth - 1];
    say(c->kind);
    say(" ");
    say(c->name);
}

static void say_call(const cull_calling *c)
{
    say(" in ");
    say(c->what);
    if (c->layer < CULL_NONE) { // the call's "none" and a matrix's
        say(", layer ");
        say_number(c->layer);
    }
}

// A thread that calls nobody may be a plugin's own: what the first one is doing tells whose.
static void say_where(void)
{
    const size_t depth = calls.depth < NESTED ? calls.depth : NESTED;
    const calling_stack *first = state.main;

    if (depth > 0) {
        say_call(&calls.at[depth - 1]);
    } else if (first && first != &calls && first->depth > 0 && first->depth <= NESTED) {
        const cull_calling *c = &first->at[first->depth - 1];
        say(" in a thread, while ");
        say(c->kind);
        say(" ");
        say(c->name);
        say(" was");
        say_call(c);
    }
}

static bool in_library(void)
{
    return calls.depth > 0 && calls.depth <= NESTED &&
           strcmp(calls.at[calls.depth - 1].kind, CULL_CRASH_LIBRARY) == 0;
}

static void say_rest(void)
{
    const char *results = atomic_load(&state.results);

    if (results) {
        say("; finished trials are safe in ");
        say(results);
        say(", and the same command goes on from there");
    }
}

// "2026-11-30T18:21:14.000Z", without what may take a lock.
static void put_time(int file)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    // Days since 1 March of the year 0, in which leap days come last (H. Hinnant,
    // chrono-compatible low-level date algorithms, civil_from_days).
    const uint64_t s = (uint64_t)now.tv_sec, day = s / 86400 + 719468, era = day / 146097;
    const uint64_t of_era = day % 146097;
    const uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const uint64_t march = (5 * of_year + 2) / 153, month = march < 10 ? march + 3 : march - 9;
    const uint64_t part[] = { year + 400 * era + (month <= 2),
                              month,
                              of_year - (153 * march + 2) / 5 + 1,
                              s / 3600 % 24,
                              s / 60 % 60,
                              s % 60 };
    char text[] = "0000-00-00T00:00:00.000Z";
    static const size_t last[] = { 3, 6, 9, 12, 15, 18 };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        for (uint64_t n = part[i], at = last[i]; n > 0; n /= 10, at--)
            text[at] = (char)('0' + n % 10);
    put(file, text, sizeof text - 1);
}

// The sentence where people look, and as a line of the log.
static void tell(void)
{
    static const char begin[] = "{\"time\":\"", middle[] = "\",\"level\":\"error\",\"text\":\"";
    const int log = atomic_load(&state.log);
    const int people = fcntl(state.console, F_GETFD) < 0 ? STDERR_FILENO : state.console;

    put(people, "\nerror: ", strlen("\nerror: "));
    put(people, state.sentence, state.n);
    put(people, "\n", 1);
    if (log < 0)
        return;
    put(log, begin, sizeof begin - 1);
    put_time(log);
    put(log, middle, sizeof middle - 1);
    for (size_t i = 0; i < state.n; i++) {
        const char c = state.sentence[i];
        put(log, "\\", c == '"' || c == '\\');
        put(log, (unsigned char)c < ' ' ? " " : &c, 1);
    }
    put(log, "\"}\n", 3);
}

static const char *word_of(int number)
{
    switch (number) {
    case SIGSEGV:
        return "Segmentation fault";
    case SIGBUS:
        return "Bus error";
    case SIGFPE:
        return "Floating point exception";
    case SIGILL:
        return "Illegal instruction";
    default:
        return "Aborted";
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    const char *file = number == SIGBUS ? cull_sigbus_file(info->si_addr) : NULL;

    if (!file && atomic_load(&state.forgotten)) {
        (void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        return; // the fault repeats
    }
    if (atomic_exchange(&state.said, true)) {
        while (!calls.telling) // another thread is; it ends the process
            (void)pause();
        _exit(EXIT_ENVIRONMENT);
    }
    calls.telling = true;
    if (file) {
        say(file);
        say(": the file became shorter, or could not be read, while it was in use");
        tell();
        _exit(EXIT_ENVIRONMENT);
    }
    say_who();
    say(" crashed (");
    say(word_of(number));
    say(")");
    say_where();
    if (in_library())
        say("; memory may have run out");
    say_rest();
    tell();
    _exit(EXIT_ENVIRONMENT);
}

static void on_end(int status, void *arg)
{
    (void)arg;
    if (!atomic_load(&state.working))
        return;
    if (atomic_exchange(&state.said, true)) {
        while (!calls.telling) // another thread is; it ends the process
            (void)pause();
        return;
    }
    calls.telling = true;
    say_who();
    say(" ended the program (exit status ");
    say_number((size_t)(status & 0xff));
    say(")");
    say_where();
    say_rest();
    tell();
    _exit(EXIT_ENVIRONMENT);
}

#ifndef CULL_SANITIZED
// libc's own; *out stays NULL where it has none.
static void find(const char *name, void *out)
{
    void *const found = dlsym(RTLD_NEXT, name);

    memcpy(out, &found, sizeof found);
}

// The system's exit() and what leads there, also for plugins, which find the program's before
// libc's: they are not to end it without a word.
typedef void leave(int status);

_Noreturn static void end(int status)
{
    on_end(status, NULL);
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

_Noreturn void _exit(int status)
{
    end(status);
}

_Noreturn void _Exit(int status)
{
    end(status);
}

_Noreturn void quick_exit(int status)
{
    end(status);
}

// libc runs a handler for the first thread that calls exit() alone: a second one would end the
// program while the first still says why.
_Noreturn void exit(int status)
{
    leave *next = NULL;

    on_end(status, NULL);
    find("exit", &next);
    if (next)
        next(status);
    end(status);
}

// ---- signals, as plugins find the system's calls, before libc's: those of faults stay as they are

// Is this a fault's signal, and the thread within foreign code, which is not to block or handle it?
static bool is_guarded(int number)
{
    if (calls.depth == 0 || !atomic_load(&state.working) || atomic_load(&state.forgotten))
        return false;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i] == number)
            return true;
    return false;
}

typedef int mask(int how, const sigset_t *set, sigset_t *before);
typedef void handler(int number);

int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    change *next = state.change; // handlers look for nothing

    if (!next)
        find("sigaction", &next);
    if (next)
        return next(number, is_guarded(number) ? NULL : action, before);
    errno = ENOSYS;
    return -1;
}

handler *signal(int number, handler *to)
{
    handler *(*next)(int, handler *) = NULL;
    struct sigaction now;

    if (is_guarded(number))
        return sigaction(number, NULL, &now) == 0 ? now.sa_handler : SIG_ERR;
    find("signal", &next);
    return next ? next(number, to) : SIG_ERR;
}

// What is to be blocked but for faults; `room` where that is less than `set`.
static const sigset_t *without_faults(int how, const sigset_t *set, sigset_t *room)
{
    if (!set || how == SIG_UNBLOCK)
        return set;
    *room = *set;
    for (int number = 1; number < SIGRTMIN; number++)
        if (is_guarded(number))
            (void)sigdelset(room, number);
    return room;
}

static int set_mask(const char *name, int how, const sigset_t *set, sigset_t *before)
{
    mask *next = NULL;
    sigset_t room;

    find(name, &next);
    return next ? next(how, without_faults(how, set, &room), before) : ENOSYS;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
    return set_mask("sigprocmask", how, set, before);
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    return set_mask("pthread_sigmask", how, set, before);
}
#endif

// ---- the process ----

void *cull_crash_stack(void)
{
    void *at = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    const stack_t stack = { .ss_sp = at, .ss_size = STACK };
    (void)sigaltstack(&stack, NULL);
    return at;
}

void cull_crash_stack_free(void *stack)
{
    const stack_t none = { .ss_flags = SS_DISABLE };

    if (!stack)
        return;
    (void)sigaltstack(&none, NULL);
    (void)munmap(stack, STACK);
}

void cull_crash_install(void)
{
    struct sigaction action = { 0 };

    (void)cull_crash_stack();
    state.main = &calls;
#ifndef CULL_SANITIZED
    find("sigaction", &state.change);
#endif
    state.console = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, CONSOLE);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        (void)sigaction(faults[i], &action, NULL);
    (void)on_exit(on_end, NULL); // main() may return, or the last thread end
}

void cull_crash_begin(void)
{
    atomic_store(&state.working, true);
}

void cull_crash_end(void)
{
    atomic_store(&state.working, false);
}

void cull_crash_log(int file)
{
    atomic_store(&state.log, file);
}

void cull_crash_results(const char *folder)
{
    atomic_store(&state.results, folder);
}

void cull_crash_forget(void)
{
    cull_crash_end();
    atomic_store(&state.forgotten, true);
}
