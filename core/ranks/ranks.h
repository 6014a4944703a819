// Many processes as one run: who they are, and how they meet.
//
// A rank is one process of a run that was started by mpirun or srun. What the functions below do,
// all ranks do in the same order; each is a meeting that begins with whether all are well. Where a
// rank fails, the meeting fails everywhere, with that rank's sentence, and so do all that follow:
// the ranks are over. Waiting costs no processor time.
//
// The context's `ranks` is meant; NULL is a run of one process, for which nothing is done. One
// thread of a program meets, the one that begins and ends the ranks.
#ifndef CULL_RANKS_RANKS_H
#define CULL_RANKS_RANKS_H

#include "base/context.h"

typedef struct cull_ranks cull_ranks;

// ---- the ranks themselves ----

typedef enum cull_ranks_wish {
    CULL_RANKS_AUTO, // as the process was started
    CULL_RANKS_MPI,
    CULL_RANKS_NONE, // alone, however it was started
} cull_ranks_wish;

typedef struct cull_ranks_options {
    cull_ranks_wish wish;
    double patience; // seconds without a sign of life after which a rank is given up
    int voice;       // file descriptor for what is said of a rank 0 that cannot say it itself
} cull_ranks_options;

// Which rank the launcher says this process is, before any ranks are begun; 0 where it says none.
size_t cull_ranks_launched_as(void);

// Before the program has threads. *out is NULL where it is alone. CULL_EENV: it was started as one
// of several, but cannot be; `why` has the sentence, or nothing where rank 0 has the same to say.
cull_status cull_ranks_begin(const cull_ranks_options *options, char why[CULL_SENTENCE],
                             cull_ranks **out) CULL_MUST_CHECK;
void cull_ranks_end(cull_ranks *ranks);

size_t cull_ranks_size(const cull_ranks *ranks); // 1 alone
size_t cull_ranks_rank(const cull_ranks *ranks); // 0 alone
const char *cull_ranks_host(const cull_ranks *ranks, size_t rank);
size_t cull_ranks_here(const cull_ranks *ranks); // how many share this host, this one included

// ---- meetings ----

// A barrier: are all well? Returns `own`, or the failure of another rank.
cull_status cull_ranks_agree(cull_ctx *ctx, cull_status own) CULL_MUST_CHECK;

// Rank 0's n bytes become everybody's: *data, on the others, is new, to be freed with cull_free.
cull_status cull_ranks_broadcast(cull_ctx *ctx, size_t *n, void **data) CULL_MUST_CHECK;

// The same where all know n: rank 0's n bytes at x become everybody's.
cull_status cull_ranks_copy(cull_ctx *ctx, size_t n, void *x) CULL_MUST_CHECK;

typedef struct cull_parts { // what the ranks handed over
    size_t n;               // ranks on the one that it was handed to, else 0
    const void **part;      // (n) in their order, aligned to 64; its own is where it was
    size_t *bytes;          // (n)
    void *data;
} cull_parts;

// n bytes of each rank, of any length, on rank 0. Release in any case.
cull_status cull_ranks_gather(cull_ctx *ctx, size_t n, const void *own,
                              cull_parts *out) CULL_MUST_CHECK;
// The same on rank `to`.
cull_status cull_ranks_collect(cull_ctx *ctx, size_t to, size_t n, const void *own,
                               cull_parts *out) CULL_MUST_CHECK;
void cull_parts_release(cull_parts *parts);

// Σ over the ranks in their order, the same bits whichever came first; the least of all. Everybody
// has it.
cull_status cull_ranks_sum(cull_ctx *ctx, size_t n, double *x) CULL_MUST_CHECK;
cull_status cull_ranks_least(cull_ctx *ctx, size_t *x) CULL_MUST_CHECK;

// ---- beside the meetings ----

// How far this rank is with a phase of its pass (0 … 1); returns how far all are, on average. The
// phases' numbers grow, and are the same on all ranks: who is in an earlier one has done none of
// it.
double cull_ranks_tell(const cull_ranks *ranks, size_t phase, double part);

typedef struct cull_ranks_time { // what this rank has spent on meetings
    size_t meetings;
    double waiting, moving; // seconds until all had come; and then, while bytes moved
    uint64_t bytes;         // that it handed over or was handed
} cull_ranks_time;

cull_ranks_time cull_ranks_spent(const cull_ranks *ranks);

#endif
