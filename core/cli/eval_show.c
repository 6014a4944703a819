#include "cli/eval_show.h"

#include <string.h>

#include "report/views.h"

cull_status cull_eval_show(cull_cli *cli, const char *folder, const char *name,
                           const cull_lm_output *out)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_frame frame;
    cull_table table;
    size_t trial = 0;
    CULL_TRY(cull_frame_load(ctx, 1, &folder, NULL, &frame));
    CULL_TRY(cull_view_lm_eval(ctx, &frame, &table));
    cull_table_markdown(&table, stdout);
    while (trial < frame.n_trials &&
           !(frame.trial[trial].dense && strcmp(frame.trial[trial].model, name) == 0))
        trial++;
    if (trial == frame.n_trials)
        return cull_fail(ctx, CULL_EINVAL, "%s: holds no results of \"%s\" itself", folder, name);
    return cull_lm_write(cli, &frame, trial, out);
}
