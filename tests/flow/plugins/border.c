// A metric, a data reader and a criterion with an observer that do in one callback, `in`, what no
// plugin may do, `how`: what the core makes of it is tests/flow/border.sh's to see.
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cull/cull.h>

enum how { // faults that any callback can have, then those of what it returns
    NOTHING,
    SEGV,
    ABORT,
    FPE,
    STACK,
    EXIT0,
    EXIT2,
    SILENT_EINVAL,
    SILENT_EUSAGE,
    SILENT_ENOMEM,
    SILENT_ECANCELED,
    STRANGE,
    GOT_OVER,
    NOISY,
    NO_ARRAY,
    NO_IDS,
    NO_TOKENS,
    WRONG_ID,
    WRONG_KIND,
    WRONG_WANTS,
    ANSWER_WANTS,
    NO_UTF8,
    HUGE_SIZE,
    NO_ADDRESS,
    ALL_SCORED,
    NO_UNTIL,
    NO_ANSWER,
    ENDLESS,
    NO_NAME,
    NO_DATA,
    NOT_A_NUMBER,
    HUGE_AXIS,
    HUGE_OBSERVER,
    AT_ONCE,
    REMOVE,
    QUICK,
    MUTE,
    CLOSING,
    THREAD,
    NO_REPORT,
    BLOCKS,
    HANDLES,
    MUTES,
    MUTES_EINVAL,
};

static const char *const hows[] = { "nothing",
                                    "segv",
                                    "abort",
                                    "fpe",
                                    "stack",
                                    "exit-0",
                                    "exit-2",
                                    "silent-einval",
                                    "silent-eusage",
                                    "silent-enomem",
                                    "silent-ecanceled",
                                    "strange",
                                    "got-over",
                                    "noisy",
                                    "no-array",
                                    "no-ids",
                                    "no-tokens",
                                    "wrong-id",
                                    "wrong-kind",
                                    "wrong-wants",
                                    "answer-wants",
                                    "no-utf8",
                                    "huge-size",
                                    "no-address",
                                    "all-scored",
                                    "no-until",
                                    "no-answer",
                                    "endless",
                                    "no-name",
                                    "no-data",
                                    "not-a-number",
                                    "huge-axis",
                                    "huge-observer",
                                    "at-once",
                                    "remove",
                                    "quick",
                                    "mute",
                                    "closing",
                                    "thread",
                                    "no-report",
                                    "blocks",
                                    "handles",
                                    "mutes",
                                    "mutes-einval",
                                    NULL };

enum callback {
    CHECK,
    PREPARE,
    SCORE,
    RANDOM,
    LOAD,
    DOUBLES,
    ADD_ROWS,
    ADD_EXPERT,
    MERGE,
    NEEDS,
    FORM
};
static const char *const callbacks[] = { "check", "prepare",   "score",    "random",
                                         "load",  "doubles",   "add_rows", "add_expert",
                                         "merge", "needs_for", "form_for", NULL };

struct settings {
    int64_t in, how;
};

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, in, SCORE, callbacks, "the callback that is faulty"),
    CULL_P_CHOICE(struct settings, how, NOTHING, hows, "the fault"),
};

// Deeper than any stack, and not a loop to the compiler.
static int recurse(volatile const char *from)
{
    volatile char here[1 << 16];

    here[0] = from ? from[0] : 1;
    return here[0] ? recurse(here) + here[1] : 0;
}

static void *crash(void *arg)
{
    *(volatile int *)arg = 1;
    return arg;
}

// What the fault is in this callback; the ends of the program are done at once.
static enum how fault(const struct settings *s, enum callback in)
{
    static int *const nowhere = NULL;

