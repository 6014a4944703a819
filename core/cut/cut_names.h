// What writing and reading a cut file share: its form, and the names of places.
#ifndef CULL_CUT_CUT_NAMES_H
#define CULL_CUT_CUT_NAMES_H

#include <cull/cull.h>

// A file says "cut/1", "cut/2" where channels, output biases or a top-p are in it, or "cut/3" where
// something is packed, so that whoever knows less refuses what it would read wrongly; later kinds
// (a deleted router row) raise it again.
#define CULL_CUT_FORMAT "cut/"
enum { CULL_CUT_VERSION = 3 };

enum { CULL_PLACE = 96 }; // room for a place's name with an ending

// "layer.3.expert.5.up", "layer.3.q", "head".
void cull_place_name(cull_matrix_id where, char name[CULL_PLACE]);
// The place of a name with that ending (".mask"); false: it is no such name.
bool cull_place_of(const char *name, const char *ending, cull_matrix_id *out);
// The layer of "layer.3.action", given ".action".
bool cull_layer_of_name(const char *name, const char *ending, uint32_t *layer);

#endif
