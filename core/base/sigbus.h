// Files that are mapped and may become shorter while they are read, which the system tells by
// SIGBUS.
#ifndef CULL_BASE_SIGBUS_H
#define CULL_BASE_SIGBUS_H

#include <stddef.h>

// [any thread] `path` must live until the mapping is forgotten. Where more are watched than there
// is room for, the rest are not named.
void cull_sigbus_watch(const void *start, size_t bytes, const char *path);
void cull_sigbus_forget(const void *start);
// [signal handler] The file whose mapping holds the address; NULL: none that is watched.
const char *cull_sigbus_file(const void *address);

#endif