    if (s->in != (int64_t)in)
        return NOTHING;
    switch ((enum how)s->how) {
    case SEGV:
        *(volatile int *)nowhere = 1;
        break;
    case ABORT:
        abort();
    case FPE:
        raise(SIGFPE);
        break;
    case STACK:
        (void)recurse(NULL);
        break;
    case EXIT0:
        exit(0);
    case EXIT2:
        exit(2);
    case AT_ONCE:
        _exit(0);
    case NOISY:
        printf("NOISE\n");
        break;
    case THREAD: {
        pthread_t thread;
        if (pthread_create(&thread, NULL, crash, NULL) == 0)
            (void)pthread_join(thread, NULL);
        break;
    }
    case BLOCKS: {
        sigset_t all;
        sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
        *(volatile int *)nowhere = 1;
        break;
    }
    case HANDLES:
        (void)signal(SIGSEGV, SIG_DFL);
        (void)sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
        *(volatile int *)nowhere = 1;
        break;
    case MUTES:
        close(STDERR_FILENO);
        *(volatile int *)nowhere = 1;
        break;
    case MUTES_EINVAL:
        close(STDERR_FILENO);
        break;
    case QUICK:
        quick_exit(0);
    case CLOSING:
        for (int i = 3; i < 1024; i++)
            close(i);
        sleep(600);
        break;
    case REMOVE:
        if (system("rm -rf \"$CULL_CACHE\"") != 0)
            abort();
        break;
    default:
        break;
    }
    return (enum how)s->how;
}

static cull_status status_of(cull_ctx *ctx, enum how how)
{
    switch (how) {
    case MUTES_EINVAL:
    case SILENT_EINVAL:
        return CULL_EINVAL;
    case SILENT_EUSAGE:
        return CULL_EUSAGE;
    case SILENT_ENOMEM:
        return CULL_ENOMEM;
    case SILENT_ECANCELED:
        return CULL_ECANCELED;
    case STRANGE:
        return (cull_status)77;
    case GOT_OVER:
        (void)ctx->host->fail(ctx, CULL_EIO, "STALE");
        return CULL_OK;
    case MUTE:
        return ctx->host->fail(ctx, CULL_EIO, "%s", "");
    default:
        return CULL_OK;
    }
}

// ---- the metric ----

static cull_status check(cull_ctx *ctx, const void *settings)
{
    return status_of(ctx, fault(settings, CHECK));
}

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    static const char *const broken_stop[] = { "\xff" };
    const enum how how = fault(settings, PREPARE);
    cull_request *r = ctx->host->alloc(ctx, 1, sizeof *r);
    int32_t *ids = ctx->host->alloc(ctx, 4, sizeof *ids);

    (void)text;
    if (!r || !ids)
        return CULL_ENOMEM;
    const bool answer = how == NO_ANSWER || how == ENDLESS || how == NO_UNTIL ||
                        how == ANSWER_WANTS || how == NO_UTF8;
    for (size_t i = 0; i < 4; i++)
        ids[i] = how == WRONG_ID ? -1 : (int32_t)i + 1;
    *r = (cull_request){
        .size = how == HUGE_SIZE ? 0x7ffffff8 : sizeof *r,
        .kind = how == WRONG_KIND ? 7
                : answer          ? CULL_GENERATE
                                  : CULL_SCORE,
        .wants = how == WRONG_WANTS              ? 1u << 20
                 : answer && how != ANSWER_WANTS ? 0
                                                 : CULL_WANT_TOKENS,
        .ids = how == NO_IDS ? NULL : ids,
        .n = how == NO_TOKENS ? 0 : 4,
        .scored = how == ALL_SCORED ? 4 : 2,
        .max_new = how == NO_ANSWER ? 0
                   : how == ENDLESS ? SIZE_MAX / 2
                                    : 4,
        .n_until = how == NO_UNTIL || how == NO_UTF8,
        .until = how == NO_UTF8 ? broken_stop : NULL,
    };
    out->n = 1;
    out->at = how == NO_ARRAY ? NULL : how == NO_ADDRESS ? (cull_request *)(uintptr_t)4096 : r;
    return status_of(ctx, how);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    static const double one[] = { 1 };
    const enum how how = fault(settings, SCORE);
    const cull_value value = { .size = sizeof value,
                               .task = how == NO_NAME ? NULL : "border",
                               .metric = "ll",
                               .value = how == NOT_A_NUMBER ? NAN : answers[0].ll,
                               .stderr_ = NAN,
                               .n = 1 };
    const cull_column column = { .size = sizeof column,
                                 .task = "border",
                                 .name = "ll",
                                 .dims = { "doc" },
                                 .shape = { how == HUGE_AXIS ? SIZE_MAX / 4 : 1 },
                                 .type = 'd',
                                 .data = how == NO_DATA ? NULL : one };

    (void)requests;
    const cull_status status = status_of(ctx, how);
    if (status != CULL_OK || how == NO_REPORT)
        return status;
    const cull_status said = out->value(ctx, out, &value);
    return said == CULL_OK ? out->column(ctx, out, &column) : said;
}

