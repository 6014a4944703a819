// --where: which trials and values are loaded.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "results/load.h"

typedef struct value { // one of a condition's
    const char *text;
    size_t n;
    bool met; // some trial or value has it
} value;

typedef struct condition {
    const char *key; // "KEY=VALUE,…", of which n_key bytes are the key
    size_t n_key, n;
    value *value; // (n)
    bool known;   // some trial or value has the key
} condition;

static bool is_key(const condition *c, const char *key)
{
    return strlen(key) == c->n_key && memcmp(key, c->key, c->n_key) == 0;
}

// Numbers are compared as numbers, hashes by their beginnings.
static bool is_value(const value *v, const char *text, size_t n, bool hash)
{
    char *end, *rest;
    if (v->n <= n && memcmp(v->text, text, v->n) == 0 && (v->n == n || (hash && v->n > 0)))
        return true;
    const double x = strtod(v->text, &end), y = strtod(text, &rest);
    return end == v->text + v->n && rest == text + n && v->n && n && x == y;
}

// Is the text one of the condition's values?
static bool meets(condition *c, const char *text, size_t n)
{
    const bool hash =
        (c->n_key > 5 && memcmp(c->key + c->n_key - 5, "_hash", 5) == 0) || is_key(c, "evaluation");
    bool any = false;
    for (size_t i = 0; i < c->n; i++)
        if (is_value(&c->value[i], text, n, hash))
            any = c->value[i].met = true;
    return any;
}

static bool meets_number(condition *c, double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", x);
    return meets(c, text, strlen(text));
}

static bool keeps_trial(condition *c, const cull_frame_trial *t)
{
    const struct {
        const char *key, *text;
        double number;
        bool dense; // dense trials have it too
    } keys[] = { { "model", t->model, 0, true },
                 { "method", t->method, 0, false },
                 { "allocation", t->axis[CULL_AXIS_ALLOCATION], 0, false },
                 { "calibration", t->axis[CULL_AXIS_CALIBRATION], 0, false },
                 { "layers", t->axis[CULL_AXIS_LAYERS], 0, false },
                 { "sparsity", NULL, t->sparsity, false },
                 { "seed", NULL, t->seed, false } };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!is_key(c, keys[i].key))
            continue;
        c->known = true;
        if ((t->dense && !keys[i].dense) || (!keys[i].text && isnan(keys[i].number)))
            return true;
        return keys[i].text ? meets(c, keys[i].text, strlen(keys[i].text))
                            : meets_number(c, keys[i].number);
    }
    return true;
}

static bool keeps_row(condition *c, const cull_row *row)
{
    const char *const columns[][2] = { { "task", row->task },
                                       { "metric", row->metric },
                                       { "filter", row->filter },
                                       { "evaluation", row->evaluation } };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (is_key(c, columns[i][0])) {
            c->known = true;
            return meets(c, columns[i][1], strlen(columns[i][1]));
        }
    for (const char *line = row->conditions ? row->conditions : ""; *line;) {
        const size_t n = strcspn(line, "\n");
        if (n > c->n_key && line[c->n_key] == '=' && memcmp(line, c->key, c->n_key) == 0) {
            c->known = true;
            return meets(c, line + c->n_key + 1, n - c->n_key - 1);
        }
        line += n + (line[n] == '\n');
    }
    return true;
}

// ---- what is asked for ----

static bool is_key_of_frame(const cull_frame *f, const char *key, size_t n)
{
    const char *none[CULL_AXES_NAMED] = { "", "", "" };
    cull_row nothing = { .task = "", .metric = "", .filter = "", .evaluation = "" };
    cull_frame_trial trial = { .model = "", .method = "", .axis = none };
    condition c = { .key = key, .n_key = n };
    (void)keeps_trial(&c, &trial);
    (void)keeps_row(&c, &nothing);
    for (size_t i = 0; i < f->n_rows && !c.known; i++)
        (void)keeps_row(&c, &f->row[i]);
    return c.known;
}

