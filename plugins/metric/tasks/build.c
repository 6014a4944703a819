// A task's documents as requests.
#include "build.h"

#include <string.h>

#include "common/python/sha256.h"
#include "common/text/json_dumped.h"
#include "render.h"
#include "shots.h"

// Is `path` the file NAME.jsonl, perhaps .json or with .gz?
static bool is_file_of(const char *path, const char *name)
{
    static const char *const endings[] = { ".jsonl", ".json", ".jsonl.gz", ".json.gz" };
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const size_t n = strlen(name);

    if (strncmp(base, name, n) != 0)
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcmp(base + n, endings[i]) == 0)
            return true;
    return false;
}

static cull_status find_file(cull_ctx *ctx, const building *how, const char *task_name,
                             const char *name, const char **out)
{
    *out = NULL;
    for (size_t i = 0; i < how->data.n; i++) {
        const char *path = how->data.at[i];
        if (!is_file_of(path, name))
            continue;
        if (!*out)
            *out = path;
        else if (strcmp(*out, path) != 0)
            ctx->host->log(ctx, CULL_WARN,
                           "task %s: of two files of one name %s is read, and %s is left out",
                           task_name, *out, path);
    }
    if (*out)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "task %s needs a file %s.jsonl (or .jsonl.gz), which is not in "
                           "`data`",
                           task_name, name);
}

static cull_status open_shots(cull_ctx *ctx, const task_spec *spec, const building *how, size_t k,
                              const char *file, shots *out)
{
    const char *path = NULL;
    span name;

    *out = (shots){ 0 };
    if (k > 0 && spec->kind == TASK_ROLLING)
        return ctx->host->fail(ctx, CULL_EINVAL, "task %s takes no shots", spec->name);
    cull_status status = span_join(ctx, 2, (span[]){ span_of(file), span_of(".train") }, &name);
    if (status == CULL_OK && k > 0)
        status = find_file(ctx, how, spec->name, spec->pool ? spec->pool : name.s, &path);
    return status == CULL_OK ? shots_init(ctx, spec, k, path, how->shot_seed, how->resample, out)
                             : status;
}

// ---- one document ----

// In front of every question: the description and the shots.
static cull_status with_front(cull_ctx *ctx, const task_spec *spec, span front, span question,
                              span *out)
{
    const span description = span_of(spec->description ? spec->description : "");

    return span_join(ctx, 3, (span[]){ description, front, question }, out);
}

// lm-eval's target_delimiter stands between context and choice, and no length counts it.
static cull_status delimited(cull_ctx *ctx, span text, span *out)
{
    return span_join(ctx, 2, (span[]){ span_of(" "), text }, out);
}

// One context, several continuations.
static cull_status build_choices(cull_ctx *ctx, const task_spec *spec, json_t *json, span front,
                                 document *d)
{
    const span *choice;
    span question;
    cull_status status = render(ctx, d->place, spec->question, json, &question);

    if (status == CULL_OK)
        status = render_choices(ctx, d->place, spec, json, &d->n, &choice);
    if (status != CULL_OK)
        return status;
    span *context = ctx->host->alloc(ctx, d->n, sizeof *context),
         *continuation = ctx->host->alloc(ctx, d->n, sizeof *continuation);
    int64_t *chars = ctx->host->alloc(ctx, d->n, sizeof *chars),
            *bytes = ctx->host->alloc(ctx, d->n, sizeof *bytes);
    if (!context || !continuation || !chars || !bytes)
        return CULL_ENOMEM;
    status = with_front(ctx, spec, front, question, &context[0]);
    for (size_t c = 0; status == CULL_OK && c < d->n; c++) {
        context[c] = context[0];
        chars[c] = (int64_t)py_len(choice[c]);
        bytes[c] = (int64_t)choice[c].n;
        status = delimited(ctx, choice[c], &continuation[c]);
    }
    d->context = context;
    d->continuation = continuation;
    d->len_chars = chars;
    d->len_bytes = bytes;
    return status;
}

// One continuation, several contexts: partial evaluation.
static cull_status build_contexts(cull_ctx *ctx, const task_spec *spec, json_t *json, span front,
                                  document *d)
{
    const span *question;
    span answer;
    cull_status status = render_list(ctx, d->place, spec->contexts, json, &d->n, &question);

    if (status == CULL_OK)
        status = render(ctx, d->place, spec->answer, json, &answer);
    if (status == CULL_OK)
        status = delimited(ctx, answer, &answer);
    if (status != CULL_OK)
        return status;
    span *context = ctx->host->alloc(ctx, d->n, sizeof *context),
         *continuation = ctx->host->alloc(ctx, d->n, sizeof *continuation);
    if (!context || !continuation)
        return CULL_ENOMEM;
    for (size_t c = 0; status == CULL_OK && c < d->n; c++) {
        continuation[c] = answer;
        status = with_front(ctx, spec, front, question[c], &context[c]);
    }
    d->context = context;
    d->continuation = continuation;
    return status;
}

static cull_status build_choice(cull_ctx *ctx, const task_spec *spec, json_t *json, span front,
                                document *d)
{
    int64_t *gold = ctx->host->alloc(ctx, 1, sizeof *gold);

    if (!gold)
        return CULL_ENOMEM;
    cull_status status =
        (spec->contexts ? build_contexts : build_choices)(ctx, spec, json, front, d);
    if (status == CULL_OK)
        status = find_gold(ctx, d->place, spec, json, d->n, gold);
    if (status == CULL_OK && spec->text_target) { // without the delimiter
        const span right = d->continuation[*gold];
        d->target = (span){ right.s + 1, right.n - 1 };
    }
    d->gold = gold;
    d->n_gold = 1;
    return status;
}

