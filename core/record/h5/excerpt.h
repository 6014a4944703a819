// What a file was asked and what it answered, in a few kilobytes: whoever asks the same again needs
// neither HDF5 nor the hundred objects of a trial. For record/h5 alone; h5.h has the door.
//
// An excerpt is u64 bytes, little-endian, and a zlib stream of as many. In it answers follow one
// another in the order in which they were given:
//
//   u8 kind          one of the letters below
//   path, name       ended by NUL; name: of an attribute
//   u64 n, n bytes   the answer
//
//   h  is it there?    u8
//   t  a text          texts, each ended by NUL; none at all: an empty list. Absent: one byte 1
//   r  a number        f64; absent: nothing
//   l  a link          file and object, each ended by NUL; it is none: nothing
//   a  an array        u8 type (h5.h), u8 form, u8 rank, u64 shape[rank], the elements: texts,
//                      each ended by NUL (form s), or numbers as they are (form = type), or, where
//                      each is one exactly, as a byte or a float (forms b and f)
//
// Excerpts are derived, and checked like a stranger's: what does not fit is no excerpt.
#ifndef CULL_RECORD_H5_EXCERPT_H
#define CULL_RECORD_H5_EXCERPT_H

#include "base/text.h"
#include "record/h5/h5.h"

typedef struct cull_excerpt cull_excerpt;

// In the alloc arena; NULL in *out: the bytes are none.
cull_status cull_excerpt_open(cull_ctx *ctx, size_t n, const void *bytes,
                              cull_excerpt **out) CULL_MUST_CHECK;

// Each says whether the excerpt knows the answer. Absent: *there is false. Texts and arrays are in
// the alloc arena.
bool cull_excerpt_has(cull_excerpt *from, const char *path, bool *there);
bool cull_excerpt_real(cull_excerpt *from, const char *where, const char *name, bool *there,
                       double *out);
bool cull_excerpt_link(cull_excerpt *from, const char *path, const char **target,
                       const char **object);
cull_status cull_excerpt_texts(cull_ctx *ctx, cull_excerpt *from, const char *where,
                               const char *name, bool *known, bool *there, size_t *n,
                               const char *const **out) CULL_MUST_CHECK;
cull_status cull_excerpt_array(cull_ctx *ctx, cull_excerpt *from, const char *path, bool *known,
                               cull_h5_shape *shape, const void **data) CULL_MUST_CHECK;

// The same answers, noted. texts NULL, target NULL, value NULL: absent.
void cull_note_has(cull_buf *to, const char *path, bool there);
void cull_note_real(cull_buf *to, const char *where, const char *name, const double *value);
void cull_note_link(cull_buf *to, const char *path, const char *target, const char *object);
void cull_note_texts(cull_buf *to, const char *where, const char *name, size_t n,
                     const char *const *texts);
void cull_note_array(cull_buf *to, const char *path, const cull_h5_shape *shape, const void *data);

#endif
