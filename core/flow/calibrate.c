#include "flow/calibrate.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/safetensors.h"

static const char letters[] = {
#define LETTER(letter, text) #letter[0],
    CULL_STAT_GROUPS(LETTER)
#undef LETTER
};

static void letters_of(uint32_t groups, char *out)
{
    for (size_t i = 0; i < CULL_N_STAT_GROUPS; i++)
        if (groups & 1u << i)
            *out++ = letters[i];
    *out = '\0';
}

static uint32_t groups_of(const char *word, size_t n)
{
    uint32_t groups = 0;
    for (size_t c = 0; c < n; c++) {
        const char *at = memchr(letters, word[c], sizeof letters);
        if (!at)
            return 0;
        groups |= 1u << (at - letters);
    }
    return groups;
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// ---- the cache ----

static const char *cache_name(cull_ctx *ctx, const cull_calibrate_job *job, const char *key,
                              const char *what)
{
    const char *name = cull_arena_printf(
        cull_context_of(ctx)->alloc, "%s/calibration/%s.%s.safetensors", job->folder, key, what);
    if (!name)
        cull_no_memory(ctx);
    return name;
}

// Reads those files of the gather that hold a wanted group. A damaged one is said and gathered
// anew.
static cull_status read_cache(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t wanted,
                              cull_stats_store *store)
{
    const char *pattern = cache_name(ctx, job, job->gather->key.hex, "*");
    if (!pattern)
        return CULL_ENOMEM;
    glob_t found;
    const int failed = glob(pattern, 0, NULL, &found);
    for (size_t i = 0; !failed && i < found.gl_pathc; i++) {
        const char *word = strrchr(found.gl_pathv[i], '/') + 1 + strlen(job->gather->key.hex) + 1;
        if (!(groups_of(word, strcspn(word, ".")) & wanted & ~cull_stats_store_view(store)->groups))
            continue;
        if (cull_stats_store_load(ctx, store, found.gl_pathv[i]) == CULL_OK)
            continue;
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN, "%s; gathered anew",
                      cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
    }
    if (!failed)
        globfree(&found);
    return CULL_OK;
}

static cull_status read_observer(cull_ctx *ctx, const cull_calibrate_job *job, size_t i,
                                 double **acc, bool *found)
{
    const cull_subject *s = job->subject;
    const char *path = cache_name(ctx, job, job->observer_keys[i].hex, "observer");
    struct stat st;
    cull_safetensors *file;
    *found = false;
    if (!path)
        return CULL_ENOMEM;
    if (stat(path, &st) != 0)
        return CULL_OK;
    CULL_TRY(cull_safetensors_open(ctx, path, &file));
    bool good = true;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const cull_use *use = job->gather->observers[i];
        const cull_observer *observer = ((const cull_criterion *)use->plugin->vtable)->observer;
        const size_t n = observer->doubles(use->settings, s->layer[l]);
        char name[40];
        cull_tensor tensor;
        snprintf(name, sizeof name, "layer.%zu", l);
        if (n == 0)
            continue;
        if (!cull_safetensors_find(file, name, &tensor) || tensor.dtype != CULL_DT_F64 ||
            tensor.bytes != n * sizeof(double))
            good = false;
        else
            memcpy(acc[l], tensor.data, tensor.bytes);
    }
    cull_safetensors_close(file);
    *found = good;
    return CULL_OK;
}

