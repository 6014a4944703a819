// Names the first weight of a matrix that is no number.
#include "engine/finite.h"

#include <math.h>
#include <stdio.h>

#include <cull/model.h>

#include "math/rows.h"

// "layer 3, expert 5, down", "head"
static const char *name_of(char buf[80], cull_matrix_id where)
{
    const char *word = cull_part_word(where.part);

    if (where.layer == CULL_NONE)
        (void)snprintf(buf, 80, "%s", word);
    else if (where.expert == CULL_NONE)
        (void)snprintf(buf, 80, "layer %u, %s", where.layer, word);
    else
        (void)snprintf(buf, 80, "layer %u, expert %u, %s", where.layer, where.expert, word);
    return buf;
}

static const char *kind_of(float x)
{
    return isnan(x) ? "NaN" : x > 0 ? "infinity" : "minus infinity";
}

cull_status cull_check_weights(cull_ctx *ctx, cull_matrix_id where, size_t first, size_t n,
                               size_t cols, const float *w)
{
    char name[80];

    for (size_t r = 0; r < n; r++) {
        if (cull_row_is_finite(cols, w + r * cols))
            continue;
        size_t c = 0;
        while (isfinite(w[r * cols + c]))
            c++;
        return cull_fail(ctx, CULL_EFORMAT,
                         "%s: the checkpoint's weight in row %zu, column %zu is no number: %s",
                         name_of(name, where), first + r, c, kind_of(w[r * cols + c]));
    }
    return CULL_OK;
}

cull_status cull_check_bias(cull_ctx *ctx, cull_matrix_id where, size_t first, size_t n,
                            const float *b)
{
    char name[80];

    for (size_t r = 0; r < n; r++)
        if (!isfinite(b[r]))
            return cull_fail(ctx, CULL_EFORMAT,
                             "%s: the checkpoint's bias in row %zu is no number: %s",
                             name_of(name, where), first + r, kind_of(b[r]));
    return CULL_OK;
}
