// An experiment read, bound and planned, for the commands that take one.
#include "cli/experiment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plan/key.h"
#include "plan/only.h"
#include "plan/remarks.h"
#include "record/folder/folder_note.h"
#include "study/fits.h"

cull_status cull_experiment_source(cull_ctx *ctx, const cull_options *options, const char *file,
                                   cull_spec_source *out)
{
    const char **set = cull_take(ctx, options->n_set + 1, sizeof *set);

    if (!set)
        return CULL_ENOMEM;
    if (options->n_set > 0)
        memcpy(set, options->set, options->n_set * sizeof *set);
    *out = (cull_spec_source){ .file = file,
                               .n_overrides = options->n_set,
                               .overrides = set,
                               .trust_plugins = options->trust_plugins };
    if (!options->precision)
        return CULL_OK;
    set[out->n_overrides++] =
        cull_arena_printf(cull_context_of(ctx)->alloc, "precision=%s", options->precision);
    return set[options->n_set] ? CULL_OK : cull_no_memory(ctx);
}

// `auto` stays what it came to when the folder was first asked for it.
static cull_status settle_precision(cull_ctx *ctx, const char *given, cull_spec *spec)
{
    if (strcmp(spec->precision, "auto") != 0)
        return CULL_OK;
    const char *folder = cull_experiment_folder(ctx, spec, given);
    if (!folder)
        return CULL_ENOMEM;
    spec->automatic = cull_folder_note_read(ctx, folder).automatic;
    return CULL_OK;
}

static cull_status read_and_fit(cull_ctx *ctx, cull_registry *registry,
                                const cull_spec_source *source, const cull_opening *how,
                                cull_problems *problems, cull_experiment *e)
{
    cull_status status = cull_spec_read(ctx, source, registry, problems, &e->spec);

    if (status == CULL_OK)
        status = settle_precision(ctx, how->folder, &e->spec);
    if (status == CULL_OK)
        status = cull_plan_make(ctx, &e->spec, problems, &e->plan);
    if (status == CULL_EUSAGE) { // counts problems; there may be more
        cull_error_clear(ctx);
        CULL_TRY(cull_inputs_try_models(ctx, &e->spec, how->what, problems));
        return cull_problems_status(problems);
    }
    CULL_TRY(status);
    status = cull_inputs_open(ctx, &e->plan, how->what, problems, &e->inputs);
    if (status != CULL_OK && status != CULL_EUSAGE) // a model could not be opened
        return status;
    cull_error_clear(ctx);
    CULL_TRY(cull_fit_cuts(ctx, &e->spec, &e->inputs, problems));
    CULL_TRY(cull_problems_status(problems));
    CULL_TRY(cull_plan_remarks(ctx, &e->inputs, &e->plan));
    return cull_inputs_load(ctx, &e->plan, how->memory, &e->inputs, problems);
}

static bool print_problems(const cull_problems *problems)
{
    cull_buf text = CULL_BUF_INIT;

    cull_problems_print(problems, &text);
    const bool said = !text.failed && text.s && fputs(text.s, stderr) >= 0;
    cull_buf_release(&text);
    return said;
}

cull_status cull_experiment_open(cull_ctx *ctx, cull_registry *registry,
                                 const cull_spec_source *source, const cull_opening *how,
                                 cull_experiment *out)
{
    cull_problems problems;

    *out = (cull_experiment){ 0 };
    cull_problems_init(&problems, ctx);
    const cull_status status = read_and_fit(ctx, registry, source, how, &problems, out);
    if (problems.n > 0)
        out->said = print_problems(&problems) && !cull_ends_all(status);
    CULL_TRY(status);
    return cull_plan_keys(ctx, registry, &out->inputs, &out->plan);
}

error_t cull_only_parse(char *arg, cull_only *only)
{
    return cull_cli_append(&only->at, &only->n, arg);
}

cull_status cull_experiment_only(cull_ctx *ctx, const cull_only *only, cull_experiment *e)
{
    return cull_plan_only(ctx, &e->plan, e->inputs.precision, only->n, only->at);
}

void cull_only_release(cull_only *only)
{
    cull_free(only->at);
    *only = (cull_only){ 0 };
}

const char *cull_experiment_folder(cull_ctx *ctx, const cull_spec *spec, const char *given)
{
    if (given)
        return given;
    if (spec->folder)
        return spec->folder;
    const char *folder = cull_arena_printf(cull_context_of(ctx)->alloc, "results/%s", spec->name);
    if (!folder)
        cull_no_memory(ctx);
    return folder;
}

const char *cull_experiment_cache(const cull_spec *spec, const char *folder)
{
    const char *named = getenv("CULL_CACHE");

    if (spec->cache)
        return spec->cache;
    return named && *named ? named : folder;
}

void cull_experiment_close(cull_experiment *experiment)
{
    cull_inputs_close(&experiment->inputs);
}

int cull_experiment_failed(cull_cli *cli, const cull_experiment *e, cull_status status)
{
    if (e->said) // the context's sentence only counts what was printed
        return cull_exit_of(status);
    return cull_cli_failed(cli, status);
}
