// --where: which trials and values are loaded.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "results/load.h"

typedef struct condition {
    const char *text; // "KEY=VALUE,…"
    size_t key;       // its length
    bool known, met;  // some trial or value has the key; and such a value
} condition;

static bool is_key(const condition *c, const char *key)
{
    return strlen(key) == c->key && memcmp(key, c->text, c->key) == 0;
}

// Is the value one of those of the condition? Numbers are compared as numbers, hashes by their
// beginnings.
static bool meets(const condition *c, const char *value, size_t n)
{
    const bool hash =
        (c->key > 5 && memcmp(c->text + c->key - 5, "_hash", 5) == 0) || is_key(c, "evaluation");
    for (const char *one = c->text + c->key + 1;;) {
        const size_t m = strcspn(one, ",");
        char *end, *rest;
        if (m <= n && memcmp(one, value, m) == 0 && (m == n || (hash && m > 0)))
            return true;
        const double x = strtod(one, &end), y = strtod(value, &rest);
        if (end == one + m && rest == value + n && m && n && x == y)
            return true;
        if (!one[m])
            return false;
        one += m + 1;
    }
}

static bool meets_number(const condition *c, double x)
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
                 { "allocation", t->allocation, 0, false },
                 { "sparsity", NULL, t->sparsity, false },
                 { "seed", NULL, t->seed, false } };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!is_key(c, keys[i].key))
            continue;
        c->known = true;
        if ((t->dense && !keys[i].dense) || (!keys[i].text && isnan(keys[i].number)))
            return true;
        const bool is = keys[i].text ? meets(c, keys[i].text, strlen(keys[i].text))
                                     : meets_number(c, keys[i].number);
        c->met |= is;
        return is;
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
            const bool is = meets(c, columns[i][1], strlen(columns[i][1]));
            c->known = true;
            c->met |= is;
            return is;
        }
    for (const char *line = row->conditions ? row->conditions : ""; *line;) {
        const size_t n = strcspn(line, "\n");
        if (n > c->key && line[c->key] == '=' && memcmp(line, c->text, c->key) == 0) {
            const bool is = meets(c, line + c->key + 1, n - c->key - 1);
            c->known = true;
            c->met |= is;
            return is;
        }
        line += n + (line[n] == '\n');
    }
    return true;
}

static cull_status parse(cull_ctx *ctx, const cull_conditions *where, condition **out)
{
    *out = cull_scratch(ctx, where->n ? where->n : 1, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    for (size_t i = 0; i < where->n; i++) {
        const char *equals = strchr(where->at[i], '=');
        if (!equals || equals == where->at[i] || !equals[1])
            return cull_fail(ctx, CULL_EUSAGE, "--where: \"%s\" is not KEY=VALUE", where->at[i]);
        (*out)[i] = (condition){ .text = where->at[i], .key = (size_t)(equals - where->at[i]) };
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
    size_t *number = cull_scratch(ctx, f->n_trials + 1, sizeof *number), rows = 0, trials = 0;
    CULL_TRY(parse(ctx, where, &c));
    if (!number)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_rows; i++)
        if (keeps(c, where->n, f, &f->row[i]))
            f->row[rows++] = f->row[i];
    for (size_t i = 0; i < where->n; i++)
        if (!c[i].met)
            return cull_fail(ctx, CULL_EUSAGE, "--where: nothing in the results has %s%.*s",
                             c[i].known ? "" : "the key ",
                             (int)(c[i].known ? strlen(c[i].text) : c[i].key), c[i].text);
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
