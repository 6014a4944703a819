// config.json with a place for every complaint.
#include "config.h"

#include "model.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text/json_at.h"
#include "common/text/json_dumped.h"

enum { LIMIT = 1 << 28 }; // bytes of a JSON file; the index of a large model has some 30 MB

// Python writes infinite numbers as Infinity, which JSON has not: a text, as long, in their place.
// The text itself where there are none; NULL: no memory.
static const char *without_infinity(cull_ctx *ctx, const char *text, size_t n)
{
    static const char word[] = "Infinity", instead[] = "\"" HF_INFINITY "\" ";
    char *copy = NULL;
    bool quoted = false;

    for (size_t i = 0; i < n; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && n - i >= sizeof word - 1 &&
                 memcmp(text + i, word, sizeof word - 1) == 0) {
            if (!copy) {
                copy = ctx->host->alloc(ctx, n, 1);
                if (!copy)
                    return NULL;
                memcpy(copy, text, n);
            }
            memcpy(copy + i, instead, sizeof instead - 1);
        }
    }
    return copy ? copy : text;
}

cull_status hf_json_load(cull_ctx *ctx, const char *path, json_t **out)
{
    const cull_host *host = ctx->host;
    const char *bytes;
    size_t n;

    *out = NULL;
    const cull_status status = host->read_file(ctx, path, &bytes, &n);
    if (status != CULL_OK)
        return status;
    if (n > LIMIT)
        return host->fail(ctx, CULL_EFORMAT, "%s: %zu bytes are too many for a JSON file", path, n);
    bytes = without_infinity(ctx, bytes, n);
    if (!bytes)
        return CULL_ENOMEM;
    CULL_TRY(json_at(ctx, path, bytes, 0, n, JSON_REJECT_DUPLICATES, NULL, out));
    if (json_is_object(*out))
        return CULL_OK;
    json_decref(*out);
    *out = NULL;
    return host->fail(ctx, CULL_EFORMAT, "%s:1:1: not a JSON object", path);
}

cull_status hf_config_open(cull_ctx *ctx, const char *path, hf_config *out)
{
    *out = (hf_config){ .ctx = ctx, .path = path, .where = "" };
    out->status = hf_json_load(ctx, path, &out->root);
    if (out->status == CULL_OK && !(out->seen = json_object()))
        out->status = ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    return out->status;
}

void hf_config_close(hf_config *config)
{
    json_decref(config->root);
    json_decref(config->seen);
    config->root = config->seen = NULL;
}

bool hf_config_sub(hf_config *config, const char *key, hf_config *sub)
{
    const json_t *value = hf_config_value(config, key);

    *sub = (hf_config){ .ctx = config->ctx, .path = config->path, .where = "" };
    if (!value || config->status != CULL_OK)
        return false;
    if (!json_is_object(value)) {
        config->status = hf_wrong(config, key, value, "an object");
        return false;
    }
    sub->root = json_incref((json_t *)(size_t)value);
    sub->seen = json_object();
    sub->where = hf_text(config->ctx, "%s%s.", config->where, key);
    if (!sub->seen || !sub->where)
        config->status = sub->status =
            config->ctx->host->fail(config->ctx, CULL_ENOMEM, "out of memory");
    return true;
}

// The length of the first word of "a|b".
static size_t word_length(const char *list)
{
    return strcspn(list, "|");
}

bool hf_one_of(const char *word, const char *list)
{
    const size_t n = strlen(word);

    for (; list && *list; list += word_length(list), list += *list == '|')
        if (word_length(list) == n && strncmp(word, list, n) == 0)
            return true;
    return false;
}

const json_t *hf_config_value(hf_config *config, const char *keys)
{
    const json_t *found = NULL;
    char key[64];

    for (; *keys; keys += word_length(keys), keys += *keys == '|') {
        (void)snprintf(key, sizeof key, "%.*s", (int)word_length(keys), keys);
        const json_t *value = json_object_get(config->root, key);
        if (config->seen && json_object_set_new(config->seen, key, json_true()) != 0 &&
            config->status == CULL_OK)
            config->status = config->ctx->host->fail(config->ctx, CULL_ENOMEM, "out of memory");
        if (!found && value && !json_is_null(value))
            found = value;
    }
    return found;
}