// A text that is measured, or a context and the target that is to be written.
static cull_status build_text(cull_ctx *ctx, const task_spec *spec, json_t *json, span front,
                              document *d)
{
    span *text = ctx->host->alloc(ctx, 1, sizeof *text);
    span question, answer;

    if (!text)
        return CULL_ENOMEM;
    d->n = 1;
    d->context = d->continuation = text;
    cull_status status = render(ctx, d->place, spec->question, json, &question);
    if (status == CULL_OK)
        status = render(ctx, d->place, spec->answer, json, &answer);
    if (status != CULL_OK)
        return status;
    if (spec->kind == TASK_ROLLING) {
        d->words = (int64_t)py_words(question);
        d->bytes = (int64_t)question.n;
        *text = answer;
        return CULL_OK;
    }
    d->target = answer;
    d->n_until = spec->n_until;
    d->until = spec->until;
    d->gen_kwargs = spec->gen_kwargs;
    return with_front(ctx, spec, front, question, text);
}

// ---- all of them ----

static cull_status hash_text(cull_ctx *ctx, const char *text, size_t n, const char **out)
{
    char *hex = ctx->host->alloc(ctx, 65, 1);

    if (!hex)
        return CULL_ENOMEM;
    sha256_of(text, n, hex);
    *out = hex;
    return CULL_OK;
}

// Python writes \u001f where jansson writes \u001F; nothing else is escaped with \u.
static void lower_escapes(char *json)
{
    for (char *s = json; (s = strchr(s, '\\')) != NULL; s += 2)
        for (size_t i = 2; s[1] == 'u' && i < 6; i++)
            s[i] = (char)(s[i] >= 'A' && s[i] <= 'F' ? s[i] + ('a' - 'A') : s[i]);
}

// As lm-eval names a document: SHA-256 of Python's json.dumps(doc, indent=2, ensure_ascii=False).
static cull_status hash_document(cull_ctx *ctx, const json_t *json, document *d)
{
    char *text = json_dumps(json, JSON_INDENT(2));

    if (!text)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    lower_escapes(text);
    const cull_status status = hash_text(ctx, text, strlen(text), &d->doc_hash);
    json_free_dumped(text);
    return status == CULL_OK ? json_keep(ctx, json, 0, &d->source) : status;
}

// Documents that share the text in this field are not independent.
static cull_status find_cluster(cull_ctx *ctx, const char *field, json_t *json, document *d)
{
    span text;
    const cull_status status = json_get_text(ctx, d->place, json, field, &text);

    return status == CULL_OK ? hash_text(ctx, text.s, text.n, &d->cluster) : status;
}

static cull_status build_document(cull_ctx *ctx, const task_spec *spec, json_t *json, shots *s,
                                  document *d)
{
    span front;

    if (!json_is_object(json))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the line is not a JSON object", d->place);
    cull_status status = shots_next(ctx, s, d->place, json, &front);
    if (status == CULL_OK && !spec->hash_derived)
        status = hash_document(ctx, json, d);
    if (status == CULL_OK && spec->derive)
        status = spec->derive(ctx, d->place, json);
    if (status == CULL_OK && spec->hash_derived)
        status = hash_document(ctx, json, d);
    if (status == CULL_OK && spec->cluster)
        status = find_cluster(ctx, spec->cluster, json, d);
    if (status != CULL_OK)
        return status;
    return (spec->kind == TASK_CHOICE ? build_choice : build_text)(ctx, spec, json, front, d);
}

static cull_status build_documents(cull_ctx *ctx, const task_spec *spec, const building *how,
                                   const jsonl *file, shots *s, task *out)
{
    document *doc = ctx->host->alloc(ctx, file->n, sizeof *doc);
    cull_status status = doc ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; status == CULL_OK && i < file->n; i++) {
        doc[i].max_new = how->max_new;
        doc[i].place = jsonl_place(ctx, file, i);
        status = doc[i].place ? build_document(ctx, spec, file->value[i], s, &doc[i]) : CULL_ENOMEM;
    }
    *out = (task){ .name = spec->name,
                   .version = spec->version,
                   .kind = spec->kind,
                   .n_shot = s->k,
                   .metrics = spec->metrics,
                   .n = file->n,
                   .document = doc,
                   .n_filters = spec->n_filters,
                   .filter = spec->filter,
                   .cleaning = spec->cleaning };
    return status;
}

cull_status task_build(cull_ctx *ctx, const task_spec *spec, const building *how, task *out)
{
    const size_t k = how->shots < 0 ? spec->shots : (size_t)how->shots;
    const char *file = spec->file ? spec->file : spec->name, *path;
    shots s;
    jsonl lines;
    cull_status status = open_shots(ctx, spec, how, k, file, &s);

    if (status == CULL_OK)
        status = find_file(ctx, how, spec->name, file, &path);
    if (status == CULL_OK)
        status = jsonl_read(ctx, path, how->limit, &lines);
    if (status == CULL_OK) {
        status = build_documents(ctx, spec, how, &lines, &s, out);
        jsonl_free(&lines);
        if (status == CULL_OK && s.own > 0)
            ctx->host->log(
                ctx, CULL_WARN,
                "task %s: %zu of %zu prompts have the document itself among their shots, "
                "with its answer",
                spec->name, s.own, out->n);
    }
    shots_free(&s);
    return status;
}
