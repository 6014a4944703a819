// A trial's file: its groups in order.
#include "record/trial_file.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "math/precision.h"
#include "record/folder/folder.h"
#include "record/trial_groups.h"

void cull_utc(double seconds, char text[CULL_TIME])
{
    const time_t when = (time_t)seconds;
    struct tm parts;

    text[0] = '\0';
    if (seconds > 0 && gmtime_r(&when, &parts))
        strftime(text, CULL_TIME, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

// ---- names ----

// A word of an experiment as a part of a file's name.
static void add_word(cull_buf *buf, const char *word)
{
    for (const char *c = word; *c && c - word < 40; c++) {
        const char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                           lower == '.' || lower == '_';
        cull_buf_add(buf, plain ? &lower : "-", 1);
    }
}

const char *cull_trial_slug(cull_ctx *ctx, const cull_trial_axes *axes)
{
    cull_buf buf = CULL_BUF_INIT;

    add_word(&buf, axes->model ? axes->model : "model");
    cull_buf_puts(&buf, "-");
    add_word(&buf, axes->method ? axes->method : "dense");
    if (!isnan(axes->sparsity))
        cull_buf_printf(&buf, "-s%.4g", axes->sparsity);
    const char *const words[] = { axes->allocation, axes->calibration, axes->layers };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i] && *words[i]) {
            cull_buf_puts(&buf, "-");
            add_word(&buf, words[i]);
        }
    if (axes->seeded)
        cull_buf_printf(&buf, "-seed%llu", (unsigned long long)axes->seed);

    if (buf.n && buf.s[0] == '.') // no hidden files
        buf.s[0] = '-';
    char *slug = buf.failed ? NULL : cull_arena_copy(cull_context_of(ctx)->alloc, buf.s, buf.n);
    cull_buf_release(&buf);
    if (!slug)
        cull_no_memory(ctx);
    return slug;
}

static const char *file_name(cull_ctx *ctx, const cull_trial_axes *axes, const char *id,
                             const char *folder, const char *ending)
{
    const char *slug = cull_trial_slug(ctx, axes);

    if (!slug)
        return NULL;
    const char *name =
        cull_arena_printf(cull_context_of(ctx)->alloc, "%s/%s-%.16s%s", folder, slug, id, ending);
    if (!name)
        cull_no_memory(ctx);
    return name;
}

const char *cull_trial_name(cull_ctx *ctx, const cull_trial_axes *axes, const char *id)
{
    return file_name(ctx, axes, id, "trials", ".h5");
}

const char *cull_trial_added_name(cull_ctx *ctx, const cull_trial_axes *axes, const char *id,
                                  const char *key)
{
    const char *ending = cull_arena_printf(cull_context_of(ctx)->scratch, ".eval-%.16s.h5", key);

    if (!ending)
        cull_no_memory(ctx);
    return ending ? file_name(ctx, axes, id, "trials", ending) : NULL;
}

// ---- groups ----

static void put_root(cull_h5 *file, const cull_trial *trial, const char *slug)
{
    const cull_trial_axes *axes = &trial->axes;
    char time_text[CULL_TIME];

    cull_h5_text(file, "/", "Conventions", "CF-1.8 cull-1");
    cull_h5_count(file, "/", "schema_version", CULL_TRIAL_SCHEMA);
    cull_h5_text(file, "/", "trial_id", trial->id);
    cull_h5_text(file, "/", "calibration_id", trial->calibration_key);
    cull_h5_text(file, "/", "title", slug);
    cull_h5_text(file, "/", "status", "finished");
    cull_utc(trial->started, time_text);
    cull_h5_text(file, "/", "created", time_text);
    cull_utc(trial->finished, time_text);
    cull_h5_text(file, "/", "finished", time_text);
    cull_h5_real(file, "/", "finished_s", trial->finished);

    cull_h5_text(file, "/", "model", axes->model);
    cull_h5_text(file, "/", "method", axes->method);
    cull_h5_real(file, "/", "sparsity", axes->sparsity);
    cull_h5_text(file, "/", "allocation", axes->allocation);
    cull_h5_text(file, "/", "calibration", axes->calibration);
    cull_h5_text(file, "/", "layers", axes->layers);
    if (axes->seeded)
        cull_h5_count(file, "/", "seed", axes->seed);
    cull_h5_text(file, "/", "precision", axes->precision);
    if (strcmp(axes->precision, cull_precision_word(CULL_BF16X2)) == 0)
        cull_h5_count(file, "/", "f32_matrices", trial->f32_matrices);
    cull_h5_count(file, "/", "numerics", axes->numerics);
}

