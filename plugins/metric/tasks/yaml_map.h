// A YAML file that is a map, as jansson's values.
//
// A word without quotes is null (nothing, ~, null), true or false, or a number; all else is a text.
// Refused, each with its place: what is no YAML, a second document, a key twice or one that is not
// a word, tags, an anchor that is used again, lists in lists beyond YAML_DEPTH.
#ifndef TASKS_YAML_MAP_H
#define TASKS_YAML_MAP_H

#include <cull/host.h>
#include <jansson.h>

enum { YAML_DEPTH = 8 };

typedef struct yaml_map {
    json_t *value; // an object
    json_t *place; // "FILE:LINE:COLUMN" by key
} yaml_map;

// Free in any case. CULL_EFORMAT with the place.
cull_status yaml_read(cull_ctx *, const char *path, yaml_map *out) CULL_MUST_CHECK;
void yaml_free(yaml_map *);
const char *yaml_place(const yaml_map *, const char *key); // of a key that is there

#endif