static cull_status write_observer(cull_ctx *ctx, const cull_calibrate_job *job, size_t i,
                                  double *const *acc)
{
    const cull_subject *s = job->subject;
    const cull_use *use = job->gather->observers[i];
    const cull_observer *observer = ((const cull_criterion *)use->plugin->vtable)->observer;
    const size_t L = s->opened.facts->L;
    const char *path = cache_name(ctx, job, job->observer_keys[i].hex, "observer");
    cull_entry *entry = cull_scratch(ctx, L, sizeof *entry);
    size_t n = 0, *layer = cull_scratch(ctx, L, sizeof *layer);
    if (!path || !entry || !layer)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t doubles = observer->doubles(use->settings, s->layer[l]);
        if (doubles == 0)
            continue;
        char *name = cull_arena_printf(cull_context_of(ctx)->scratch, "layer.%zu", l);
        if (!name)
            return cull_no_memory(ctx);
        layer[n] = l;
        entry[n++] = (cull_entry){ name, CULL_DT_F64, 1, { doubles } };
    }
    cull_safetensors_writer *writer;
    CULL_TRY(cull_safetensors_create(ctx, path, n, entry, 0, NULL, &writer));
    for (size_t j = 0; j < n; j++) {
        const cull_status status =
            cull_safetensors_put(ctx, writer, j, acc[layer[j]], entry[j].shape[0] * sizeof(double));
        if (status != CULL_OK) {
            cull_safetensors_abandon(writer);
            return status;
        }
    }
    return cull_safetensors_finish(ctx, writer);
}

static cull_status write_cache(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t groups,
                               const cull_stats_store *store)
{
    char word[CULL_N_STAT_GROUPS + 1];
    letters_of(groups, word);
    const char *path = cache_name(ctx, job, job->gather->key.hex, word);
    return path ? cull_stats_store_save(ctx, store, path) : CULL_ENOMEM;
}

// ---- passes ----

static cull_status make_observers(cull_ctx *ctx, const cull_calibrate_job *job,
                                  cull_statistics *out)
{
    const cull_gather *g = job->gather;
    const size_t L = job->subject->opened.facts->L;
    out->n_observers = g->n_observers;
    out->observer = cull_take(ctx, g->n_observers + 1, sizeof *out->observer);
    for (size_t i = 0; out->observer && i < g->n_observers; i++) {
        const cull_use *use = g->observers[i];
        cull_observer_use *o = &out->observer[i];
        o->observer = ((const cull_criterion *)use->plugin->vtable)->observer;
        o->settings = use->settings;
        o->acc = cull_take(ctx, L, sizeof *o->acc);
        for (size_t l = 0; o->acc && l < L; l++) {
            const size_t n = o->observer->doubles(o->settings, job->subject->layer[l]);
            o->acc[l] = cull_take(ctx, n + 1, sizeof **o->acc);
            if (!o->acc[l])
                return CULL_ENOMEM;
        }
        if (!o->acc)
            return CULL_ENOMEM;
    }
    return out->observer ? CULL_OK : CULL_ENOMEM;
}

static cull_status pass(cull_ctx *ctx, const cull_calibrate_job *job, cull_calibration *c,
                        cull_stats_store *store, cull_statistics *out)
{
    const cull_rows *rows = cull_rows_of(job->subject, job->gather->seed);
    const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    c->rows = &rows->sequences;
    c->dense_rows = rows->dense_rows;
    c->cut = job->on;
    const cull_status status =
        cull_calibrate_pass(ctx, &job->subject->opened, job->engine, c, store, &out->cost);
    out->wall_s += now(CLOCK_MONOTONIC) - wall;
    out->cpu_s += now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return cull_while(ctx, status, "calibrating model \"%s\"", job->subject->spec->name);
}

static cull_stats_store *new_store(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t groups)
{
    return cull_stats_store_new(ctx, job->subject->opened.facts, job->subject->layer, groups);
}

// The observers of the gather that the cache lacks; found[i] says which it had.
static cull_status missing_observers(cull_ctx *ctx, const cull_calibrate_job *job,
                                     cull_statistics *out, bool *found, cull_calibration *c)
{
    if (!out->observer)
        CULL_TRY(make_observers(ctx, job, out));
    c->observers = cull_scratch(ctx, out->n_observers + 1, sizeof *c->observers);
    if (!c->observers)
        return CULL_ENOMEM;
    for (size_t i = 0; i < out->n_observers; i++) {
        CULL_TRY(read_observer(ctx, job, i, out->observer[i].acc, &found[i]));
        if (!found[i])
            c->observers[c->n_observers++] = out->observer[i];
    }
    return CULL_OK;
}

