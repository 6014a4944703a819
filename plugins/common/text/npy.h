// Arrays of NumPy's .npy format, versions 1 to 3 (numpy.lib.format).
#ifndef COMMON_TEXT_NPY_H
#define COMMON_TEXT_NPY_H

#include <cull/cull.h>

typedef struct npy { // (rows, cols), row by row, as they stand in the file
    const char *data;
    size_t rows, cols, width; // width: bytes of an element, 4 or 8
} npy;

// Opens an array of two dimensions, little-endian, in C order, of kind 'i' (int32, int64) or 'f'
// (float32, float64). CULL_EFORMAT, with the file's name, for any other.
cull_status npy_open(cull_ctx *ctx, const char *path, char kind, npy *out);

// Element i of an array of kind 'i', two's complement; of kind 'f'.
uint64_t npy_int(const npy *array, size_t i);
double npy_real(const npy *array, size_t i);

#endif
