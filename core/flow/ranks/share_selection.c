// Decisions on all ranks, and what they decided put together.
#include "flow/ranks/share_selection.h"

#include <string.h>
#include <sys/stat.h>

#include "base/new_file.h"
#include "cut/cut.h"
#include "engine/deal.h"
#include "flow/apply.h"
#include "flow/ranks/order.h"

// ---- what is to be decided ----

typedef struct asked { // of all ranks
    uint32_t kind;     // CULL_ORDER_SELECT, or CULL_ORDER_END
    bool first;        // the step is not known yet, and follows
    bool rounds;       // each rank about its layer of the round, not about its experts
    size_t step, layer;
    double seconds;
} asked;

typedef struct told_step { // as rank 0 has it
    cull_stage_result before;
    cull_budget budget;
    const double *sparsity; // (L)
    uint8_t **keep;
    cull_cut *out; // for a child to fill
} told_step;

// Rank 0's n elements become everybody's; where it has none, nobody has.
static cull_status copy_array(cull_ctx *ctx, size_t n, size_t size, const void **at)
{
    void *own = (void *)(uintptr_t)*at;

    if (!own)
        return CULL_OK;
    if (cull_ranks_rank(cull_context_of(ctx)->ranks) > 0)
        own = cull_take(ctx, n + 1, size);
    if (!own)
        return CULL_ENOMEM;
    *at = own;
    return cull_ranks_copy(ctx, n * size, own);
}

static cull_status copy_budget(cull_ctx *ctx, size_t L, cull_budget *b)
{
    const void *remove, *least, *frozen, *params;

    CULL_TRY(cull_ranks_copy(ctx, sizeof *b, b));
    remove = b->remove, least = b->least, frozen = b->frozen, params = b->params;
    CULL_TRY(copy_array(ctx, L, sizeof *b->remove, &remove));
    CULL_TRY(copy_array(ctx, L, sizeof *b->least, &least));
    CULL_TRY(copy_array(ctx, L, sizeof *b->frozen, &frozen));
    CULL_TRY(copy_array(ctx, L, sizeof *b->params, &params));
    b->remove = remove, b->least = least, b->frozen = frozen, b->params = params;
    return CULL_OK;
}

static cull_status copy_keep(cull_ctx *ctx, const cull_cut *cut, uint8_t ***keep)
{
    const bool takes = cull_ranks_rank(cull_context_of(ctx)->ranks) > 0;
    bool any = *keep;

    CULL_TRY(cull_ranks_copy(ctx, sizeof any, &any));
    if (!any)
        return CULL_OK;
    if (takes)
        *keep = cull_take(ctx, cut->L, sizeof **keep);
    if (!*keep)
        return CULL_ENOMEM;
    for (size_t l = 0; l < cut->L; l++) {
        if (takes)
            (*keep)[l] = cull_take(ctx, cut->layer[l].E + 1, 1);
        if (!(*keep)[l])
            return CULL_ENOMEM;
        CULL_TRY(cull_ranks_copy(ctx, cut->layer[l].E, (*keep)[l]));
    }
    return CULL_OK;
}

static cull_status copy_step(cull_ctx *ctx, const char *folder, told_step *t)
{
    const size_t L = t->before.cut->L;

    CULL_TRY(cull_order_cut(ctx, folder, 0, CULL_ALL_LAYERS, &t->before));
    CULL_TRY(copy_budget(ctx, L, &t->budget));
    CULL_TRY(cull_ranks_copy(ctx, L * sizeof *t->sparsity, (void *)(uintptr_t)t->sparsity));
    return copy_keep(ctx, t->before.cut, &t->keep);
}

// ---- this rank's portion ----

typedef struct portion {
    size_t layer;      // L: nothing
    size_t first, end; // of its experts; SIZE_MAX: all, and what is of the layer as a whole
} portion;

