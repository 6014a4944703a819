// A plugin for the loader's tests; MODULE_FAULT chooses what is wrong with it (tests.cmake).
#include <cull/cull.h>

enum fault {
    FINE,
    OTHER_MAGIC,
    OTHER_MAJOR,
    OLD_ABI,
    SHORT_MODULE,
    NO_PLUGINS,
    SHORT_PLUGIN,
    UNKNOWN_KIND,
    BAD_NAME,
    NO_VERSION,
    NO_VTABLE,
    NO_CALLBACK,
    FIELD_OUTSIDE,
    DEFAULT_OUTSIDE,
    SAME_SETTING,
    NEWER,
};

#ifndef MODULE_NAME
#    define MODULE_NAME "sample"
#endif

struct settings {
    double share;
    int64_t mode;
};

static const char *const modes[] = { "slow", "fast", NULL };

static const cull_param params[] = {
    CULL_P_REAL(struct settings, share, MODULE_FAULT == DEFAULT_OUTSIDE ? 2.0 : 0.25, 0.0, 1.0,
                "how much"),
    CULL_P_CHOICE(struct settings, mode, 1, modes, "how"),
    { .name = MODULE_FAULT == SAME_SETTING ? "mode" : "third",
      .doc = "one more",
      .type = CULL_BOOL,
      .offset = MODULE_FAULT == FIELD_OUTSIDE ? sizeof(struct settings) : 0 },
};

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx;
    (void)settings;
    (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < view->layer[l].E; e++)
            out->expert[l][e] = view->stats->layer[l].count[e];
    return CULL_OK;
}

typedef struct newer_criterion { // as a later Cull may have it
    cull_criterion now;
    void (*later)(void);
} newer_criterion;

static const newer_criterion vtable = {
    .now = {
        .size = MODULE_FAULT == NEWER ? sizeof(newer_criterion) : sizeof(cull_criterion),
        .form = CULL_FORM_EXPERT,
        .needs = CULL_STAT_ROUTING,
        .score = MODULE_FAULT == NO_CALLBACK ? NULL : score,
    },
};

static const cull_plugin plugin = {
    .size = MODULE_FAULT == SHORT_PLUGIN ? 16 : sizeof(cull_plugin),
    .kind = MODULE_FAULT == UNKNOWN_KIND ? (cull_kind)77 : CULL_CRITERION,
    .name = MODULE_FAULT == BAD_NAME ? "Sample One" : MODULE_NAME,
    .version = MODULE_FAULT == NO_VERSION ? NULL : "1.0",
    .brief = "tokens that an expert serves",
    .doc = "Counts.",
    .vtable = MODULE_FAULT == NO_VTABLE ? NULL : &vtable,
    CULL_SETTINGS(params, struct settings),
};

static const cull_plugin *const plugins[] = { MODULE_FAULT == NO_PLUGINS ? NULL : &plugin, NULL };

#if defined(MODULE_WITHOUT_SYMBOL)
#    define cull_module_v1 cull_module_v0
#endif

extern __attribute__((visibility("default"))) const cull_module cull_module_v1;
const cull_module cull_module_v1 = {
    .magic = MODULE_FAULT == OTHER_MAGIC ? 0x6c6c7564u : CULL_MAGIC,
    .size = MODULE_FAULT == SHORT_MODULE ? 12 : sizeof(cull_module),
    .abi = MODULE_FAULT == OTHER_MAJOR ? 7u << 16
           : MODULE_FAULT == OLD_ABI   ? 0u << 16 | 1u
           : MODULE_FAULT == NEWER     ? CULL_ABI + 1
                                       : CULL_ABI,
    .name = "sample",
    .version = "1.0",
    .license = "MIT",
    .plugins = plugins,
};
