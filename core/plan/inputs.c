// What a plan needs of the world, loaded: models' facts, calibration rows, metrics' requests.
#include "plan/inputs.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sized.h"
#include "plan/fit.h"
#include "plan/meet/meet.h"
#include "plan/search_data.h"
#include "plugin/border/request.h"
#include "plugin/border/sequences.h"
#include "plugin/host.h"

// ---- the tokenizer as plugins see it ----

enum { BYTES_PER_TOKEN = 4 }; // about, of English

// As many ids as a text may have, for a plan's costs; alike where texts begin alike.
static cull_status guess(cull_ctx *ctx, const char *s, size_t len, size_t V, int32_t **ids,
                         size_t *n)
{
    *n = (len + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
    *ids = cull_take(ctx, *n + 1, sizeof **ids);
    if (!*ids)
        return CULL_ENOMEM;
    for (size_t i = 0; i < *n; i++) {
        const size_t first = i * BYTES_PER_TOKEN, left = len - first;
        uint32_t bytes = 0;
        memcpy(&bytes, s + first, left < BYTES_PER_TOKEN ? left : BYTES_PER_TOKEN);
        (*ids)[i] = (int32_t)(bytes % (V ? V : 1));
    }
    return CULL_OK;
}

// A callback that returned CULL_OK, but not what it promises.
static cull_status broken(cull_ctx *ctx, const cull_plugin *plugin, const char *callback,
                          const char *what)
{
    return cull_fail(ctx, CULL_EPLUGIN, "%s %s: its callback \"%s\" returns %s",
                     cull_kind_name(plugin->kind), plugin->name, callback, what);
}

static cull_status encode(cull_ctx *ctx, const cull_text *text, const char *s, size_t len,
                          uint32_t flags, int32_t **ids, size_t *n)
{
    const cull_prepared_model *prepared = text->core;
    const cull_open_model *m = &prepared->opened;

    *ids = NULL;
    *n = 0;
    if (prepared->no_text && prepared->sketched)
        return guess(ctx, s, len, m->facts ? m->facts->V : 0, ids, n);
    if (prepared->no_text)
        return cull_fail(ctx, CULL_ENOTSUP, "a text needs a tokenizer: %s", prepared->no_text);
    CULL_TRY(CULL_CALL(ctx, m->plugin, SIZE_MAX, encode,
                       m->backend->encode(ctx, m->model, s, len, flags, ids, n)));
    return *n == 0 || *ids ? CULL_OK : broken(ctx, m->plugin, "encode", "no ids");
}

static cull_status decode(cull_ctx *ctx, const cull_text *text, const int32_t *ids, size_t n,
                          uint32_t flags, char **s, size_t *len)
{
    const cull_prepared_model *prepared = text->core;
    const cull_open_model *m = &prepared->opened;

    *s = NULL;
    *len = 0;
    if (prepared->no_text)
        return cull_fail(ctx, CULL_ENOTSUP, "a text needs a tokenizer: %s", prepared->no_text);
    CULL_TRY(CULL_CALL(ctx, m->plugin, SIZE_MAX, decode,
                       m->backend->decode(ctx, m->model, ids, n, flags, s, len)));
    return *s ? CULL_OK : broken(ctx, m->plugin, "decode", "no text");
}

// ---- one model ----

static cull_status open_model(cull_prepared_model *s, uint32_t what)
{
    cull_ctx *ctx = &s->context.ctx;
    const cull_backend *backend = s->spec->backend.plugin->vtable;
    const cull_plugin *plugin = s->spec->backend.plugin;

    s->opened.plugin = plugin;
    s->opened.backend = backend;
    CULL_TRY(CULL_CALL(ctx, plugin, SIZE_MAX, open,
                       backend->open(ctx, s->spec->backend.settings, what, &s->opened.model)));
    if (!s->opened.model)
        return broken(ctx, plugin, "open", "no model");
    CULL_TRY(cull_open_model_look(ctx, &s->opened));
    const cull_model_facts *facts = s->opened.facts;
    s->layer = s->opened.layer;
    if ((what & CULL_OPEN_WEIGHTS) && (facts->L == 0 || facts->D == 0 || facts->V == 0))
        return broken(ctx, plugin, "facts", "a model without layers, width or vocabulary");
    s->text = (cull_text){
        .size = sizeof s->text,
        .bos = facts->bos,
        .eos = facts->eos,
        .adds_bos = facts->adds_bos,
        .max_positions = facts->max_positions,
        .encode = encode,
        .decode = decode,
        .core = s,
        .max_new = facts->max_new,
    };
    return CULL_OK;
}

// A model whose tokenizer alone cannot be read still runs on token ids.
static cull_status open_without_text(cull_prepared_model *s, uint32_t what, cull_status status)
{
    const char *sentence = cull_arena_printf(s->context.alloc, "%s", s->context.error.sentence);
    const cull_error error = s->context.error;

    if (!sentence)
        return cull_no_memory(&s->context.ctx);
    cull_error_clear(&s->context.ctx);
    if (open_model(s, what & ~(uint32_t)CULL_OPEN_TOKENIZER) != CULL_OK) {
        s->context.error = error;
        return status;
    }
    s->no_text = sentence;
    return CULL_OK;
}

cull_status cull_prepared_model_open(cull_ctx *ctx, const cull_model_spec *spec, uint32_t what,
                                     cull_prepared_model *s)
{
    cull_context *parent = cull_context_of(ctx);

    *s = (cull_prepared_model){ .spec = spec };
    if (cull_context_init(&s->context, parent->pool, parent->log) != CULL_OK)
        return cull_no_memory(ctx);
    s->context.stop = parent->stop;
    s->context.owner = spec->backend.plugin->name;
    const uint32_t both = CULL_OPEN_TOKENIZER | CULL_OPEN_WEIGHTS;
    cull_status status = open_model(s, what);
    if (status != CULL_OK && status != CULL_ENOMEM && (what & both) == both)
        status = open_without_text(s, what, status);
    s->sketched = what & CULL_OPEN_SHAPES;
    if (status != CULL_OK)
        cull_error_copy(ctx, &s->context.ctx);
    return status;
}

void cull_prepared_model_close(cull_prepared_model *s)
{
    if (s->opened.model) {
        cull_call_enter(s->opened.plugin, "close", SIZE_MAX);
        s->opened.backend->close(s->opened.model);
        cull_call_leave();
    }
    if (s->context.alloc)
        cull_context_release(&s->context);
    *s = (cull_prepared_model){ 0 };
}

size_t cull_prepared_model_notes(const cull_prepared_model *s, const char *const **texts)
{
    *texts = NULL;
    return s->opened.backend->notes ? s->opened.backend->notes(s->opened.model, texts) : 0;
}

void cull_prepared_model_warn(const cull_prepared_model *s)
{
    const char *const *texts;
    const size_t n = cull_prepared_model_notes(s, &texts);

    for (size_t i = 0; i < n; i++)
        cull_log_line(s->context.log, CULL_WARN, "%s: %s", s->opened.facts->source, texts[i]);
    if (s->no_text)
        cull_log_line(s->context.log, CULL_WARN,
                      "no tokenizer, so that only token ids can be read%s: %s",
                      s->sketched ? ", and the tokens of texts are guessed at" : "", s->no_text);
}

// Which layers may be cut, and whether the plan's cells fit the model.
static cull_status fit_model(cull_plan *plan, size_t model, cull_prepared_model *s,
                             cull_problems *problems)
{
    const cull_model_facts *facts = s->opened.facts;
    const cull_spec *spec = plan->spec;
    bool good = true;

    s->frozen = cull_take(problems->ctx, spec->n_layers * facts->L + 1, sizeof *s->frozen);
    if (!s->frozen)
        return CULL_ENOMEM;
    for (size_t i = 0; i < spec->n_layers; i++)
        good = cull_frozen_layers(&spec->layers[i], facts->L, s->layer, s->frozen + i * facts->L,
                                  problems) &&
               good;
    if (good)
        CULL_TRY(cull_plan_meet(plan, model, s, problems));
    if (good)
        cull_fit_model(plan, model, facts, s->layer, s->frozen, problems);
    return CULL_OK;
}

const uint8_t *cull_frozen_of(const cull_prepared_model *s, size_t layers)
{
    return s->frozen + (layers == CULL_NOT ? 0 : layers) * s->opened.facts->L;
}

// A model that cannot be opened is a problem of the experiment, beside others.
static cull_status open_or_tell(cull_ctx *ctx, const cull_model_spec *spec, uint32_t what,
                                cull_problems *problems, cull_prepared_model *out)
{
    const uint32_t all = CULL_OPEN_TOKENIZER | CULL_OPEN_WEIGHTS | what;

    return cull_problem_of(problems, spec->place,
                           cull_while(ctx, cull_prepared_model_open(ctx, spec, all, out),
                                      "opening model \"%s\"", spec->name));
}

cull_status cull_inputs_open(cull_ctx *ctx, cull_plan *plan, uint32_t what, cull_problems *problems,
                             cull_inputs *out)
{
    const cull_spec *spec = plan->spec;

    *out = (cull_inputs){ .spec = spec };
    const char *precision = spec->automatic ? spec->automatic : spec->precision;
    if (!cull_precision_of(precision, &out->precision))
        return cull_fail(ctx, CULL_EINVAL, "precision: \"%s\" is none", precision);
    out->at = cull_take(ctx, spec->n_models, sizeof *out->at);
    if (!out->at)
        return CULL_ENOMEM;
    cull_status worst = CULL_OK;
    for (size_t m = 0; m < spec->n_models; m++) {
        cull_prepared_model *s = &out->at[m];
        out->n = m + 1;
        const cull_status status = open_or_tell(ctx, &spec->models[m], what, problems, s);
        if (cull_ends_all(status))
            return status;
        worst = worst == CULL_OK ? status : worst;
        if (status != CULL_OK)
            continue;
        cull_prepared_model_warn(s);
        CULL_TRY(fit_model(plan, m, s, problems));
    }
    return worst == CULL_OK ? cull_problems_status(problems)
                            : cull_fail(ctx, worst, "%s: a model cannot be opened", spec->file);
}

cull_status cull_inputs_try_models(cull_ctx *ctx, const cull_spec *spec, uint32_t what,
                                   cull_problems *problems)
{
    for (size_t m = 0; m < spec->n_models; m++) {
        cull_prepared_model model = { 0 };
        if (!spec->models[m].backend.plugin)
            continue;
        const cull_status status = open_or_tell(ctx, &spec->models[m], what, problems, &model);
        cull_prepared_model_close(&model);
        if (cull_ends_all(status))
            return status;
    }
    return CULL_OK;
}

void cull_inputs_close(cull_inputs *inputs)
{
    for (size_t m = 0; m < inputs->n; m++)
        cull_prepared_model_close(&inputs->at[m]);
    inputs->n = 0;
}

// ---- rows and requests ----

// A prepared model's context, for the while of one call, is that of the plugin which is called.
static void lend(cull_prepared_model *s, const cull_use *use, uint64_t seed)
{
    s->context.owner = use->plugin->name;
    s->context.seed = seed;
}

double cull_hold_within(uint64_t memory)
{
    enum { LITTLE = 32 << 20, HARDLY_ANY = LITTLE / 2 };
    const uint64_t now = cull_peak_memory();
    const size_t left = memory > now + HARDLY_ANY ? (size_t)(memory - now) : LITTLE;

    cull_hold_at_most(memory ? left : SIZE_MAX);
    return (double)now;
}

cull_status cull_held_within(cull_ctx *ctx, uint64_t memory, cull_status status)
{
    if (status != CULL_ENOMEM || !cull_hold_refused())
        return status;
    cull_error_clear(ctx);
    return cull_fail(ctx, CULL_EENV, "--memory of %.0f MB is too little for what is to be read",
                     (double)memory / 1e6);
}

static cull_status give_back(cull_ctx *ctx, cull_prepared_model *s, cull_status status,
                             const char *what)
{
    s->context.owner = s->spec->backend.plugin->name;
    status = cull_held_within(&s->context.ctx, s->memory, status);
    cull_arena_clear(s->context.scratch);
    if (status != CULL_OK)
        cull_error_copy(ctx, &s->context.ctx);
    cull_error_clear(&s->context.ctx);
    return cull_while(ctx, status, "%s for model \"%s\"", what, s->spec->name);
}

static cull_status check_ids(cull_ctx *ctx, const cull_prepared_model *s, const int32_t *ids,
                             size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= s->opened.facts->V)
            return cull_fail(ctx, CULL_EINVAL,
                             "%s holds the token id %d, but the model's vocabulary has %zu", what,
                             ids[i], s->opened.facts->V);
    if (n > s->opened.facts->max_positions)
        return cull_fail(ctx, CULL_EINVAL, "%s has %zu tokens, but the model has %zu positions",
                         what, n, s->opened.facts->max_positions);
    return CULL_OK;
}

