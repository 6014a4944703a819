// What a checkpoint may hold beside what is read, in lists: nothing that would change what is
// computed goes by in silence.
//
// A key of config.json is read; or it stands in the family's list or in the shared one with the
// values that change nothing (others are refused, or left out with the reason); or it is unknown,
// and left out with a warning. A tensor is read; or it stands in such a list, and is left out with
// a warning; or it is unknown, which a layer may not hold.
//
// Warnings are notes of the model: the core says and records them.
#ifndef HF_LISTS_H
#define HF_LISTS_H

#include "config.h"
#include "model.h"

// Judge the keys that nobody has read. CULL_ENOTSUP, with key and value: one has no right value.
cull_status hf_lists_keys(hf_config *, cull_model *);

// The same for an object within config.json and its own list, of a family or not.
cull_status hf_lists_sub_keys(hf_config *, cull_model *, const hf_key *list);

// Judge the tensors that nobody has taken. CULL_ENOTSUP, with the name: a layer holds an unknown
// one.
cull_status hf_lists_tensors(cull_ctx *, cull_model *);

#endif
