// The host's services to plugins, reached through the context that is every call's first argument.
//
// Threads: [call] only in the thread that made the current call into the plugin; [any] any thread.
// A plugin keeps no mutable globals, starts no threads, and never touches HDF5, stdout or exit().
#ifndef CULL_HOST_H
#define CULL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cull/model.h>
#include <cull/status.h>

typedef struct cull_ctx cull_ctx;
typedef struct cull_rng cull_rng;
struct cull_cut;

typedef struct cull_scratch_mark { // a place in the scratch memory; the host's own, fixed
    size_t at[2];
} cull_scratch_mark;

typedef enum cull_level { CULL_ERROR, CULL_WARN, CULL_INFO, CULL_DEBUG } cull_level;

typedef struct cull_host {
    uint32_t size, abi;

    // [call] Zeroed memory, aligned to 64 bytes, never freed by the plugin: alloc's dies with the object
    // that the call makes (a model, a set of sequences or requests, a cut), scratch's when the call
    // returns. NULL, with the failure already reported, when there is none: return CULL_ENOMEM.
    void *(*alloc)(cull_ctx *, size_t n, size_t size);
    void *(*scratch)(cull_ctx *, size_t n, size_t size);

    // [call] A random stream keyed by the trial's seed, the plugin and `stream`; the same names give the
    // same numbers whatever else runs. uniform: n doubles in [0, 1). below: an integer in [0, n), n > 0.
    cull_rng *(*rng)(cull_ctx *, const char *stream);
    void (*uniform)(cull_rng *, double *out, size_t n);
    uint64_t (*below)(cull_rng *, uint64_t n);

    // [any] A line of log.
    void (*log)(cull_ctx *, cull_level level, const char *fmt, ...) CULL_PRINTF(3, 4);

    // [any] Report a failure in one sentence and get its status back: return host->fail(ctx, …).
    // In a function run by parallel(), the report of the lowest index is the one that is kept.
    cull_status (*fail)(cull_ctx *, cull_status, const char *fmt, ...) CULL_PRINTF(3, 4);

    // [call] How far the call is. false: the user wants to stop; return CULL_ECANCELED soon.
    bool (*progress)(cull_ctx *, double done, double total);

    // [call] Run fn(arg, i) for i in [0, n) on the pool's threads, in any order, until all are done; the
    // first failing index's status comes back. Called from within fn, it runs in place.
    cull_status (*parallel)(cull_ctx *, size_t n, cull_status (*fn)(void *arg, size_t i), void *arg);

    // [call] The bytes of a file, read only (a .gz is unpacked), ended by a NUL that `n` does not count;
    // they live as alloc's memory. The file's name and hash go into the provenance.
    cull_status (*read_file)(cull_ctx *, const char *path, const char **bytes, size_t *n);

    // [call] Room for one overlay of a cut, zeroed, already entered into it. kind, rows and cols: see cut.h.
    // NULL, with the failure reported, when it cannot be.
    void *(*overlay)(cull_ctx *, struct cull_cut *, cull_matrix_id, uint32_t kind, size_t rows,
                     size_t cols);

    // [any] An optional service by name, "cull.safetensors/1" (ext/safetensors.h), or NULL.
    const void *(*extension)(cull_ctx *, const char *id);

    // [call] All scratch taken since a mark is given back by rewinding to it, what view->weights returned
    // included: a loop over matrices holds one at a time.
    cull_scratch_mark (*mark)(cull_ctx *);
    void (*rewind)(cull_ctx *, cull_scratch_mark);
} cull_host;

// Does the host (the same: CULL_KNOWS(T, s, field), any struct *s of type T) know a field that a later minor
// appended, and offer it?
#define CULL_KNOWS(T, s, field)  ((s)->size >= offsetof(T, field) + sizeof((s)->field))
#define CULL_HAS(host, field)    (CULL_KNOWS(cull_host, host, field) && (host)->field)

struct cull_ctx {
    uint32_t size;
    const cull_host *host;
    void *core; // the host's own
};

#endif