static portion portion_of(const cull_ranks *ranks, const cull_stage_job *job, const asked *order,
                          size_t rank)
{
    const cull_open_model *m = &job->prepared->opened;
    const size_t n = cull_ranks_size(ranks), E = job->layers[order->layer].E;
    portion p = { order->layer, cull_experts_first(E, n, rank), cull_experts_end(E, n, rank) };

    if (order->rounds)
        p = (portion){ cull_round_layer(m, order->layer, n, rank), 0, SIZE_MAX };
    if (p.first == p.end || (p.layer < m->facts->L && job->budget->frozen[p.layer]))
        p.layer = m->facts->L;
    return p;
}

static bool is_nothing(const cull_stage_job *job, portion p)
{
    return p.layer == job->prepared->opened.facts->L;
}

typedef struct own_part { // what a rank decided
    cull_status status;
    FILE *file;  // as its child left it; NULL: there is none
    FILE *lines; // of log; NULL: they were said
} own_part;

static cull_status name_own(cull_ctx *ctx, portion p, cull_stage_job *job)
{
    if (p.end == SIZE_MAX)
        return CULL_OK;
    uint32_t *experts = cull_scratch(ctx, p.end - p.first + 1, sizeof *experts);

    for (size_t e = p.first; experts && e < p.end; e++)
        experts[e - p.first] = (uint32_t)e;
    job->experts = experts;
    job->n_experts = p.end - p.first;
    return experts ? CULL_OK : CULL_ENOMEM;
}

static cull_status select_own(cull_ctx *ctx, const cull_stage_job *job, const asked *order,
                              const double *sparsity, cull_stage_result *result, own_part *own)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const portion p = portion_of(ranks, job, order, cull_ranks_rank(ranks));
    cull_log *log = cull_context_of(ctx)->log;
    cull_stage_job mine = *job;

    *own = (own_part){ 0 };
    if (is_nothing(job, p))
        return CULL_OK;
    CULL_TRY(name_own(ctx, p, &mine));
    if (cull_ranks_rank(ranks) > 0)
        CULL_TRY(cull_nameless_stream(ctx, job->folder, &own->lines));
    if (own->lines)
        cull_log_divert(log, own->lines);
    own->status =
        cull_stage_visit_apart(ctx, &mine, p.layer, sparsity[p.layer], result, &own->file);
    if (own->lines)
        cull_log_divert(log, NULL);
    return cull_own_failure(own->status) ? CULL_OK : own->status;
}

static void release_part(own_part *own)
{
    if (own->file)
        (void)fclose(own->file);
    if (own->lines)
        (void)fclose(own->lines);
}

// ---- what they say of it ----

typedef struct report { // lines of log follow
    cull_status status;
    cull_error error;
} report;

static cull_status write_report(cull_ctx *ctx, const own_part *own, cull_buf *out)
{
    const report r = { own->status, cull_context_of(ctx)->error };
    char some[4096];
    size_t n;

    cull_buf_add(out, &r, sizeof r);
    if (own->lines)
        rewind(own->lines);
    while (own->lines && (n = fread(some, 1, sizeof some, own->lines)) > 0)
        cull_buf_add(out, some, n);
    return out->failed ? cull_no_memory(ctx) : CULL_OK;
}

// Everybody's lines, and the first failure, which becomes the context's.
static cull_status hear(cull_ctx *ctx, const cull_parts *parts)
{
    cull_status status = CULL_OK;

    for (size_t r = 0; r < parts->n; r++) {
        const report *of = parts->part[r];
        cull_log_retell(cull_context_of(ctx)->log, (const char *)(of + 1),
                        parts->bytes[r] - sizeof *of);
        if (status != CULL_OK || of->status == CULL_OK)
            continue;
        status = of->status;
        cull_context_of(ctx)->error = of->error;
    }
    return status;
}

