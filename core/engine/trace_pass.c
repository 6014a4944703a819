// Trace: one forward of sequences of equal length, everything kept.
#include <string.h>

#include "base/memory.h"
#include "cut/cut.h"
#include "engine/blocks.h"
#include "engine/head.h"
#include "engine/progress.h"

typedef struct tracing {
    cull_run run;
    cull_trace *out;
    const cull_block *now;
} tracing;

static cull_status keep_routing(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                                const float *norm)
{
    const tracing *t = arg;
    const cull_layer_facts *f = cull_layer_of(run->m, l);
    const size_t at = t->now->first_row;

    (void)norm;
    if (t->out->router_logits && t->out->router_logits[l])
        memcpy(t->out->router_logits[l] + at * f->E, lane->routed.logits,
               lane->n * f->E * sizeof(float));
    if (t->out->router_index && t->out->router_index[l])
        memcpy(t->out->router_index[l] + at * f->K, lane->routed.index,
               lane->n * f->K * sizeof(int32_t));
    if (t->out->router_gate && t->out->router_gate[l])
        memcpy(t->out->router_gate[l] + at * f->K, lane->routed.gate,
               lane->n * f->K * sizeof(float));
    return CULL_OK;
}

static cull_status trace_layers(tracing *t, const cull_engine_options *options, const cull_cut *cut,
                                const cull_forest *f, float *h)
{
    cull_run *run = &t->run;
    const size_t L = run->m->facts->L, D = run->m->facts->D;
    const cull_layer_hooks hooks = { .arg = t, .moe = keep_routing };
    cull_block *block;
    size_t n_blocks;

    CULL_TRY(cull_blocks_make(run->ctx, cull_context_of(run->ctx)->scratch, f, 0, f->n_trees,
                              cull_block_rows(run->m, options, 1), &n_blocks, &block));
    for (size_t l = 0; l < L; l++) {
        cull_layer_enter(run, l);
        cull_pass_span(run, (double)l / (double)L, (double)(l + 1) / (double)L);
        cull_pass_visits(run, l, (double)f->n_rows);
        if (t->out->hidden)
            memcpy(t->out->hidden + l * f->n_rows * D, h, f->n_rows * D * sizeof *h);
        for (size_t i = 0; i < n_blocks; i++) {
            const cull_block *b = t->now = block + i;
            cull_lane lane = { .n = b->n_rows,
                               .pos = f->pos + b->first_row,
                               .kv = &b->kv,
                               .beyond = b->beyond,
                               .cut = cut,
                               .h_in = h + b->first_row * D,
                               .h_out = h + b->first_row * D };
            CULL_TRY(cull_visit_layer(run, l, 1, &lane, &hooks));
        }
        cull_layer_leave(run, l);
        cull_cut_leave(cut, l);
        CULL_TRY(cull_pass_tell(run, (double)(l + 1) / (double)L));
    }
    if (t->out->logits)
        CULL_TRY(cull_head_logits(run, f->n_rows, h, t->out->logits));
    return t->out->hidden ? cull_norm_rows(run, f->n_rows, h, t->out->hidden + L * f->n_rows * D)
                          : CULL_OK;
}

cull_status cull_trace_pass(cull_ctx *ctx, const cull_open_model *m,
                            const cull_engine_options *options, const cull_cut *cut,
                            cull_trace *trace)
{
    tracing t = { .out = trace };
    const size_t n = trace->n_seq;
    cull_ids *seq = cull_scratch(ctx, n, sizeof *seq);
    size_t *end = cull_scratch(ctx, n, sizeof *end);
    cull_forest forest = { 0 };
    float *h = NULL;
    cull_status status = seq && end ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; status == CULL_OK && i < n; i++)
        seq[i] = (cull_ids){ trace->ids + i * trace->len, trace->len };
    if (status == CULL_OK)
        status = cull_forest_build(ctx, n, seq, false, m->facts->rope_switch, &forest, end);
    if (status == CULL_OK)
        status = cull_run_init(&t.run, ctx, m, cull_precision_option(options));
    if (status == CULL_OK && !(h = cull_alloc(forest.n_rows * m->facts->D, sizeof *h)))
        status = cull_no_memory(ctx);
    if (status == CULL_OK)
        status = cull_embed_rows(&t.run, forest.n_rows, forest.ids, h);
    if (status == CULL_OK) {
        cull_pass_begin(&t.run, "tracing", forest.n_rows);
        status = trace_layers(&t, options, cut, &forest, h);
        cull_pass_end(&t.run);
    }
    cull_free(h);
    cull_run_release(&t.run);
    return status;
}
