// cull export TRIAL -o DIR: a variant as a checkpoint that others load, or as lists of the experts
// it keeps.
#include <string.h>

#include "cli/commands.h"
#include "cli/export_verify.h"
#include "cli/folders.h"
#include "cli/model.h"
#include "flow/export.h"
#include "plan/cost/memory.h"

typedef enum layout { CHECKPOINT, JSONL, RANKING, MASK, N_LAYOUTS } layout;
static const char *const layouts[N_LAYOUTS] = { "checkpoint", "jsonl", "ranking", "mask" };

typedef struct request {
    cull_folders folders; // --where, and the folder that it chooses from
    const char *trial, *model, *out;
    layout layout;
    bool verify;
    cull_export_options how;
} request;

enum { MODEL = 0x200, LAYOUT, DEQUANTISE, SHARD, DROP_BIAS, VERIFY };

static const double close_enough = 1e-4; // of the largest logit

static const struct argp_option options[] = {
    { "output", 'o', "DIR", 0, "the folder to make, or with another --layout the file", 0 },
    CULL_FOLDERS_OPTION,
    { "model", MODEL, "MODEL", 0, "the model, where it is not (or no longer) where the trial says",
      0 },
    { "layout", LAYOUT, "checkpoint|jsonl|ranking|mask", 0,
      "jsonl: only the experts kept, a line for each layer; ranking: all experts in order, with "
      "their scores; mask: the experts dropped, as one JSON object",
      0 },
    { "dequantise", DEQUANTISE, NULL, 0,
      "store FP8 and MXFP4 weights as BF16, or as F32 where BF16 would round them", 0 },
    { "drop-bias", DROP_BIAS, NULL, 0, "leave out output biases that the format cannot say", 0 },
    { "shard", SHARD, "SIZE", 0, "largest size of a file of weights (5G)", 0 },
    { "verify", VERIFY, NULL, 0,
      "open what was written, and compare its logits with the variant's and its metrics with the "
      "trial's record",
      0 },
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, trial),
    CULL_SET_TEXT('o', request, out),
    CULL_SET_TEXT(MODEL, request, model),
    CULL_SET_FLAG(DEQUANTISE, request, how.dequantise),
    CULL_SET_FLAG(DROP_BIAS, request, how.drop_bias),
    CULL_SET_FLAG(VERIFY, request, verify),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case LAYOUT:
        r->layout = CHECKPOINT;
        while (r->layout < N_LAYOUTS && strcmp(arg, layouts[r->layout]) != 0)
            r->layout++;
        if (r->layout == N_LAYOUTS)
            argp_error(state, "--layout is checkpoint, jsonl, ranking or mask, not %s", arg);
        return 0;
    case SHARD:
        if (!cull_parse_bytes(arg, &r->how.shard_bytes) || r->how.shard_bytes == 0)
            argp_error(state, "--shard takes a size like 5G, not %s", arg);
        return 0;
    case ARGP_KEY_END:
        if (!r->trial || !r->out || !*r->out)
            argp_error(state, "two things are needed: cull export TRIAL -o DIR");
        if (r->layout != CHECKPOINT &&
            (r->how.dequantise || r->how.shard_bytes || r->how.drop_bias || r->verify))
            argp_error(state, "--%s has an effect only with --layout checkpoint",
                       r->how.dequantise    ? "dequantise"
                       : r->how.shard_bytes ? "shard"
                       : r->how.drop_bias   ? "drop-bias"
                                            : "verify");
        return 0;
    case CULL_FOLDERS_WHERE:
        return cull_folders_parse(key, arg, state, &r->folders);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// The one trial of a folder of results that meets --where.
static cull_status choose_trial(cull_ctx *ctx, request *r)
{
    const cull_conditions where = { r->folders.n_where, r->folders.where };
    cull_frame frame;
    size_t found = 0;

    CULL_TRY(cull_frame_load(ctx, 1, &r->trial, &where, &frame));
    for (size_t i = 0; i < frame.n_trials; i++)
        if (!frame.trial[i].dense && found++ == 0)
            r->trial = frame.trial[i].path;
    if (found != 1)
        return cull_fail(ctx, CULL_EUSAGE,
                         "--where: %zu trials meet it, dense ones aside, but one is exported",
                         found);
    return CULL_OK;
}

