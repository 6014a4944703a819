// Results in the form of lm-eval's results.json.
#include "report/lm_eval/lm_eval.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/new_file.h"

typedef struct sections { // of the file, by task; borrowed from `root`
    json_t *root, *results, *groups, *subtasks, *versions, *shots, *higher, *samples, *configs;
} sections;

// The object at `key`, made where there is none.
static json_t *member(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (!value) {
        value = json_object();
        json_object_set_new(object, key, value);
    }
    return value;
}

static json_t *real(double x, const char *otherwise)
{
    return isnan(x) ? json_string(otherwise) : json_real(x);
}

// A number where the text is one.
static json_t *number_or_text(const char *text, size_t n)
{
    char buf[64], *end;

    snprintf(buf, sizeof buf, "%.*s", (int)(n < sizeof buf ? n : sizeof buf - 1), text);
    const double x = strtod(buf, &end);
    if (end == buf || *end)
        return json_stringn(text, n);
    return x == floor(x) && !strchr(buf, '.') ? json_integer((json_int_t)x) : json_real(x);
}

// "key=value\n…" as members of `out`.
static void put_conditions(const char *conditions, json_t *out)
{
    for (const char *line = conditions ? conditions : ""; *line;) {
        const size_t n = strcspn(line, "\n"), key = strcspn(line, "=\n");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(key < sizeof name ? key : sizeof name - 1), line);
        if (key < n)
            json_object_set_new(out, name, number_or_text(line + key + 1, n - key - 1));
        line += n + (line[n] == '\n');
    }
}

static json_t *or_else(json_t *object, const char *key, json_t *otherwise)
{
    json_t *value = json_object_get(object, key);

    if (!value)
        return otherwise;
    json_decref(otherwise);
    return json_incref(value);
}

// `tasks`: the names of the tasks that a group averages, with a blank between; NULL: it is a task.
static void put_members(sections *s, const char *task, json_t *results, const char *tasks)
{
    json_t *list = json_array();

    for (const char *name = tasks ? tasks : ""; *name;) {
        const size_t n = strcspn(name, " ");
        json_array_append_new(list, json_stringn(name, n));
        name += n + (name[n] == ' ');
    }
    json_object_set_new(s->subtasks, task, list);
    if (tasks)
        json_object_set(s->groups, task, results);
}

static void put_task(sections *s, const cull_row *row)
{
    json_t *config = json_object();

    put_conditions(row->conditions, config);
    json_t *of = member(s->results, row->task);
    json_object_set_new(of, "alias", json_string(row->task));
    json_object_set_new(of, "name", json_string(row->task));
    json_object_set_new(of, "sample_len", json_integer((json_int_t)row->n));
    json_object_set_new(s->versions, row->task, or_else(config, "version", json_string("N/A")));
    json_object_set_new(s->shots, row->task, or_else(config, "n_shot", json_integer(0)));
    json_object_set_new(
        s->samples, row->task,
        json_pack("{s:I,s:I}", "original", (json_int_t)row->n, "effective", (json_int_t)row->n));
    put_members(s, row->task, of, json_string_value(json_object_get(config, "tasks")));
    json_object_set_new(config, "task", json_string(row->task));
    json_object_set_new(s->configs, row->task, config);
}

static void put_value(sections *s, const cull_row *row)
{
    char key[160];

    if (!json_object_get(s->results, row->task))
        put_task(s, row);
    json_t *of = member(s->results, row->task);
    snprintf(key, sizeof key, "%s,%s", row->metric, row->filter);
    json_object_set_new(of, key, json_real(row->value));
    snprintf(key, sizeof key, "%s_stderr,%s", row->metric, row->filter);
    json_object_set_new(of, key, real(row->error, "N/A"));
    json_object_set_new(member(s->higher, row->task), row->metric,
                        json_boolean(row->higher_is_better));
}

// Averages over whatever was evaluated together are no tasks or groups of lm-eval's, and it does
// not count the answers that were cut.
static bool is_ours(const cull_row *row)
{
    size_t n;

    return strcmp(row->metric, "length_cut") == 0 ||
           (cull_condition(row->conditions, "tasks", &n) &&
            (strcmp(row->task, "pooled") == 0 || strcmp(row->task, "macro") == 0));
}

static json_t *config(const char *model_args, const cull_frame_trial *trial)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "model", "cull", "model_args", model_args,
                     "precision", trial->precision, "model_fingerprint",
                     trial->fingerprint ? trial->fingerprint : "", "batch_size", json_null());
}

static json_t *build(const cull_frame *frame, size_t trial, const char *model_args)
{
    sections s = { .root = json_object() };

    s.results = member(s.root, "results");
    s.groups = member(s.root, "groups");
    s.subtasks = member(s.root, "group_subtasks");
    s.configs = member(s.root, "configs");
    s.versions = member(s.root, "versions");
    s.shots = member(s.root, "n-shot");
    s.higher = member(s.root, "higher_is_better");
    s.samples = member(s.root, "n-samples");
    for (size_t i = 0; i < frame->n_rows; i++)
        if (frame->row[i].trial == trial && !is_ours(&frame->row[i]))
            put_value(&s, &frame->row[i]);
    json_object_set_new(s.root, "config", config(model_args, &frame->trial[trial]));
    json_object_set_new(s.root, "evaluator", json_string("cull " CULL_VERSION));
    json_object_set_new(s.root, "model_name", json_string(frame->trial[trial].model));
    json_object_set_new(s.root, "date", json_real((double)time(NULL)));
    return s.root;
}

cull_status cull_lm_eval_results(cull_ctx *ctx, const cull_frame *frame, size_t trial,
                                 const char *model_args, const char *path)
{
    json_t *root = build(frame, trial, model_args);
    cull_buf text = CULL_BUF_INIT;

    cull_json_put(&text, root, JSON_INDENT(2));
    json_decref(root);
    const cull_status status =
        text.failed ? cull_no_memory(ctx) : cull_write_file(ctx, path, text.s, text.n);
    cull_buf_release(&text);
    return status;
}
