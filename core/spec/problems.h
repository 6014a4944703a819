// What is wrong with an experiment: every problem of a file, with its place, to be told in one go.
//
// Problems are kept in the order in which they were found and printed in the order of the file:
//
//   stun.yaml:9:66: error: greedy-latent.experts: 1.3 is not within [0, 1]
//      while reading stage 1 of method "stun"
//
// A list lives in its context's alloc arena and belongs to one thread.
#ifndef CULL_SPEC_PROBLEMS_H
#define CULL_SPEC_PROBLEMS_H

#include "base/context.h"
#include "base/text.h"

typedef struct cull_place {
    const char *file;    // as the user wrote it; "--set KEY" for an override
    size_t line, column; // from 1; line 0: the place has none
} cull_place;

typedef struct cull_problem {
    cull_place place;
    const char *sentence;
    const char *frame; // "while …", or NULL
} cull_problem;

enum { CULL_PROBLEMS = 1000 }; // kept at most: nobody reads more

typedef struct cull_problems {
    cull_ctx *ctx;
    size_t n, room;
    cull_problem *at;
    size_t said;       // how often one was added, repetitions included
    size_t more;       // that were added when CULL_PROBLEMS were kept
    const char *frame; // given to the problems that are added next; NULL: none
    bool lost;         // there was no memory for one
} cull_problems;

void cull_problems_init(cull_problems *problems, cull_ctx *ctx);

void cull_problem_add(cull_problems *problems, cull_place place, const char *fmt, ...)
    CULL_PRINTF(3, 4);

// The frame of the problems to come; NULL ends it.
void cull_problems_while(cull_problems *problems, const char *fmt, ...) CULL_PRINTF(2, 3);

// A failure that the context has reported becomes a problem at `place`, with its frames. The
// status, which may be CULL_OK, is returned; what ends all stays a failure.
cull_status cull_problem_of(cull_problems *problems, cull_place place,
                            cull_status status) CULL_MUST_CHECK;
// Does a failure end the looking for others: want of memory, interruption, a plugin at fault?
bool cull_ends_all(cull_status status);

// CULL_OK when there is none; else CULL_EUSAGE (CULL_ENOMEM when one was lost), reported in the
// context as the number of problems.
cull_status cull_problems_status(const cull_problems *problems) CULL_MUST_CHECK;

// All of them, sorted by place, one "FILE:LINE:COL: error: …" each, with a line for the frame.
void cull_problems_print(const cull_problems *problems, cull_buf *out);

#endif
