// What reading and writing HDF5 share; for record/h5/*.c alone.
#ifndef CULL_RECORD_H5_COMMON_H
#define CULL_RECORD_H5_COMMON_H

#define H5_USE_110_API // also with later libraries
#include <hdf5.h>

#include "base/hash.h"
#include "base/new_file.h"
#include "record/h5/h5.h"

struct cull_h5 {
    cull_ctx *ctx;
    char *path;
    bool on_disk;
    hid_t file;         // −1: none
    cull_new_file disk; // the temporary file of a LARGE one
    cull_status status; // the first failure
};

void cull_h5_failed(cull_h5 *file, const char *what, const char *name);

// n texts fit for HDF5, in the scratch arena: NULL is "", and what is no UTF-8 has its stray bytes
// replaced. NULL: no memory, kept in the file.
const char **cull_h5_clean(cull_h5 *file, size_t n, const char *const *texts);

// n NULL: a single value.
void cull_h5_attribute(cull_h5 *file, const char *where, const char *name, hid_t type,
                       const size_t *n, const void *value);

// The seal of a finished file: "xxh3-128" and the key of all bytes before it, in hex. HDF5 does not
// look behind its own end, and cuts the seal off when the file is opened for writing. So a file
// with a seal is checked before HDF5 sees it, for HDF5 may crash on damage, or hang, or not notice;
// one without (edited, repacked, of others' making) is read where the user says so.
enum { CULL_H5_SEAL = 40 };
void cull_h5_seal(char seal[CULL_H5_SEAL], const cull_key *key);
// seal: that of a file that is whole, as a text; "" where it has none and may be read all the same.
cull_status cull_h5_check(cull_ctx *ctx, const char *path,
                          char seal[CULL_H5_SEAL + 1]) CULL_MUST_CHECK;

// The checksum of HDF5's own metadata: lookup3 (Jenkins, 2006), from zero.
uint32_t cull_h5_checksum(const void *data, size_t bytes);

// Before each use of HDF5 in a thread: no messages of its own, no plugins.
// HDF5 is entered for a file until cull_crash_leave: a crash in it is put to that.
void cull_h5_enter(const char *path);
void cull_h5_quiet(const char *path); // before the first file, and any other

// Why the last call of HDF5 failed, in its words or the system's. In the scratch arena.
const char *cull_h5_why(cull_ctx *ctx);
// Did it fail because HDF5 got no memory? Then the file may be whole.
bool cull_h5_lacked_memory(void);

hid_t cull_h5_text_type(void);        // UTF-8, variable length; close it
hid_t cull_h5_memory_type(char type); // of the letters d f i n u b
size_t cull_h5_size(char type);

#endif
