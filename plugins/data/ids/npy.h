// NumPy's .npy files of two dimensions of integers (numpy.lib.format, versions 1.0 to 3.0).
#ifndef IDS_NPY_H
#define IDS_NPY_H

#include <cull/cull.h>

// One sequence a row. Little-endian int32 and int64 in C order; ids must be in [0, 2³¹).
cull_status npy_read(cull_ctx *, const char *path, cull_sequences *out);

#endif
