// A search's candidates as three tensors: what went, how fit it was, of which generation.
#include "flow/search/history.h"

#include <string.h>
#include <unistd.h>

#include "base/safetensors.h"

_Static_assert(sizeof(size_t) == sizeof(int64_t), "counts are stored as they stand in memory");

const char *cull_search_history_path(cull_ctx *ctx, const char *folder, const char *key)
{
    const char *path = cull_arena_printf(cull_context_of(ctx)->alloc,
                                         "%s/calibration/%s.search.safetensors", folder, key);

    if (!path)
        (void)cull_no_memory(ctx);
    return path;
}

cull_status cull_search_history_save(cull_ctx *ctx, const char *path, const cull_candidates *scored)
{
    const size_t n = scored->n, L = scored->L;
    const cull_entry entry[] = {
        { sizeof(cull_entry), "gone", CULL_DT_I64, 2, { n, L } },
        { sizeof(cull_entry), "fitness", CULL_DT_F64, 1, { n } },
        { sizeof(cull_entry), "generation", CULL_DT_I64, 1, { n } },
    };

    const struct {
        const void *data;
        size_t bytes;
    } of[] = { { scored->gone, n * L * sizeof *scored->gone },
               { scored->fitness, n * sizeof *scored->fitness },
               { scored->generation, n * sizeof *scored->generation } };
    cull_safetensors_writer *writer;

    CULL_TRY(cull_safetensors_create_sealed(ctx, path, 3, entry, 0, NULL, &writer));
    for (size_t i = 0; i < 3; i++) {
        const cull_status status = cull_safetensors_put(ctx, writer, i, of[i].data, of[i].bytes);
        if (status != CULL_OK) {
            cull_safetensors_abandon(writer);
            return status;
        }
    }
    return cull_safetensors_finish(ctx, writer);
}

static bool has(const cull_safetensors *file, const char *name, cull_dtype dtype, size_t n,
                const void **data)
{
    cull_tensor tensor;

    if (!cull_safetensors_find(file, name, &tensor) || tensor.dtype != dtype ||
        tensor.bytes != n * sizeof(double))
        return false;
    *data = tensor.data;
    return true;
}

// What stands in an open file; one of another shape counts as empty.
static cull_status take(cull_ctx *ctx, const cull_safetensors *file, cull_candidates *out)
{
    const size_t L = out->L;
    const void *gone, *fitness, *generation;
    cull_tensor tensor;
    size_t n = 0;

    if (cull_safetensors_find(file, "fitness", &tensor))
        n = tensor.bytes / sizeof(double);
    if (!has(file, "gone", CULL_DT_I64, n * L, &gone) ||
        !has(file, "fitness", CULL_DT_F64, n, &fitness) ||
        !has(file, "generation", CULL_DT_I64, n, &generation))
        return CULL_OK;
    *out = (cull_candidates){ n, L, cull_take(ctx, n * L + 1, sizeof *out->gone),
                              cull_take(ctx, n + 1, sizeof *out->fitness),
                              cull_take(ctx, n + 1, sizeof *out->generation) };
    if (!out->gone || !out->fitness || !out->generation)
        return CULL_ENOMEM;
    memcpy(out->gone, gone, n * L * sizeof *out->gone);
    memcpy(out->fitness, fitness, n * sizeof *out->fitness);
    memcpy(out->generation, generation, n * sizeof *out->generation);
    return CULL_OK;
}

cull_status cull_search_history_load(cull_ctx *ctx, const char *path, cull_candidates *out)
{
    cull_safetensors *file;

    *out = (cull_candidates){ .L = out->L };
    if (access(path, F_OK) != 0)
        return CULL_OK;
    const cull_status opened = cull_safetensors_open_sealed(ctx, path, &file);
    if (opened == CULL_EFORMAT) {
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN, "%s; searched anew",
                      cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
        return CULL_OK;
    }
    CULL_TRY(opened);
    const cull_status status = take(ctx, file, out);
    cull_safetensors_close(file);
    return status;
}
