// A rank's requests of an evaluation, and their answers on the way to rank 0.
#include "flow/ranks/share_evaluation.h"

#include <string.h>

#include "base/text.h"
#include "engine/deal.h"
#include "flow/apply.h"
#include "flow/ranks/order.h"

cull_status cull_requests_of(cull_ctx *ctx, const cull_prepared_model *prepared, size_t n_metrics,
                             const size_t *metric, size_t *n, const cull_request *const **request)
{
    *n = 0;
    for (size_t i = 0; i < n_metrics; i++)
        *n += prepared->asked[metric[i]].requests.n;
    const cull_request **all = cull_take(ctx, *n + 1, sizeof *all);
    if (!all)
        return CULL_ENOMEM;
    *n = 0;
    for (size_t i = 0; i < n_metrics; i++) {
        const cull_prepared_metric *asked = &prepared->asked[metric[i]];
        for (size_t j = 0; j < asked->requests.n; j++)
            all[(*n)++] = &asked->request[j];
    }
    *request = all;
    return CULL_OK;
}

// ---- answers as bytes ----

static size_t token_bytes(const cull_request *r)
{
    const bool asked = r->kind == CULL_SCORE && (r->wants & CULL_WANT_TOKENS);

    return asked ? r->scored * sizeof(float) : 0;
}

// The answer as it is, and behind it what it points to.
static void put_answer(cull_buf *out, const cull_request *r, const cull_answer *a)
{
    cull_buf_add(out, a, sizeof *a);
    if (a->token_ll)
        cull_buf_add(out, a->token_ll, token_bytes(r));
    if (a->ids)
        cull_buf_add(out, a->ids, a->n * sizeof *a->ids);
    if (a->text)
        cull_buf_add(out, a->text, a->text_len);
}

typedef struct reader {
    cull_ctx *ctx;
    const char *at;
    size_t left;
} reader;

static cull_status get(reader *r, size_t n, void *out)
{
    if (n > r->left)
        return cull_fail(r->ctx, CULL_EIO, "another rank's answers are not complete");
    if (n > 0)
        memcpy(out, r->at, n);
    r->at += n;
    r->left -= n;
    return CULL_OK;
}

// A copy, ended by a NUL, in the alloc arena; NULL: failed.
static const void *get_array(reader *r, size_t n)
{
    char *to = cull_take(r->ctx, n + 1, 1);

    return to && get(r, n, to) == CULL_OK ? to : NULL;
}

static cull_status get_answer(reader *r, const cull_request *request, cull_answer *a)
{
    const cull_error *error = &cull_context_of(r->ctx)->error;

    CULL_TRY(get(r, sizeof *a, a));
    if (a->token_ll && !(a->token_ll = get_array(r, token_bytes(request))))
        return error->status;
    if (a->ids && !(a->ids = get_array(r, a->n * sizeof *a->ids)))
        return error->status;
    if (a->text && !(a->text = get_array(r, a->text_len)))
        return error->status;
    return CULL_OK;
}

// ---- a rank's share ----

typedef struct hand {
    size_t n, n_all;
    const cull_request *const *all; // (n_all)
    uint32_t *of;                   // (n_all) the rank that answers
    const cull_request **request;   // (n) this rank's
    cull_answer *answer;            // (n_variants, n)
} hand;

static cull_status deal(cull_ctx *ctx, const cull_shared_evaluation *e, hand *h)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;

    CULL_TRY(cull_requests_of(ctx, e->prepared, e->n_metrics, e->metric, &h->n_all, &h->all));
    h->of = cull_take(ctx, h->n_all + 1, sizeof *h->of);
    h->request = cull_take(ctx, h->n_all + 1, sizeof *h->request);
    if (!h->of || !h->request)
        return CULL_ENOMEM;
    CULL_TRY(cull_requests_deal(ctx, e->prepared->opened.facts, h->n_all, h->all,
                                cull_ranks_size(ranks), h->of));
    cull_arena_clear(cull_context_of(ctx)->scratch);
    for (size_t i = 0; i < h->n_all; i++)
        if (h->of[i] == cull_ranks_rank(ranks))
            h->request[h->n++] = h->all[i];
    h->answer = cull_take(ctx, e->n_variants * h->n + 1, sizeof *h->answer);
    return h->answer ? CULL_OK : CULL_ENOMEM;
}

static cull_status hand_over(cull_ctx *ctx, const cull_shared_evaluation *e, const hand *h,
                             cull_parts *parts)
{
    const bool gives = cull_ranks_rank(cull_context_of(ctx)->ranks) != 0;
    cull_buf bytes = CULL_BUF_INIT;

    for (size_t i = 0; gives && i < e->n_variants * h->n; i++)
        put_answer(&bytes, h->request[i % h->n], &h->answer[i]);
    cull_status status = cull_ranks_agree(ctx, bytes.failed ? cull_no_memory(ctx) : CULL_OK);
    if (status == CULL_OK)
        status = cull_ranks_gather(ctx, bytes.n, bytes.s, parts);
    cull_buf_release(&bytes);
    return status;
}

