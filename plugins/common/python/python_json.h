// JSON as Python's json.dumps writes it: ASCII alone, ", " and ": " between, floats as repr has
// them.
#ifndef COMMON_PYTHON_JSON_H
#define COMMON_PYTHON_JSON_H

#include <jansson.h>
#include <stdio.h>

void py_json(FILE *out, const json_t *value);

#endif
