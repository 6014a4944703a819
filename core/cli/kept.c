// Files of results, summed and removed.
#include "cli/kept.h"

#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "cli/plan_state.h"
#include "record/folder/claims.h"

double cull_kept_sum(const cull_inventory *v, cull_kept_kind kind, size_t *n)
{
    double bytes = 0;

    *n = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->at[i].kind != kind)
            continue;
        bytes += (double)v->at[i].bytes;
        ++*n;
    }
    return bytes;
}

cull_status cull_kept_remove(cull_cli *cli, const char *folder, const cull_inventory *v,
                             const bool *marked, bool dry)
{
    cull_ctx *ctx = &cli->context.ctx;
    double bytes;
    size_t n = 0;
    char size[32];

    if (!dry && cull_claims_any(ctx, folder))
        return cull_fail(ctx, CULL_EENV, "%s: a run is at work in this folder", folder);
    cull_cli_results(cli);
    for (size_t i = 0; i < v->n; i++) {
        if (!marked[i])
            continue;
        printf("%10s  %-11s %s\n", cull_bytes_text((double)v->at[i].bytes, size, sizeof size),
               cull_kept_word(v->at[i].kind), v->at[i].name);
        n++;
    }
    CULL_TRY(cull_inventory_remove(ctx, folder, v, marked, dry, &bytes));
    printf("%s: %zu file%s %s, %s %s free\n", folder, n, n == 1 ? "" : "s",
           dry ? "would be removed" : "removed", cull_bytes_text(bytes, size, sizeof size),
           dry ? "would be" : "are");
    return CULL_OK;
}

static bool is_named(const cull_inventory *v, const bool *marked, const char *cut)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i].kind == CULL_KEPT_TRIAL && !marked[i] && v->at[i].cut &&
            strcmp(v->at[i].cut, cut) == 0)
            return true;
    return false;
}

void cull_kept_mark_cuts(const cull_inventory *v, bool *marked)
{
    for (size_t t = 0; t < v->n; t++) {
        const char *cut = v->at[t].cut;
        if (v->at[t].kind != CULL_KEPT_TRIAL || !marked[t] || !cut || is_named(v, marked, cut))
            continue;
        for (size_t i = 0; i < v->n; i++)
            if ((v->at[i].kind == CULL_KEPT_CUT && strcmp(v->at[i].name, cut) == 0) ||
                (v->at[i].kind == CULL_KEPT_STEP && v->at[i].cut && strcmp(v->at[i].cut, cut) == 0))
                marked[i] = true;
    }
}

static bool is_asked(const cull_inventory *v, const bool *marked, const char *question)
{
    for (size_t i = 0; i < v->n; i++)
        for (size_t q = 0; !marked[i] && q < v->at[i].n_questions; q++)
            if (strcmp(v->at[i].question[q], question) == 0)
                return true;
    return false;
}

void cull_kept_mark_questions(const cull_inventory *v, bool *marked)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i].kind == CULL_KEPT_QUESTIONS && !is_asked(v, marked, v->at[i].name))
            marked[i] = true;
}
