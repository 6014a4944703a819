#include "pattern.h"

cull_status tk_translate(const tk_node *node, tk_str regex, tk_text *out)
{
    (void)node;
    tk_text_add(out, regex.s, regex.n);
    return CULL_OK;
}
