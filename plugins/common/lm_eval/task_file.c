// A file of requests, line by line.
#include "common/lm_eval/task_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/lm_eval/task_metadata.h"
#include "common/python/sha256.h"

static cull_status bad(cull_ctx *ctx, const char *place, const char *what)
{
    return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %s", place, what);
}

// ---- the parts of a line ----

static cull_status read_gold(cull_ctx *ctx, json_t *line, document *d)
{
    json_t *gold = json_object_get(line, "gold");
    const bool list = json_is_array(gold);

    if ((!gold && d->n == 1) || json_is_null(gold)) // null: it is for others to say
        return CULL_OK;
    if (!list && !json_is_integer(gold))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"gold\" is %s, not the number of a choice",
                               d->place, json_kind(gold));
    d->n_gold = list ? json_array_size(gold) : 1;
    if (d->n_gold == 0)
        return bad(ctx, d->place, "\"gold\" is empty, so that no choice is right");
    int64_t *right = ctx->host->alloc(ctx, d->n_gold + 1, sizeof *right);
    if (!right)
        return CULL_ENOMEM;
    for (size_t i = 0; i < d->n_gold; i++) {
        const json_t *one = list ? json_array_get(gold, i) : gold;
        if (!json_is_integer(one))
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: entry %zu of \"gold\" is %s, not the number of a choice",
                                   d->place, i, json_kind(one));
        right[i] = json_integer_value(one);
        if (right[i] < 0 || (size_t)right[i] >= d->n)
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: \"gold\" is %lld, but there are %zu choices", d->place,
                                   (long long)right[i], d->n);
    }
    d->gold = right;
    return CULL_OK;
}

static cull_status read_until(cull_ctx *ctx, json_t *from, document *d)
{
    const span *until = NULL;
    const json_t *list = json_object_get(from, "until");
    cull_status status = CULL_OK;

    if (!json_is_array(list) || json_array_size(list)) // an empty one: EOS alone stops it
        status = json_get_texts(ctx, d->place, from, "until", &d->n_until, &until);
    if (status != CULL_OK)
        return status;
    const char **stop = ctx->host->alloc(ctx, d->n_until + 1, sizeof *stop);
    if (!stop)
        return CULL_ENOMEM;
    for (size_t i = 0; i < d->n_until; i++) {
        if (until[i].n == 0)
            return bad(ctx, d->place, "a stop string is empty");
        if (memchr(until[i].s, '\0', until[i].n))
            return bad(ctx, d->place, "a stop string holds a NUL character, where it would end");
        stop[i] = until[i].s;
    }
    d->until = stop;
    if (json_object_get(from, "max")) {
        int64_t max_new;
        status = json_get_int(ctx, d->place, from, "max", &max_new);
        if (status == CULL_OK && max_new < 1)
            status = bad(ctx, d->place, "\"max\" is less than 1");
        d->max_new = status == CULL_OK ? (size_t)max_new : 0;
        d->own_max = true;
    }
    return status;
}

static cull_status read_size(cull_ctx *ctx, json_t *line, const char *place, const char *key,
                             int64_t *size)
{
    if (!json_object_get(line, key))
        return CULL_OK;
    const cull_status status = json_get_int(ctx, place, line, key, size);
    if (status == CULL_OK && *size < 1)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is %lld", place, key,
                               (long long)*size);
    return status;
}

// A text whose likelihood is measured; words and bytes are its own unless the line gives others.
static cull_status read_rolling(cull_ctx *ctx, json_t *from, json_t *line, document *d)
{
    span *text = ctx->host->alloc(ctx, 1, sizeof *text);

    if (!text)
        return CULL_ENOMEM;
    d->n = 1;
    d->context = d->continuation = text;
    cull_status status = json_get_text(ctx, d->place, from, "text", text);
    if (status != CULL_OK)
        return status;
    d->words = (int64_t)py_words(*text);
    d->bytes = (int64_t)text->n;
    status = read_size(ctx, line, d->place, "words", &d->words);
    return status == CULL_OK ? read_size(ctx, line, d->place, "bytes", &d->bytes) : status;
}

// The right answer; where there are several, "target" is what lm-eval logs of them.
static cull_status read_targets(cull_ctx *ctx, json_t *line, document *d)
{
    const json_t *target = json_object_get(line, "target");

    if (json_is_null(target)) { // it is for others to say
        d->target = span_of("");
        return CULL_OK;
    }
    const cull_status status = json_get_text(ctx, d->place, line, "target", &d->target);
    if (status != CULL_OK || !json_object_get(line, "targets"))
        return status;
    return json_get_texts(ctx, d->place, line, "targets", &d->n_targets, &d->targets);
}

