// A mapped file that shrinks, or whose disk fails, ends the program with SIGBUS when its pages are
// touched. This turns the signal into a sentence that names the file, and exit status 3.
#ifndef CULL_BASE_SIGBUS_H
#define CULL_BASE_SIGBUS_H

#include <stddef.h>

void cull_sigbus_install(void); // once, by the program

// Name the file behind a mapping; beyond a few hundred at once the sentence lacks the name. Forget
// it before it is unmapped. [any]
void cull_sigbus_watch(const void *start, size_t bytes, const char *path);
void cull_sigbus_forget(const void *start);

#endif