// What stands in the folder is read as any model is.
static cull_status verify(cull_cli *cli, const request *r, const cull_prepared_model *prepared,
                          const cull_cut *cut)
{
    cull_ctx *ctx = &cli->context.ctx;
    const cull_engine_options engine = { .memory = cli->options.memory };
    cull_prepared_model written = { 0 };
    double worst = 0;
    cull_status status = cull_model_examine(cli, r->how.folder, CULL_OPEN_WEIGHTS, &written);

    if (status == CULL_OK)
        status = cull_export_verify(ctx, prepared, cut, &written, &engine, &worst);
    cull_prepared_model_close(&written);
    CULL_TRY(cull_while(ctx, status, "verifying %s", r->how.folder));
    if (!(worst <= close_enough))
        return cull_fail(ctx, CULL_ENUMERIC,
                         "%s is written, but it is not the variant: logits differ by %.2g of the "
                         "largest",
                         r->how.folder, worst);
    cull_log_line(cli->log, CULL_INFO, "verified: logits differ by %.2g of the largest at most",
                  worst);
    return CULL_OK;
}

// measured: by a trial whose record may be compared with.
static cull_status write_checkpoint(cull_cli *cli, const request *r, cull_prepared_model *prepared,
                                    const cull_cut *cut, bool measured)
{
    cull_ctx *ctx = &cli->context.ctx;
    const char *source = prepared->opened.facts->source;
    const cull_memory_need need = cull_export_need(ctx, prepared, cut, &r->how, r->verify);

    if (r->verify && measured)
        CULL_TRY(cull_verify_fits(cli, r->trial, source, &need));
    else
        CULL_TRY(cull_memory_suffices(ctx, source, &need, cli->options.memory));
    CULL_TRY(cull_export_checkpoint(ctx, prepared, cut, &r->how));
    if (!r->verify)
        return CULL_OK;
    CULL_TRY(verify(cli, r, prepared, cut));
    return measured ? cull_verify_metrics(cli, r->trial, r->how.folder) : CULL_OK;
}

static cull_status export_trial(cull_cli *cli, request *r, cull_prepared_model *prepared)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_recipe recipe;
    cull_cut *cut;
    size_t n = strlen(r->out);

    if (r->folders.n_where > 0)
        CULL_TRY(choose_trial(ctx, r));
    if (r->layout == RANKING) {
        cull_cli_results(cli);
        return cull_export_ranking(ctx, r->trial, r->out);
    }
    CULL_TRY(cull_recipe_read(ctx, r->trial, &recipe));
    if (!r->model && !recipe.model)
        return cull_fail(ctx, CULL_EUSAGE, "%s: a cut by itself names no model: give --model",
                         r->trial);
    CULL_TRY(cull_model_open(cli, r->model ? r->model : recipe.model, CULL_OPEN_WEIGHTS, prepared));
    while (n > 1 && r->out[n - 1] == '/')
        n--;
    const char *out = cull_arena_copy(cli->context.alloc, r->out, n);
    if (!out)
        return cull_no_memory(ctx);
    CULL_TRY(cull_model_cut(cli, &recipe, prepared, out, &cut));
    cull_cli_results(cli);
    if (r->layout == JSONL)
        return cull_export_lists(ctx, prepared, cut, out);
    if (r->layout == MASK)
        return cull_export_mask(ctx, prepared, cut, out);
    r->how.folder = out;
    return write_checkpoint(cli, r, prepared, cut, recipe.model != NULL);
}

int cull_cmd_export(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "TRIAL",
        .doc = "Write a trial's variant as a complete Hugging Face checkpoint. TRIAL is a trial's "
               ".h5 file, or a cut's .safetensors file together with --model, or a folder of "
               "results of which --where leaves one trial. What the format cannot say is refused "
               "with the reason.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_MEMORY | CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { 0 };
    cull_prepared_model prepared = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = export_trial(cli, &r, &prepared);
    cull_prepared_model_close(&prepared);
    cull_folders_release(&r.folders);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