static cull_status read_generate(cull_ctx *ctx, json_t *from, const char *key, json_t *line,
                                 document *d)
{
    span *context = ctx->host->alloc(ctx, 1, sizeof *context);

    if (!context)
        return CULL_ENOMEM;
    d->n = 1;
    d->context = d->continuation = context;
    cull_status status = json_get_text(ctx, d->place, from, key, context);
    if (status == CULL_OK)
        status = read_until(ctx, from, d);
    if (status == CULL_OK && json_is_object(json_object_get(from, "gen_kwargs")))
        status = json_keep(ctx, json_object_get(from, "gen_kwargs"), 0, &d->gen_kwargs);
    return status == CULL_OK ? read_targets(ctx, line, d) : status;
}

// ---- the forms ----

static cull_status read_context_choices(cull_ctx *ctx, const task_reading *how, json_t *line,
                                        document *d)
{
    const span *choice;
    json_t *list, *gold = json_object_get(line, "gold");
    cull_status status = CULL_OK;

    if (gold && !json_is_null(gold)) // one text would be right whatever the model is
        status = json_get_list(ctx, d->place, line, "choices", &list);
    if (status == CULL_OK)
        status = json_get_texts(ctx, d->place, line, "choices", &d->n, &choice);
    if (status != CULL_OK)
        return status;
    span *context = ctx->host->alloc(ctx, d->n, sizeof *context),
         *continuation = ctx->host->alloc(ctx, d->n, sizeof *continuation);
    int64_t *chars = ctx->host->alloc(ctx, d->n, sizeof *chars),
            *bytes = ctx->host->alloc(ctx, d->n, sizeof *bytes);
    if (!context || !continuation || !chars || !bytes)
        return CULL_ENOMEM;
    status = json_get_text(ctx, d->place, line, "context", &context[0]);
    for (size_t c = 0; status == CULL_OK && c < d->n; c++) {
        context[c] = context[0];
        chars[c] = (int64_t)py_len(choice[c]);
        bytes[c] = (int64_t)choice[c].n;
        status =
            span_join(ctx, 2, (span[]){ span_of(how->delimiter), choice[c] }, &continuation[c]);
    }
    d->context = context;
    d->continuation = continuation;
    d->len_chars = chars;
    d->len_bytes = bytes;
    return status == CULL_OK ? read_gold(ctx, line, d) : status;
}

static cull_status read_pairs(cull_ctx *ctx, json_t *requests, json_t *line, document *d)
{
    d->n = json_array_size(requests);
    span *context = ctx->host->alloc(ctx, d->n, sizeof *context),
         *continuation = ctx->host->alloc(ctx, d->n, sizeof *continuation);
    if (!context || !continuation)
        return CULL_ENOMEM;
    d->context = context;
    d->continuation = continuation;
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < d->n; i++) {
        json_t *pair = json_array_get(requests, i);
        status = json_get_text(ctx, d->place, pair, "ctx", &context[i]);
        if (status == CULL_OK && i && span_equal(context[i], context[0]))
            context[i] = context[0]; // the same memory: encoded once
        if (status == CULL_OK)
            status = json_get_text(ctx, d->place, pair, "cont", &continuation[i]);
    }
    if (status == CULL_OK)
        status = json_get_lengths(ctx, d->place, line, "len_chars", d->n, &d->len_chars);
    if (status == CULL_OK)
        status = json_get_lengths(ctx, d->place, line, "len_bytes", d->n, &d->len_bytes);
    return status == CULL_OK ? read_gold(ctx, line, d) : status;
}

static cull_status read_requests(cull_ctx *ctx, json_t *line, document *d, task_kind *kind)
{
    json_t *requests;
    cull_status status = json_get_list(ctx, d->place, line, "requests", &requests);

    if (status != CULL_OK)
        return status;
    json_t *first = json_array_get(requests, 0);
    *kind = json_object_get(first, "text")    ? TASK_ROLLING
            : json_object_get(first, "until") ? TASK_GENERATE
                                              : TASK_CHOICE;
    if (*kind == TASK_CHOICE)
        return read_pairs(ctx, requests, line, d);
    if (json_array_size(requests) != 1)
        return bad(ctx, d->place, "a document of this kind has one request");
    return *kind == TASK_ROLLING ? read_rolling(ctx, first, line, d)
                                 : read_generate(ctx, first, "ctx", line, d);
}