// Rank r's answers, among all.
static cull_status take_answers(cull_ctx *ctx, const cull_shared_evaluation *e, const hand *h,
                                size_t r, const cull_parts *parts, cull_answer *answers)
{
    reader in = { ctx, parts->part[r], parts->bytes[r] };
    const cull_answer *own = h->answer;

    for (size_t v = 0; v < e->n_variants; v++)
        for (size_t i = 0; i < h->n_all; i++) {
            cull_answer *to = &answers[v * h->n_all + i];
            if (h->of[i] == r && r == 0)
                *to = *own++;
            else if (h->of[i] == r)
                CULL_TRY(get_answer(&in, h->all[i], to));
        }
    return CULL_OK;
}

static cull_status add_costs(cull_ctx *ctx, const cull_cost_seen *own, cull_cost_seen *cost)
{
    double all[] = { (double)own->passes, (double)own->rows, (double)own->weight_bytes,
                     (double)own->flops };

    CULL_TRY(cull_ranks_sum(ctx, sizeof all / sizeof *all, all));
    const cull_cost_seen seen = { (uint64_t)all[0], (uint64_t)all[1], (uint64_t)all[2],
                                  (uint64_t)all[3] };
    if (cost)
        cull_cost_add(cost, &seen);
    return CULL_OK;
}

// answers, cost: on rank 0.
static cull_status evaluate(cull_ctx *ctx, const cull_shared_evaluation *e, cull_answer *answers,
                            cull_cost_seen *cost)
{
    hand h = { 0 };
    cull_parts parts = { 0 };
    cull_cost_seen own = { 0 };
    cull_status status = deal(ctx, e, &h);

    if (status == CULL_OK)
        status = cull_evaluate_pass(ctx, &e->prepared->opened, e->engine, e->n_variants, e->cuts,
                                    h.n, h.request, h.answer, &own);
    CULL_TRY(cull_ranks_agree(ctx, status));
    CULL_TRY(add_costs(ctx, &own, cost));
    status = hand_over(ctx, e, &h, &parts);
    for (size_t r = 0; status == CULL_OK && r < parts.n; r++)
        status = take_answers(ctx, e, &h, r, &parts, answers);
    cull_parts_release(&parts);
    return status;
}

// ---- orders ----

cull_status cull_evaluate_shared(cull_ctx *ctx, const cull_shared_evaluation *e,
                                 cull_answer *answers, cull_cost_seen *cost)
{
    cull_order order = { .kind = CULL_ORDER_EVALUATE,
                         .model = e->model,
                         .n = e->n_metrics,
                         .n_variants = e->n_variants };

    CULL_TRY(cull_order_give(ctx, &order));
    CULL_TRY(cull_ranks_copy(ctx, e->n_metrics * sizeof *e->metric, (void *)(uintptr_t)e->metric));
    for (size_t v = 0; v < e->n_variants; v++) {
        uint32_t dense = e->cuts[v] == NULL;
        cull_stage_result cut = { .cut = (cull_cut *)(uintptr_t)e->cuts[v] };
        CULL_TRY(cull_ranks_copy(ctx, sizeof dense, &dense));
        if (!dense)
            CULL_TRY(cull_order_cut(ctx, e->engine->spill, 0, CULL_ALL_LAYERS, &cut));
    }
    return evaluate(ctx, e, answers, cost);
}

static cull_status take_cuts(cull_ctx *ctx, const cull_shared_evaluation *e,
                             cull_stage_result *variant, const cull_cut **cut)
{
    for (size_t v = 0; v < e->n_variants; v++) {
        uint32_t dense = 0;
        CULL_TRY(cull_ranks_copy(ctx, sizeof dense, &dense));
        if (dense)
            continue;
        variant[v].cut = cull_empty_cut(ctx, e->prepared);
        if (!variant[v].cut)
            return CULL_ENOMEM;
        CULL_TRY(cull_order_cut(ctx, e->engine->spill, 0, CULL_ALL_LAYERS, &variant[v]));
        cut[v] = variant[v].cut;
    }
    return CULL_OK;
}

cull_status cull_serve_evaluation(cull_ctx *ctx, const cull_inputs *inputs,
                                  const cull_engine_options *engine, size_t model,
                                  size_t n_variants, size_t n_metrics)
{
    size_t *metric = cull_take(ctx, n_metrics + 1, sizeof *metric);
    cull_stage_result *variant = cull_take(ctx, n_variants + 1, sizeof *variant);
    const cull_cut **cut = cull_take(ctx, n_variants + 1, sizeof *cut);
    const cull_shared_evaluation e = { .prepared = &inputs->at[model],
                                       .model = model,
                                       .engine = engine,
                                       .n_variants = n_variants,
                                       .cuts = cut,
                                       .n_metrics = n_metrics,
                                       .metric = metric };

    if (!metric || !variant || !cut)
        return CULL_ENOMEM;
    cull_status status = cull_ranks_copy(ctx, n_metrics * sizeof *metric, metric);
    if (status == CULL_OK)
        status = take_cuts(ctx, &e, variant, cut);
    if (status == CULL_OK)
        status = evaluate(ctx, &e, NULL, NULL);
    for (size_t v = 0; v < n_variants; v++)
        cull_stage_result_release(&variant[v]);
    return status;
}
