// One pass over the weights: every layer is mapped once, and all calibrations go through it in
// turn. Those whose hidden states do not fit the memory limit together are taken in waves.
#include "base/memory.h"
#include "cut/cut.h"
#include "engine/calibration.h"
#include "engine/progress.h"

typedef struct pass {
    cull_run run;
    const cull_engine_options *options;
    const cull_calibration *cal; // (n)
    cull_cost_seen *cost;        // (n), or NULL
    double rows, done;           // of all calibrations; of what is over of them
} pass;

static void charge(cull_cost_seen *to, const cull_cost_seen *before, const cull_cost_seen *now)
{
    to->rows += now->rows - before->rows;
    to->flops += now->flops - before->flops;
}

static double part_of(const pass *p, double rows)
{
    return p->rows > 0 ? rows / p->rows : 1;
}

static cull_status run_layer(pass *p, size_t l, size_t first, size_t n, cull_calibrating *c)
{
    cull_layer_enter(&p->run, l);
    for (size_t i = 0; i < n; i++) {
        const cull_cost_seen before = cull_run_cost(&p->run);
        const double done = p->done;
        p->done += (double)cull_calibration_rows(&p->cal[first + i]) / (double)p->run.m->facts->L;
        cull_pass_span(&p->run, part_of(p, done), part_of(p, p->done));
        CULL_TRY(cull_calibrating_layer(&c[i], l));
        cull_cut_leave(p->cal[first + i].cut, l);
        cull_cut_leave(p->cal[first + i].deciding, l);
        if (!p->cost)
            continue;
        const cull_cost_seen now = cull_run_cost(&p->run);
        charge(&p->cost[first + i], &before, &now);
        p->cost[first + i].weight_bytes += cull_layer_of(p->run.m, l)->bytes / n;
    }
    cull_layer_leave(&p->run, l);
    return CULL_OK;
}

static cull_status run_wave(pass *p, size_t first, size_t n, cull_calibrating *c)
{
    for (size_t i = 0; i < n; i++)
        CULL_TRY(cull_calibrating_begin(&c[i], &p->run, &p->cal[first + i], p->options));
    for (size_t l = 0; l < p->run.m->facts->L; l++) {
        CULL_TRY(run_layer(p, l, first, n, c));
        CULL_TRY(cull_pass_tell(&p->run, part_of(p, p->done)));
    }
    for (size_t i = 0; p->cost && i < n; i++)
        p->cost[first + i].passes++;
    return CULL_OK;
}

static cull_status run_waves(pass *p, size_t n)
{
    uint64_t *bytes = cull_scratch(p->run.ctx, n + 1, sizeof *bytes);
    cull_status status = bytes ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; bytes && i < n; i++)
        bytes[i] = cull_calibration_bytes(p->run.m, &p->cal[i]);
    for (size_t first = 0, fit; first < n && status == CULL_OK; first += fit) {
        fit = cull_memory_wave(p->run.m, p->options, n - first, bytes + first);
        if (p->cal[first].least) // all owners of slices take the same waves
            status = p->cal[first].least(p->cal[first].share_arg, p->run.ctx, &fit);
        if (status != CULL_OK)
            break;
        cull_calibrating *c = cull_alloc(fit, sizeof *c);
        if (!c)
            return cull_no_memory(p->run.ctx);
        status = run_wave(p, first, fit, c);
        cull_open_model_release_all(p->run.m);
        for (size_t i = 0; i < fit; i++)
            cull_calibrating_end(&c[i]);
        cull_free(c);
    }
    return status;
}

cull_status cull_calibrate_pass(cull_ctx *ctx, const cull_open_model *m,
                                const cull_engine_options *options, size_t n,
                                const cull_calibration *cal, cull_cost_seen *cost)
{
    pass p = { .options = options, .cal = cal, .cost = cost };
    cull_status status = cull_run_init(&p.run, ctx, m, cull_precision_option(options));

    for (size_t i = 0; i < n; i++)
        p.rows += (double)cull_calibration_rows(&cal[i]);
    if (status == CULL_OK) {
        cull_pass_begin(&p.run, "calibrating", (size_t)p.rows);
        status = run_waves(&p, n);
        cull_pass_end(&p.run);
    }
    cull_run_release(&p.run);
    return status;
}
