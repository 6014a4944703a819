// A task's file into a task_spec. Every key is known, has its type, and fits the task's kind:
//
// clang-format off
//   kind           choices (unless said otherwise), generate, rolling
//   version        a text, shown and recorded
//   documents      NAME of the dataset's NAME.jsonl; the task's own name
//   shots          how many, unless the experiment says; 0
//   shots_from     NAME of the NAME.jsonl that they come from; DOCUMENTS.train
//   draw           which of them: any, others (than the document itself), first
//   description    a text in front of all
//   prompt         template of the context                     choices, generate
//   prompts        path of a list, one context a choice        choices, with answer
//   choices        path of a list, or a list of templates      choices
//   answer         template                                    generate; choices with prompts
//   gold           field of the right choice                   choices
//   gold_is        index, number (from 1), label               choices
//   labels         path of the list of labels; choices.label   choices
//   text, counted  templates: what is measured, and whose words and bytes count; text   rolling
//   metrics        acc, acc_norm, acc_bytes; exact_match
//   logged         what lm-eval logs as target: index, text    choices
//   cluster        field of a text that documents may share
//   prepare        what lm-eval's own Python does to a document first
//   hash           of the document as it is (original) or prepared
//   until          texts that end an answer                    generate
//   generation     lm-eval's generation_kwargs                 generate
//   filters        a list of {name, pattern, select, fallback} generate
//   ignore, ignore_case   done to answer and target            generate
//   subjects       a map SUBJECT: CATEGORY
//   categories     a list, the order of the groups
// clang-format on
#include <string.h>

#include "common/lm_eval/task_file.h"
#include "render.h"
#include "yaml_map.h"

typedef struct reading {
    cull_ctx *ctx;
    const yaml_map *file;
    task_spec *spec;
} reading;

static const char *const keys[] = {
    "kind",   "version", "documents", "shots",       "shots_from", "draw",     "description",
    "prompt", "prompts", "choices",   "answer",      "gold",       "gold_is",  "labels",
    "text",   "counted", "metrics",   "logged",      "cluster",    "prepare",  "hash",
    "until",  "filters", "ignore",    "ignore_case", "generation", "subjects", "categories",
};

// ---- single keys: nothing happens where the key is not there ----

static json_t *value_of(const reading *r, const char *key)
{
    return json_object_get(r->file->value, key);
}

static cull_status refuse(const reading *r, const char *key, const char *why)
{
    return r->ctx->host->fail(r->ctx, CULL_EFORMAT, "%s: \"%s\" %s", yaml_place(r->file, key), key,
                              why);
}

static cull_status text(const reading *r, const char *key, const char **out)
{
    if (!value_of(r, key))
        return CULL_OK;
    return json_get_optional(r->ctx, yaml_place(r->file, key), r->file->value, key, out);
}

static cull_status texts(const reading *r, const char *key, size_t *n, const char *const **out)
{
    const json_t *value = value_of(r, key);

    if (!value || (json_is_array(value) && json_array_size(value) == 0))
        return CULL_OK;
    return json_get_strings(r->ctx, yaml_place(r->file, key), r->file->value, key, n, out);
}

static cull_status template(const reading *r, const char *key, const char **out)
{
    if (!value_of(r, key))
        return CULL_OK;
    CULL_TRY(text(r, key, out));
    return *out ? template_check(r->ctx, yaml_place(r->file, key), *out)
                : refuse(r, key, "is nothing, not a template");
}

static cull_status count(const reading *r, const char *key, size_t *out)
{
    int64_t n;

    if (!value_of(r, key))
        return CULL_OK;
    CULL_TRY(json_get_int(r->ctx, yaml_place(r->file, key), r->file->value, key, &n));
    *out = n < 0 ? 0 : (size_t)n;
    return n < 0 ? refuse(r, key, "is negative") : CULL_OK;
}

// One of the words; *out is its number.
static cull_status word(const reading *r, const char *key, const char *const *words, size_t *out)
{
    const char *given = NULL;

    CULL_TRY(text(r, key, &given));
    if (!given)
        return CULL_OK;
    span known = { "", 0 };
    for (*out = 0; words[*out]; ++*out) {
        if (strcmp(words[*out], given) == 0)
            return CULL_OK;
        CULL_TRY(span_join(
            r->ctx, 3, (span[]){ known, span_of(*out ? ", " : ""), span_of(words[*out]) }, &known));
    }
    return r->ctx->host->fail(r->ctx, CULL_EFORMAT, "%s: \"%s\" is \"%s\", not one of %.*s",
                              yaml_place(r->file, key), key, given, (int)known.n, known.s);
}

