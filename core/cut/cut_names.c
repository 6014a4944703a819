// The names under which a cut's parts stand in its file.
#include "cut/cut_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cull_place_name(cull_matrix_id where, char name[CULL_PLACE])
{
    const char *part = cull_part_word(where.part);

    if (where.layer == CULL_NONE)
        snprintf(name, CULL_PLACE, "%s", part);
    else if (where.expert == CULL_NONE)
        snprintf(name, CULL_PLACE, "layer.%u.%s", where.layer, part);
    else
        snprintf(name, CULL_PLACE, "layer.%u.expert.%u.%s", where.layer, where.expert, part);
}

// "word.123." at *c: the number, and *c moved past it. Numbers have one form only.
static bool take_number(const char **c, const char *word, uint32_t *out)
{
    const size_t n = strlen(word);

    if (strncmp(*c, word, n) != 0 || (*c)[n] != '.')
        return true; // not there
    char *end;
    const char *digits = *c + n + 1;
    const unsigned long value = strtoul(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || (*digits == '0' && end != digits + 1) || *end != '.' ||
        value >= CULL_NONE)
        return false;
    *out = (uint32_t)value;
    *c = end + 1;
    return true;
}

bool cull_layer_of_name(const char *name, const char *ending, uint32_t *layer)
{
    const char *c = name;

    return take_number(&c, "layer", layer) && c != name && strcmp(c, ending + 1) == 0;
}

bool cull_place_of(const char *name, const char *ending, cull_matrix_id *out)
{
    const char *c = name, *dot = strrchr(name, '.');

    *out = (cull_matrix_id){ CULL_NONE, 0, CULL_NONE };

    if (!dot || strcmp(dot, ending) != 0 || !take_number(&c, "layer", &out->layer) ||
        !take_number(&c, "expert", &out->expert) ||
        (out->expert != CULL_NONE && out->layer == CULL_NONE))
        return false;
    for (uint32_t p = 0; p < CULL_N_PARTS; p++)
        if (strlen(cull_part_word(p)) == (size_t)(dot - c) &&
            memcmp(cull_part_word(p), c, (size_t)(dot - c)) == 0) {
            out->part = p;
            return true;
        }
    return false;
}