static cull_status read_form(cull_ctx *ctx, const task_reading *how, json_t *line, document *d,
                             task_kind *kind)
{
    if (!json_is_object(line))
        return bad(ctx, d->place, "the line is not a JSON object");
    if (json_object_get(line, "requests"))
        return read_requests(ctx, line, d, kind);
    if (json_object_get(line, "choices")) {
        *kind = TASK_CHOICE;
        return read_context_choices(ctx, how, line, d);
    }
    if (json_object_get(line, "until")) {
        *kind = TASK_GENERATE;
        return read_generate(ctx, line, "context", line, d);
    }
    if (json_object_get(line, "text")) {
        *kind = TASK_ROLLING;
        return read_rolling(ctx, line, line, d);
    }
    return bad(ctx, d->place, "there is none of \"choices\", \"until\", \"text\" and \"requests\"");
}

// ---- a document, a file ----

static cull_status check_prompt(cull_ctx *ctx, const document *d)
{
    char hash[65];

    if (!d->prompt_hash)
        return CULL_OK;
    sha256_of(d->context[0].s, d->context[0].n, hash);
    if (strcmp(hash, d->prompt_hash) == 0)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EFORMAT,
                           "%s: \"prompt_hash\" is %.16s…, but the first context hashes to %.16s…",
                           d->place, d->prompt_hash, hash);
}

// Keys that say something in another form, or by another name, and nothing in this one.
static const struct idle_key {
    uint32_t kinds; // 1 << TASK_*
    bool by_hand;   // only where the document gives no "requests"
    const char *key, *why;
} idle_keys[] = {
    { 1u << TASK_CHOICE, false, "until", "ends texts that are generated" },
    { 1u << TASK_CHOICE, false, "max", "is for texts that are generated" },
    { 1u << TASK_CHOICE, false, "targets", "is for texts that are generated" },
    { 1u << TASK_CHOICE, true, "len_chars", "stands beside \"requests\"; choices are counted" },
    { 1u << TASK_CHOICE, true, "len_bytes", "stands beside \"requests\"; choices are counted" },
    { 1u << TASK_GENERATE, false, "gold", "is for choices; here it is \"target\"" },
    { 1u << TASK_GENERATE, false, "max_new", "is called \"max\" here" },
    { 1u << TASK_GENERATE, false, "max_new_tokens", "is called \"max\" here" },
    { 1u << TASK_GENERATE, false, "max_gen_toks", "is called \"max\" here" },
    { 1u << TASK_GENERATE, false, "max_tokens", "is called \"max\" here" },
};

static cull_status refuse_idle(cull_ctx *ctx, const json_t *line, const document *d, task_kind kind)
{
    const json_t *requests = json_object_get(line, "requests");

    for (size_t i = 0; i < sizeof idle_keys / sizeof *idle_keys; i++) {
        const struct idle_key *idle = &idle_keys[i];
        if (!(idle->kinds >> kind & 1) || (idle->by_hand && requests))
            continue;
        bool there = json_object_get(line, idle->key) != NULL;
        for (size_t r = 0; r < json_array_size(requests); r++)
            there |= json_object_get(json_array_get(requests, r), idle->key) != NULL;
        if (there)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" %s", d->place, idle->key,
                                   idle->why);
    }
    return CULL_OK;
}

static cull_status read_document(cull_ctx *ctx, const task_reading *how, json_t *line, document *d,
                                 task_kind *kind)
{
    cull_status status = read_form(ctx, how, line, d, kind);

    if (status == CULL_OK)
        status = refuse_idle(ctx, line, d, *kind);
    if (status == CULL_OK && *kind == TASK_CHOICE &&
        json_is_string(json_object_get(line, "target")))
        status = json_get_text(ctx, d->place, line, "target", &d->target);
    if (status == CULL_OK)
        status = json_get_optional(ctx, d->place, line, "cluster", &d->cluster);
    if (status == CULL_OK)
        status = json_get_optional(ctx, d->place, line, "doc_hash", &d->doc_hash);
    if (status == CULL_OK)
        status = json_get_optional(ctx, d->place, line, "prompt_hash", &d->prompt_hash);
    if (d->max_new == 0)
        d->max_new = how->max_new;
    if (status == CULL_OK)
        status = json_keep(ctx, line, 0, &d->source);
    return status == CULL_OK ? check_prompt(ctx, d) : status;
}

// "dir/facts.jsonl.gz" → "facts"
static const char *stem(cull_ctx *ctx, const char *path)
{
    static const char *const endings[] = { ".gz", ".jsonl", ".json", ".txt" };
    const char *slash = strrchr(path, '/');
    span name = span_of(slash ? slash + 1 : path), out;

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const span ending = span_of(endings[i]);
        if (name.n > ending.n && span_equal((span){ name.s + name.n - ending.n, ending.n }, ending))
            name.n -= ending.n;
    }
    return span_copy(ctx, name, &out) == CULL_OK ? out.s : NULL;
}

