// A folder's index.h5: a table of its trials, links to them, and of each file what was read of it
// to compare trials (excerpts), so that a thousand files need not be opened.
//
// It is derived: missing, damaged, older or behind, it costs time and changes nothing, for an
// excerpt serves only where the file has the seal that it had then.
#ifndef CULL_RECORD_FOLDER_INDEX_H
#define CULL_RECORD_FOLDER_INDEX_H

#include "record/h5/h5.h"

typedef struct cull_index {
    size_t n;
    const char *const *file, *const *seal; // (n) below trials/, in order; their seals then
    const uint64_t *end;                   // (n) each one's excerpt ends here in
    const uint8_t *excerpt;                // (end[n − 1])
} cull_index;

// Of dir/index.h5, in the alloc arena; n 0: it is missing, damaged, or without excerpts.
cull_status cull_index_read(cull_ctx *ctx, const char *dir, cull_index *out) CULL_MUST_CHECK;
// Open trials/name at `path`, by its excerpt where there is one that serves.
cull_status cull_index_open(cull_ctx *ctx, const cull_index *index, const char *name,
                            const char *path, cull_h5_in **out) CULL_MUST_CHECK;

// Reads of a file all that whoever compares it will read. What it says of a damaged file is not
// heard.
typedef cull_status (*cull_read_fn)(cull_ctx *ctx, cull_h5_in *file);

// Write dir/index.h5 anew. Excerpts of files that did not change are taken from the one before,
// others made by `read`; NULL: they are left out.
cull_status cull_index_write(cull_ctx *ctx, const char *dir, cull_read_fn read) CULL_MUST_CHECK;
// Is there an index, whole, with excerpts, that names exactly the files of trials/? One that is
// damaged is a warning.
cull_status cull_index_fits(cull_ctx *ctx, const char *dir, bool *fits) CULL_MUST_CHECK;

#endif
