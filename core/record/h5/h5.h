// HDF5 files in the one form that results have: every axis a dimension scale, columns instead of
// compound types, UTF-8 strings of variable length, units and long names, padding marked as
// missing.
//
// A writer keeps the first failure: after it, its calls do nothing, and the commit returns it. So a
// file is written straight down, without a check after every line. Files are laid out in memory and
// then written whole (base/new_file.h), unless they are too large for that; they are readable by
// HDF5 1.10 onwards.
//
// HDF5's own messages and its search for filter plugins are switched off. Names are paths:
// "/eval/arc_easy".
#ifndef CULL_RECORD_H5_H5_H
#define CULL_RECORD_H5_H5_H

#include "base/context.h"
#include "base/text.h"

enum { CULL_H5_RANK = 4 };

// What an array holds. X(letter, C type, what stands for a missing element)
//   d double NaN   f float NaN   i int64_t −1   n int32_t −1   u uint64_t 2⁶⁴ − 1   b uint8_t 255
//   s const char * (NULL is "")
typedef struct cull_h5_array {
    const char *name;
    char type;
    size_t rank;
    const char *dims[CULL_H5_RANK]; // names of the axes, NULL: without a scale; [0] is the array's
                                    // own name in a scale
    size_t shape[CULL_H5_RANK];
    const void *data;       // NULL: filled in later by cull_h5_part
    const char *unit, *doc; // units, long_name; NULL: none
    const char *meanings; // "base drop zero": the words of the values 0, 1, 2; NULL: plain numbers
} cull_h5_array;

typedef struct cull_h5 cull_h5;

// bytes: 0, or about how large a file that is laid out on disk will be; that there is room for it
// is checked first. NULL: reported in ctx.
cull_h5 *cull_h5_create(cull_ctx *ctx, const char *path, uint64_t bytes);
// What stands in `from`, to be changed and written to `to`. NULL: reported in ctx.
cull_h5 *cull_h5_edit(cull_ctx *ctx, const char *from, const char *to);
cull_status cull_h5_commit(cull_h5 *file) CULL_MUST_CHECK; // frees it
void cull_h5_abandon(cull_h5 *file);                       // NULL is fine

// Zeroed memory of the scratch arena, at least one element; NULL after a failure, kept if it is
// this one.
void *cull_h5_scratch(cull_h5 *file, size_t n, size_t size);
cull_arena *cull_h5_arena(const cull_h5 *file); // that arena
void cull_h5_no_memory(cull_h5 *file);          // keep the failure

void cull_h5_group(cull_h5 *file,
                   const char *group); // one that is there is left alone; those above must be there
// To an object of another file, whose name is seen from this one's folder.
void cull_h5_link(cull_h5 *file, const char *path, const char *target, const char *object);

// Attributes of a group or array.
void cull_h5_text(cull_h5 *file, const char *where, const char *name, const char *text);
void cull_h5_real(cull_h5 *file, const char *where, const char *name, double value);
void cull_h5_count(cull_h5 *file, const char *where, const char *name, uint64_t value);
void cull_h5_forget(cull_h5 *file, const char *where, const char *name); // none: nothing happens
bool cull_h5_has_text(cull_h5 *file, const char *where, const char *name);
void cull_h5_texts(cull_h5 *file, const char *where, const char *name, size_t n,
                   const char *const *texts);

// An array of a group. An axis whose scale the group lacks gets one, 0, 1, 2, …. A rank 1 array
// whose axis is its own name is a scale.
void cull_h5_put(cull_h5 *file, const char *group, const cull_h5_array *array);
// A block of an array that was put without data.
void cull_h5_part(cull_h5 *file, const char *group, const cull_h5_array *array, const size_t *start,
                  const size_t *count, const void *data);
// A single text, too long for an attribute.
void cull_h5_document(cull_h5 *file, const char *group, const char *name, const char *text,
                      const char *doc);

// ---- reading ----

typedef struct cull_h5_in cull_h5_in;

typedef struct cull_h5_shape {
    char type; // as above
    size_t rank, shape[CULL_H5_RANK], n;
} cull_h5_shape;

// A file whose checksum does not match, or that has none, is refused (CULL_EFORMAT) before HDF5
// sees it; the latter only where the context does not say `unsealed`.
cull_status cull_h5_open(cull_ctx *ctx, const char *path, cull_h5_in **out) CULL_MUST_CHECK;
void cull_h5_close(cull_h5_in *file); // NULL is fine
// The same, and what became of reading it: status, but CULL_ENOMEM where something was not found
// for lack of memory. NULL is fine.
cull_status cull_h5_done(cull_h5_in *file, cull_status status) CULL_MUST_CHECK;

bool cull_h5_has(cull_h5_in *file, const char *path);
// Attributes. An absent one leaves *out as it was.
cull_status cull_h5_get_text(cull_h5_in *file, const char *where, const char *name,
                             const char **out) CULL_MUST_CHECK;
cull_status cull_h5_get_texts(cull_h5_in *file, const char *where, const char *name, size_t *n,
                              const char *const **out) CULL_MUST_CHECK;
cull_status cull_h5_get_real(cull_h5_in *file, const char *where, const char *name,
                             double *out) CULL_MUST_CHECK;
// A whole array in the alloc arena, its numbers converted to `type` (not 's'), or its texts ('s').
// One of another file that `path` links to is read there, as checked as any.
cull_status cull_h5_get(cull_h5_in *file, const char *path, char type, cull_h5_shape *shape,
                        const void **data) CULL_MUST_CHECK;
// The file and the object in it that `path` links to, in the alloc arena; NULL: it is no such link.
cull_status cull_h5_linked(cull_h5_in *file, const char *path, const char **to,
                           const char **object) CULL_MUST_CHECK;

// ---- what was read before ----

// What is asked of a file for a purpose, and what it answers, of its state with that seal (h5/
// excerpt.h): asked the same again, the file is checked, but not opened.
typedef struct cull_h5_excerpt {
    const char *seal;
    size_t n;
    const void *bytes; // (n)
} cull_h5_excerpt;

// As cull_h5_open. The excerpt, which the file must not outlive, serves where the file has its seal
// and it is one; what it does not know is read from the file.
cull_status cull_h5_open_excerpt(cull_ctx *ctx, const char *path, const cull_h5_excerpt *excerpt,
                                 cull_h5_in **out) CULL_MUST_CHECK;
bool cull_h5_has_excerpt(const cull_h5_in *file);     // does it serve?
const char *cull_h5_seal_of(const cull_h5_in *file);  // "" where it has none
void cull_h5_note(cull_h5_in *file, cull_buf *noted); // answers from now on; NULL: no longer
void cull_h5_pack_notes(const cull_buf *noted, cull_buf *to); // append them as an excerpt

#endif