// Experts that no token reaches get their scores by each criterion's own rule: never silently.
static void report_unrouted(cull_ctx *ctx, const cull_calibrate_job *job, const cull_stats *stats)
{
    cull_buf text = CULL_BUF_INIT;
    for (size_t l = 0; l < stats->L; l++) {
        const cull_layer_stats *s = &stats->layer[l];
        for (size_t e = 0; s->count && e < s->E; e++)
            if (s->count[e] <= 0 && !(job->on && job->on->layer[l].action[e] == CULL_ACTION_DROP))
                cull_buf_printf(&text, " %zu/%zu", l, e);
    }
    if (text.n > 0)
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "model \"%s\": no calibration token reaches the experts (layer/expert)%s",
                      job->subject->spec->name, text.s);
    cull_buf_release(&text);
}

cull_status cull_calibrate(cull_ctx *ctx, const cull_calibrate_job *job, cull_statistics *out)
{
    const uint32_t wanted = job->gather->groups;
    bool *found = cull_scratch(ctx, job->gather->n_observers + 1, sizeof *found);
    if (!found)
        return CULL_ENOMEM;
    if (out->store && (cull_stats_store_view(out->store)->groups & wanted) == wanted)
        return CULL_OK;
    if (!out->store)
        out->store = new_store(ctx, job, 0);
    if (!out->store)
        return CULL_ENOMEM;
    cull_calibration c = { 0 };
    CULL_TRY(read_cache(ctx, job, wanted, out->store));
    CULL_TRY(missing_observers(ctx, job, out, found, &c));
    c.groups = wanted & ~cull_stats_store_view(out->store)->groups;
    if (c.groups == 0 && c.n_observers == 0)
        return CULL_OK;
    cull_stats_store *fresh = new_store(ctx, job, c.groups);
    if (!fresh)
        return CULL_ENOMEM;
    cull_status status = pass(ctx, job, &c, fresh, out);
    if (status == CULL_OK && c.groups)
        status = write_cache(ctx, job, c.groups, fresh);
    if (status == CULL_OK && c.groups)
        status = read_cache(ctx, job, wanted, out->store);
    for (size_t i = 0; i < out->n_observers && status == CULL_OK; i++)
        if (!found[i])
            status = write_observer(ctx, job, i, out->observer[i].acc);
    if (status == CULL_OK && (c.groups & CULL_STAT_A))
        report_unrouted(ctx, job, cull_stats_store_view(fresh));
    cull_stats_store_free(fresh);
    return status;
}

cull_status cull_calibrate_visit(cull_ctx *ctx, const cull_calibrate_job *job,
                                 const cull_visit *visit, cull_statistics *out)
{
    cull_calibration c = {
        .groups = visit->groups,
        .decide = visit->decide,
        .decide_arg = visit->arg,
        .deciding = visit->deciding,
        .propagate = visit->propagate,
    };
    cull_stats_store *store =
        new_store(ctx, job, visit->groups & ~(uint32_t)(CULL_STAT_I | CULL_STAT_J));
    if (!store)
        return CULL_ENOMEM;
    const cull_status status = pass(ctx, job, &c, store, out);
    cull_stats_store_free(store);
    return status;
}

cull_status cull_calibrate_count(cull_ctx *ctx, const cull_calibrate_job *job, cull_statistics *out)
{
    cull_calibration c = { .groups = CULL_STAT_A };
    out->store = new_store(ctx, job, c.groups);
    return out->store ? pass(ctx, job, &c, out->store, out) : CULL_ENOMEM;
}

void cull_statistics_release(cull_statistics *statistics)
{
    cull_stats_store_free(statistics->store);
    *statistics = (cull_statistics){ 0 };
}
