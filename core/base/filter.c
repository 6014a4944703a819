// Conditions on named values: read, and held against texts and numbers.
#include "base/filter.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

// ---- reading ----

bool cull_is_key_of(const char *key, size_t n, const char *name)
{
    const size_t length = strlen(name);

    return n > 0 && n <= length && memcmp(name + length - n, key, n) == 0 &&
           (n == length || name[length - n - 1] == '.');
}

typedef struct reader {
    cull_ctx *ctx;
    cull_is_key_fn is_key;
    const void *arg;
    cull_filters *out;
    cull_filter_value *values; // the next free one
} reader;

static const char *copy(const reader *r, const char *text, size_t n)
{
    return cull_arena_copy(cull_context_of(r->ctx)->scratch, text, n);
}

// The key before the "=" or "!=" of a piece, its length in *n; NULL: there is none.
static const char *equals_of(const char *piece, size_t length, size_t *n)
{
    const char *equals = memchr(piece, '=', length);

    if (!equals || equals == piece)
        return NULL;
    *n = (size_t)(equals - piece) - (equals[-1] == '!');
    return *n > 0 ? equals : NULL;
}

// A comma separates values, or, before a key and its "=", conditions.
static cull_status read_text(reader *r, const char *text)
{
    cull_filters *out = r->out;

    for (const char *piece = text; *piece;) {
        const size_t length = strcspn(piece, ",");
        size_t key = 0;
        const char *equals = equals_of(piece, length, &key);
        const char *value = piece;
        if (piece == text && (!equals || !equals[1]))
            break;
        if (equals && (piece == text || r->is_key(r->arg, piece, key))) {
            out->at[out->n++] = (cull_filter){ .key = copy(r, piece, key),
                                               .none = equals[-1] == '!',
                                               .value = r->values };
            value = equals + 1;
        }
        cull_filter *filter = &out->at[out->n - 1];
        *r->values =
            (cull_filter_value){ .text = copy(r, value, length - (size_t)(value - piece)) };
        filter->n++;
        if (!filter->key || !r->values++->text)
            return cull_no_memory(r->ctx);
        if (!piece[length])
            return CULL_OK;
        piece += length + 1;
    }
    return cull_fail(r->ctx, CULL_EUSAGE, "%s: \"%s\" is not KEY=VALUE", out->option, text);
}

cull_status cull_filters_read(cull_ctx *ctx, const char *option, size_t n, const char *const *texts,
                              cull_is_key_fn is_key, const void *arg, cull_filters *out)
{
    size_t pieces = 1;

    for (size_t i = 0; i < n; i++) {
        pieces++;
        for (const char *c = texts[i]; *c; c++)
            pieces += *c == ',';
    }
    *out = (cull_filters){ .option = option, .at = cull_scratch(ctx, pieces, sizeof *out->at) };
    reader r = { ctx, is_key, arg, out, cull_scratch(ctx, pieces, sizeof *r.values) };
    if (!out->at || !r.values)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        CULL_TRY(read_text(&r, texts[i]));
    return CULL_OK;
}

// ---- holding it against something ----

bool cull_filter_knows(cull_filter *filter, const char *name)
{
    const bool known = cull_is_key_of(filter->key, strlen(filter->key), name);

    filter->known = filter->known || known;
    return known;
}

static bool is_number(const char *text, double *x)
{
    char *end;

    *x = strtod(text, &end);
    return end != text && !*end;
}

// "0.3..0.5", "..0.5", "0.3..": the number is within.
static bool in_range(const char *range, double x)
{
    const char *dots = strstr(range, "..");
    double low = -INFINITY, high = INFINITY;
    char first[64];

    if (!dots || (size_t)(dots - range) >= sizeof first || (dots == range && !dots[2]))
        return false;
    snprintf(first, sizeof first, "%.*s", (int)(dots - range), range);
    return (!*first || is_number(first, &low)) && (!dots[2] || is_number(dots + 2, &high)) &&
           x >= low && x <= high;
}

static bool is_value(const char *value, const char *text, bool hash)
{
    double x, y;

    if (strcmp(value, text) == 0 || (hash && *value && strncmp(value, text, strlen(value)) == 0))
        return true;
    if (is_number(text, &y) && (in_range(value, y) || (is_number(value, &x) && x == y)))
        return true;
    return value[strcspn(value, "*?[")] && fnmatch(value, text, 0) == 0;
}

static bool is_hash(const char *key)
{
    const size_t n = strlen(key);

    return strcmp(key, "evaluation") == 0 || (n > 5 && strcmp(key + n - 5, "_hash") == 0);
}

static bool meets(cull_filter *filter, const char *text)
{
    const bool hash = is_hash(filter->key);
    bool any = false;

    for (size_t i = 0; i < filter->n; i++)
        if (is_value(filter->value[i].text, text, hash))
            any = filter->value[i].met = true;
    return any;
}

bool cull_filter_meets(cull_filter *filter, const char *text)
{
    const bool any = meets(filter, text);

    for (size_t i = 0; i < filter->n; i++) {
        cull_filter_value *value = &filter->value[i];
        const char *const known[] = { text, value->near, NULL };
        if (!value->met)
            value->near = cull_nearest(value->text, known);
    }
    return any;
}

bool cull_filter_meets_number(cull_filter *filter, double x)
{
    char text[32];

    snprintf(text, sizeof text, "%.17g", x);
    return meets(filter, text);
}

bool cull_filter_keeps(const cull_filter *filter, bool met)
{
    return met != filter->none;
}

bool cull_filter_keeps_columns(cull_filter *filter, size_t n, const cull_filter_column *columns,
                               bool dense)
{
    for (size_t i = 0; i < n; i++) {
        const cull_filter_column *c = &columns[i];
        if (strcmp(c->name, filter->key) != 0)
            continue;
        filter->known = true;
        if ((dense && !c->dense) || (c->text ? !*c->text : isnan(c->number)))
            return true;
        const bool met = c->text ? cull_filter_meets(filter, c->text)
                                 : cull_filter_meets_number(filter, c->number);
        return cull_filter_keeps(filter, met);
    }
    return true;
}

// ---- was it something? ----

static cull_status no_key(cull_ctx *ctx, const cull_filters *filters, const char *key,
                          const char *place, const char *const *names)
{
    const size_t n = strlen(key);
    const char *near = cull_nearest(key, names);

    if (key[n - 1] == '<' || key[n - 1] == '>')
        return cull_fail(
            ctx, CULL_EUSAGE,
            "%s: there is no %c=; a range of numbers is written %.*s=0.3..0.5, or with "
            "one end alone",
            filters->option, key[n - 1], (int)(n - 1), key);
    return cull_fail(ctx, CULL_EUSAGE, "%s: nothing in %s has the key %s%s%s%s", filters->option,
                     place, key, near ? "; did you mean \"" : "", near ? near : "",
                     near ? "\"?" : "");
}

cull_status cull_filters_check(cull_ctx *ctx, const cull_filters *filters, const char *place,
                               const char *const *names)
{
    for (size_t i = 0; i < filters->n; i++) {
        const cull_filter *f = &filters->at[i];
        if (!f->known)
            return no_key(ctx, filters, f->key, place, names);
        for (size_t j = 0; j < f->n; j++) {
            const char *near = f->value[j].near;
            if (!f->value[j].met)
                return cull_fail(ctx, CULL_EUSAGE, "%s: nothing in %s has %s=%s%s%s%s",
                                 filters->option, place, f->key, f->value[j].text,
                                 near ? "; did you mean \"" : "", near ? near : "",
                                 near ? "\"?" : "");
        }
    }
    return CULL_OK;
}
