// A JSON object edited as text.
//
// The text has been parsed before, so that it is known to be an object. What is given back lives in
// the context's alloc memory; NULL: there is no memory, which has been reported.
#ifndef HF_JSON_TEXT_H
#define HF_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include <cull/cull.h>

typedef struct hf_json_member {
    const char *begin;       // of the key
    const char *value, *end; // of the value, blanks after it left out
} hf_json_member;

bool hf_json_find(const char *text, const char *key, hf_json_member *out);
// Set a key, adding it in front where it is not there.
char *hf_json_set(cull_ctx *, const char *text, const char *key, const char *value);
char *hf_json_remove(cull_ctx *, const char *text, const char *key);
// The value of a key, to be released; NULL where there is none.
json_t *hf_json_value(const char *text, const char *key);
// As hf_json_set; it releases the value. A value NULL counts as a lack of memory.
char *hf_json_put(cull_ctx *, const char *text, const char *key, json_t *value);

#endif
