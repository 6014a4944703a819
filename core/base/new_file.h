// A file that appears whole or not at all: written under a temporary name beside its place,
// ".tmp.HOST.PID.NAME", synced, renamed, and its folder synced. Host and process are named so that
// what a dead process leaves can be told from what another is writing.
#ifndef CULL_BASE_NEW_FILE_H
#define CULL_BASE_NEW_FILE_H

#include <stdio.h>

#include "base/context.h"

typedef struct cull_new_file {
    int fd; // −1: not open
    char *path, *temporary;
} cull_new_file;

cull_status cull_new_file_begin(cull_ctx *ctx, cull_new_file *file,
                                const char *path) CULL_MUST_CHECK;
cull_status cull_new_file_put(cull_ctx *ctx, cull_new_file *file, uint64_t offset, const void *data,
                              size_t bytes) CULL_MUST_CHECK;
cull_status cull_new_file_commit(cull_ctx *ctx, cull_new_file *file) CULL_MUST_CHECK;
// Remove what is not committed; needed after a failure, harmless after commit.
void cull_new_file_abandon(cull_new_file *file);

// ".tmp.HOST.", with which this host's temporary names begin; HOST has letters, digits, '-' and '_'
// only.
enum { CULL_TEMPORARY_PREFIX = 72 };
void cull_temporary_prefix(char prefix[CULL_TEMPORARY_PREFIX]);

// Is `name` the temporary file, or folder, of a process of this host that is no more?
bool cull_temporary_abandoned(const char *name);
// Remove what such processes left beside `path` of writing it, files or whatever `remove` removes;
// NULL: files.
void cull_temporary_sweep(const char *path, void (*remove)(const char *left));

// A file in `folder` that has no name any more and goes with its last descriptor.
cull_status cull_nameless_file(cull_ctx *ctx, const char *folder, int *fd) CULL_MUST_CHECK;
// Such a one to be written and read again.
cull_status cull_nameless_stream(cull_ctx *ctx, const char *folder, FILE **out) CULL_MUST_CHECK;

// Does the path lead to a device, a pipe, or to where this process prints?
bool cull_is_stream(const char *path);

// The whole of a file in one call, in the place of whatever is there.
cull_status cull_write_new_file(cull_ctx *ctx, const char *path, const void *data,
                                size_t bytes) CULL_MUST_CHECK;
// The same where a user says; a stream is written to, not replaced. No later run would clear the
// place, so what was left of writing the same file goes first.
cull_status cull_write_file(cull_ctx *ctx, const char *path, const void *data,
                            size_t bytes) CULL_MUST_CHECK;
// Make what was renamed into the folder of `path` last. 0, or errno.
int cull_sync_folder_of(const char *path);

#endif
