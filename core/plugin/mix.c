// A mix of calibration data: of each part so many rows, drawn by the seed, as its share of tokens
// is.
#include "plugin/mix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "plugin/border/sequences.h"

static const cull_param params[] = {
    CULL_P_INT(cull_mix, tokens, 0, 0, CULL_ANY_HI,
               "of the whole mix; 0: as many as the shares and what the parts have allow"),
    CULL_P_TEXT(cull_mix, of, "", 0, "the parts and their shares"),
};

static size_t tokens_of(const cull_sequences *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        n += rows->at[i].n;
    return n;
}

static cull_status load_parts(cull_ctx *ctx, const cull_mix *mix, const cull_text *text,
                              cull_sequences *of)
{
    cull_context *context = cull_context_of(ctx);
    const char *owner = context->owner;

    for (size_t i = 0; i < mix->n; i++) {
        context->owner = mix->part[i].plugin->name;
        const cull_status status =
            cull_load_sequences(ctx, mix->part[i].plugin, mix->part[i].settings, text, &of[i]);
        context->owner = owner;
        CULL_TRY(cull_while(ctx, status, "reading part %zu of the mix", i + 1));
    }
    return CULL_OK;
}

// The tokens of the whole, when the part that has least for its share gives all.
static double tokens_of_mix(const cull_mix *mix, const cull_sequences *of)
{
    double all = INFINITY;

    if (mix->tokens > 0)
        return (double)mix->tokens;
    for (size_t i = 0; i < mix->n; i++)
        all = fmin(all, (double)tokens_of(&of[i]) / mix->part[i].share);
    return all;
}

static int ascending(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

// Rows in an order of chance, as long as one more brings their tokens nearer to `want`; then in
// their own order again.
static cull_status draw(cull_ctx *ctx, size_t part, double want, cull_sequences *rows)
{
    size_t *order = cull_scratch(ctx, rows->n, sizeof *order), n = 0, taken = 0;
    char stream[32];
    cull_rng rng;

    if (!order)
        return CULL_ENOMEM;
    (void)snprintf(stream, sizeof stream, "part %zu", part + 1);
    cull_rng_init(&rng, cull_context_of(ctx)->seed, "mix", stream);
    cull_rng_shuffle(&rng, rows->n, order);
    for (; n < rows->n; n++) {
        const double with = (double)(taken + rows->at[order[n]].n);
        if (fabs(with - want) > fabs((double)taken - want))
            break;
        taken += rows->at[order[n]].n;
    }
    qsort(order, n, sizeof *order, ascending);
    for (size_t i = 0; i < n; i++)
        rows->at[i] = rows->at[order[i]]; // order[i] ≥ i
    rows->n = n;
    return CULL_OK;
}

static cull_status check_part(cull_ctx *ctx, size_t part, double want, size_t had,
                              const cull_sequences *rows)
{
    if ((double)had < floor(want + 1e-6))
        return cull_fail(ctx, CULL_EINVAL,
                         "part %zu of the mix has %zu tokens; its share is %.0f of them", part + 1,
                         had, want);
    if (rows->n == 0)
        return cull_fail(ctx, CULL_EINVAL,
                         "the share of part %zu of the mix is %.0f tokens, less than half a row",
                         part + 1, want);
    return CULL_OK;
}

static cull_status load(cull_ctx *ctx, const void *settings, const cull_text *text,
                        cull_sequences *out)
{
    const cull_mix *mix = settings;
    cull_sequences *of = cull_take(ctx, mix->n, sizeof *of);

    if (!of)
        return CULL_ENOMEM;
    CULL_TRY(load_parts(ctx, mix, text, of));
    const double all = tokens_of_mix(mix, of);
    for (size_t i = 0; i < mix->n; i++) {
        const double want = all * mix->part[i].share;
        const size_t had = tokens_of(&of[i]);
        CULL_TRY(draw(ctx, i, want, &of[i]));
        CULL_TRY(check_part(ctx, i, want, had, &of[i]));
        out->n += of[i].n;
    }
    out->at = cull_take(ctx, out->n, sizeof *out->at);
    if (!out->at)
        return CULL_ENOMEM;
    for (size_t i = 0, at = 0; i < mix->n; at += of[i++].n)
        memcpy(out->at + at, of[i].at, of[i].n * sizeof *out->at);
    return CULL_OK;
}

static bool is_drawn(const void *settings)
{
    (void)settings;
    return true;
}

static const cull_data data = { .size = sizeof data, .random = is_drawn, .load = load };

const cull_plugin cull_mix_plugin = {
    .size = sizeof cull_mix_plugin,
    .kind = CULL_DATA,
    .name = "mix",
    .version = "1.0",
    .brief = "rows of several readers, by shares of their tokens",
    .vtable = &data,
    CULL_SETTINGS(params, cull_mix),
};
