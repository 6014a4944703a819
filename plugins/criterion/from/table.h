// Scores from a file: numbers by layer and expert, as NumPy or safetensors keep them.
#ifndef CRITERION_FROM_TABLE_H
#define CRITERION_FROM_TABLE_H

#include <cull/cull.h>

typedef struct table { // one array of a file
    size_t rows, cols;
    const double *at; // (rows, cols), host->scratch
} table;

// A .npy file of two dimensions, float32 or float64. Fails with the file's name.
cull_status table_npy(cull_ctx *ctx, const char *path, table *out);

// The tensor `name` of a safetensors file, F32 or F64; *found false where there is none.
cull_status table_safetensors(cull_ctx *ctx, const char *path, const char *name, bool *found,
                              table *out);

#endif
