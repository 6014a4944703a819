// A metric or a data reader on made-up texts and tasks: what it asks for or yields, and what it
// makes of answers. What a run enforces is found here first.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/call.h"
#include "base/new_file.h"
#include "check/conform.h"
#include "plugin/border/collector.h"
#include "plugin/border/request.h"
#include "plugin/host.h"
#include "plugin/settings.h"

enum { FIRST_BYTE = 3, V = FIRST_BYTE + 256, POSITIONS = 4096, BOS = 1, EOS = 2, FILES = 3 };

// ---- the tokenizer: a byte is an id ----

static cull_status encode(cull_ctx *ctx, const cull_text *text, const char *s, size_t len,
                          uint32_t flags, int32_t **ids, size_t *n)
{
    const bool special = flags & CULL_SPECIAL;

    *n = 0;
    *ids = cull_take(ctx, len + 1, sizeof **ids);
    if (!*ids)
        return CULL_ENOMEM;
    if (special && text->adds_bos)
        (*ids)[(*n)++] = BOS;
    for (size_t i = 0; i < len; i++)
        (*ids)[(*n)++] = FIRST_BYTE + (unsigned char)s[i];
    return CULL_OK;
}

static cull_status decode(cull_ctx *ctx, const cull_text *text, const int32_t *ids, size_t n,
                          uint32_t flags, char **s, size_t *len)
{
    (void)text;
    *len = 0;
    *s = cull_take(ctx, 8 * n + 1, 1);
    if (!*s)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= FIRST_BYTE)
            (*s)[(*len)++] = (char)(ids[i] - FIRST_BYTE);
        else if (flags & CULL_SPECIAL)
            *len += (size_t)sprintf(*s + *len, "<%d>", (int)ids[i]);
    return CULL_OK;
}

static const cull_text made_up = { .size = sizeof made_up,
                                   .bos = BOS,
                                   .eos = EOS,
                                   .adds_bos = true,
                                   .max_positions = POSITIONS,
                                   .encode = encode,
                                   .decode = decode };

// ---- its files ----

static const char *const contents[FILES] = {
    NULL, // a text, long enough for any usual number of windows
    "{\"context\": \"One and one is\", \"choices\": [\" two\", \" three\"], \"gold\": 0}\n"
    "{\"context\": \"Two and one is\", \"choices\": [\" two\", \" three\"], \"gold\": 1}\n",
    "{\"context\": \"One and one is\", \"until\": [\"\\n\"], \"target\": \"two\"}\n"
    "{\"context\": \"Two and one is\", \"until\": [\"\\n\"], \"target\": \"three\"}\n",
};
static const char *const names[FILES] = { "text.txt", "choices.jsonl", "answers.jsonl" };

typedef struct trial {
    cull_context context;
    const cull_plugin *plugin;
    char folder[64];
    char *path[FILES];
} trial;

static cull_status make_files(trial *t)
{
    cull_ctx *ctx = &t->context.ctx;
    cull_buf text = CULL_BUF_INIT;

    snprintf(t->folder, sizeof t->folder, "/tmp/cull-check-XXXXXX");
    if (!mkdtemp(t->folder))
        return cull_fail(ctx, CULL_EIO, "no temporary folder can be made");
    for (size_t i = 0; i < 2000; i++)
        cull_buf_printf(&text, "Line %zu of a text that was made up.\n", i);
    cull_status status = text.failed ? cull_no_memory(ctx) : CULL_OK;
    for (size_t i = 0; i < FILES && status == CULL_OK; i++) {
        const char *bytes = contents[i] ? contents[i] : text.s;
        t->path[i] = cull_arena_printf(t->context.alloc, "%s/%s", t->folder, names[i]);
        status = t->path[i] ? cull_write_file(ctx, t->path[i], bytes, strlen(bytes))
                            : cull_no_memory(ctx);
    }
    cull_buf_release(&text);
    return status;
}

static void remove_files(const trial *t)
{
    for (size_t i = 0; i < FILES; i++)
        if (t->path[i])
            (void)unlink(t->path[i]);
    (void)rmdir(t->folder);
}