// How many of the ids were not seen yet; seen: (V) flags.
static size_t see_ids(uint8_t *seen, const int32_t *ids, size_t n)
{
    size_t fresh = 0;

    for (size_t i = 0; i < n; i++) {
        fresh += !seen[ids[i]];
        seen[ids[i]] = 1;
    }
    return fresh;
}

static cull_status key_of_rows(cull_ctx *ctx, const cull_prepared_model *s, cull_rows *rows)
{
    uint8_t *seen = cull_scratch(ctx, s->opened.facts->V, sizeof *seen);
    cull_hash *hash = seen ? cull_hash_new() : NULL;

    if (!hash)
        return cull_no_memory(ctx);
    cull_status status = CULL_OK;
    for (size_t i = 0; i < rows->sequences.n && status == CULL_OK; i++) {
        const cull_sequence *row = &rows->sequences.at[i];
        status = check_ids(ctx, s, row->ids, row->n, "a calibration row");
        cull_hash_u64(hash, row->n);
        cull_hash_bytes(hash, row->ids, row->n * sizeof *row->ids);
        rows->tokens += row->n;
        rows->ids += status == CULL_OK ? see_ids(seen, row->ids, row->n) : 0;
    }
    rows->key = cull_hash_key(hash);
    cull_hash_free(hash);
    return status;
}

