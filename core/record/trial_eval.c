// The outcomes per item and the metric rows of a trial's file.
#include <string.h>

#include "base/text.h"
#include "record/trial_groups.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static void link_column(cull_h5 *file, cull_arena *arena, const char *group, const char *name,
                        const char *link)
{
    const char *path = cull_arena_printf(arena, "%s/%s", group, name);

    if (path)
        cull_h5_link(file, path, link, name);
    else
        cull_h5_no_memory(file);
}

static void put_columns(cull_h5 *file, cull_arena *arena, const cull_evaluation *all, size_t i,
                        const cull_question_sets *questions)
{
    const cull_collector *found = all[i].found;

    for (size_t c = 0; c < found->n_columns; c++) {
        const cull_column *column = &found->columns[c];
        const char *group = cull_evaluation_group(arena, all, i, column->task);
        if (!group) {
            cull_h5_no_memory(file);
            return;
        }
        const char *link = cull_questions_link(questions, group, column);
        const cull_h5_array array = cull_column_array(column);
        cull_h5_group(file, group);
        if (link)
            link_column(file, arena, group, column->name, link);
        else
            cull_h5_put(file, group, &array);
    }
}

// Attributes of tasks. Where two metrics say different things under one name, the later one's
// carries the metric's name; /evaluations has them all.
static void put_attributes(cull_h5 *file, cull_arena *arena, const cull_evaluation *all, size_t i)
{
    const cull_collector *found = all[i].found;

    for (size_t c = 0; c < found->n_attributes; c++) {
        const cull_attribute *a = &found->attributes[c];
        const char *group = cull_evaluation_group(arena, all, i, a->task);
        const char *longer = cull_arena_printf(arena, "%s.%s", all[i].metric, a->name);
        if (!group || !longer) {
            cull_h5_no_memory(file);
            return;
        }
        cull_h5_group(file, group);
        if (!cull_h5_has_text(file, group, a->name))
            cull_h5_text(file, group, a->name, a->text);
        else if (!cull_h5_has_text(file, group, longer))
            cull_h5_text(file, group, longer, a->text);
    }
}

// {"facts": {"protocol": "…"}, …}
static const char *attributes_json(cull_h5 *file, cull_arena *arena, const cull_collector *found)
{
    cull_buf buf = CULL_BUF_INIT;

    cull_buf_puts(&buf, "{");
    for (size_t i = 0; i < found->n_attributes; i++) {
        const cull_attribute *a = &found->attributes[i];
        bool first = true, seen = false;
        for (size_t j = 0; j < i; j++)
            seen |= same(found->attributes[j].task, a->task);
        if (seen)
            continue;
        cull_buf_puts(&buf, i ? ", " : "");
        cull_buf_json(&buf, a->task, strlen(a->task));
        cull_buf_puts(&buf, ": {");
        for (size_t j = i; j < found->n_attributes; j++) {
            const cull_attribute *b = &found->attributes[j];
            if (!same(b->task, a->task))
                continue;
            cull_buf_puts(&buf, first ? "" : ", ");
            cull_buf_json(&buf, b->name, strlen(b->name));
            cull_buf_puts(&buf, ": ");
            cull_buf_json(&buf, b->text, strlen(b->text));
            first = false;
        }
        cull_buf_puts(&buf, "}");
    }
    cull_buf_puts(&buf, "}");
    const char *json = buf.failed ? NULL : cull_arena_copy(arena, buf.s, buf.n);
    cull_buf_release(&buf);
    if (!json)
        cull_h5_no_memory(file);
    return json;
}

static void put_evaluation_table(cull_h5 *file, cull_arena *arena, size_t n,
                                 const cull_evaluation *evaluations)
{
    const char **column[4];

    for (size_t c = 0; c < 4; c++)
        if (!(column[c] = cull_h5_scratch(file, n, sizeof *column[c])))
            return;
    for (size_t i = 0; i < n; i++) {
        column[0][i] = evaluations[i].metric;
        column[1][i] = evaluations[i].key;
        column[2][i] = evaluations[i].settings;
        column[3][i] = attributes_json(file, arena, evaluations[i].found);
    }

    static const char *const names[] = { "metric", "key", "settings", "attributes" };
    static const char *const docs[] = { "plugin", "identity of the evaluation", "as JSON",
                                        "of its tasks, as JSON" };
    cull_h5_group(file, "/evaluations");
    for (size_t c = 0; c < 4; c++)
        cull_h5_put(
            file, "/evaluations",
            &(cull_h5_array){
                names[c], 's', 1, { "evaluation" }, { n }, column[c], NULL, docs[c], NULL });
}

