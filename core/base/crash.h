// Ends that come from within: a fault, an abort, an exit() or _exit() of somebody else's code. One
// sentence instead of none, and exit status 3.
//
// Before it enters code that is not the core's, a thread says whose it is and for what; whatever
// ends the program meanwhile is put to that, and said where stderr was when the program began.
// Nothing that is finished is lost by such an end: files appear whole or not at all
// (base/new_file.h). A process has one set of signal handlers, and so one state.
#ifndef CULL_BASE_CRASH_H
#define CULL_BASE_CRASH_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#    define CULL_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define CULL_SANITIZED 1
#    endif
#endif

typedef struct cull_calling {
    const char *kind, *name; // "metric", "perplexity": borrowed until the call returns
    const char *what;        // "score"
    size_t layer;            // SIZE_MAX: of no layer
} cull_calling;

// The kind of a library, which crashes where memory runs out more often than by a fault of its own.
#define CULL_CRASH_LIBRARY "library"

// [any thread] A call into foreign code, and its return; calls nest. `leave` returns what it left,
// all NULL where nothing was entered.
void cull_crash_enter(cull_calling calling);
cull_calling cull_crash_leave(void);

// Once, by the program: the handlers, and what the calling thread needs.
void cull_crash_install(void);
// [a new thread] A stack on which a handler can say that the other one is full; give it back before
// the thread ends.
void *cull_crash_stack(void);
void cull_crash_stack_free(void *stack);

// From here on, until the work is over, an exit() or _exit() is not the program's own.
void cull_crash_begin(void);
void cull_crash_end(void);
// Finished trials lie in a folder of results, which the sentence says; NULL: no longer.
void cull_crash_results(const char *folder);
// The open file of the log, which has the sentence too; −1: there is none any more.
void cull_crash_log(int file);
// [a forked child] Faults and exit() end it as they end any process.
void cull_crash_forget(void);

#endif
