// What the parts of an experiment are read with; private to spec/.
#ifndef CULL_SPEC_READER_H
#define CULL_SPEC_READER_H

#include "spec/spec.h"

typedef struct cull_reader {
    cull_ctx *ctx;
    cull_problems *problems;
    cull_binder binder;
    cull_registry *registry;
    const cull_spec_source *source;
    cull_spec *spec;
} cull_reader;

// The elements of a list; anything else is a list of one.
typedef struct cull_elements {
    size_t n;
    const cull_node *const *at;
    const cull_node *self; // room for the one
} cull_elements;

void cull_elements_of(const cull_node *node, cull_elements *out);

// A plugin of `kind` as a word, or as a one-key map to its settings. `settings` (may be NULL)
// receives the map of its settings, NULL where there is none. false: there were problems.
bool cull_read_use(cull_reader *r, cull_kind kind, const cull_node *node, const cull_plugin *owned,
                   cull_use *out, const cull_node **settings);

void cull_read_sections(cull_reader *r, const cull_node *root);
void cull_read_methods(cull_reader *r, const cull_node *node);
void cull_read_allocations(cull_reader *r, const cull_node *node);

// A mix of calibration data, a map that has the key `mix`. false: there were problems.
bool cull_read_mix(cull_reader *r, const cull_node *node, cull_use *out);

// A metric whose settings it has nothing against itself. false: there were problems.
bool cull_read_metric(cull_reader *r, const cull_node *node, cull_use *out);

// The metrics of searches, put behind the experiment's own.
void cull_join_fitness(cull_reader *r);

// "… has no key "x"; did you mean "y"?" for a key that is none of `known` (NULL-terminated).
void cull_unknown_key(cull_reader *r, const char *what, const cull_node *key,
                      const char *const *known);

// The name that key `i` of a map gives to a model, a method, …: a table's row without one cannot be
// asked for, nor one of two that look alike.
void cull_check_name(cull_reader *r, const char *what, const cull_node *map, size_t i);

#endif