// ---- what several keys say together ----

static cull_status read_prepare(const reading *r)
{
    static const char *const words[] = { "copa",     "gsm8k_cot",  "hellaswag",
                                         "wikitext", "winogrande", NULL };
    static cull_status (*const derive[])(cull_ctx *, const char *, json_t *) = {
        derive_copa, derive_gsm8k_cot, derive_hellaswag, derive_wikitext, derive_winogrande, NULL
    };
    static const char *const hashes[] = { "original", "prepared", NULL };
    size_t prepare = sizeof derive / sizeof *derive - 1, hash = 0;

    CULL_TRY(word(r, "prepare", words, &prepare));
    CULL_TRY(word(r, "hash", hashes, &hash));
    r->spec->derive = derive[prepare];
    r->spec->hash_derived = hash == 1;
    if (r->spec->hash_derived && !r->spec->derive)
        return refuse(r, "hash", "is of no use without \"prepare\"");
    return CULL_OK;
}

static cull_status read_documents(const reading *r)
{
    static const char *const draws[] = { "any", "others", "first", NULL };
    task_spec *s = r->spec;
    size_t draw = SHOTS_DRAWN;

    CULL_TRY(text(r, "documents", &s->file));
    CULL_TRY(text(r, "shots_from", &s->pool));
    CULL_TRY(text(r, "cluster", &s->cluster));
    CULL_TRY(count(r, "shots", &s->shots));
    CULL_TRY(word(r, "draw", draws, &draw));
    s->shots_rule = (enum shots_rule)draw;
    return read_prepare(r);
}

static cull_status read_metrics(const reading *r)
{
    static const struct {
        const char *name;
        uint32_t bit;
        task_kind kind;
    } known[] = { { "acc", TASK_ACC, TASK_CHOICE },
                  { "acc_norm", TASK_ACC_NORM, TASK_CHOICE },
                  { "acc_bytes", TASK_ACC_BYTES, TASK_CHOICE },
                  { "exact_match", TASK_MATCH, TASK_GENERATE } };
    const char *const *name = NULL;
    size_t n = 0;

    CULL_TRY(texts(r, "metrics", &n, &name));
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < sizeof known / sizeof *known &&
               (strcmp(known[k].name, name[i]) != 0 || known[k].kind != r->spec->kind))
            k++;
        if (k == sizeof known / sizeof *known)
            return r->ctx->host->fail(r->ctx, CULL_EFORMAT,
                                      "%s: \"%s\" is no metric of such a task",
                                      yaml_place(r->file, "metrics"), name[i]);
        r->spec->metrics |= known[k].bit;
    }
    return CULL_OK;
}

static cull_status read_choices(const reading *r)
{
    task_spec *s = r->spec;

    if (json_is_string(value_of(r, "choices")))
        return text(r, "choices", &s->choices);
    CULL_TRY(texts(r, "choices", &s->n_choices, &s->choice));
    for (size_t i = 0; i < s->n_choices; i++)
        CULL_TRY(template_check(r->ctx, yaml_place(r->file, "choices"), s->choice[i]));
    return CULL_OK;
}

static cull_status read_gold(const reading *r)
{
    static const char *const rules[] = { "index", "number", "label", NULL };
    static const char *const logged[] = { "index", "text", NULL };
    task_spec *s = r->spec;
    size_t rule = GOLD_NUMBER, target = 0;

    CULL_TRY(text(r, "gold", &s->gold));
    CULL_TRY(word(r, "gold_is", rules, &rule));
    CULL_TRY(word(r, "logged", logged, &target));
    s->gold_rule = (enum gold_rule)rule;
    s->text_target = target == 1;
    s->labels = "choices.label";
    if (value_of(r, "labels") && s->gold_rule != GOLD_LABEL)
        return refuse(r, "labels", "are of no use without \"gold_is\": label");
    return text(r, "labels", &s->labels);
}