// J's subsample: the rows asked for, or as many, evenly spread, as hold CULL_DENSE_TOKENS tokens.
static void spread_dense(const cull_calibration_spec *spec, cull_rows *rows)
{
    const size_t n = rows->sequences.n, mean = n ? (rows->tokens + n - 1) / n : 1;
    size_t want = (size_t)spec->dense_rows;

    if (want == 0)
        want = (CULL_DENSE_TOKENS + mean - 1) / (mean ? mean : 1);
    rows->dense_rows = want < n ? want : n;
    rows->dense_tokens = rows->dense_rows * mean;
}

static cull_status load_rows(cull_ctx *ctx, const cull_spec *spec, cull_prepared_model *s,
                             const cull_calibration_set *set)
{
    const cull_calibration_spec *from = &spec->calibrations[set->calibration];
    cull_rows *rows = &s->rows[s->n_rows++];

    *rows = (cull_rows){ .calibration = set->calibration, .seed = set->seed };
    lend(s, &from->data, set->seed);
    cull_ctx *own = &s->context.ctx;
    cull_status status = cull_load_sequences(own, from->data.plugin, from->data.settings, &s->text,
                                             &rows->sequences);
    if (status == CULL_OK)
        status = key_of_rows(own, s, rows);
    spread_dense(from, rows);
    status = give_back(ctx, s, status, "reading the calibration rows");
    return from->name ? cull_while(ctx, status, "reading calibration \"%s\"", from->name) : status;
}

