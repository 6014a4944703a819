// Log lines and the progress bar, both on stderr, so that results alone go to stdout.
//
// On a terminal a progress bar with rate and time left is redrawn in place; elsewhere a line a
// minute. Thread-safe.
#ifndef CULL_BASE_LOG_H
#define CULL_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include <cull/host.h>

typedef struct cull_log cull_log;

cull_log *cull_log_new(cull_level most); // levels above `most` are not shown; NULL: out of memory
void cull_log_free(cull_log *log);
bool cull_log_file(cull_log *log,
                   const char *path); // also append JSON lines there; false: errno says
// A line; one that was shown before is shown no more, unless it is an error. The file has them all.
void cull_log_line(cull_log *log, cull_level level, const char *fmt, ...) CULL_PRINTF(3, 4);
void cull_log_vline(cull_log *log, cull_level level, const char *fmt, va_list args);

// From here on lines go into the file alone, whatever their level, to be told by another process's
// log; NULL: no longer. The file is the caller's.
void cull_log_divert(cull_log *log, FILE *file);
void cull_log_retell(cull_log *log, const char *diverted, size_t n); // n bytes of such a file

// From here on warnings are not shown but put together by their cause (warnings.h), until they are
// told; the file has each. false: out of memory, they are shown as before.
bool cull_log_collect(cull_log *log);
// What the warnings to come concern, as a trial's name, which is copied; NULL: it is not known.
void cull_log_concern(cull_log *log, const char *trial);
void cull_log_tell(cull_log *log); // shows them, unless only warnings and errors are shown: -q

// A phase of work: begin, tell (any number of times, any thread), end. `unit` names what is
// counted, for the rate ("tokens"); total 0: unknown.
// about: what the phases to come are of, as "mixtral: perplexity", copied; NULL: nothing.
void cull_progress_about(cull_log *log, const char *about);
void cull_progress_begin(cull_log *log, const char *phase, const char *unit, double total);
void cull_progress_tell(cull_log *log, double done);
void cull_progress_end(cull_log *log);
bool cull_progress_on(cull_log *log); // is a phase begun and not ended?

#endif