// What is logged must be what is done: the likeliest token each time, up to `until`.
static cull_status check_generation(const reading *r, json_t *kwargs)
{
    static const char *const off[] = { "until", "do_sample", "temperature" };
    const char *key;
    json_t *value;

    if (!json_is_object(kwargs))
        return refuse(r, "generation", "is not a map of settings");
    json_object_foreach(kwargs, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof off / sizeof *off; i++)
            known |= strcmp(key, off[i]) == 0;
        if (!known || !(json_is_null(value) || json_is_false(value) ||
                        (json_is_number(value) && json_number_value(value) == 0)))
            return r->ctx->host->fail(r->ctx, CULL_EFORMAT,
                                      "%s: \"generation\" is only logged, and answers are greedy "
                                      "up to `until`: \"%s\" would have no effect",
                                      yaml_place(r->file, "generation"), key);
    }
    return CULL_OK;
}

static cull_status read_answers(const reading *r)
{
    static const answer_filter none = { .name = "none" };
    task_spec *s = r->spec;
    json_t *kwargs = value_of(r, "generation");

    s->n_filters = 1;
    s->filter = &none;
    CULL_TRY(texts(r, "until", &s->n_until, &s->until));
    if (kwargs)
        CULL_TRY(check_generation(r, kwargs));
    if (kwargs)
        CULL_TRY(json_keep(r->ctx, kwargs, 0, &s->gen_kwargs));
    const char *at = yaml_place(r->file, value_of(r, "filters") ? "filters" : "ignore");
    CULL_TRY(answer_filters_read(r->ctx, at ? at : "", r->file->value, &s->n_filters, &s->filter));
    return answer_cleaning_read(r->ctx, at ? at : "", r->file->value, &s->cleaning);
}

// ---- a task ----

// A kind's keys: those that must be there, and those that may.
static const struct {
    const char *word, *needs[4], *may[12];
} kinds[] = {
    [TASK_CHOICE] = { "choices",
                      { "gold" },
                      { "prompt", "prompts", "choices", "answer", "gold_is", "labels", "logged",
                        "description", "shots", "shots_from", "draw", "metrics" } },
    [TASK_ROLLING] = { "rolling", { "text" }, { "counted" } },
    [TASK_GENERATE] = { "generate",
                        { "prompt", "answer", "until" },
                        { "filters", "ignore", "ignore_case", "generation", "description", "shots",
                          "shots_from", "draw", "metrics" } },
};

static bool among(const char *key, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n && list[i]; i++)
        if (strcmp(key, list[i]) == 0)
            return true;
    return false;
}

#define AMONG(key, list) among(key, list, sizeof(list) / sizeof *(list))

// The keys of a kind are refused in tasks of the others.
static cull_status check_keys(const reading *r, const char *path)
{
    const task_kind kind = r->spec->kind;
    const char *key;
    json_t *value;

    json_object_foreach(r->file->value, key, value)
    {
        bool foreign = false;
        if (!AMONG(key, keys))
            return refuse(r, key, "is no key of a task (docs/evaluation.md has them)");
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            foreign |= AMONG(key, kinds[k].needs) || AMONG(key, kinds[k].may);
        if (foreign && !AMONG(key, kinds[kind].needs) && !AMONG(key, kinds[kind].may))
            return refuse(r, key, "is of no use in a task of this kind");
    }
    for (size_t i = 0; i < 4 && kinds[kind].needs[i]; i++)
        if (!value_of(r, kinds[kind].needs[i]))
            return r->ctx->host->fail(r->ctx, CULL_EFORMAT, "%s: there is no \"%s\"", path,
                                      kinds[kind].needs[i]);
    return CULL_OK;
}

// A question with choices, or several questions with one answer.
static cull_status check_choice(const reading *r, const char *path)
{
    const task_spec *s = r->spec;
    const bool one = s->question && !s->contexts && !s->answer && (s->choices || s->n_choices);
    const bool several = !s->question && s->contexts && s->answer && !s->choices && !s->n_choices;

    if (one || several)
        return CULL_OK;
    return r->ctx->host->fail(r->ctx, CULL_EFORMAT,
                              "%s: a task of choices has either \"prompt\" and \"choices\", or "
                              "\"prompts\" and \"answer\"",
                              path);
}

