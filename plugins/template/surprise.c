// Surprise: how many bits a model needs for the next token of a text.
#include <math.h>
#include <string.h>

#include <cull/cull.h>

struct settings {
    cull_texts files;
    int64_t length;
};

static const cull_param params[] = {
    CULL_P_PATHS(struct settings, files, CULL_REQUIRED, "text files, each one a task"),
    CULL_P_INT(struct settings, length, 128, 2, 1000000, "tokens of a window"),
};

struct file { // what prepare leaves for score
    const char *task;
    size_t first, n; // its requests
};

struct state {
    size_t n;
    struct file file[];
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

// Whole windows of the file's tokens, each fed alone and scored on all tokens but its first.
static cull_status add_file(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                            const char *path, cull_requests *out, struct file *file)
{
    const size_t length = (size_t)set->length;
    const char *bytes;
    int32_t *ids;
    size_t n;
    cull_status status = ctx->host->read_file(ctx, path, &bytes, &n);

    if (status == CULL_OK)
        status = text->encode(ctx, text, bytes, n, 0, &ids, &n);
    if (status != CULL_OK)
        return status;
    if (n < length)
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: %zu tokens are less than a window of %zu",
                               path, n, length);
    cull_request *all = ctx->host->alloc(ctx, out->n + n / length, sizeof *all);
    if (!all)
        return CULL_ENOMEM;
    if (out->n)
        memcpy(all, out->at, out->n * sizeof *all);
    *file = (struct file){ .task = base_name(path), .first = out->n, .n = n / length };
    for (size_t i = 0; i < file->n; i++)
        all[out->n++] = (cull_request){ .size = sizeof *all,
                                        .kind = CULL_SCORE,
                                        .ids = ids + i * length,
                                        .n = length,
                                        .scored = length - 1 };
    out->at = all;
    return CULL_OK;
}

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    const struct settings *set = settings;
    struct state *state =
        ctx->host->alloc(ctx, 1, sizeof *state + set->files.n * sizeof *state->file);
    cull_status status = state ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; i < set->files.n && status == CULL_OK; i++)
        status = add_file(ctx, set, text, set->files.at[i], out, &state->file[state->n++]);
    out->state = state;
    return status;
}

// A value for each file, and beside it the windows' own, so that comparisons can be paired.
static cull_status report(cull_ctx *ctx, const struct file *file, const double *bits,
                          cull_report *out)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < file->n; i++)
        sum += bits[i];
    const double n = (double)file->n, mean = sum / n;
    for (size_t i = 0; i < file->n; i++)
        squares += (bits[i] - mean) * (bits[i] - mean);

    const cull_value value = { .size = sizeof value,
                               .task = file->task,
                               .metric = "bits",
                               .filter = "none",
                               .value = mean,
                               .stderr_ = n > 1 ? sqrt(squares / (n - 1) / n) : NAN,
                               .n = file->n };
    const cull_column column = { .size = sizeof column,
                                 .task = file->task,
                                 .name = "bits",
                                 .unit = "bits",
                                 .doc = "mean over the window's tokens",
                                 .dims = { "window" },
                                 .shape = { file->n },
                                 .type = 'd',
                                 .data = bits };
    const cull_status status = out->value(ctx, out, &value);
    return status == CULL_OK ? out->column(ctx, out, &column) : status;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    const struct settings *set = settings;
    const struct state *state = requests->state;
    const double per_bit = -log(2.0) * (double)(set->length - 1);

    for (size_t f = 0; f < state->n; f++) {
        const struct file *file = &state->file[f];
        double *bits = ctx->host->scratch(ctx, file->n, sizeof *bits);
        if (!bits)
            return CULL_ENOMEM;
        for (size_t i = 0; i < file->n; i++)
            bits[i] = cull_answer_at(answers, file->first + i)->ll / per_bit;
        const cull_status status = report(ctx, file, bits, out);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

static const cull_metric surprise = {
    .size = sizeof surprise,
    .prepare = prepare,
    .score = score,
};

CULL_PLUGIN(
    METRIC, surprise, "1.0", "bits per token of text files",
    .doc = "Each file is a task, cut into whole windows of `length` tokens that are fed alone; "
           "bits is the mean over windows of -log2 p of a token, less being better. Cost: a "
           "forward pass over the windows.",
    .cite = "A template; log2 of perplexity.", CULL_SETTINGS(params, struct settings));
