// How lm-eval turns contexts and continuations into ids.
#include "common/lm_eval/lm_protocol.h"

#include <string.h>

static cull_status decode_one(cull_ctx *ctx, const cull_text *text, int32_t id, span *out)
{
    char *s = NULL;
    size_t n = 0;

    *out = (span){ "", 0 };
    if (id < 0)
        return CULL_OK;
    const cull_status status = text->decode(ctx, text, &id, 1, CULL_SPECIAL, &s, &n);
    if (status == CULL_OK)
        *out = (span){ s, n };
    return status;
}

cull_status lm_encoder_init(cull_ctx *ctx, const cull_text *text, int64_t protocol, int64_t bos,
                            int64_t length, lm_encoder *out)
{
    *out = (lm_encoder){ .text = text,
                         .version = (enum lm_version)protocol,
                         .bos = (enum lm_bos)bos,
                         .length = length ? (size_t)length : text->max_positions,
                         .prefix = text->bos };
    if (text->bos < 0 || protocol == LM_EVAL_0_4_0)
        out->prefix = text->eos;
    if (out->length > text->max_positions)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "length %zu is more than the model's %zu positions", out->length,
                               text->max_positions);
    if (bos == LM_BOS_ADD && text->bos < 0)
        return ctx->host->fail(ctx, CULL_EINVAL, "bos: add, but the tokenizer has no BOS");
    const cull_status status = decode_one(ctx, text, out->prefix, &out->prefix_text);
    return status == CULL_OK ? decode_one(ctx, text, text->eos, &out->eos_text) : status;
}

static cull_status encode(cull_ctx *ctx, const cull_text *text, span s, uint32_t flags,
                          int32_t **ids, size_t *n)
{
    return text->encode(ctx, text, s.n ? s.s : "", s.n, flags, ids, n);
}

cull_status lm_encode(cull_ctx *ctx, const lm_encoder *lm, span text, int32_t **ids, size_t *n)
{
    const bool newest = lm->version == LM_EVAL_0_4_13;
    bool special = lm->bos == LM_BOS_ADD || (lm->bos == LM_BOS_PROTOCOL && newest);

    if (newest && lm->prefix_text.n && span_starts(text, lm->prefix_text))
        special = false;
    const cull_status status = encode(ctx, lm->text, text, special ? CULL_SPECIAL : 0, ids, n);
    if (status != CULL_OK || lm->bos != LM_BOS_ADD || !special ||
        (*n && (*ids)[0] == lm->text->bos))
        return status;
    int32_t *with_bos = ctx->host->alloc(ctx, *n + 1, sizeof *with_bos);
    if (!with_bos)
        return CULL_ENOMEM;
    with_bos[0] = lm->text->bos;
    memcpy(with_bos + 1, *ids, *n * sizeof **ids);
    *ids = with_bos;
    ++*n;
    return CULL_OK;
}

typedef struct tokens {
    const int32_t *ids;
    size_t n;
} tokens;

static tokens last(tokens t, size_t n)
{
    return t.n <= n ? t : (tokens){ t.ids + t.n - n, n };
}

// The last L + 1 ids of context and continuation; all but the last are fed.
static cull_status score(cull_ctx *ctx, const lm_encoder *lm, const char *place, tokens context,
                         tokens continuation, cull_request *out)
{
    if (continuation.n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: a continuation leaves no token to score",
                               place);
    if (context.n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: a context is empty and nothing stands in front of it (no BOS)",
                               place);
    if (continuation.n > lm->length)
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: a continuation of %zu tokens does not fit the length of %zu",
                               place, continuation.n, lm->length);
    context = last(context, lm->length + 1 - continuation.n);
    int32_t *ids = ctx->host->alloc(ctx, context.n + continuation.n, sizeof *ids);
    if (!ids)
        return CULL_ENOMEM;
    memcpy(ids, context.ids, context.n * sizeof *ids);
    memcpy(ids + context.n, continuation.ids, continuation.n * sizeof *ids);
    *out = (cull_request){ .size = sizeof(cull_request),
                           .kind = CULL_SCORE,
                           .wants = CULL_WANT_GREEDY,
                           .ids = ids,
                           .n = context.n + continuation.n,
                           .scored = continuation.n };
    return CULL_OK;
}

static cull_status no_prefix(cull_ctx *ctx, const char *place)
{
    return ctx->host->fail(ctx, CULL_ENOTSUP,
                           "%s: an empty context needs BOS or EOS, and the tokenizer has neither",
                           place);
}

static cull_status score_empty(cull_ctx *ctx, const lm_encoder *lm, const char *place,
                               span continuation, cull_request *out)
{
    int32_t *ids;
    size_t n;

    if (lm->prefix < 0)
        return no_prefix(ctx, place);
    const bool newest = lm->version == LM_EVAL_0_4_13;
    cull_status status = newest ? encode(ctx, lm->text, continuation, 0, &ids, &n)
                                : lm_encode(ctx, lm, continuation, &ids, &n);
    if (status != CULL_OK)
        return status;
    tokens context = { &lm->prefix, 1 }, target = { ids, n };
    if (newest && n && ids[0] == lm->prefix) { // the continuation's own BOS is the context
        context.ids = ids;
        target = (tokens){ ids + 1, n - 1 };
    }
    return score(ctx, lm, place, context, target, out);
}

