// The baseline that experiments name, where a command names none.
#include <string.h>

#include "record/folder/folder_note.h"
#include "report/baseline.h"

// The results folder of a trial's file, DIR/trials/FILE.
static const char *folder_of(cull_ctx *ctx, const char *path)
{
    static const char inside[] = "/trials/";
    const char *last = NULL;

    for (const char *at = strstr(path, inside); at; at = strstr(at + 1, inside))
        last = at;
    return last ? cull_arena_copy(cull_context_of(ctx)->alloc, path, (size_t)(last - path)) : ".";
}

const char *cull_noted_baseline(cull_ctx *ctx, const cull_frame *f)
{
    const char *baseline = NULL, *before = "";

    for (size_t i = 0; i < f->n_trials; i++) {
        const char *folder = folder_of(ctx, f->trial[i].path);
        if (!folder || strcmp(folder, before) == 0)
            continue;
        const char *noted = cull_folder_note_read(ctx, folder).baseline;
        if (!noted || (baseline && strcmp(noted, baseline) != 0))
            return NULL;
        baseline = noted;
        before = folder;
    }
    for (size_t c = 0; baseline && c < f->n_cells; c++)
        if (strcmp(f->cell[c].method, baseline) == 0 ||
            cull_baseline_of(f, c, baseline) != SIZE_MAX)
            return baseline;
    return NULL; // dense, or what is not among what was loaded
}
