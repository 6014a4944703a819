// From YAML nodes to typed settings: a node and a settings table make a struct, or problems with
// places.
//
// The table's own checks (types, bounds, choices, files) are in plugin/settings.h; what is added
// here is where a value stands, and that every key is known.
#ifndef CULL_SPEC_BIND_H
#define CULL_SPEC_BIND_H

#include <cull/abi.h>

#include "spec/tree.h"

typedef struct cull_binder {
    cull_problems *problems;
} cull_binder;

// What paths in a value are relative to: the folder of the file in which it stands; NULL: where the
// command was given.
const char *cull_base_of(const cull_binder *binder, const cull_node *value);

// Settings of `plugin` as `map` gives them: a map, or NULL or nothing for none. Keys that `owned`
// (may be NULL) has are somebody else's affair. Returns the struct, or NULL when there were
// problems.
void *cull_bind(const cull_binder *binder, const cull_plugin *plugin, cull_place place,
                const cull_node *map, const cull_plugin *owned);

// Of the keys of `map` only those that `owned` has, into `settings`, which holds the defaults; the
// other keys are not looked at. `given` (n_params flags) says which were there;
// problems name them as `whose`. false: there were
// problems.
bool cull_bind_owned(const cull_binder *binder, const cull_plugin *owned, const char *whose,
                     const cull_node *map, void *settings, bool *given);

// One value of one row of a table; `who` names it in problems.
bool cull_bind_value(const cull_binder *binder, const char *who, const cull_param *param,
                     const cull_node *value, void *settings);

#endif
