// safetensors files: the reader behind cull/ext/safetensors.h, and a writer.
//
// Reading: everything is checked when a file is opened: the header's length against the file's,
// UTF-8 and JSON without duplicate names, known dtypes, shapes whose product times the element's
// bits is the range given, and ranges that tile the data from first to last byte. Afterwards no
// view can leave the mapping. An open file is read-only and may be used from any thread.
//
// A sealed file says in its header what the checksum of all its bytes is, so that what Cull keeps
// for itself (statistics, cuts) is believed only as it was written.
//
// Writing: names, dtypes and shapes are given first, the bytes in any order and in pieces; a file
// appears under its name only when it is complete. A writer belongs to one thread.
#ifndef CULL_BASE_SAFETENSORS_H
#define CULL_BASE_SAFETENSORS_H

#include <cull/ext/safetensors.h>

#include "base/context.h"

cull_status cull_safetensors_open(cull_ctx *ctx, const char *path,
                                  cull_safetensors **out) CULL_MUST_CHECK;
// A file of Cull's own: one whose seal is broken is CULL_EFORMAT, one that has none (earlier
// versions left them so) is a warning.
cull_status cull_safetensors_open_sealed(cull_ctx *ctx, const char *path,
                                         cull_safetensors **out) CULL_MUST_CHECK;
void cull_safetensors_close(cull_safetensors *file); // NULL is fine
size_t cull_safetensors_count(const cull_safetensors *file);
const char *cull_safetensors_at(const cull_safetensors *file, size_t i, cull_tensor *out);
bool cull_safetensors_find(const cull_safetensors *file, const char *name, cull_tensor *out);
const char *cull_safetensors_metadata(const cull_safetensors *file, const char *key);
void cull_safetensors_prefetch(const cull_safetensors *file, const void *data, size_t bytes);
void cull_safetensors_release(const cull_safetensors *file, const void *data, size_t bytes);
void cull_safetensors_fingerprint(const cull_safetensors *file, char out[33]);

extern const cull_safetensors_ext cull_safetensors_service; // all of the above, as a service

// A file's content in memory, with the same checks; `bytes` must outlive it. `path` is for
// messages.
cull_status cull_safetensors_view(cull_ctx *ctx, const char *path, const void *bytes, size_t n,
                                  cull_safetensors **out) CULL_MUST_CHECK;

// How a sealed file's header begins; CULL_SEAL_DIGITS hexadecimal digits follow. They are the
// XXH3-128 of the file's bytes, with zeros in their own place.
#define CULL_SEALED "{\"__metadata__\":{\"format\":\"pt\",\"sealed\":\"xxh3-128\",\"seal\":\""
enum { CULL_SEAL_DIGITS = 32 };

const char *cull_dtype_word(cull_dtype dtype); // "BF16"
size_t cull_dtype_bits(cull_dtype dtype);
bool cull_dtype_of_word(const char *word, cull_dtype *out);
// Elements times bits of a shape, in bytes; false: that overflows, or is no whole number of bytes.
bool cull_tensor_bytes(cull_dtype dtype, size_t rank, const size_t *shape, size_t *bytes);

// Begin `path` under a temporary name beside it (base/new_file.h). __metadata__ is {"format":"pt"}
// and the pairs. Tensors are laid out by descending alignment (the order of CULL_DTYPES), then by
// name.
cull_status cull_safetensors_create(cull_ctx *ctx, const char *path, size_t n,
                                    const cull_entry *entries, size_t n_pairs,
                                    const cull_pair *pairs,
                                    cull_safetensors_writer **out) CULL_MUST_CHECK;
// The same, to be sealed when it is finished.
cull_status cull_safetensors_create_sealed(cull_ctx *ctx, const char *path, size_t n,
                                           const cull_entry *entries, size_t n_pairs,
                                           const cull_pair *pairs,
                                           cull_safetensors_writer **out) CULL_MUST_CHECK;
// The next `bytes` bytes of entry i (as numbered in `entries`); a tensor's pieces follow each
// other, those of different tensors may alternate.
cull_status cull_safetensors_put(cull_ctx *ctx, cull_safetensors_writer *writer, size_t i,
                                 const void *data, size_t bytes) CULL_MUST_CHECK;
// Check that every tensor is complete, sync, and rename. Frees the writer, also on failure, and
// then leaves nothing behind.
cull_status cull_safetensors_finish(cull_ctx *ctx, cull_safetensors_writer *writer) CULL_MUST_CHECK;
// The same for a sealed file that stands under its seal: "<seal>.safetensors" in `dir`, written to
// `name`. One that is there already is left as it is, for it is the same.
cull_status cull_safetensors_finish_named(cull_ctx *ctx, cull_safetensors_writer *writer,
                                          const char *dir, char *name, size_t room) CULL_MUST_CHECK;
void cull_safetensors_abandon(
    cull_safetensors_writer *writer); // remove what was written; NULL is fine

#endif
