// A document as lm-eval logs it (lm_eval/evaluator.py, EvaluationTracker.save_results_samples), and
// the keys of its calls in the response cache (lm_eval/api/model.py, hash_args).
#include "common/lm_eval/scoring_state.h"

#include <stdlib.h>
#include <string.h>

#include "common/python/python_json.h"
#include "common/python/sha256.h"
#include "common/text/json_dumped.h"
#include "common/text/jsonl.h"

static json_t *text_of(span s)
{
    return json_stringn(s.s, s.n);
}

// lm-eval's gen_kwargs of a document.
static json_t *how_to_write(const document *d)
{
    json_t *how = d->gen_kwargs ? json_loads(d->gen_kwargs, JSON_ALLOW_NUL, NULL)
                                : json_pack("{s:n}", "until");

    if (!json_is_null(json_object_get(how, "until")))
        return how;
    json_t *until = json_array();
    for (size_t i = 0; i < d->n_until; i++)
        json_array_append_new(until, json_string(d->until[i]));
    json_object_set_new(how, "until", until);
    return how;
}

// The arguments of each call, a list of lists.
static json_t *calls_of(const task *t, const document *d)
{
    json_t *calls = json_array();

    for (size_t i = 0; i < d->n; i++) {
        json_t *call = json_array();
        if (t->kind != TASK_ROLLING)
            json_array_append_new(call, text_of(d->context[i]));
        json_array_append_new(call, t->kind == TASK_GENERATE ? how_to_write(d)
                                                             : text_of(d->continuation[i]));
        json_array_append_new(calls, call);
    }
    return calls;
}

// {"gen_args_0": {"arg_0": …}, …}
static json_t *named(const json_t *calls)
{
    json_t *out = json_object();
    char name[32];

    for (size_t i = 0; i < json_array_size(calls); i++) {
        json_t *arguments = json_object(), *call = json_array_get(calls, i);
        for (size_t j = 0; j < json_array_size(call); j++) {
            snprintf(name, sizeof name, "arg_%zu", j);
            json_object_set(arguments, name, json_array_get(call, j));
        }
        snprintf(name, sizeof name, "gen_args_%zu", i);
        json_object_set_new(out, name, arguments);
    }
    return out;
}

// What lm-eval logs as the target: the number of a choice, a list of numbers, or a text.
static json_t *target_of(const task *t, const document *d)
{
    if (t->kind == TASK_GENERATE || d->target.s)
        return text_of(d->target);
    if (t->kind == TASK_ROLLING || d->n_gold == 0)
        return text_of(d->continuation[0]);
    json_t *numbers = json_array();
    for (size_t i = 0; i < d->n_gold; i++)
        json_array_append_new(numbers, json_integer(d->gold[i]));
    char *text = json_dumps(d->n_gold == 1 ? json_array_get(numbers, 0) : numbers, JSON_ENCODE_ANY);
    json_t *target = json_string(text ? text : "");
    json_decref(numbers);
    json_free_dumped(text);
    return target;
}

static void put_hash(json_t *out, const char *key, const char *known, span text)
{
    char hex[65];

    sha256_of(text.s, text.n, hex);
    json_object_set_new(out, key, json_string(known ? known : hex));
}

static json_t *sample_of(const task *t, const document *d, size_t index, const json_t *calls)
{
    json_t *out = json_object(), *target = target_of(t, d);
    const span asked = t->kind == TASK_ROLLING ? d->continuation[0] : d->context[0];

    json_object_set_new(out, "doc_id", json_integer((json_int_t)index));
    json_object_set_new(out, "doc", json_loads(d->source ? d->source : "{}", JSON_ALLOW_NUL, NULL));
    json_object_set(out, "target", target);
    json_object_set_new(out, "arguments", named(calls));
    put_hash(out, "doc_hash", d->doc_hash, span_of(d->source ? d->source : "{}"));
    put_hash(out, "prompt_hash", d->prompt_hash, asked);
    put_hash(out, "target_hash", NULL,
             (span){ json_string_value(target), json_string_length(target) });
    json_decref(target);
    return out;
}

// SHA-256 of json.dumps([method, *arguments]).
static cull_status key_of(cull_ctx *ctx, const char *method, const json_t *call, const char **out)
{
    char *hex = ctx->host->alloc(ctx, 65, 1), *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);
    json_t *all = json_array();

    if (hex && memory) {
        json_array_append_new(all, json_string(method));
        json_array_extend(all, (json_t *)(uintptr_t)call);
        py_json(memory, all);
    }
    json_decref(all);
    const bool written = memory && fclose(memory) == 0 && hex;
    if (written)
        sha256_of(text, n, hex);
    free(text);
    *out = hex;
    return written ? CULL_OK : ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
}

static const scored_task *find_task(const scoring *e, const char *name)
{
    for (size_t t = 0; t < e->n; t++)
        if (strcmp(e->task[t].task.name, name) == 0)
            return &e->task[t];
    return NULL;
}

cull_status scoring_document(cull_ctx *ctx, const cull_requests *requests, const char *name,
                             size_t index, cull_document *out)
{
    static const char *const methods[] = { [TASK_CHOICE] = "loglikelihood",
                                           [TASK_ROLLING] = "loglikelihood_rolling",
                                           [TASK_GENERATE] = "generate_until" };
    const scored_task *of = find_task(requests->state, name);

    if (!of || index >= of->task.n)
        return ctx->host->fail(ctx, CULL_EINVAL, "task %s has no document %zu", name, index);
    const document *d = &of->task.document[index];
    const char **key = ctx->host->alloc(ctx, d->n, sizeof *key);
    json_t *calls = calls_of(&of->task, d), *sample = sample_of(&of->task, d, index, calls);
    cull_status status = key ? json_keep(ctx, sample, 0, &out->json) : CULL_ENOMEM;
    for (size_t i = 0; status == CULL_OK && i < d->n; i++)
        status = key_of(ctx, methods[of->task.kind], json_array_get(calls, i), &key[i]);
    json_decref(sample);
    json_decref(calls);
    out->method = methods[of->task.kind];
    out->n = d->n;
    out->key = key;
    return status;
}
