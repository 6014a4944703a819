// Settings from a plugin's table: defaults, reading from text, content keys, canonical JSON.
//
// A settings struct is made by cull_settings_new, with defaults, and filled field by field; texts
// and lists live in the context's alloc arena. Rows of a table are reached by stride
// (plugin->param_size), as a plugin's may be longer than ours.
#ifndef CULL_PLUGIN_SETTINGS_H
#define CULL_PLUGIN_SETTINGS_H

#include <cull/abi.h>

#include "base/context.h"
#include "base/hash.h"
#include "base/text.h"

const cull_param *cull_setting_at(const cull_plugin *plugin, size_t i); // i < plugin->n_params
const cull_param *cull_setting_find(const cull_plugin *plugin, const char *name); // or NULL
const char *cull_setting_nearest(const cull_plugin *plugin, const char *name);    // or NULL
bool cull_setting_is_list(const cull_param *param);

// A new struct (settings_size bytes, at least one) with the defaults in place.
cull_status cull_settings_new(cull_ctx *ctx, const cull_plugin *plugin, void **out) CULL_MUST_CHECK;

// Set one field from the n texts of its value: one text, but for lists. `base` is the folder that
// paths are relative to (NULL: the current one). On failure the field is untouched and `message`
// holds the reason without place, as "1.3 is not within [0, 1]"; nothing is reported to the
// context.
cull_status cull_setting_parse(cull_ctx *ctx, const cull_param *param, size_t n,
                               const char *const *texts, const char *base, void *settings,
                               char *message, size_t size) CULL_MUST_CHECK;

// The first required setting that is not `given` (one flag a row), or NULL.
const cull_param *cull_settings_missing(const cull_plugin *plugin, const bool *given);

// What of the settings determines results, for content keys: every row without CULL_NO_KEY, by
// name. Of a file only its base name and content count, so that moving it changes nothing; a folder
// counts by path.
cull_status cull_settings_hash(cull_ctx *ctx, const cull_plugin *plugin, const void *settings,
                               cull_hash *hash) CULL_MUST_CHECK;

// {"name":value,…} in the table's order, for provenance; reals as shortest texts that read back the
// same.
void cull_settings_json(const cull_plugin *plugin, const void *settings, cull_buf *out);
// One value as people write it: a word for choices, a list in [ ].
void cull_setting_show(const cull_param *param, const void *settings, cull_buf *out);

#endif
