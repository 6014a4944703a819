// Lists of experts by layer, as published recipes hold them.
//
// A file holds one JSON object, or several one after another (jsonl), each {"LAYER": [EXPERT, …],
// …}; a layer occurs once.
#ifndef FROM_LISTS_H
#define FROM_LISTS_H

#include <cull/strategy.h>

// For the layers that the file names, named[l] is true and listed[l] (E) says which experts its
// list holds.
struct lists {
    bool *named;      // (L)
    uint8_t **listed; // (L)
};

cull_status read_lists(cull_ctx *ctx, const cull_view *view, const char *path, struct lists *out);

#endif