// "a=1,2,b=3" into conditions, whose number it returns, and their values: a comma separates values,
// or, before a key and its "=", conditions.
static size_t split(const cull_frame *f, const char *text, condition *out, value *values)
{
    size_t n = 0;
    for (const char *one = text; *one;) {
        const size_t length = strcspn(one, ",");
        const char *equals = memchr(one, '=', length);
        const size_t key = equals ? (size_t)(equals - one) : 0;
        const bool begins = one == text || (key && is_key_of_frame(f, one, key));
        const size_t skipped = begins ? key + 1 : 0;
        if (begins)
            out[n++] = (condition){ .key = one, .n_key = key, .value = values };
        out[n - 1].n++;
        *values++ = (value){ .text = one + skipped, .n = length - skipped };
        one += length + (one[length] == ',');
    }
    return n;
}

static size_t count_pieces(const char *text)
{
    size_t n = 1;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

static cull_status parse(cull_ctx *ctx, const cull_conditions *where, const cull_frame *f,
                         size_t *n, condition **out)
{
    size_t pieces = 1;
    for (size_t i = 0; i < where->n; i++)
        pieces += count_pieces(where->at[i]);
    value *values = cull_scratch(ctx, pieces, sizeof *values);
    *out = cull_scratch(ctx, pieces, sizeof **out);
    *n = 0;
    if (!*out || !values)
        return CULL_ENOMEM;
    for (size_t i = 0; i < where->n; i++) {
        const char *equals = strchr(where->at[i], '=');
        if (!equals || equals == where->at[i] || !equals[1] ||
            strcspn(where->at[i], ",") < (size_t)(equals - where->at[i]))
            return cull_fail(ctx, CULL_EUSAGE, "--where: \"%s\" is not KEY=VALUE", where->at[i]);
        *n += split(f, where->at[i], *out + *n, values);
        values += count_pieces(where->at[i]);
    }
    return CULL_OK;
}

// Every key and every value is something in the results.
static cull_status check_met(cull_ctx *ctx, size_t n, const condition *c)
{
    for (size_t i = 0; i < n; i++) {
        if (!c[i].known)
            return cull_fail(ctx, CULL_EUSAGE, "--where: nothing in the results has the key %.*s",
                             (int)c[i].n_key, c[i].key);
        for (size_t j = 0; j < c[i].n; j++)
            if (!c[i].value[j].met)
                return cull_fail(ctx, CULL_EUSAGE, "--where: nothing in the results has %.*s=%.*s",
                                 (int)c[i].n_key, c[i].key, (int)c[i].value[j].n,
                                 c[i].value[j].text);
    }
    return CULL_OK;
}

static bool keeps(condition *c, size_t n, const cull_frame *f, const cull_row *row)
{
    bool all = true;
    for (size_t i = 0; i < n; i++)
        all = keeps_trial(&c[i], &f->trial[row->trial]) && keeps_row(&c[i], row) && all;
    return all;
}

cull_status cull_frame_filter(cull_ctx *ctx, const cull_conditions *where, cull_frame *f)
{
    condition *c;
    size_t *number = cull_scratch(ctx, f->n_trials + 1, sizeof *number), rows = 0, trials = 0, n;
    CULL_TRY(parse(ctx, where, f, &n, &c));
    if (!number)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_rows; i++)
        if (keeps(c, n, f, &f->row[i]))
            f->row[rows++] = f->row[i];
    CULL_TRY(check_met(ctx, n, c));
    if (rows == 0 && where->n == 0)
        return cull_fail(ctx, CULL_EUSAGE, "%s: its trials hold no results", f->trial[0].folder);
    if (rows == 0)
        return cull_fail(ctx, CULL_EUSAGE, "--where: no result meets all conditions together");

    f->n_rows = rows;
    for (size_t i = 0; i < rows; i++)
        number[f->row[i].trial] = 1;
    for (size_t i = 0; i < f->n_trials; i++)
        if (number[i]) {
            f->trial[trials] = f->trial[i];
            number[i] = trials++;
        }
    for (size_t i = 0; i < rows; i++)
        f->row[i].trial = number[f->row[i].trial];
    f->n_trials = trials;
    return CULL_OK;
}
