// The arguments of commands that read results: folders and conditions.
#include "cli/folders.h"

#include "base/memory.h"

error_t cull_folders_parse(int key, char *arg, struct argp_state *state, cull_folders *folders)
{
    switch (key) {
    case CULL_FOLDERS_WHERE:
        return cull_cli_append(&folders->where, &folders->n_where, arg);
    case ARGP_KEY_ARG:
        return cull_cli_append(&folders->at, &folders->n, arg);
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which folder of results?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

bool cull_folders_where(cull_folders *folders, const char *condition)
{
    return cull_cli_append(&folders->where, &folders->n_where, condition) == 0;
}

cull_status cull_folders_load(cull_ctx *ctx, const cull_folders *folders, cull_frame *out)
{
    const cull_conditions where = { folders->n_where, folders->where };

    return cull_frame_load(ctx, folders->n, folders->at, &where, out);
}

void cull_folders_release(cull_folders *folders)
{
    cull_free(folders->at);
    cull_free(folders->where);
}
