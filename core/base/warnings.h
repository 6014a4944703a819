// Warnings put together by their cause, to be told once, when the work is done.
//
// Two warnings have one cause where they differ in numbers alone. Children that are forked while
// there is a list add to it, too; any thread may.
#ifndef CULL_BASE_WARNINGS_H
#define CULL_BASE_WARNINGS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cull_warnings cull_warnings;

cull_warnings *cull_warnings_new(void); // NULL: out of memory
void cull_warnings_free(cull_warnings *warnings);

// concern: what the warning is about, as a trial's name; "": it is not known. false: there is no
// room for another cause.
bool cull_warnings_add(cull_warnings *warnings, const char *text, const char *concern);

// Each cause as a line: the first warning, how many others, and what they concern.
void cull_warnings_each(cull_warnings *warnings, void (*show)(void *arg, const char *line),
                        void *arg);

#endif
