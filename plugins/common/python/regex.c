// Python's re over PCRE2.
#include "common/python/regex.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/python/python_pattern.h"

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    uint32_t groups;
};

static const char *translate(cull_ctx *ctx, const char *pattern)
{
    size_t n;

    python_pattern(pattern, SIZE_MAX, NULL, &n);
    char *s = ctx->host->alloc(ctx, n + 1, 1);
    if (s)
        python_pattern(pattern, SIZE_MAX, s, &n);
    return s;
}

// Where in the pattern as it is written PCRE2 stopped.
static size_t written_at(const char *pattern, PCRE2_SIZE at)
{
    size_t n;

    return python_pattern(pattern, at, NULL, &n);
}

cull_status regex_new(cull_ctx *ctx, const char *place, const char *pattern, regex **out)
{
    regex *r = ctx->host->alloc(ctx, 1, sizeof *r);
    const char *const translated = translate(ctx, pattern);
    pcre2_compile_context *how = pcre2_compile_context_create(NULL);
    int error = 0;
    PCRE2_SIZE at = 0;

    *out = NULL;
    if (!r || !translated || !how) {
        pcre2_compile_context_free(how);
        return r && translated ? ctx->host->fail(ctx, CULL_ENOMEM, "out of memory") : CULL_ENOMEM;
    }
    pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    r->code = pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                            &error, &at, how);
    pcre2_compile_context_free(how);
    if (!r->code && error == PCRE2_ERROR_HEAP_FAILED)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    if (!r->code) {
        PCRE2_UCHAR why[160];
        pcre2_get_error_message(error, why, sizeof why);
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: the pattern \"%s\" fails at its character %zu: %s", place,
                               pattern, written_at(pattern, at) + 1, (const char *)why);
    }
    r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
    if (!r->match) {
        regex_free(r);
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    }
    pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
    *out = r;
    return CULL_OK;
}

void regex_free(regex *r)
{
    if (!r)
        return;
    pcre2_match_data_free(r->match);
    pcre2_code_free(r->code);
    r->match = NULL;
    r->code = NULL;
}

cull_status regex_check(cull_ctx *ctx, const char *place, const char *pattern)
{
    regex *made = NULL;
    const cull_status status = regex_new(ctx, place, pattern, &made);

    regex_free(made);
    return status;
}

static span group(const regex *r, span text, uint32_t g)
{
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);

    if (v[2 * g] == PCRE2_UNSET)
        return (span){ text.s, 0 };
    return (span){ text.s + v[2 * g], v[2 * g + 1] - v[2 * g] };
}

static span chosen_group(const regex *r, span text)
{
    for (uint32_t g = 1; g <= r->groups; g++)
        if (r->groups == 1 || group(r, text, g).n > 0)
            return group(r, text, g);
    return group(r, text, 0);
}

// Whether all groups of a match with several are empty: lm-evaluation-harness then has no answer.
static bool all_empty(const regex *r, span text)
{
    for (uint32_t g = 1; g <= r->groups; g++)
        if (group(r, text, g).n > 0)
            return false;
    return r->groups > 1;
}

// Visit the matches in order; stop at match number `stop`. *n: matches seen.
static cull_status scan(cull_ctx *ctx, const regex *r, span text, size_t stop, size_t *n)
{
    size_t at = 0;
    uint32_t options = 0;
    for (*n = 0; at <= text.n;) {
        const int rc =
            pcre2_match(r->code, (PCRE2_SPTR)text.s, text.n, at, options, r->match, NULL);
        if (rc == PCRE2_ERROR_NOMATCH)
            return CULL_OK;
        if (rc < 0) {
            PCRE2_UCHAR why[160];
            pcre2_get_error_message(rc, why, sizeof why);
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "a pattern gives up on a text of %zu bytes: %s", text.n,
                                   (const char *)why);
        }
        const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
        if ((*n)++ == stop)
            return CULL_OK;
        at = v[1];
        options =
            v[0] == v[1] ? PCRE2_NOTEMPTY_ATSTART : 0; // after an empty match the next must advance
    }
    return CULL_OK;
}

cull_status regex_find(cull_ctx *ctx, const regex *r, span text, int64_t select, bool *found,
                       span *out)
{
    size_t n = 0, seen = 0;

    *found = false;
    cull_status status = scan(ctx, r, text, SIZE_MAX, &n);
    if (status != CULL_OK || n == 0)
        return status;
    const size_t back = select < 0 ? (size_t)-select : 0;
    const size_t want = select < 0 ? n - back : (size_t)select;
    if (back > n || want >= n)
        return ctx->host->fail(ctx, CULL_EINVAL, "a filter asks for match %lld of %zu",
                               (long long)select, n);
    status = scan(ctx, r, text, want, &seen);
    if (status != CULL_OK)
        return status;
    *found = !all_empty(r, text);
    *out = chosen_group(r, text);
    return CULL_OK;
}

cull_status regex_replace(cull_ctx *ctx, const regex *r, span text, const char *replacement,
                          span *out)
{
    PCRE2_SIZE room = text.n * 2 + 64;

    for (int attempt = 0; attempt < 2; attempt++) {
        PCRE2_UCHAR *s = ctx->host->alloc(ctx, room + 1, 1);
        if (!s)
            return CULL_ENOMEM;
        PCRE2_SIZE n = room + 1;
        const int rc =
            pcre2_substitute(r->code, (PCRE2_SPTR)text.s, text.n, 0,
                             PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH |
                                 PCRE2_SUBSTITUTE_UNSET_EMPTY,
                             r->match, NULL, (PCRE2_SPTR)replacement, PCRE2_ZERO_TERMINATED, s, &n);
        if (rc >= 0) {
            *out = (span){ (const char *)s, n };
            return CULL_OK;
        }
        if (rc != PCRE2_ERROR_NOMEMORY)
            break;
        room = n;
    }
    return ctx->host->fail(ctx, CULL_EINVAL, "a replacement fails on a text of %zu bytes", text.n);
}