const cull_rows *cull_rows_of(const cull_prepared_model *prepared, const cull_calibration_set *set)
{
    for (size_t i = 0; i < prepared->n_rows; i++)
        if (prepared->rows[i].calibration == set->calibration &&
            prepared->rows[i].seed == set->seed)
            return &prepared->rows[i];
    return NULL;
}

// What was loaded, of several failures the first.
typedef struct loaded {
    cull_problems *problems;
    cull_status worst;
} loaded;

// A failure at `place` is told, and others are looked for; what ends all is returned.
static cull_status note(loaded *l, cull_place place, cull_status status)
{
    const cull_status told = cull_problem_of(l->problems, place, status);

    if (cull_ends_all(told))
        return told;
    l->worst = l->worst == CULL_OK ? told : l->worst;
    return CULL_OK;
}

static cull_status load_all_rows(cull_ctx *ctx, const cull_plan *plan, cull_prepared_model *s,
                                 size_t model, loaded *l)
{
    s->rows = cull_take(&s->context.ctx, plan->n_sets + 1, sizeof *s->rows);
    if (!s->rows)
        return cull_no_memory(ctx);
    for (size_t g = 0; g < plan->n_sets; g++) {
        const cull_calibration_set *set = &plan->set[g];
        if (set->model == model && !cull_rows_of(s, set))
            CULL_TRY(note(l, plan->spec->calibrations[set->calibration].data.place,
                          load_rows(ctx, plan->spec, s, set)));
    }
    return CULL_OK;
}

