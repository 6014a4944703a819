// What stands in the slots of a planned layer, after merges and novices.
#include "save/save.h"

// The expert that stands in a slot after merges; −1: padding, or zeroed.
static int32_t behind(const hf_saving *s, size_t l, int32_t slot)
{
    const int32_t e = s->slot[l][slot];
    const cull_layer_cut *cut = cull_cut_layer(s->cut, l);

    if (e == HF_PADDING || cut->action[e] == CULL_ACTION_ZERO)
        return -1;
    return cut->action[e] == CULL_ACTION_ALIAS ? (int32_t)cut->target[e] : e;
}

int32_t hf_slot_content(const hf_saving *s, size_t l, int32_t slot)
{
    const int32_t e = behind(s, l, slot);

    if (e < 0 || cull_cut_layer(s->cut, l)->action[e] == CULL_ACTION_NOVICE ||
        !hf_is_stored(&s->m->layer[l], (size_t)e))
        return -1;
    return e;
}

const float *hf_slot_constant(const hf_saving *s, size_t l, int32_t slot)
{
    const int32_t e = behind(s, l, slot);

    if (e < 0)
        return NULL;
    if (cull_cut_layer(s->cut, l)->action[e] == CULL_ACTION_NOVICE)
        return cull_cut_layer(s->cut, l)->constant + (size_t)e * s->m->s.D;
    return hf_is_stored(&s->m->layer[l], (size_t)e) ? NULL : s->m->layer[l].expert[3 * e + 2].bias;
}

bool hf_slot_stored(const hf_saving *s, size_t l, int32_t slot)
{
    return !s->own || hf_slot_content(s, l, slot) >= 0;
}

size_t hf_slots_stored(const hf_saving *s, size_t l)
{
    size_t n = 0;

    for (int32_t j = 0; (size_t)j < s->rows[l]; j++)
        n += hf_slot_stored(s, l, j);
    return n;
}

bool hf_is_quantised(cull_dtype type)
{
    return type == CULL_DT_F8_E4M3 || type == CULL_DT_F4;
}