bool hf_config_has(hf_config *config, const char *key)
{
    return hf_config_value(config, key) != NULL;
}

// The last word of "a|b", which is the reference's own name for it.
static const char *last_word(const char *keys)
{
    const char *bar = strrchr(keys, '|');

    return bar ? bar + 1 : keys;
}

// The one of the keys "a|b" that is read: the first with a value, or with null, or the first.
static const char *word_of(const hf_config *config, const char *keys)
{
    const char *null = NULL;
    char key[64];

    for (const char *word = keys; *word; word += word_length(word), word += *word == '|') {
        (void)snprintf(key, sizeof key, "%.*s", (int)word_length(word), word);
        const json_t *value = json_object_get(config->root, key);
        if (value && !json_is_null(value))
            return word;
        if (value && !null)
            null = word;
    }
    return null ? null : keys;
}

const char *hf_config_name(const hf_config *config, const char *keys)
{
    const char *word = word_of(config, keys);
    const size_t n = word_length(word);
    char key[64];

    (void)snprintf(key, sizeof key, "%.*s", (int)n, word);
    if (!json_object_get(config->root, key))
        (void)snprintf(key, sizeof key, "%s", last_word(keys));
    const char *name = hf_text(config->ctx, "%s%s", config->where, key);
    return name ? name : keys;
}

cull_status hf_wrong(hf_config *config, const char *key, const json_t *value, const char *wanted)
{
    key = value ? word_of(config, key) : key;
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (value)
        config->status = config->ctx->host->fail(
            config->ctx, CULL_EFORMAT, "%s: %s%.*s must be %s, but is %.60s%s", config->path,
            config->where, (int)word_length(key), key, wanted, text ? text : "?",
            text && strlen(text) > 60 ? "…" : "");
    else
        config->status = config->ctx->host->fail(config->ctx, CULL_EFORMAT, "%s: %s%s is missing",
                                                 config->path, config->where, last_word(key));
    json_free_dumped(text);
    return config->status;
}

cull_status hf_refuse_value(hf_config *config, const char *key, const char *json, const char *works)
{
    if (config->status == CULL_OK)
        config->status = config->ctx->host->fail(config->ctx, CULL_ENOTSUP,
                                                 "%s: %s%s %.60s is not supported (supported: %s)",
                                                 config->path, config->where, key, json, works);
    return config->status;
}

cull_status hf_refuse(hf_config *config, const char *key, const char *word, const char *works)
{
    char text[64];

    (void)snprintf(text, sizeof text, "\"%.60s\"", word);
    return hf_refuse_value(config, key, text, works);
}

bool hf_config_is_null(const hf_config *config, const char *keys)
{
    char key[64];

    for (; *keys; keys += word_length(keys), keys += *keys == '|') {
        (void)snprintf(key, sizeof key, "%.*s", (int)word_length(keys), keys);
        if (json_is_null(json_object_get(config->root, key)))
            return true;
    }
    return false;
}

bool hf_layer_number(const char *key, size_t *l)
{
    const size_t digits = strspn(key, "0123456789");

    if (!digits || key[digits])
        return false;
    *l = strtoul(key, NULL, 10);
    return true;
}

json_t *hf_of_layer(const json_t *object, size_t l)
{
    const char *key;
    json_t *value;
    size_t number;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (hf_layer_number(key, &number) && number == l)
            return value;
    }
    return NULL;
}

// An explicit null is None to the reference: the same as absent only where that is zero, false or
// none.
static void check_null(hf_config *config, const char *keys)
{
    if (config->status == CULL_OK && hf_config_is_null(config, keys))
        (void)hf_refuse_value(config, keys, "null", "a value, or no such key");
}

bool hf_alike(const json_t *a, const json_t *b)
{
    return json_is_number(a)    ? json_is_number(b)
           : json_is_boolean(a) ? json_is_boolean(b)
                                : json_typeof(a) == json_typeof(b);
}

