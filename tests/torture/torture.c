// A function run with every allocation failed in turn.
#include "torture/torture.h"

#include <stdio.h>

#include <jansson.h>

#include "base/memory.h"
#include "plugin/host.h"

enum { MOST = 100000 };

static void *alloc_json(size_t n)
{
    return cull_alloc(n, 1);
}

// One run with its n-th allocation failing. 1: it got through all the same, 0: it failed well, −1:
// badly.
static int run_once(const torture *t, size_t n)
{
    cull_context context = { 0 };

    const cull_status ready = cull_context_init(&context, NULL, NULL);
    cull_torture_fail_after(n);
    const cull_status status = ready == CULL_OK ? t->act(&context.ctx) : ready;
    cull_torture_fail_after(SIZE_MAX);
    const bool told = context.error.status == status && context.error.sentence[0];
    if (status != CULL_OK && !told)
        fprintf(stderr, "%s: allocation %zu failed, and it returned %s with \"%s\"\n", t->name, n,
                cull_status_name(status), context.error.sentence);
    else if (status != CULL_OK && status != CULL_ENOMEM && !t->in_json)
        fprintf(stderr, "%s: allocation %zu failed, and it said \"%s\"\n", t->name, n,
                context.error.sentence);
    cull_context_release(&context);
    return status == CULL_OK ? 1 : told && (status == CULL_ENOMEM || t->in_json) ? 0 : -1;
}

// Until a run makes fewer than n allocations, so that none failed.
static int run_all(const torture *t)
{
    for (size_t n = 1; n < MOST; n++) {
        const size_t before = cull_torture_count();
        const int how = run_once(t, n);
        if (how < 0)
            return 1;
        if (how == 1 && cull_torture_count() - before < n) {
            printf("%s: %zu allocations\n", t->name, n - 1);
            return 0;
        }
    }
    fprintf(stderr, "%s: it never gets through\n", t->name);
    return 1;
}

int torture_run(size_t n, const torture *all)
{
    int failed = 0;

    json_set_alloc_funcs(alloc_json, cull_free);
    for (size_t i = 0; i < n; i++)
        failed |= run_all(&all[i]);
    return failed;
}
