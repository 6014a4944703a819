// The examples in front of each question, drawn as lm-eval draws them.
#include "shots.h"

#include "render.h"

void shots_free(shots *s)
{
    jsonl_free(&s->pool);
}

static cull_status render_pool(cull_ctx *ctx, shots *s)
{
    const size_t n = s->pool.n;

    s->text = ctx->host->alloc(ctx, n, sizeof *s->text);
    s->drawn = ctx->host->alloc(ctx, s->k + 1, sizeof *s->drawn);
    s->work = ctx->host->alloc(ctx, n, sizeof *s->work);
    s->others = ctx->host->alloc(ctx, n, sizeof *s->others);
    if (!s->text || !s->drawn || !s->work || !s->others)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *place = jsonl_place(ctx, &s->pool, i);
        json_t *doc =
            json_deep_copy(s->pool.value[i]); // what is derived must not enter a comparison
        cull_status status = !place ? CULL_ENOMEM
                             : doc  ? CULL_OK
                                    : ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
        if (status == CULL_OK && s->spec->derive)
            status = s->spec->derive(ctx, place, doc);
        if (status == CULL_OK)
            status = render_shot(ctx, place, s->spec, doc, &s->text[i]);
        json_decref(doc);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

cull_status shots_init(cull_ctx *ctx, const task_spec *spec, size_t k, const char *pool_path,
                       uint32_t seed, bool resample, shots *out)
{
    *out = (shots){ .spec = spec, .k = k, .resample = resample };
    py_random_seed(&out->random, seed);
    if (k == 0)
        return CULL_OK;
    const cull_status status = jsonl_read(ctx, pool_path, 0, &out->pool);
    if (status != CULL_OK)
        return status;
    const size_t least = k + (spec->shots_rule == SHOTS_DRAWN_BUT_SELF);
    if (out->pool.n < least)
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: %zu documents; %zu shots of %s need %zu",
                               pool_path, out->pool.n, k, spec->name, least);
    return render_pool(ctx, out);
}

// Draw k + 1 and leave out the document itself; out (k) gets how many remain.
static size_t draw_others(shots *s, const json_t *doc, size_t *out)
{
    const size_t n = s->pool.n, k = s->k;
    size_t kept = 0;

    py_random_sample(&s->random, n, k + 1, s->drawn, s->work);
    for (size_t i = 0; i < k + 1 && kept < k; i++)
        if (!json_equal(s->pool.value[s->drawn[i]], doc))
            out[kept++] = s->drawn[i];
    if (kept == k || !s->resample)
        return kept;
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (!json_equal(s->pool.value[i], doc))
            s->others[m++] = i;
    if (m < k)
        return kept;
    py_random_sample(&s->random, m, k, s->drawn, s->work);
    for (size_t i = 0; i < k; i++)
        out[i] = s->others[s->drawn[i]];
    return k;
}

static bool is_among(const shots *s, const size_t *chosen, size_t n, const json_t *doc)
{
    for (size_t i = 0; i < n; i++)
        if (json_equal(s->pool.value[chosen[i]], doc))
            return true;
    return false;
}

cull_status shots_next(cull_ctx *ctx, shots *s, const char *place, const json_t *doc, span *out)
{
    *out = (span){ "", 0 };
    if (s->k == 0)
        return CULL_OK;
    size_t *chosen = ctx->host->alloc(ctx, s->k, sizeof *chosen), n = s->k;
    span *part = ctx->host->alloc(ctx, s->k, sizeof *part);
    if (!chosen || !part)
        return CULL_ENOMEM;
    switch (s->spec->shots_rule) {
    case SHOTS_FIRST:
        for (size_t i = 0; i < n; i++)
            chosen[i] = i;
        break;
    case SHOTS_DRAWN:
        py_random_sample(&s->random, s->pool.n, n, chosen, s->work);
        break;
    case SHOTS_DRAWN_BUT_SELF:
        n = draw_others(s, doc, chosen);
        break;
    }
    if (n < s->k && s->resample)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s: the pool has only %zu other documents for %zu shots", place, n,
                               s->k);
    for (size_t i = 0; i < n; i++)
        part[i] = s->text[chosen[i]];
    s->own += is_among(s, chosen, n, doc);
    return span_join(ctx, n, part, out);
}
