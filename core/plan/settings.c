// Resolved settings, JSON, as a list of names and values.
#include "plan/settings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

typedef struct lister {
    cull_ctx *ctx;
    size_t n, room;
    cull_named_value *at;
    cull_status status; // the first failure
} lister;

static const char *keep(lister *l, const cull_buf *text)
{
    const char *kept = text->failed ? NULL
                                    : cull_arena_copy(cull_context_of(l->ctx)->alloc,
                                                      text->s ? text->s : "", text->n);

    if (!kept && l->status == CULL_OK)
        l->status = cull_no_memory(l->ctx);
    return kept;
}

// Numbers as short as they read back; a list with blanks between its elements.
static void put_value(cull_buf *out, const json_t *value)
{
    const json_t *one;
    size_t i;
    char number[32];

    if (json_is_string(value)) {
        const char *slash = strrchr(json_string_value(value), '/');
        cull_buf_visible(out, slash ? slash + 1 : json_string_value(value));
    } else if (json_is_real(value)) {
        const double x = json_real_value(value);
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(number, sizeof number, "%.*g", digits, x);
            if (strtod(number, NULL) == x)
                break;
        }
        cull_buf_puts(out, number);
    } else if (json_is_integer(value)) {
        cull_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, one)
        {
            cull_buf_puts(out, i ? " " : "");
            put_value(out, one);
        }
    } else {
        cull_buf_puts(out, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "");
    }
}

static void add(lister *l, const char *name, const char *value)
{
    if (l->status != CULL_OK || !name || !value)
        return;
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        cull_named_value *more = cull_take(l->ctx, l->room, sizeof *more);
        if (!more) {
            l->status = CULL_ENOMEM;
            return;
        }
        if (l->n)
            memcpy(more, l->at, l->n * sizeof *more);
        l->at = more;
    }
    l->at[l->n++] = (cull_named_value){ name, value };
}

// "prefix.name", or the one of them that there is.
static void add_value(lister *l, const char *prefix, const char *name, const json_t *value)
{
    cull_buf full = CULL_BUF_INIT, text = CULL_BUF_INIT;

    if (!value || json_is_null(value))
        return;
    cull_buf_printf(&full, "%s%s%s", prefix, *prefix && *name ? "." : "", name);
    put_value(&text, value);
    add(l, keep(l, &full), keep(l, &text));
    cull_buf_release(&full);
    cull_buf_release(&text);
}

static void add_object(lister *l, const char *prefix, const json_t *object)
{
    const char *key;
    const json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) add_value(l, prefix, key, value);
}

// { word: settings }: the word as `name`, its settings below `prefix`, NULL: below the word.
static void add_use(lister *l, const char *name, const char *prefix, const json_t *use)
{
    const char *word;
    const json_t *settings;

    json_object_foreach((json_t *)(uintptr_t)use, word, settings)
    {
        cull_buf text = CULL_BUF_INIT;
        cull_buf_visible(&text, word);
        add(l, name, keep(l, &text));
        cull_buf_release(&text);
        add_object(l, prefix ? prefix : word, settings);
    }
}

static void add_stage(lister *l, const json_t *stage)
{
    const char *key;
    const json_t *value;

    add_use(l, "criterion", NULL, json_object_get(stage, "criterion"));
    add_use(l, "strategy", NULL, json_object_get(stage, "strategy"));
    json_object_foreach((json_t *)(uintptr_t)stage, key, value)
    {
        if (!json_is_object(value))
            add_value(l, "", key, value);
    }
}

cull_status cull_settings_of(cull_ctx *ctx, const char *config, bool calibrated,
                             cull_named_values *out)
{
    lister l = { .ctx = ctx };
    const json_t *stage;
    size_t i;
    json_t *all;

    CULL_TRY(cull_json_stored(ctx, config, &all));
    json_array_foreach(json_object_get(all, "method"), i, stage) add_stage(&l, stage);
    if (calibrated) {
        add_use(&l, "calibrate", "calibrate", json_object_get(all, "calibrate"));
        add_value(&l, "calibrate", "dense_rows", json_object_get(all, "dense_rows"));
    }
    add_object(&l, "layers", json_object_get(all, "layers"));
    add_value(&l, "", "store", json_object_get(all, "store"));
    json_decref(all);
    *out = (cull_named_values){ l.n, l.at };
    return l.status;
}

cull_status cull_settings_of_metric(cull_ctx *ctx, const char *metric, const char *settings,
                                    cull_named_values *out)
{
    lister l = { .ctx = ctx };
    json_t *all;

    CULL_TRY(cull_json_stored(ctx, settings, &all));
    add_object(&l, metric, all);
    json_decref(all);
    *out = (cull_named_values){ l.n, l.at };
    return l.status;
}

const char *cull_setting_value(const cull_named_values *settings, const char *name, size_t n)
{
    for (size_t i = 0; i < settings->n; i++)
        if (strcmp(settings->at[i].name, name) == 0 && n-- == 0)
            return settings->at[i].value;
    return NULL;
}

const cull_named_value *cull_settings_differ(const cull_named_values *settings,
                                             const cull_named_values *other, size_t *n)
{
    for (size_t i = 0; i < settings->n; i++) {
        const cull_named_value *own = &settings->at[i];
        *n = 0;
        for (size_t j = 0; j < i; j++)
            *n += strcmp(settings->at[j].name, own->name) == 0;
        const char *there = cull_setting_value(other, own->name, *n);
        if (there && strcmp(there, own->value) != 0)
            return own;
    }
    return NULL;
}

bool cull_settings_kept(cull_filter *filter, const cull_named_values *settings, bool always)
{
    bool met = false;

    for (size_t i = 0; i < settings->n; i++)
        if (cull_filter_knows(filter, settings->at[i].name))
            met = cull_filter_meets(filter, settings->at[i].value) || met;
    return always || cull_filter_keeps(filter, met);
}
