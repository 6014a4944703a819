// From cuts to recorded trials: wanted cells that miss the same metrics are evaluated together.
#include <string.h>
#include <time.h>

#include "engine/memory.h"
#include "flow/evaluate.h"
#include "plan/cost/waves.h"
#include "study/study.h"

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool same_metrics(const cull_study *s, size_t a, size_t b)
{
    return memcmp(s->cell[a].missing, s->cell[b].missing, s->spec->n_metrics * sizeof(bool)) == 0;
}

typedef struct wave { // cells that are evaluated in one pass
    size_t n_cells, n_variants, n_metrics;
    size_t *cell, *variant; // (n_cells) the cell, and which variant is its
    size_t *step;           // (n_variants)
    const cull_cut **cut;   // (n_variants)
    size_t *metric;         // (n_metrics)
} wave;

static cull_status new_wave(cull_study *s, wave *w)
{
    const size_t n = s->plan->n_cells;

    *w = (wave){ 0 };
    w->cell = cull_take(s->ctx, n, sizeof *w->cell);
    w->variant = cull_take(s->ctx, n, sizeof *w->variant);
    w->step = cull_take(s->ctx, n, sizeof *w->step);
    w->cut = cull_take(s->ctx, n, sizeof *w->cut);
    w->metric = cull_take(s->ctx, s->spec->n_metrics, sizeof *w->metric);
    return w->cell && w->variant && w->step && w->cut && w->metric ? CULL_OK : CULL_ENOMEM;
}

static void enter(cull_study *s, wave *w, size_t c)
{
    const size_t step = s->plan->cell[c].step;
    size_t v = 0;

    while (v < w->n_variants && w->step[v] != step)
        v++;
    if (v == w->n_variants) {
        w->step[w->n_variants] = step;
        w->cut[w->n_variants++] = step == CULL_NOT ? NULL : s->made[step].variant.cut;
    }
    w->cell[w->n_cells] = c;
    w->variant[w->n_cells++] = v;
}

static size_t most_variants(const cull_study *s, size_t model, const wave *w)
{
    size_t requests = 0;

    for (size_t i = 0; i < w->n_metrics; i++)
        requests += s->inputs->at[model].asked[w->metric[i]].requests.n;
    return cull_wave_variants(requests, s->dense_seconds[model],
                              cull_memory_share(&s->inputs->at[model].opened, &s->options->engine));
}

// The next wanted cells that miss the same metrics as the first one.
static cull_status next_wave(cull_study *s, size_t model, wave *w)
{
    CULL_TRY(new_wave(s, w));
    size_t first = SIZE_MAX, most = SIZE_MAX;
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        if (s->plan->cell[c].model != model || !s->cell[c].mine)
            continue;
        if (first == SIZE_MAX) {
            first = c;
            for (size_t i = 0; i < s->spec->n_metrics; i++)
                if (s->cell[c].missing[i])
                    w->metric[w->n_metrics++] = i;
            most = most_variants(s, model, w);
        }
        if (same_metrics(s, first, c) && w->n_variants < most)
            enter(s, w, c);
    }
    return CULL_OK;
}

static void say_failed(cull_study *s, size_t c, const char *reason)
{
    const cull_trial_axes axes = cull_axes_of(s, &s->plan->cell[c]);
    const char *slug = cull_trial_slug(s->ctx, &axes);

    s->cell[c].state = CULL_FAILED;
    cull_release_cell(s, c);
    cull_log_line(cull_context_of(s->ctx)->log, CULL_ERROR, "trial %s: %s", slug ? slug : "?",
                  reason);
}

// Cells whose cut could not be made.
static void give_up(cull_study *s, size_t model)
{
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        const cull_cell *cell = &s->plan->cell[c];
        if (cell->model == model && s->cell[c].mine && cell->step != CULL_NOT &&
            s->made[cell->step].state != CULL_DONE)
            say_failed(s, c, s->made[cell->step].reason ? s->made[cell->step].reason : "");
    }
}