static const cull_metric metric = {
    .size = sizeof metric, .prepare = prepare, .score = score, .check = check
};

// ---- the data ----

static bool is_random(const void *settings)
{
    (void)fault(settings, RANDOM);
    return false;
}

static cull_status load(cull_ctx *ctx, const void *settings, const cull_text *text,
                        cull_sequences *out)
{
    const enum how how = fault(settings, LOAD);
    cull_sequence *row = ctx->host->alloc(ctx, 1, sizeof *row);
    int32_t *ids = ctx->host->alloc(ctx, 16, sizeof *ids);

    (void)text;
    if (!row || !ids)
        return CULL_ENOMEM;
    for (size_t i = 0; i < 16; i++)
        ids[i] = how == WRONG_ID ? 1 << 30 : (int32_t)i + 1;
    *row = (cull_sequence){ .size = how == HUGE_SIZE ? 0x7ffffff8 : sizeof *row,
                            .ids = how == NO_IDS ? NULL : ids,
                            .n = how == NO_TOKENS ? 0 : 16,
                            .source = "made up" };
    out->n = 1;
    out->at = how == NO_ARRAY ? NULL : row;
    return status_of(ctx, how);
}

static const cull_data data = { .size = sizeof data, .random = is_random, .load = load };

// ---- the criterion ----

static size_t doubles(const void *settings, const cull_layer_facts *layer)
{
    return fault(settings, DOUBLES) == HUGE_OBSERVER ? SIZE_MAX / 16 : layer->E;
}

static void add_rows(const void *settings, const cull_routed_rows *rows, double *acc)
{
    (void)fault(settings, ADD_ROWS);
    acc[0] += (double)rows->n;
}

static void add_expert(const void *settings, const cull_expert_rows *rows, double *acc)
{
    (void)fault(settings, ADD_EXPERT);
    acc[rows->expert] += (double)rows->n;
}

static void merge(const void *settings, const cull_layer_facts *layer, double *acc,
                  const double *other)
{
    (void)fault(settings, MERGE);
    for (size_t i = 0; i < layer->E; i++)
        acc[i] += other[i];
}

static uint32_t needs_for(const void *settings)
{
    (void)fault(settings, NEEDS);
    return 0;
}

static uint32_t form_for(const void *settings)
{
    (void)fault(settings, FORM);
    return CULL_FORM_EXPERT;
}

static cull_status score_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 size_t layer, cull_scores *out)
{
    (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < view->layer[l].E; e++)
            out->expert[l][e] = cull_observed(ctx, view, l)[e];
    const enum how how = fault(settings, SCORE);
    if (how == NOISY && fork() == 0) { // and somebody who stays behind
        sleep(600);
        _exit(0);
    }
    return status_of(ctx, how);
}

static const cull_observer observer = { .size = sizeof observer,
                                        .doubles = doubles,
                                        .add_rows = add_rows,
                                        .add_expert = add_expert,
                                        .merge = merge };
static const cull_criterion criterion = { .size = sizeof criterion,
                                          .form = CULL_FORM_EXPERT,
                                          .needs_for = needs_for,
                                          .form_for = form_for,
                                          .score = score_experts,
                                          .observer = &observer };

#define PLUGIN(symbol, which)                                                                      \
    static const cull_plugin plugin_##symbol = {                                                   \
        .size = sizeof plugin_##symbol,                                                            \
        .kind = which,                                                                             \
        .name = "border",                                                                          \
        .version = "1.0",                                                                          \
        .brief = "for tests",                                                                      \
        CULL_SETTINGS(params, struct settings),                                                    \
        .vtable = &symbol,                                                                         \
    };

PLUGIN(metric, CULL_METRIC)
PLUGIN(data, CULL_DATA)
PLUGIN(criterion, CULL_CRITERION)

CULL_MODULE("border", "1.0", "MIT", &plugin_metric, &plugin_data, &plugin_criterion);