static cull_status score_pair(cull_ctx *ctx, const lm_encoder *lm, const char *place, span context,
                              tokens encoded, span continuation, cull_request *out)
{
    span whole;
    int32_t *ids;
    size_t n;
    cull_status status = span_join(ctx, 2, (span[]){ context, continuation }, &whole);

    if (status == CULL_OK)
        status = lm_encode(ctx, lm, whole, &ids, &n);
    if (status != CULL_OK)
        return status;
    // Trailing white space of the context has moved to the continuation: `encoded` knows nothing of
    // it.
    const tokens target = { ids + (encoded.n < n ? encoded.n : n),
                            encoded.n < n ? n - encoded.n : 0 };
    return score(ctx, lm, place, encoded, target, out);
}

cull_status lm_score_pairs(cull_ctx *ctx, const lm_encoder *lm, const char *place, size_t n,
                           const span *context, const span *continuation, cull_request *out,
                           bool *truncated)
{
    cull_status status = CULL_OK;
    int32_t *ids = NULL;
    size_t n_ids = 0;

    for (size_t i = 0; status == CULL_OK && i < n; i++) {
        if (context[i].n == 0) {
            status = score_empty(ctx, lm, place, continuation[i], &out[i]);
            continue;
        }
        if (!ids || context[i].s != context[i - 1].s || context[i].n != context[i - 1].n)
            status = lm_encode(ctx, lm, py_rstrip(context[i]), &ids, &n_ids);
        if (status == CULL_OK)
            status = score_pair(ctx, lm, place, context[i], (tokens){ ids, n_ids }, continuation[i],
                                &out[i]);
        if (status == CULL_OK && out[i].n - out[i].scored < n_ids)
            *truncated = true;
    }
    return status;
}

cull_status lm_score_rolling(cull_ctx *ctx, const lm_encoder *lm, const char *place, span text,
                             size_t *n, cull_request **out)
{
    int32_t *ids;
    size_t n_ids;
    const size_t L = lm->length;

    if (lm->prefix < 0)
        return no_prefix(ctx, place);
    cull_status status = lm_encode(ctx, lm, text, &ids, &n_ids);
    if (status != CULL_OK)
        return status;
    if (n_ids == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the text leaves no token to score", place);
    *n = (n_ids + L - 1) / L;
    *out = ctx->host->alloc(ctx, *n, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    const size_t first = n_ids < L ? n_ids : L;
    status = score(ctx, lm, place, (tokens){ &lm->prefix, 1 }, (tokens){ ids, first }, &(*out)[0]);
    for (size_t i = 1, done = first; status == CULL_OK && i < *n; i++) {
        const size_t targets = n_ids - done < L ? n_ids - done : L;
        status = score(ctx, lm, place, (tokens){ ids, done }, (tokens){ ids + done, targets },
                       &(*out)[i]);
        done += targets;
    }
    for (size_t i = 0; i < *n; i++)
        (*out)[i].wants = 0;
    return status;
}

cull_status lm_generate(cull_ctx *ctx, const lm_encoder *lm, const char *place, span context,
                        size_t max_new, size_t n_until, const char *const *until, cull_request *out,
                        bool *truncated)
{
    int32_t *ids;
    size_t n;

    if (max_new >= lm->length)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s: %zu new tokens leave no room for a context in a length of %zu",
                               place, max_new, lm->length);
    const char **stop = ctx->host->alloc(ctx, n_until + 1, sizeof *stop);
    if (!stop)
        return CULL_ENOMEM;
    bool has_eos = lm->eos_text.n == 0;
    for (size_t i = 0; i < n_until; i++) {
        stop[i] = until[i];
        has_eos |= span_equal(span_of(until[i]), lm->eos_text);
    }
    cull_status status = lm_encode(ctx, lm, context, &ids, &n);
    if (status != CULL_OK)
        return status;
    if (n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the context is empty", place);
    if (!has_eos) {
        span eos;
        status = span_copy(ctx, lm->eos_text, &eos);
        if (status != CULL_OK)
            return status;
        stop[n_until++] = eos.s;
    }
    const tokens kept = last((tokens){ ids, n }, lm->length - max_new);
    *truncated = kept.n < n;
    if (lm->text->max_new) // the context has been cut for the task's own, as lm-eval's is
        max_new = lm->text->max_new;
    *out = (cull_request){ .size = sizeof(cull_request),
                           .kind = CULL_GENERATE,
                           .ids = kept.ids,
                           .n = kept.n,
                           .max_new = max_new,
                           .n_until = n_until,
                           .until = stop };
    return CULL_OK;
}