// The settings with every required file the i-th made-up one. false: something else is required.
static bool settings_with(trial *t, size_t i, void **settings)
{
    char message[CULL_SENTENCE];

    if (cull_settings_new(&t->context.ctx, t->plugin, settings) != CULL_OK)
        return false;
    for (size_t p = 0; p < t->plugin->n_params; p++) {
        const cull_param *param = cull_setting_at(t->plugin, p);
        const char *path = t->path[i];
        if (!(param->flags & CULL_REQUIRED))
            continue;
        if ((param->type != CULL_PATH && param->type != CULL_PATHS) ||
            cull_setting_parse(&t->context.ctx, param, 1, &path, NULL, *settings, message,
                               sizeof message) != CULL_OK)
            return false;
    }
    return true;
}

// ---- metrics ----

static cull_status check_requests(cull_ctx *ctx, const cull_requests *r)
{
    const char *fault = r->n > 0 && !r->at ? "a number of requests, but none of them" : NULL;

    for (size_t i = 0; i < r->n && !fault; i++) {
        fault = cull_request_fault(&r->at[i]);
        for (size_t j = 0; j < r->at[i].n && !fault; j++)
            if (r->at[i].ids[j] < 0 || r->at[i].ids[j] >= V)
                fault = "a request with an id that the tokenizer does not have";
    }
    return fault ? cull_fail(ctx, CULL_EPLUGIN, "prepare yields %s", fault) : CULL_OK;
}

static cull_status make_answers(cull_ctx *ctx, const cull_requests *r, cull_answer **out)
{
    static const int32_t ids[] = { FIRST_BYTE + 't', FIRST_BYTE + 'w', FIRST_BYTE + 'o', EOS };
    cull_answer *a = *out = cull_take(ctx, r->n + 1, sizeof *a);

    for (size_t i = 0; a && i < r->n; i++) {
        const cull_request *asked = &r->at[i];
        float *each = cull_take(ctx, asked->scored + 1, sizeof *each);
        if (!each)
            return CULL_ENOMEM;
        for (size_t j = 0; j < asked->scored; j++)
            each[j] = -1.0f - (float)(i % 7) / 8;
        a[i] = asked->kind == CULL_GENERATE
                   ? (cull_answer){ .size = sizeof *a,
                                    .ids = ids,
                                    .n = 4,
                                    .text = "two",
                                    .text_len = 3,
                                    .ended = CULL_ENDED_ID }
                   : (cull_answer){ .size = sizeof *a,
                                    .ll = (double)asked->scored * (double)each[0],
                                    .token_ll = each,
                                    .greedy = i % 2 == 0,
                                    .kl = 0.25,
                                    .top1 = asked->scored / 2,
                                    .overlap = 0.75 * (double)asked->scored };
    }
    return a ? CULL_OK : CULL_ENOMEM;
}

static cull_status report(trial *t, const void *settings, const cull_requests *asked,
                          cull_collector *out)
{
    cull_ctx *ctx = &t->context.ctx;
    const cull_metric *metric = t->plugin->vtable;
    cull_answer *answers;

    CULL_TRY(make_answers(ctx, asked, &answers));
    CULL_TRY(cull_collector_init(ctx, out));
    CULL_TRY(CULL_CALL(ctx, t->plugin, SIZE_MAX, score,
                       metric->score(ctx, settings, asked, answers, &out->report)));
    return out->n_values > 0 ? CULL_OK : cull_fail(ctx, CULL_EPLUGIN, "score reports no value");
}

static bool same_values(const cull_collector *a, const cull_collector *b)
{
    if (a->n_values != b->n_values)
        return false;
    for (size_t i = 0; i < a->n_values; i++)
        if (a->values[i].value != b->values[i].value)
            return false;
    return true;
}

static cull_status ask(trial *t, const void *settings, cull_requests *out)
{
    cull_ctx *ctx = &t->context.ctx;
    const cull_metric *metric = t->plugin->vtable;

    *out = (cull_requests){ .size = sizeof *out };
    CULL_TRY(CULL_CALL(ctx, t->plugin, SIZE_MAX, prepare,
                       metric->prepare(ctx, settings, &made_up, out)));
    return check_requests(ctx, out);
}

