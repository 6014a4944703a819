#include "cli/eval_show.h"

#include "report/lm_eval.h"
#include "report/views.h"

cull_status cull_eval_show(cull_ctx *ctx, const char *folder, const char *name, const char *model,
                           const char *json)
{
    cull_frame frame;
    cull_table table;
    CULL_TRY(cull_frame_load(ctx, 1, &folder, NULL, &frame));
    CULL_TRY(cull_view_lm_eval(ctx, &frame, &table));
    cull_table_markdown(&table, stdout);
    return json ? cull_lm_eval_results(ctx, &frame, name, model, json) : CULL_OK;
}