static cull_status record_wave(cull_study *s, const wave *w, const cull_evaluated *found,
                               const cull_phase *phase, double started)
{
    for (size_t i = 0; i < w->n_cells; i++) {
        const size_t c = w->cell[i];
        const cull_evaluated *of = &found[w->variant[i]];
        char text[CULL_SENTENCE + CULL_FRAMES * CULL_FRAME];
        if (of->status != CULL_OK) {
            cull_error_text(&of->error, text, sizeof text);
            say_failed(s, c, text);
            continue;
        }
        const cull_finding finding = {
            .cell = &s->plan->cell[c],
            .n = w->n_metrics,
            .metric = w->metric,
            .found = of->found,
            .evaluate = phase,
            .started = started,
        };
        CULL_TRY(cull_record_cell(s, &finding));
        s->cell[c].state = CULL_DONE;
        CULL_TRY(cull_put_cached(s, &finding));
        cull_release_cell(s, c);
        cull_log_line(cull_context_of(s->ctx)->log, CULL_DEBUG, "trial %s: made",
                      s->plan->cell[c].id.hex);
        cull_arena_clear(cull_context_of(s->ctx)->scratch);
    }
    return CULL_OK;
}

// "mixtral: perplexity, choices".
static void tell_about(cull_study *s, size_t model, const wave *w)
{
    cull_buf about = CULL_BUF_INIT;

    cull_buf_printf(&about, "%s", s->spec->models[model].name);
    for (size_t i = 0; i < w->n_metrics; i++)
        cull_buf_printf(&about, "%s%s", i ? ", " : ": ",
                        s->spec->metrics[w->metric[i]].plugin->name);
    cull_progress_about(cull_context_of(s->ctx)->log, about.failed ? NULL : about.s);
    cull_buf_release(&about);
}

static cull_status run_wave(cull_study *s, size_t model, const wave *w)
{
    cull_evaluated *found = cull_take(s->ctx, w->n_variants, sizeof *found);
    cull_cost_seen cost = { 0 };

    if (!found)
        return CULL_ENOMEM;
    const cull_evaluate_job job = {
        .prepared = &s->inputs->at[model],
        .n_variants = w->n_variants,
        .cuts = w->cut,
        .n = w->n_metrics,
        .metric = w->metric,
        .spec = s->spec,
        .engine = &s->options->engine,
    };
    const double started = now(CLOCK_REALTIME), wall = now(CLOCK_MONOTONIC),
                 cpu = now(CLOCK_PROCESS_CPUTIME_ID), share = 1 / (double)w->n_variants;
    tell_about(s, model, w);
    cull_status status = cull_evaluate(s->ctx, &job, found, &cost);
    cull_progress_about(cull_context_of(s->ctx)->log, NULL);
    s->equivalents += s->dense_flops[model] > 0 ? (double)cost.flops / s->dense_flops[model] : 0;
    cull_phase phase = {
        .name = "evaluate",
        .wall_s = (now(CLOCK_MONOTONIC) - wall) * share,
        .cpu_s = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) * share,
        .flops = (double)cost.flops * share,
        .weight_bytes = (uint64_t)((double)cost.weight_bytes * share),
    };
    for (size_t i = 0; i < w->n_metrics; i++)
        phase.tokens += s->inputs->at[model].asked[w->metric[i]].tokens;
    if (status == CULL_OK)
        status = record_wave(s, w, found, &phase, started);
    for (size_t v = 0; v < w->n_variants; v++)
        cull_evaluated_release(w->n_metrics, &found[v]);
    return status;
}

// Recipes that were lost, of trials that may lack nothing else.
static cull_status restore_cuts(cull_study *s, size_t model)
{
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        const cull_cell *cell = &s->plan->cell[c];
        bool whole = true;
        if (cell->model != model || !s->cell[c].mine || !s->cell[c].cut_lost)
            continue;
        CULL_TRY(cull_restore_cut(s, cell));
        for (size_t i = 0; i < s->spec->n_metrics; i++)
            whole = whole && !s->cell[c].missing[i];
        if (!whole)
            continue;
        s->cell[c].state = CULL_DONE;
        cull_release_cell(s, c);
    }
    return CULL_OK;
}

cull_status cull_evaluate_cells(cull_study *s, size_t model)
{
    give_up(s, model);
    CULL_TRY(restore_cuts(s, model));
    for (;;) {
        wave w;
        CULL_TRY(next_wave(s, model, &w));
        if (w.n_cells == 0)
            return CULL_OK;
        CULL_TRY(run_wave(s, model, &w));
    }
}
