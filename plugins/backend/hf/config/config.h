// config.json as typed numbers, with a record of what was read.
//
// Reading is sticky: after the first failure (reported, kept in `status`) every getter returns its
// default, so that a run of reads needs one check at its end. Keys that nobody has read are found
// by hf_config_unread.
#ifndef HF_CONFIG_H
#define HF_CONFIG_H

#include <jansson.h>

#include "arch.h"

typedef struct hf_config {
    cull_ctx *ctx;
    const char *path;  // of the file, for messages
    const char *where; // "" or "text_config.rope_scaling.", for messages
    json_t *root;      // an object
    json_t *seen;      // the keys read
    cull_status status;
    struct hf_config *outer; // of a wrapper's language model: what it stands in; else NULL
} hf_config;

// Parse a JSON file whose top is an object; duplicate keys are refused. Close what was opened. The
// Infinity that Python writes becomes the text HF_INFINITY.
#define HF_INFINITY "Infty"
cull_status hf_json_load(cull_ctx *, const char *path, json_t **out);
cull_status hf_config_open(cull_ctx *, const char *path, hf_config *out);
void hf_config_close(hf_config *);
// The object under `key`; false where it is absent or null. `sub` is to be closed, its status
// collected.
bool hf_config_sub(hf_config *, const char *key, hf_config *sub);

// The value under the first of the keys "a|b" that is there and not null, or NULL.
const json_t *hf_config_value(hf_config *, const char *keys);
bool hf_config_has(hf_config *, const char *key);
// For a sentence: the one of the keys "a|b" that is read, with what it stands in; where none is
// there, the last, the reference's own name.
const char *hf_config_name(const hf_config *, const char *keys);
// Is one of the keys there with an explicit null?
bool hf_config_is_null(const hf_config *, const char *keys);
// Is the key a layer's number? There may be zeros in front.
bool hf_layer_number(const char *key, size_t *l);
// What an object has for layer l; NULL: nothing.
json_t *hf_of_layer(const json_t *object, size_t l);

// Are both numbers, or flags, or texts, …?
bool hf_alike(const json_t *, const json_t *);
// `num` under the one of its names that counts, where the others may hold lists.
hf_num hf_beside_lists(hf_config *, hf_num num);

// An explicit null is refused unless the default is 0, false, infinite or NULL.
size_t hf_size(hf_config *, hf_num, size_t least); // an integer in [least, 2^31)
long hf_integer(hf_config *, hf_num);              // an integer in (−2^31, 2^31)
double hf_real(hf_config *, hf_num);               // a number that is finite in float32
bool hf_flag(hf_config *, hf_num);                 // true or false
const char *hf_word(hf_config *, const char *keys, const char *def); // lives as the JSON does
// A list of integers, or of n words; a list NULL is right.
cull_status hf_check_integers(hf_config *, const char *key, const json_t *list);
cull_status hf_check_words(hf_config *, const char *key, const json_t *list, size_t n);
// Refuse the word, or the value as JSON, under key, naming those that work.
cull_status hf_refuse(hf_config *, const char *key, const char *word, const char *works);
cull_status hf_refuse_value(hf_config *, const char *key, const char *json, const char *works);
cull_status hf_wrong(hf_config *, const char *key, const json_t *value, const char *wanted);

// The i-th key that was never read and is not null, or NULL.
const char *hf_config_unread(const hf_config *, size_t i);
// Is `word` one of those in "a|b|c"?
bool hf_one_of(const char *word, const char *list);

// ---- wrapper.c: a language model inside another ----

// The language model's own config: the whole file, or an object in it. It points into itself, so
// that it must not be copied. Close it also after a failure.
typedef struct hf_wrapped {
    hf_config text;
    hf_config outer[2]; // (depth) the file first
    size_t depth;
} hf_wrapped;

cull_status hf_wrapper_open(cull_ctx *, const char *path, hf_wrapped *out);
void hf_wrapper_close(hf_wrapped *);
// The word for the language model's architecture; NULL: it, or a wrapper, is missing or unknown.
const char *hf_wrapper_type(hf_config *text);
// transformers' class of the wrapper; NULL: none.
const char *hf_wrapper_class(const hf_config *text);
// Is the head tied to the embedding? A wrapper's own key may count, or the language model's.
bool hf_wrapper_ties(hf_config *text, bool tied);

#endif