// *failed: rank 0's, what came of it.
static cull_status meet(cull_ctx *ctx, const own_part *own, cull_status *failed)
{
    cull_buf text = CULL_BUF_INIT;
    cull_parts parts = { 0 };

    *failed = CULL_OK;
    cull_status status = write_report(ctx, own, &text);
    if (own->status != CULL_OK)
        cull_error_clear(ctx); // told, and not this rank's any more
    if (status == CULL_OK)
        status = cull_ranks_gather(ctx, text.n, text.s, &parts);
    if (status == CULL_OK)
        *failed = hear(ctx, &parts);
    cull_parts_release(&parts);
    cull_buf_release(&text);
    return status;
}

// ---- what they decided ----

typedef struct waited { // of what ranks did at the same time
    double score_s, select_s;
} waited;

// *longest: the run waits for the rank that takes most.
static cull_status join_one(cull_ctx *ctx, const cull_stage_job *job, portion p, FILE *file,
                            cull_stage_result *result, waited *longest)
{
    const waited had = { result->score_s, result->select_s };

    if (is_nothing(job, p) || !file)
        return CULL_OK;
    CULL_TRY(cull_stage_result_read_experts(ctx, file, p.layer, p.first, p.end, result));
    const waited own = { result->score_s - had.score_s, result->select_s - had.select_s };
    if (own.score_s + own.select_s > longest->score_s + longest->select_s)
        *longest = own;
    result->score_s = had.score_s;
    result->select_s = had.select_s;
    return CULL_OK;
}

// In the ranks' order, which is the experts' and the layers'. What cannot be read fails the step as
// what decided does, and the other parts come and are let be: ranks go on meeting in step.
static cull_status join(cull_ctx *ctx, const cull_stage_job *job, const asked *order,
                        const own_part *own, cull_stage_result *result, cull_status *failed)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const bool joins = cull_ranks_rank(ranks) == 0;
    waited longest = { 0 };

    if (joins && *failed == CULL_OK)
        *failed = join_one(ctx, job, portion_of(ranks, job, order, 0), own->file, result, &longest);
    for (size_t r = 1; r < cull_ranks_size(ranks); r++) {
        FILE *file;
        const cull_status status = cull_order_file(ctx, job->folder, r, own->file, &file, failed);
        if (status == CULL_OK && joins && *failed == CULL_OK)
            *failed = join_one(ctx, job, portion_of(ranks, job, order, r), file, result, &longest);
        if (file)
            (void)fclose(file);
        CULL_TRY(status);
    }
    result->score_s += longest.score_s;
    result->select_s += longest.select_s;
    return CULL_OK;
}

// All ranks: decide, meet, join. *failed: rank 0's, what came of it.
static cull_status select_together(cull_ctx *ctx, const cull_stage_job *job, const asked *order,
                                   const double *sparsity, cull_stage_result *result,
                                   cull_status *failed)
{
    own_part own;
    cull_status status = cull_ranks_agree(ctx, select_own(ctx, job, order, sparsity, result, &own));

    if (status == CULL_OK)
        status = meet(ctx, &own, failed);
    if (status == CULL_OK)
        status = join(ctx, job, order, &own, result, failed);
    release_part(&own);
    return status;
}

// ---- rank 0 ----

static bool any_portion(const cull_ranks *ranks, const cull_stage_job *job, const asked *order)
{
    bool any = false;

    for (size_t r = 0; r < cull_ranks_size(ranks); r++)
        any = any || !is_nothing(job, portion_of(ranks, job, order, r));
    return any;
}

static cull_status ask(cull_ctx *ctx, cull_shared_step *shared, const cull_stage_job *job,
                       asked *order, const double *sparsity, cull_stage_result *result)
{
    told_step step = { .before.cut = (cull_cut *)(uintptr_t)job->before,
                       .budget = *job->budget,
                       .sparsity = sparsity,
                       .keep = (uint8_t **)(uintptr_t)job->keep };
    cull_status failed;

    CULL_TRY(cull_ranks_copy(ctx, sizeof *order, order));
    if (order->first)
        CULL_TRY(copy_step(ctx, job->folder, &step));
    shared->told = true;
    CULL_TRY(select_together(ctx, job, order, sparsity, result, &failed));
    return failed;
}

