// What is said when a fault or an exit() ends the program.
#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cull/model.h>

#include "base/sigbus.h"

enum { NESTED = 8, STACK = 1 << 17, EXIT_ENVIRONMENT = 3 };

typedef struct calling_stack {
    size_t depth;
    cull_calling at[NESTED]; // the outermost first; deeper ones are counted, not kept
    bool telling;            // this thread is the one that says what happened
} calling_stack;

// Handlers see nothing but this; what they read is written whole.
static struct {
    atomic_bool working;   // an exit() is not the program's own
    atomic_bool forgotten; // a fault ends this process as it does any other
    atomic_bool said;      // by the first thread that failed
    _Atomic(const char *) results;
    const calling_stack *main; // the first thread's
} state;

static _Thread_local calling_stack calls;

void cull_crash_enter(cull_calling calling)
{
    if (calls.depth < NESTED)
        calls.at[calls.depth] = calling;
    calls.depth++;
}

cull_calling cull_crash_leave(void)
{
    const cull_calling none = { .layer = SIZE_MAX };

    if (calls.depth == 0)
        return none;
    calls.depth--;
    return calls.depth < NESTED ? calls.at[calls.depth] : none;
}

// ---- saying it: with what a signal handler may call ----

static void say(const char *text)
{
    const ssize_t wrote = write(STDERR_FILENO, text, strlen(text));

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

    say("\nerror: ");
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
    say("\n");
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
        (void)signal(number, SIG_DFL); // the fault repeats
        return;
    }
    if (atomic_exchange(&state.said, true)) {
        while (!calls.telling) // another thread is; it ends the process
            (void)pause();
        _exit(EXIT_ENVIRONMENT);
    }
    calls.telling = true;
    if (file) {
        say("\nerror: ");
        say(file);
        say(": the file became shorter, or could not be read, while it was in use\n");
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
    _exit(EXIT_ENVIRONMENT);
}

static void on_end(int status, void *arg)
{
    (void)arg;
    if (!atomic_load(&state.working) || atomic_exchange(&state.said, true))
        return;
    say_who();
    say(" ended the program (exit status ");
    say_number((size_t)(status & 0xff));
    say(")");
    say_where();
    say_rest();
    _exit(EXIT_ENVIRONMENT);
}

// The system's _exit() and what leads there, also for plugins, which find the program's before
// libc's: they are not to end it without a word.
#ifndef CULL_SANITIZED
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

// The sanitizer says more of a fault than we can.
#ifdef CULL_SANITIZED
static const int faults[] = { SIGBUS };
#else
static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT };
#endif

void cull_crash_install(void)
{
    struct sigaction action = { 0 };

    (void)cull_crash_stack();
    state.main = &calls;
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        (void)sigaction(faults[i], &action, NULL);
    (void)on_exit(on_end, NULL);
}

void cull_crash_begin(void)
{
    atomic_store(&state.working, true);
}

void cull_crash_end(void)
{
    atomic_store(&state.working, false);
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