static void put_model(cull_h5 *file, const cull_trial *trial)
{
    const cull_model_facts *m = trial->model;

    cull_h5_group(file, "/model");
    cull_h5_text(file, "/model", "source", m->source);
    cull_h5_text(file, "/model", "arch", m->arch);
    cull_h5_text(file, "/model", "dtype", m->dtype);
    cull_h5_text(file, "/model", "fingerprint", m->fingerprint);
    cull_h5_count(file, "/model", "L", m->L);
    cull_h5_count(file, "/model", "D", m->D);
    cull_h5_count(file, "/model", "V", m->V);
    cull_h5_count(file, "/model", "max_positions", m->max_positions);
    cull_h5_text(file, "/model", "bos_policy",
                 m->adds_bos ? "added by the tokenizer" : "not added");
    cull_h5_count(file, "/model", "params_total", m->params_total);
    cull_h5_count(file, "/model", "params_expert", m->params_expert);
    cull_h5_count(file, "/model", "params_active", m->params_active);
    cull_h5_count(file, "/model", "bytes", m->bytes);
    cull_h5_texts(file, "/model", "notes", trial->n_notes, trial->notes);
}

// Of rows that were rendered through a chat template.
static void put_templates(cull_h5 *file, const cull_sequences *rows)
{
    const char **hash = cull_h5_scratch(file, rows->n, sizeof *hash);
    bool any = false;

    for (size_t i = 0; hash && i < rows->n; i++) {
        hash[i] = rows->at[i].chat_template;
        any = any || hash[i];
    }
    if (any)
        cull_h5_put(file, "/calibration",
                    &(cull_h5_array){ .name = "chat_template",
                                      .type = 's',
                                      .rank = 1,
                                      .dims = { "sample" },
                                      .shape = { rows->n },
                                      .data = hash,
                                      .doc = "hash of the template it was rendered through" });
}

// Of each sequence: where it comes from, its place there, its length.
static void put_samples(cull_h5 *file, const cull_sequences *rows)
{
    const char **source = cull_h5_scratch(file, rows->n, sizeof *source);
    int64_t *ordinal = source ? cull_h5_scratch(file, rows->n, sizeof *ordinal) : NULL;
    int64_t *length = ordinal ? cull_h5_scratch(file, rows->n, sizeof *length) : NULL;

    for (size_t i = 0; length && i < rows->n; i++) {
        source[i] = rows->at[i].source;
        ordinal[i] = (int64_t)rows->at[i].ordinal;
        length[i] = (int64_t)rows->at[i].n;
    }
    const struct {
        const char *name;
        char type;
        const void *data;
        const char *unit, *doc;
    } arrays[] = {
        { "source", 's', source, NULL, "where the sequence comes from" },
        { "ordinal", 'i', ordinal, NULL, "its place within the source" },
        { "length", 'i', length, "token", NULL },
    };
    for (size_t i = 0; length && i < sizeof arrays / sizeof *arrays; i++)
        cull_h5_put(file, "/calibration",
                    &(cull_h5_array){ .name = arrays[i].name,
                                      .type = arrays[i].type,
                                      .rank = 1,
                                      .dims = { "sample" },
                                      .shape = { rows->n },
                                      .data = arrays[i].data,
                                      .unit = arrays[i].unit,
                                      .doc = arrays[i].doc });
}

static void put_calibration(cull_h5 *file, const cull_trial *trial)
{
    const cull_sequences *rows = trial->calibration_rows;
    const size_t n = rows ? rows->n : 0;
    const char *group = "/calibration";
    uint64_t longest = 0, tokens = 0;

    for (size_t i = 0; i < n; i++) {
        longest = rows->at[i].n > longest ? rows->at[i].n : longest;
        tokens += rows->at[i].n;
    }
    cull_h5_group(file, group);
    cull_h5_text(file, group, "dataset", trial->calibration);
    cull_h5_text(file, group, "key", trial->calibration_key);
    cull_h5_count(file, group, "n_seq", n);
    cull_h5_count(file, group, "seq_len", longest);
    cull_h5_count(file, group, "tokens", tokens);
    if (n == 0)
        return;
    put_samples(file, rows);
    put_templates(file, rows);
}

static void put_summary(cull_h5 *file, const cull_cut_summary *s)
{
    cull_h5_group(file, "/cut");
    cull_h5_real(file, "/cut", "requested", s->requested);
    cull_h5_real(file, "/cut", "achieved_expert", s->expert);
    cull_h5_real(file, "/cut", "achieved_all", s->all);
    cull_h5_real(file, "/cut", "achieved_active", s->active);
    cull_h5_count(file, "/cut", "kept_expert", s->kept_expert);
    cull_h5_count(file, "/cut", "kept_all", s->kept_all);
    cull_h5_real(file, "/cut", "kept_active", s->kept_active);
    cull_h5_count(file, "/cut", "exportable", s->exportable);
    if (s->bytes > 0)
        cull_h5_count(file, "/cut", "checkpoint_bytes", s->bytes);
    cull_h5_text(file, "/cut", "file", s->file);
}