static void judge_metric(const cull_examiner *examiner, trial *t, const void *settings,
                         const cull_requests *asked)
{
    cull_collector one = { 0 }, again = { 0 };
    cull_status status = report(t, settings, asked, &one);

    if (status == CULL_OK)
        status = report(t, settings, asked, &again);
    if (status != CULL_OK)
        cull_verdict_say(examiner, CULL_FAULT, "it fails on made-up answers: %s",
                         t->context.error.sentence);
    else
        cull_verdict_say(examiner, same_values(&one, &again) ? CULL_FINE : CULL_FAULT,
                         same_values(&one, &again)
                             ? "its requests, values and columns are as a run takes them"
                             : "the same answers do not give the same values");
    if (one.arena)
        cull_collector_release(&one);
    if (again.arena)
        cull_collector_release(&again);
}

// ---- data readers ----

static cull_status read_rows(trial *t, const void *settings)
{
    cull_ctx *ctx = &t->context.ctx;
    const cull_data *data = t->plugin->vtable;
    cull_sequences rows = { .size = sizeof rows };

    CULL_TRY(CULL_CALL(ctx, t->plugin, SIZE_MAX, load, data->load(ctx, settings, &made_up, &rows)));
    const char *fault = rows.n == 0 ? "no rows" : !rows.at ? "a number of rows, but none" : NULL;
    for (size_t i = 0; i < rows.n && !fault; i++) {
        const cull_sequence *row = &rows.at[i];
        fault = !row->ids || row->n == 0 ? "a row without token ids"
                : row->n > POSITIONS     ? "a row longer than the model's positions"
                                         : NULL;
        for (size_t j = 0; j < row->n && !fault; j++)
            fault = row->ids[j] < 0 || row->ids[j] >= V ? "an id that the tokenizer does not have"
                                                        : NULL;
    }
    return fault ? cull_fail(ctx, CULL_EPLUGIN, "load yields %s", fault) : CULL_OK;
}

// ---- both ----

// Is it the plugin's fault, or that of files which are made up?
static bool is_fault(cull_status status)
{
    return status == CULL_EPLUGIN || status == CULL_ENUMERIC;
}

static void try_files(const cull_examiner *examiner, trial *t)
{
    cull_status status = make_files(t);

    for (size_t i = 0; i < FILES && (i == 0 || status != CULL_OK) && !is_fault(status); i++) {
        void *settings;
        cull_requests asked;
        cull_error_clear(&t->context.ctx);
        if (!settings_with(t, i, &settings)) {
            cull_verdict_say(examiner, CULL_UNTESTED,
                             "how it behaves: it has settings without a default");
            return;
        }
        if (t->plugin->kind == CULL_DATA)
            status = read_rows(t, settings);
        else
            status = ask(t, settings, &asked);
        if (status == CULL_OK && t->plugin->kind == CULL_METRIC && asked.n == 0)
            cull_verdict_say(examiner, CULL_UNTESTED,
                             "how it behaves: with its defaults it asks for nothing");
        else if (status == CULL_OK && t->plugin->kind == CULL_METRIC)
            judge_metric(examiner, t, settings, &asked);
        else if (status == CULL_OK)
            cull_verdict_say(examiner, CULL_FINE, "its rows are as a run takes them");
    }
    if (status != CULL_OK)
        cull_verdict_say(examiner, is_fault(status) ? CULL_FAULT : CULL_UNTESTED,
                         is_fault(status) ? "it fails on made-up files: %s"
                                          : "how it behaves: no made-up file is of its kind (%s)",
                         t->context.error.sentence);
}

void cull_conform_reader(const cull_examiner *examiner, const cull_plugin *plugin)
{
    trial t = { .plugin = plugin };

    if (cull_context_init(&t.context, NULL, NULL) != CULL_OK) {
        cull_verdict_say(examiner, CULL_UNTESTED, "how it behaves: out of memory");
        return;
    }
    t.context.owner = plugin->name;
    try_files(examiner, &t);
    remove_files(&t);
    cull_context_release(&t.context);
}