// ---- the tidy table ----

typedef struct rows {
    size_t n;
    const char **text[4]; // task, metric, filter, group
    double *value, *error;
    int64_t *count;
    uint8_t *better;
    int32_t *evaluation;
} rows;

static bool rows_make(cull_h5 *file, rows *r, size_t n)
{
    bool ok = true;

    for (size_t c = 0; c < 4; c++)
        ok &= (r->text[c] = cull_h5_scratch(file, n, sizeof *r->text[c])) != NULL;
    r->value = cull_h5_scratch(file, n, sizeof *r->value);
    r->error = cull_h5_scratch(file, n, sizeof *r->error);
    r->count = cull_h5_scratch(file, n, sizeof *r->count);
    r->better = cull_h5_scratch(file, n, sizeof *r->better);
    r->evaluation = cull_h5_scratch(file, n, sizeof *r->evaluation);
    return ok && r->value && r->error && r->count && r->better && r->evaluation;
}

static void rows_fill(rows *r, cull_arena *arena, size_t n, const cull_evaluation *evaluations)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < evaluations[i].found->n_values; j++) {
            const cull_value *v = &evaluations[i].found->values[j];
            r->text[0][r->n] = v->task;
            r->text[1][r->n] = v->metric;
            r->text[2][r->n] = v->filter;
            r->text[3][r->n] = cull_evaluation_group(arena, evaluations, i, v->task);
            r->value[r->n] = v->value;
            r->error[r->n] = v->stderr_;
            r->count[r->n] = (int64_t)v->n;
            r->better[r->n] = v->higher_is_better != 0;
            r->evaluation[r->n++] = (int32_t)i;
        }
}

static void put_metrics(cull_h5 *file, cull_arena *arena, size_t n,
                        const cull_evaluation *evaluations)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += evaluations[i].found->n_values;
    rows r = { 0 };
    cull_h5_group(file, "/metrics");
    if (!rows_make(file, &r, total))
        return;
    rows_fill(&r, arena, n, evaluations);

    const cull_h5_array columns[] = {
        { .name = "task", .type = 's', .data = r.text[0] },
        { .name = "metric", .type = 's', .data = r.text[1] },
        { .name = "filter", .type = 's', .data = r.text[2] },
        { .name = "value", .type = 'd', .data = r.value },
        { .name = "stderr", .type = 'd', .data = r.error, .doc = "standard error of the value" },
        { .name = "n", .type = 'i', .data = r.count, .doc = "items behind the value" },
        { .name = "higher_is_better", .type = 'b', .data = r.better, .meanings = "no yes" },
        { .name = "evaluation", .type = 'n', .data = r.evaluation, .doc = "row of /evaluations" },
        { .name = "items",
          .type = 's',
          .data = r.text[3],
          .doc = "group of the outcomes per item" },
    };
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        cull_h5_array column = columns[c];
        column.rank = 1;
        column.dims[0] = "row";
        column.shape[0] = total;
        cull_h5_put(file, "/metrics", &column);
    }
}

static void put_question_files(cull_h5 *file, const cull_question_sets *questions)
{
    const char **files = cull_h5_scratch(file, questions->n, sizeof *files);
    size_t n = 0;

    for (size_t i = 0; files && i < questions->n; i++)
        if (questions->at[i].link)
            files[n++] = questions->at[i].link + strlen("../");
    if (n > 0)
        cull_h5_texts(file, "/eval", "questions", n, files);
}

void cull_put_evaluations(cull_h5 *file, size_t n, const cull_evaluation *evaluations,
                          const cull_question_sets *questions)
{
    cull_arena *arena = cull_h5_arena(file);

    cull_h5_group(file, "/eval");
    put_question_files(file, questions);
    for (size_t i = 0; i < n; i++) {
        put_columns(file, arena, evaluations, i, questions);
        put_attributes(file, arena, evaluations, i);
    }
    put_evaluation_table(file, arena, n, evaluations);
    put_metrics(file, arena, n, evaluations);
}
