// Torture: an operation is run again and again, its first, second, third … allocation failing,
// until it gets through. Each time it must either succeed or fail with a sentence, and leave
// nothing behind (the address sanitizer's leak check sees to that).
//
//     int main(void) { static const torture all[] = { … }; return torture_run(N, all); }
#ifndef CULL_TESTS_TORTURE_H
#define CULL_TESTS_TORTURE_H

#include "base/context.h"

typedef struct torture {
    const char *name;
    cull_status (*act)(cull_ctx *ctx); // in a fresh context
    bool in_json; // it parses JSON, and jansson calls some of its lacks of memory wrong syntax
} torture;

// jansson's allocations are counted and failed too. 0, or 1 with what went wrong on stderr.
int torture_run(size_t n, const torture *all);

#endif
