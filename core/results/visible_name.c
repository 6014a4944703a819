// Names of others' making, without what a terminal or a page would obey.
#include "base/text.h"
#include "results/load.h"

static bool is_clean(const char *text)
{
    for (const char *c = text; *c; c++)
        if (cull_control_at(c))
            return false;
    return true;
}

const char *cull_visible_name(cull_ctx *ctx, const char *text)
{
    cull_buf out = CULL_BUF_INIT;

    if (is_clean(text))
        return text;
    for (const char *c = text; *c; c++)
        if (*c == '\n' || *c == '\t')
            cull_buf_printf(&out, "\\x%02x", (unsigned)*c);
        else
            cull_buf_add(&out, c, 1);
    cull_buf shown = CULL_BUF_INIT;
    cull_buf_visible(&shown, out.s ? out.s : "");
    const char *name = out.failed || shown.failed
                           ? NULL
                           : cull_arena_copy(cull_context_of(ctx)->alloc, shown.s, shown.n);
    cull_buf_release(&out);
    cull_buf_release(&shown);
    if (!name)
        (void)cull_no_memory(ctx);
    return name;
}
