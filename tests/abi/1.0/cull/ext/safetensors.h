// Optional service "cull.safetensors/1": read safetensors files, checked and memory-mapped; write them.
//
// Every rule of the format is checked when a file is opened, so that views never leave the mapping. The
// mapping is private and read only; a file that shrinks meanwhile ends the program with SIGBUS, which the
// core turns into a sentence.
#ifndef CULL_EXT_SAFETENSORS_H
#define CULL_EXT_SAFETENSORS_H

#include <cull/host.h>
#include <cull/tensor.h>

#define CULL_EXT_SAFETENSORS "cull.safetensors/1"

typedef struct cull_safetensors cull_safetensors;
typedef struct cull_safetensors_writer cull_safetensors_writer;

typedef struct cull_entry { // a tensor to be written
    uint32_t size;          // sizeof(cull_entry), in every one
    const char *name;
    cull_dtype dtype;
    size_t rank;
    size_t shape[CULL_MAX_RANK];
} cull_entry;

typedef struct cull_pair { // of __metadata__; fixed
    const char *key, *value;
} cull_pair;

typedef struct cull_safetensors_ext {
    uint32_t size;
    // [any] `path` must be a safetensors file. Close what was opened.
    cull_status (*open)(cull_ctx *, const char *path, cull_safetensors **out);
    void (*close)(cull_safetensors *);
    // [any] Tensors in the order of their names.
    size_t (*count)(const cull_safetensors *);
    const char *(*at)(const cull_safetensors *, size_t i, cull_tensor *out); // its name
    bool (*find)(const cull_safetensors *, const char *name, cull_tensor *out);
    // [any] A value of __metadata__, or NULL.
    const char *(*metadata)(const cull_safetensors *, const char *key);
    // [any] Ask for the pages of a range soon, or let them go.
    void (*prefetch)(const cull_safetensors *, const void *data, size_t bytes);
    void (*release)(const cull_safetensors *, const void *data, size_t bytes);
    // [any] 128-bit fingerprint of header, size and sampled pages, as 32 hex digits and a NUL.
    void (*fingerprint)(const cull_safetensors *, char out[33]);
    // [call] Write a file of n tensors: begin it, put each one's bytes in pieces that follow each other, finish.
    // It appears under its name only when it is finished; finish frees the writer, also on failure. abandon
    // leaves nothing behind.
    cull_status (*create)(cull_ctx *, const char *path, size_t n, const cull_entry *entries, size_t n_pairs,
                          const cull_pair *pairs, cull_safetensors_writer **out);
    cull_status (*put)(cull_ctx *, cull_safetensors_writer *, size_t i, const void *data, size_t bytes);
    cull_status (*finish)(cull_ctx *, cull_safetensors_writer *);
    void (*abandon)(cull_safetensors_writer *);
} cull_safetensors_ext;

#endif