static void hash_request(cull_hash *hash, const cull_request *request)
{
    cull_hash_u64(hash, request->kind);
    cull_hash_u64(hash, request->wants);
    cull_hash_u64(hash, request->n);
    cull_hash_bytes(hash, request->ids, request->n * sizeof *request->ids);
    cull_hash_u64(hash, request->scored);
    cull_hash_u64(hash, request->max_new);
    cull_hash_u64(hash, request->n_until);
    for (size_t i = 0; i < request->n_until; i++)
        cull_hash_text(hash, request->until[i]);
}

// What beside the requests determines the answers that are generated. The words stand for the
// rules of core/engine/generate.c and change with them.
static void hash_generation(cull_hash *hash, const cull_model_facts *facts)
{
    const size_t n = facts->stop ? facts->n_stop : 1;
    const int32_t *stop = facts->stop ? facts->stop : &facts->eos;

    cull_hash_text(hash, "ends at ids, and at texts with special tokens");
    cull_hash_u64(hash, n);
    cull_hash_bytes(hash, stop, n * sizeof *stop);
    cull_hash_f64(hash, facts->repetition_penalty != 0 ? facts->repetition_penalty : 1);
    cull_hash_text(hash, facts->decoding ? facts->decoding : "");
}

static cull_status check_request(cull_ctx *ctx, const cull_plugin *plugin,
                                 const cull_prepared_model *s, const cull_request *request)
{
    const cull_model_facts *facts = s->opened.facts;
    const char *fault = cull_request_fault(request);

    if (fault)
        return broken(ctx, plugin, "prepare", fault);
    if (request->kind == CULL_GENERATE && facts->no_answers)
        return cull_fail(ctx, CULL_ENOTSUP, "%s", facts->no_answers);
    const size_t fed = request->kind == CULL_SCORE ? request->n - 1 : request->n;
    CULL_TRY(check_ids(ctx, s, request->ids, fed, "a request"));
    CULL_TRY(check_ids(ctx, s, request->ids + fed, request->n - fed, "a request"));
    if (request->kind == CULL_GENERATE && request->max_new > facts->max_positions)
        return cull_fail(ctx, CULL_EINVAL,
                         "a request asks for %zu new tokens, but the model has %zu positions",
                         request->max_new, facts->max_positions);
    return CULL_OK;
}

static cull_status check_requests(cull_ctx *ctx, const cull_plugin *plugin,
                                  const cull_prepared_model *s, const cull_prepared_metric *asked)
{
    for (size_t i = 0; i < asked->requests.n; i++)
        CULL_TRY(cull_while(ctx, check_request(ctx, plugin, s, &asked->request[i]),
                            "checking request %zu", i));
    return CULL_OK;
}