cull_status cull_select_shared(cull_ctx *ctx, cull_shared_step *shared, const cull_stage_job *job,
                               size_t layer, const double *sparsity, cull_stage_result *result)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    asked order = { .kind = CULL_ORDER_SELECT,
                    .first = !shared->told,
                    .rounds = shared->rounds,
                    .step = shared->step,
                    .layer = layer,
                    .seconds = job->seconds };

    if (!shared->rounds && (job->budget->frozen[layer] || job->layers[layer].E < 2))
        return job->budget->frozen[layer]
                   ? CULL_OK
                   : cull_stage_visit(ctx, job, layer, sparsity[layer], result);
    if (shared->rounds &&
        (!cull_round_ends(&job->prepared->opened, layer, cull_ranks_size(ranks)) ||
         !any_portion(ranks, job, &order)))
        return CULL_OK;
    return ask(ctx, shared, job, &order, sparsity, result);
}

cull_status cull_select_no_more(cull_ctx *ctx)
{
    asked order = { .kind = CULL_ORDER_END };

    return cull_ranks_copy(ctx, sizeof order, &order);
}

// ---- the others ----

static cull_status take_step(cull_ctx *ctx, cull_selecting *s, told_step *t)
{
    const size_t L = s->prepared->opened.facts->L;

    *t = (told_step){ .before.cut = cull_empty_cut(ctx, s->prepared),
                      .sparsity = cull_take(ctx, L, sizeof *t->sparsity) };
    if (!t->before.cut || !t->sparsity)
        return CULL_ENOMEM;
    CULL_TRY(copy_step(ctx, s->folder, t));
    t->out = cull_cut_copy(ctx, t->before.cut);
    return t->out ? CULL_OK : CULL_ENOMEM;
}

static cull_status select_as_asked(cull_ctx *ctx, cull_selecting *s, const asked *order,
                                   const cull_stats *stats)
{
    told_step *t = &s->step[order->step];
    cull_status failed;

    if (order->first)
        CULL_TRY(take_step(ctx, s, t));
    const cull_stage_job job = { .step = &s->plan->step[order->step],
                                 .prepared = s->prepared,
                                 .layers = s->layers,
                                 .before = t->before.cut,
                                 .stats = stats,
                                 .budget = &t->budget,
                                 .keep = t->keep,
                                 .folder = s->folder,
                                 .seconds = order->seconds };
    cull_stage_result result = { .cut = t->out };
    return select_together(ctx, &job, order, t->sparsity, &result, &failed);
}

static cull_status make_room(cull_ctx *ctx, cull_selecting *s)
{
    if (!s->step)
        s->step = cull_take(ctx, s->plan->n_steps + 1, sizeof *s->step);
    if (!s->layers)
        s->layers = cull_stage_view_layers(ctx, s->prepared);
    return s->step && s->layers ? CULL_OK : CULL_ENOMEM;
}

cull_status cull_serve_selections(cull_ctx *ctx, cull_selecting *s, const cull_stats *stats)
{
    asked order;

    CULL_TRY(make_room(ctx, s));
    for (;;) {
        CULL_TRY(cull_ranks_copy(ctx, sizeof order, &order));
        if (order.kind == CULL_ORDER_END)
            return CULL_OK;
        if (order.step >= s->plan->n_steps || order.layer >= s->prepared->opened.facts->L)
            return cull_fail(ctx, CULL_EINVAL, "this rank does not plan what rank 0 does");
        CULL_TRY(select_as_asked(ctx, s, &order, stats));
    }
}

void cull_selecting_release(cull_selecting *s)
{
    for (size_t i = 0; s->step && i < s->plan->n_steps; i++)
        cull_stage_result_release(&s->step[i].before);
    s->step = NULL;
}