static cull_status read_name(cull_ctx *ctx, const jsonl *file, size_t i, const char *place,
                             const char **name)
{
    const char *given;
    const cull_status status = json_get_optional(ctx, place, file->value[i], "task", &given);

    if (status != CULL_OK)
        return status;
    if (i == 0) {
        *name = given ? given : stem(ctx, file->path);
        return *name ? task_name_check(ctx, place, *name) : CULL_ENOMEM;
    }
    if (given && strcmp(given, *name) != 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: task \"%s\" in a file of task \"%s\"", place,
                               given, *name);
    return CULL_OK;
}

static const char *const kind_names[] = { "choices", "texts to measure", "texts to generate" };

// The metrics that every document has the right answer, and the lengths, for.
static uint32_t possible(const task *t, bool answered)
{
    if (t->kind != TASK_CHOICE || !answered)
        return t->kind == TASK_GENERATE && answered ? TASK_MATCH : 0;
    uint32_t metrics = TASK_ACC | TASK_ACC_NORM | TASK_ACC_BYTES,
             single = TASK_EXACT | TASK_SURPRISE;
    for (size_t d = 0; d < t->n; d++) {
        const document *doc = &t->document[d];
        if (!doc->len_chars)
            metrics &= ~(uint32_t)TASK_ACC_NORM;
        if (!doc->len_bytes)
            metrics &= ~(uint32_t)TASK_ACC_BYTES;
        if (doc->n != 1 || doc->n_gold)
            single = 0;
    }
    return single ? single : metrics;
}

static bool has_null(const json_t *line, const char *key)
{
    return json_is_null(json_object_get(line, key));
}

static cull_status read_lines(cull_ctx *ctx, const jsonl *file, const task_reading *how, task *out)
{
    document *doc = ctx->host->alloc(ctx, file->n, sizeof *doc);

    if (!doc)
        return CULL_ENOMEM;
    *out = (task){ .n = file->n,
                   .document = doc,
                   .n_filters = how->n_filters,
                   .filter = how->filter,
                   .cleaning = how->cleaning };
    bool answered = true;
    for (size_t i = 0; i < file->n; i++) {
        task_kind kind = TASK_CHOICE;
        if (!(doc[i].place = jsonl_place(ctx, file, i)))
            return CULL_ENOMEM;
        cull_status status = read_document(ctx, how, file->value[i], &doc[i], &kind);
        if (status == CULL_OK)
            status = read_name(ctx, file, i, doc[i].place, &out->name);
        if (status != CULL_OK)
            return status;
        if (i > 0 && kind != out->kind)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %s in a file of %s", doc[i].place,
                                   kind_names[kind], kind_names[out->kind]);
        out->kind = kind;
        answered &= !has_null(file->value[i], kind == TASK_GENERATE ? "target" : "gold");
    }
    out->metrics = possible(out, answered);
    return CULL_OK;
}

static cull_status read_task(cull_ctx *ctx, const char *path, const task_reading *how, task *out)
{
    jsonl file;
    cull_status status = jsonl_read(ctx, path, how->limit, &file);

    if (status != CULL_OK)
        return status;
    status = read_lines(ctx, &file, how, out);
    jsonl_free(&file);
    return status;
}

cull_status task_files_read(cull_ctx *ctx, cull_texts files, const task_reading *how,
                            task_list *out)
{
    task *tasks = ctx->host->alloc(ctx, files.n + 1, sizeof *tasks);
    size_t n = 0;

    if (!tasks)
        return CULL_ENOMEM;
    for (size_t f = 0; f < files.n; f++) {
        task *t = &tasks[n];
        const cull_status status = read_task(ctx, files.at[f], how, t);
        if (status != CULL_OK)
            return status;
        if (!(how->kinds >> t->kind & 1)) {
            ctx->host->log(ctx, CULL_INFO, "%s holds %s and is left out here", files.at[f],
                           kind_names[t->kind]);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            if (strcmp(tasks[i].name, t->name) == 0)
                return ctx->host->fail(ctx, CULL_EINVAL,
                                       "%s: another file already holds task \"%s\"", files.at[f],
                                       t->name);
        n++;
    }
    if (n == 0)
        return ctx->host->fail(ctx, CULL_EINVAL, "none of the %zu files holds a task of this kind",
                               files.n);
    *out = (task_list){ .n = n, .task = tasks };
    return task_metadata_apply(ctx, files, tasks, out);
}