// Names that do not count must hold what could have: the reference checks each. `lists`: a list
// with a number for each layer could, too.
static void check_aliases(hf_config *config, const char *keys, const json_t *value, bool lists)
{
    char key[64];

    for (; value && *keys; keys += word_length(keys), keys += *keys == '|') {
        (void)snprintf(key, sizeof key, "%.*s", (int)word_length(keys), keys);
        const json_t *other = json_object_get(config->root, key);
        const bool list = lists && (json_is_number(other) || json_is_array(other));
        if (other && !json_is_null(other) && !list && !hf_alike(value, other))
            (void)hf_wrong(config, key, other, "of the kind of its other name");
    }
}

hf_num hf_beside_lists(hf_config *config, hf_num num)
{
    const json_t *value = hf_config_value(config, num.key);
    const char *word = word_of(config, num.key);

    if (!value)
        return num;
    check_aliases(config, num.key, value, true);
    check_null(config, num.key);
    const char *key = hf_text(config->ctx, "%.*s", (int)word_length(word), word);
    return (hf_num){ key ? key : num.key, num.def };
}

// The value of `num`, or NULL where there is none: its default counts.
static const json_t *look_up(hf_config *config, hf_num num)
{
    if (!num.key || config->status != CULL_OK)
        return NULL;
    const json_t *value = hf_config_value(config, num.key);
    check_aliases(config, num.key, value, false);
    if (num.def != 0 && !isinf(num.def))
        check_null(config, num.key);
    if (!value && isnan(num.def) && config->status == CULL_OK)
        (void)hf_wrong(config, num.key, NULL, "");
    return value;
}

static double or_zero(double def)
{
    return isnan(def) ? 0 : def;
}

long hf_integer(hf_config *config, hf_num num)
{
    const json_t *value = look_up(config, num);

    if (!value)
        return (long)or_zero(num.def);
    const json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n >= INT32_MAX || n <= -INT32_MAX) {
        (void)hf_wrong(config, num.key, value, "an integer below 2^31");
        return 0;
    }
    return (long)n;
}

size_t hf_size(hf_config *config, hf_num num, size_t least)
{
    const json_t *value = look_up(config, num);
    char wanted[64];

    if (!value)
        return num.def > 0 ? (size_t)num.def : 0;
    const json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < (json_int_t)least || n >= INT32_MAX) {
        (void)snprintf(wanted, sizeof wanted, "an integer of at least %zu and below 2^31", least);
        (void)hf_wrong(config, num.key, value, wanted);
        return least;
    }
    return (size_t)n;
}

double hf_real(hf_config *config, hf_num num)
{
    const json_t *value = look_up(config, num);

    if (!value)
        return or_zero(num.def);
    if (!json_is_number(value) || !(fabs(json_number_value(value)) <= FLT_MAX)) {
        (void)hf_wrong(config, num.key, value,
                       json_is_number(value) ? "a number of float32's range" : "a number");
        return or_zero(num.def);
    }
    return json_number_value(value);
}

bool hf_flag(hf_config *config, hf_num num)
{
    const json_t *value = look_up(config, num);

    if (!value)
        return or_zero(num.def) != 0;
    if (!json_is_boolean(value))
        (void)hf_wrong(config, num.key, value, "true or false");
    return json_is_true(value);
}

const char *hf_word(hf_config *config, const char *keys, const char *def)
{
    const json_t *value = config->status == CULL_OK ? hf_config_value(config, keys) : NULL;

    if (def)
        check_null(config, keys);
    if (!value)
        return def;
    if (!json_is_string(value)) {
        (void)hf_wrong(config, keys, value, "a text");
        return def;
    }
    return json_string_value(value);
}

cull_status hf_check_integers(hf_config *config, const char *key, const json_t *list)
{
    if (list && !json_is_array(list))
        return hf_wrong(config, key, list, "a list");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_integer(json_array_get(list, i)))
            return hf_wrong(config, key, list, "a list of integers");
    return CULL_OK;
}

cull_status hf_check_words(hf_config *config, const char *key, const json_t *list, size_t n)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)))
            return hf_wrong(config, key, list, "a list of texts");
    return list && json_array_size(list) != n
               ? hf_wrong(config, key, list, "a list with a word for each layer")
               : CULL_OK;
}

const char *hf_config_unread(const hf_config *config, size_t i)
{
    const char *key;
    json_t *value;

    json_object_foreach(config->root, key, value) if (!json_is_null(value) &&
                                                      !json_object_get(config->seen, key) &&
                                                      i-- == 0) return key;
    return NULL;
}
