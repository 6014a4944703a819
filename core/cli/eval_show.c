// The table that `cull eval` prints of what it has measured.
#include "cli/eval_show.h"

#include "base/text.h"
#include "plan/key.h"
#include "report/tables/views.h"

// The folder may hold more, of this model and others: earlier runs'. "evaluation=KEY,KEY…"
static cull_status this_run(cull_cli *cli, const cull_experiment *e, const char **out)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_buf text = CULL_BUF_INIT;
    cull_status status = CULL_OK;

    for (size_t i = 0; status == CULL_OK && i < e->spec.n_metrics; i++) {
        cull_key key;
        status = cull_evaluation_key(ctx, cli->registry, &e->inputs, &e->plan, &e->plan.cell[0], i,
                                     &key);
        if (status == CULL_OK)
            cull_buf_printf(&text, "%s%s", i ? "," : "evaluation=", key.hex);
    }
    *out = text.failed || !text.s ? NULL : cull_arena_copy(cli->context.alloc, text.s, text.n);
    cull_buf_release(&text);
    return status != CULL_OK || *out ? status : cull_no_memory(ctx);
}

cull_status cull_eval_show(cull_cli *cli, const char *folder, const cull_experiment *e,
                           const cull_lm_output *out)
{
    cull_ctx *ctx = &cli->context.ctx;
    const char *own;
    cull_frame frame;
    cull_table table;

    CULL_TRY(this_run(cli, e, &own));
    CULL_TRY(cull_frame_load(ctx, 1, &folder, &(cull_conditions){ 1, &own }, &frame));
    CULL_TRY(cull_view_lm_eval(ctx, &frame, NULL, &table));
    cull_cli_results(cli);
    cull_table_markdown(&table, stdout);
    return cull_lm_write(cli, &frame, 0, out);
}
