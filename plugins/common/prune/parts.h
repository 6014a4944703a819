// The parts of a layer by the role that their matrices play.
#ifndef COMMON_PARTS_H
#define COMMON_PARTS_H

#include <stdio.h>

#include <cull/cut.h>
#include <cull/view.h>

enum part_class {
    PART_OTHER,     // embedding, head, routers, filters: never pruned
    PART_ATTENTION, // and what stands in its place in recurrent layers
    PART_EXPERT,
    PART_SHARED,
    PART_DENSE,
};

static inline enum part_class part_class(cull_part part)
{
    switch (part) {
    case CULL_PART_Q:
    case CULL_PART_K:
    case CULL_PART_V:
    case CULL_PART_O:
    case CULL_PART_Q_A:
    case CULL_PART_Q_B:
    case CULL_PART_KV_A:
    case CULL_PART_KV_B:
    case CULL_PART_MIX_IN:
    case CULL_PART_MIX_Z:
    case CULL_PART_MIX_BA:
    case CULL_PART_MIX_B:
    case CULL_PART_MIX_A:
    case CULL_PART_MIX_A_IN:
    case CULL_PART_MIX_A_OUT:
    case CULL_PART_MIX_Z_IN:
    case CULL_PART_MIX_Z_OUT:
    case CULL_PART_MIX_OUT:
    case CULL_PART_O_GATE:
        return PART_ATTENTION;
    case CULL_PART_GATE:
    case CULL_PART_UP:
    case CULL_PART_DOWN:
        return PART_EXPERT;
    case CULL_PART_SHARED_GATE:
    case CULL_PART_SHARED_UP:
    case CULL_PART_SHARED_DOWN:
        return PART_SHARED;
    case CULL_PART_DENSE_GATE:
    case CULL_PART_DENSE_UP:
    case CULL_PART_DENSE_DOWN:
        return PART_DENSE;
    default:
        return PART_OTHER;
    }
}

static inline bool part_present(const cull_layer_facts *layer, cull_part part)
{
    return (layer->parts >> part) & 1;
}

// Inputs of a routed expert's gate and up, and rows of its down: those of the space in which
// experts work.
static inline size_t experts_inputs(const cull_view *view, size_t l)
{
    const size_t narrower = cull_view_layer(view, l)->expert_width;

    return narrower ? narrower : view->model->D;
}

// Does expert e still stand after the earlier stages, with weights of its own?
static inline bool expert_stands(const cull_cut *before, size_t l, size_t e)
{
    return !before || !cull_cut_layer(before, l)->action ||
           cull_cut_layer(before, l)->action[e] == CULL_ACTION_BASE;
}

// Where a matrix is, in words: "layer 3, expert 5, up".
typedef struct place_text {
    char s[80];
} place_text;

static inline place_text place_of(cull_matrix_id where)
{
    place_text out;

    if (where.expert == CULL_NONE)
        snprintf(out.s, sizeof out.s, "layer %u, %s", where.layer, cull_part_word(where.part));
    else
        snprintf(out.s, sizeof out.s, "layer %u, expert %u, %s", where.layer, where.expert,
                 cull_part_word(where.part));
    return out;
}

#endif
