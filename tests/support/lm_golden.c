// What lm-eval answered, line by line.
#include "support/lm_golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/python/sha256.h"
#include "support/test.h"

// ---- golden lines ----

json_t *lm_golden_lines(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t room = 0;
    json_t *all = json_array();

    if (!f)
        fail_msg("%s cannot be read", path);
    while (getline(&line, &room, f) > 0) {
        json_t *value = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        json_array_append_new(all, value);
    }
    free(line);
    fclose(f);
    return all;
}

double lm_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value))
        fail_msg("no number \"%s\"", key);
    return json_number_value(value);
}

const char *lm_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

// ---- requests ----

static void check_fed(const cull_request *r, const json_t *q, const char *where)
{
    char hex[65], text[32];
    sha256 h;

    sha256_init(&h);
    for (size_t i = 0; i + 1 < r->n; i++) {
        const int n = snprintf(text, sizeof text, i ? " %d" : "%d", (int)r->ids[i]);
        sha256_add(&h, text, (size_t)n);
    }
    sha256_hex(&h, hex);
    if ((double)(r->n - 1) != lm_number(q, "fed") ||
        strncmp(hex, lm_string(q, "fed_sha256"), 16) != 0)
        fail_msg("%s: other ids are fed", where);
}

void lm_check_pair(const cull_request *r, const json_t *q, const char *where)
{
    const json_t *ids = json_object_get(q, "cont_ids");

    assert_int_equal(r->kind, CULL_SCORE);
    if ((double)r->scored != lm_number(q, "n_tokens"))
        fail_msg("%s: %zu tokens are scored, not %g", where, r->scored, lm_number(q, "n_tokens"));
    for (size_t i = 0; i < json_array_size(ids); i++)
        assert_int_equal(r->ids[r->n - r->scored + i], json_integer_value(json_array_get(ids, i)));
    if (ids)
        check_fed(r, q, where);
    else if ((double)r->n != lm_number(q, "n_ctx") + lm_number(q, "n_tokens"))
        fail_msg("%s: %zu ids, not %g + %g", where, r->n, lm_number(q, "n_ctx"),
                 lm_number(q, "n_tokens"));
}

void lm_check_ll(const cull_answer *a, const json_t *q, const char *where)
{
    const double ll = lm_number(q, "ll"), off = fabs(a->ll - ll) / fmax(1, fabs(ll));

    if (!(off <= 1e-4))
        fail_msg("%s: log-likelihood %.8g, not %.8g", where, a->ll, ll);
    if (json_object_get(q, "greedy") && a->greedy != json_is_true(json_object_get(q, "greedy")))
        fail_msg("%s: another greedy flag", where);
}

// The context that is fed, as the tokenizer encodes it.
void lm_check_context(fake_host *host, const cull_text *text, const cull_request *r,
                      const json_t *row, const char *where)
{
    const json_t *ctx = json_object_get(row, "ctx");
    int32_t *ids;
    size_t n;

    assert_int_equal(r->kind, CULL_GENERATE);
    if ((double)r->n != lm_number(row, "n_ctx_fed"))
        fail_msg("%s: %zu ids are fed, not %g", where, r->n, lm_number(row, "n_ctx_fed"));
    if (!json_is_string(ctx))
        return;
    assert_ok(host, text->encode(fake_ctx(host), text, json_string_value(ctx),
                                 json_string_length(ctx), CULL_SPECIAL, &ids, &n));
    assert_true((double)n == lm_number(row, "n_ctx") && n >= r->n);
    assert_memory_equal(ids + n - r->n, r->ids, r->n * sizeof *ids);
}

void lm_check_generated(const cull_answer *a, const json_t *row, const char *where)
{
    const json_t *ids = json_object_get(row, "gen_ids"), *text = json_object_get(row, "text");

    if (lm_number(row, "min_margin") < 1e-3)
        return; // another summation order may rightly decide otherwise
    bool same = a->n == json_array_size(ids);
    for (size_t i = 0; same && i < a->n; i++)
        same = a->ids[i] == json_integer_value(json_array_get(ids, i));
    if (!same)
        fail_msg("%s: other ids are generated", where);
    if (a->text_len != json_string_length(text) ||
        memcmp(a->text, json_string_value(text), a->text_len) != 0)
        fail_msg("%s: another text: %.*s", where, (int)a->text_len, a->text);
}

// The golden answer to a request, as the engine would give it.
cull_answer lm_golden_answer(const json_t *q)
{
    const json_t *text = json_object_get(q, "text");

    if (!json_object_get(q, "ll"))
        return (cull_answer){ .size = sizeof(cull_answer),
                              .text = json_string_value(text),
                              .text_len = json_string_length(text) };
    return (cull_answer){ .size = sizeof(cull_answer),
                          .ll = lm_number(q, "ll"),
                          .greedy = json_is_true(json_object_get(q, "greedy")) };
}