static void put_phase_reals(cull_h5 *file, const cull_trial *trial, size_t field)
{
    static const char *const names[] = { "wall_s", "cpu_s", "peak_rss_bytes",
                                         "tokens", "flops", "weight_bytes" };
    static const char *const units[] = { "s", "s", "byte", "token", "flop", "byte" };
    const size_t n = trial->n_phases;
    double *values = cull_h5_scratch(file, n, sizeof *values);

    for (size_t i = 0; values && i < n; i++) {
        const cull_phase *p = &trial->phases[i];
        const double all[] = { p->wall_s,         p->cpu_s, (double)p->peak_rss_bytes,
                               (double)p->tokens, p->flops, (double)p->weight_bytes };
        values[i] = all[field];
    }
    if (values)
        cull_h5_put(file, "/timing",
                    &(cull_h5_array){ names[field],
                                      'd',
                                      1,
                                      { "phase" },
                                      { n },
                                      values,
                                      units[field],
                                      "this trial's share",
                                      NULL });
}

static void put_timing(cull_h5 *file, const cull_trial *trial)
{
    const size_t n = trial->n_phases;
    const char **names = n ? cull_h5_scratch(file, n, sizeof *names) : NULL;

    cull_h5_group(file, "/timing");
    if (!names)
        return;

    for (size_t i = 0; i < n; i++)
        names[i] = trial->phases[i].name;
    cull_h5_put(file, "/timing",
                &(cull_h5_array){ "phase", 's', 1, { "phase" }, { n }, names, NULL, NULL, NULL });
    for (size_t field = 0; field < 6; field++)
        put_phase_reals(file, trial, field);
}

// ---- files ----

static void put_trial(cull_h5 *file, const cull_trial *trial, const char *slug,
                      const cull_question_sets *questions)
{
    put_root(file, trial, slug);
    cull_put_provenance(file, &trial->provenance);
    put_model(file, trial);
    put_calibration(file, trial);
    put_summary(file, &trial->summary);
    cull_put_layers(file, trial);
    cull_put_experts(file, trial);
    cull_put_searches(file, trial->n_searches, trial->searches);
    cull_put_evaluations(file, trial->n_evaluations, trial->evaluations, questions);
    put_timing(file, trial);
}

static void put_added(cull_h5 *file, const cull_trial *trial, const char *slug,
                      const cull_evaluation *evaluation, const cull_question_sets *questions)
{
    put_root(file, trial, slug);
    cull_put_provenance(file, &trial->provenance);
    put_model(file, trial);
    put_summary(file, &trial->summary);
    cull_put_evaluations(file, 1, evaluation, questions);
    put_timing(file, trial);
}

static cull_status check(cull_ctx *ctx, const cull_trial *trial)
{
    if (!trial->id || strlen(trial->id) != 32)
        return cull_fail(ctx, CULL_EINVAL, "a trial's id has 32 digits, not \"%s\"",
                         trial->id ? trial->id : "");
    for (size_t i = 0; i < trial->n_evaluations; i++)
        if (!trial->evaluations[i].key || strlen(trial->evaluations[i].key) != 32)
            return cull_fail(ctx, CULL_EINVAL, "an evaluation's key has 32 digits, not \"%s\"",
                             trial->evaluations[i].key ? trial->evaluations[i].key : "");
    return CULL_OK;
}

// Write one file below `dir`; `added` NULL: the trial itself.
static cull_status write_file(cull_ctx *ctx, const char *dir, const char *name,
                              const cull_trial *trial, const cull_evaluation *added)
{
    cull_arena *scratch = cull_context_of(ctx)->scratch;
    const cull_mark mark = cull_arena_mark(scratch);
    const char *path = cull_arena_printf(scratch, "%s/%s", dir, name);
    const char *folder = cull_arena_printf(scratch, "%s/trials", dir);
    const char *slug = cull_trial_slug(ctx, &trial->axes);
    cull_question_sets questions;

    if (!path || !folder || !slug)
        return cull_no_memory(ctx);
    CULL_TRY(cull_make_folder(ctx, folder));
    CULL_TRY(cull_questions_write(ctx, dir, added ? 1 : trial->n_evaluations,
                                  added ? added : trial->evaluations, &questions));

    cull_h5 *file = cull_h5_create(ctx, path, 0);
    cull_status status = file ? CULL_OK : cull_context_of(ctx)->error.status;
    if (file && added)
        put_added(file, trial, slug, added, &questions);
    else if (file)
        put_trial(file, trial, slug, &questions);
    if (file)
        status = cull_h5_commit(file);
    cull_arena_rewind(scratch, mark);
    return cull_while(ctx, status, "recording trial %s", slug);
}

cull_status cull_trial_write(cull_ctx *ctx, const char *dir, const cull_trial *trial)
{
    CULL_TRY(check(ctx, trial));
    const char *name = cull_trial_name(ctx, &trial->axes, trial->id);

    return name ? write_file(ctx, dir, name, trial, NULL) : CULL_ENOMEM;
}

cull_status cull_trial_write_added(cull_ctx *ctx, const char *dir, const cull_trial *trial)
{
    CULL_TRY(check(ctx, trial));
    for (size_t i = 0; i < trial->n_evaluations; i++) {
        const cull_evaluation *added = &trial->evaluations[i];
        const char *name = cull_trial_added_name(ctx, &trial->axes, trial->id, added->key);
        if (!name)
            return CULL_ENOMEM;
        CULL_TRY(write_file(ctx, dir, name, trial, added));
    }
    return CULL_OK;
}