static cull_status key_of_requests(cull_ctx *ctx, cull_prepared_metric *asked,
                                   const cull_model_facts *facts)
{
    uint8_t *seen = cull_scratch(ctx, facts->V, sizeof *seen);
    cull_hash *hash = seen ? cull_hash_new() : NULL;

    if (!hash)
        return cull_no_memory(ctx);
    bool generates = false;
    for (size_t i = 0; i < asked->requests.n; i++) {
        const cull_request *request = &asked->request[i];
        hash_request(hash, request);
        generates |= request->kind == CULL_GENERATE;
        asked->tokens += request->n + request->max_new;
        asked->ids += see_ids(seen, request->ids, request->n);
    }
    if (generates)
        hash_generation(hash, facts);
    cull_hash_text(hash, asked->requests.key ? asked->requests.key : "");
    asked->key = cull_hash_key(hash);
    cull_hash_free(hash);
    return CULL_OK;
}

static cull_status check_made(cull_ctx *ctx, const cull_plugin *plugin,
                              const cull_prepared_model *s, cull_prepared_metric *asked)
{
    const void *at = NULL;

    if (asked->requests.n > 0 && !asked->requests.at)
        return broken(ctx, plugin, "prepare", "a number of requests, but none of them");
    CULL_TRY(cull_sized_array(ctx, "a request", CULL_UP_TO(cull_request, until), asked->requests.n,
                              asked->requests.at, sizeof(cull_request), &at));
    asked->request = at;
    CULL_TRY(check_requests(ctx, plugin, s, asked));
    return key_of_requests(ctx, asked, s->opened.facts);
}

// What the metric has made is read for the first time: an address that is none is put to it.
static cull_status take_requests(cull_ctx *ctx, const cull_plugin *plugin,
                                 const cull_prepared_model *s, cull_prepared_metric *asked)
{
    cull_call_enter(plugin, "prepare", SIZE_MAX);
    const cull_status status = check_made(ctx, plugin, s, asked);
    cull_call_leave();
    return status;
}

static cull_status prepare(cull_ctx *ctx, cull_prepared_model *s, const cull_use *use,
                           cull_prepared_metric *asked)
{
    const cull_metric *metric = use->plugin->vtable;

    *asked = (cull_prepared_metric){ .requests = { .size = sizeof asked->requests } };
    lend(s, use, 0);
    cull_ctx *own = &s->context.ctx;
    cull_status status = CULL_CALL(own, use->plugin, SIZE_MAX, prepare,
                                   metric->prepare(own, use->settings, &s->text, &asked->requests));
    if (status == CULL_OK)
        status = take_requests(own, use->plugin, s, asked);
    char what[80];
    snprintf(what, sizeof what, "preparing %s", use->plugin->name);
    return give_back(ctx, s, status, what);
}

static cull_status load_model(cull_ctx *ctx, const cull_plan *plan, cull_prepared_model *s,
                              size_t model, loaded *l)
{
    const cull_spec *spec = plan->spec;
    const size_t n = spec->n_metrics + spec->n_fitness;

    CULL_TRY(load_all_rows(ctx, plan, s, model, l));
    s->asked = cull_take(&s->context.ctx, n + 1, sizeof *s->asked);
    if (!s->asked)
        return cull_no_memory(ctx);
    for (size_t i = 0; i < n; i++)
        CULL_TRY(note(l, spec->metrics[i].place, prepare(ctx, s, &spec->metrics[i], &s->asked[i])));
    return l->worst == CULL_OK ? cull_check_search_data(ctx, spec, s) : CULL_OK;
}

cull_status cull_inputs_load(cull_ctx *ctx, const cull_plan *plan, uint64_t memory,
                             cull_inputs *inputs, cull_problems *problems)
{
    const cull_spec *spec = plan->spec;
    loaded l = { problems, CULL_OK };

    for (size_t m = 0; m < inputs->n; m++) {
        cull_prepared_model *s = &inputs->at[m];
        const double before = cull_hold_within(s->memory = memory);
        const cull_status status = load_model(ctx, plan, s, m, &l);
        s->read_peak = before + (double)cull_hold_peak();
        (void)cull_hold_within(s->memory = 0);
        CULL_TRY(status);
    }
    return l.worst == CULL_OK ? CULL_OK
                              : cull_fail(ctx, l.worst, "%s: its data cannot be used", spec->file);
}
