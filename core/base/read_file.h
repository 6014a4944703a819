// Whole files, as plugins see them (host->read_file), and what was read, for the provenance.
#ifndef CULL_BASE_READ_FILE_H
#define CULL_BASE_READ_FILE_H

#include <stdio.h>

#include "base/context.h"

// The bytes of a regular file in the alloc arena, ended by a NUL that n does not count; what begins
// as gzip does is unpacked. Name and hash (of the bytes as returned) are added to context->files.
cull_status cull_read_file(cull_ctx *ctx, const char *path, const char **bytes,
                           size_t *n) CULL_MUST_CHECK;

// A regular file, open for reading, and its length: the caller closes *fd.
cull_status cull_open_regular(cull_ctx *ctx, const char *path, int *fd, size_t *n) CULL_MUST_CHECK;
// The same without a word: −1, errno: EINVAL where it is none. Nothing waits for a pipe.
int cull_regular_fd(const char *path);
FILE *cull_regular_stream(const char *path); // NULL, errno as above

// Refuses, naming `path`, what Git LFS leaves in a file's place where it has not fetched it.
cull_status cull_no_pointer(cull_ctx *ctx, const char *path, const void *bytes,
                            size_t n) CULL_MUST_CHECK;

#endif
