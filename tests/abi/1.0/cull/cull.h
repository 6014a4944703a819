// Cull's SDK: all that a plugin may include.
#ifndef CULL_H
#define CULL_H

#include <cull/abi.h>
#include <cull/backend.h>
#include <cull/criterion.h>
#include <cull/cut.h>
#include <cull/data.h>
#include <cull/host.h>
#include <cull/metric.h>
#include <cull/model.h>
#include <cull/param.h>
#include <cull/scores.h>
#include <cull/stats.h>
#include <cull/status.h>
#include <cull/strategy.h>
#include <cull/tensor.h>
#include <cull/text.h>
#include <cull/view.h>

// The plugin `sym` of kind KIND as a module of its own, in one line at the end of its file:
//     CULL_PLUGIN(CRITERION, reap, "1.0", "one line", .doc = …, .cite = …, CULL_SETTINGS(params, struct s));
// where the vtable is `static const cull_criterion sym`. A name with hyphens: CULL_PLUGIN_NAMED.
#define CULL_PLUGIN_NAMED(KIND, sym, word, ver, text, ...)                                         \
    static const cull_plugin cull_plugin_##sym = {                                                 \
        .size = sizeof(cull_plugin),                                                               \
        .kind = CULL_##KIND,                                                                       \
        .name = (word),                                                                            \
        .version = (ver),                                                                          \
        .brief = (text),                                                                           \
        .vtable = &(sym),                                                                          \
        __VA_ARGS__                                                                                \
    };                                                                                             \
    CULL_MODULE(word, ver, "MIT", &cull_plugin_##sym)

#define CULL_PLUGIN(KIND, sym, ver, text, ...)                                                     \
    CULL_PLUGIN_NAMED(KIND, sym, #sym, ver, text, __VA_ARGS__)

#endif