static cull_status read_rolling(const reading *r)
{
    CULL_TRY(template(r, "text", &r->spec->answer));
    r->spec->question = r->spec->answer;
    return template(r, "counted", &r->spec->question);
}

static cull_status read_task(const reading *r, const char *path)
{
    static const char *const words[] = { "choices", "rolling", "generate", NULL };
    task_spec *s = r->spec;
    size_t kind = TASK_CHOICE;

    CULL_TRY(word(r, "kind", words, &kind));
    s->kind = (task_kind)kind;
    CULL_TRY(check_keys(r, path));
    CULL_TRY(text(r, "version", &s->version));
    CULL_TRY(text(r, "description", &s->description));
    CULL_TRY(read_documents(r));
    CULL_TRY(read_metrics(r));
    if (s->kind == TASK_ROLLING)
        return read_rolling(r);
    CULL_TRY(template(r, "prompt", &s->question));
    CULL_TRY(template(r, "answer", &s->answer));
    if (s->kind == TASK_GENERATE)
        return read_answers(r);
    CULL_TRY(text(r, "prompts", &s->contexts));
    CULL_TRY(read_choices(r));
    CULL_TRY(read_gold(r));
    return check_choice(r, path);
}

// ---- a family ----

static cull_status read_subjects(const reading *r, task_definition *out)
{
    json_t *map = value_of(r, "subjects"), *value;
    const size_t n = json_object_size(map);
    const char *name;

    CULL_TRY(texts(r, "categories", &out->n_categories, &out->categories));
    if (!map)
        return out->n_categories ? refuse(r, "categories", "are of no subjects") : CULL_OK;
    const char **subject = r->ctx->host->alloc(r->ctx, n + 1, sizeof *subject);
    const char **category = r->ctx->host->alloc(r->ctx, n + 1, sizeof *category);
    if (!subject || !category)
        return CULL_ENOMEM;
    json_object_foreach(map, name, value)
    {
        span copy, of;
        CULL_TRY(span_copy(r->ctx, span_of(name), &copy));
        CULL_TRY(json_text(r->ctx, yaml_place(r->file, "subjects"), value, name, &of));
        if (!among(of.s, out->categories, out->n_categories))
            return r->ctx->host->fail(r->ctx, CULL_EFORMAT,
                                      "%s: \"%s\" is of \"%s\", which is none of `categories`",
                                      yaml_place(r->file, "subjects"), name, of.s);
        subject[out->n_subjects] = copy.s;
        category[out->n_subjects++] = of.s;
    }
    out->subject = subject;
    out->category = category;
    return out->n_subjects ? CULL_OK : refuse(r, "subjects", "is empty, or no map");
}

// "…/NAME.yaml" → NAME
static cull_status name_of(cull_ctx *ctx, const char *path, const char **out)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    span name;

    CULL_TRY(span_copy(ctx, (span){ base, dot ? (size_t)(dot - base) : strlen(base) }, &name));
    *out = name.s;
    return task_name_check(ctx, path, *out);
}

cull_status task_yaml_read(cull_ctx *ctx, const char *path, task_definition *out)
{
    yaml_map file;

    *out = (task_definition){ .path = path };
    CULL_TRY(name_of(ctx, path, &out->name));
    cull_status status = yaml_read(ctx, path, &file);
    const reading r = { ctx, &file, &out->spec };
    out->spec.name = out->name;
    if (status == CULL_OK)
        status = read_task(&r, path);
    if (status == CULL_OK)
        status = read_subjects(&r, out);
    yaml_free(&file);
    return status;
}

cull_status task_of_subject(cull_ctx *ctx, const task_definition *family, size_t i, task_spec *out)
{
    span name, words, description;

    *out = family->spec;
    CULL_TRY(span_join(ctx, 3,
                       (span[]){ span_of(family->name), span_of("_"), span_of(family->subject[i]) },
                       &name));
    out->name = name.s;
    if (!out->description)
        return CULL_OK;
    CULL_TRY(py_replace(ctx, span_of(family->subject[i]), "_", " ", &words));
    CULL_TRY(py_replace(ctx, span_of(out->description), "{{subject}}", words.s, &description));
    out->description = description.s;
    return CULL_OK;
}
