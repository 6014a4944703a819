// Optional service "cull.cut-file/1": load a cut that was stored.
#ifndef CULL_EXT_CUT_FILE_H
#define CULL_EXT_CUT_FILE_H

#include <cull/cut.h>

#define CULL_EXT_CUT_FILE "cull.cut-file/1"

typedef struct cull_cut_ids { // what a stored cut belongs to; "" where it was not said
    uint32_t size;            // the caller's
    char model[33];           // fingerprint of the model it was made for
    char calibration[33];     // key of the calibration it rests on
} cull_cut_ids;

typedef struct cull_cut_file_ext {
    uint32_t size;
    // [call] Fill `cut`, which must be empty (every expert BASE, nothing overlaid) and have the file's
    // layers, experts and width, with what `path` holds. Memory is the host's alloc.
    cull_status (*load)(cull_ctx *, const char *path, cull_cut *cut);
    // [call] Only the names of what the cut belongs to.
    cull_status (*ids)(cull_ctx *, const char *path, cull_cut_ids *out);
} cull_cut_file_ext;

#endif
