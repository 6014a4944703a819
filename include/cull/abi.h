// What a plugin's shared object exports: one data symbol, cull_module_v1.
//
// Every struct that crosses the border begins with its own size and only ever grows at its end; the host
// copies the smaller of the two sizes into zeroes, so a missing callback is NULL. The elements of an array
// begin with their size too, and that is its stride: go through those that the host made with the functions
// beside them (cull_view_layer, cull_stats_layer, cull_cut_layer, cull_answer_at), never with [i]. Structs that
// say "fixed" have no size and never change. Majors must agree; a plugin with a newer minor than the host's
// loads, and asks CULL_HAS before it uses what came later. Modules are never unloaded.
#ifndef CULL_ABI_H
#define CULL_ABI_H

#include <stddef.h>
#include <stdint.h>

#include <cull/param.h>

#define CULL_MAGIC 0x6c6c7563u // "cull"
#define CULL_ABI_MAJOR 1u
#define CULL_ABI_MINOR 1u
#define CULL_ABI (CULL_ABI_MAJOR << 16 | CULL_ABI_MINOR)

typedef enum cull_kind {
    CULL_BACKEND,
    CULL_DATA,
    CULL_CRITERION,
    CULL_STRATEGY,
    CULL_METRIC,
    CULL_N_KINDS
} cull_kind;

typedef struct cull_plugin {
    uint32_t size;
    cull_kind kind;
    const char *name;    // the word that experiments use; lower case, digits, hyphens
    const char *version; // changes whenever results may change: it is part of the content keys
    const char *brief;   // one line
    const void *vtable;  // const cull_criterion *, … by kind
    const char *doc;     // the method in prose: what it computes, cost, departures from the authors' code
    const char *cite;    // the source: paper, section; BibTeX where there is one
    size_t settings_size, n_params, param_size; // of the settings struct; rows of params, and their stride
    const cull_param *params;
} cull_plugin;

typedef struct cull_module {
    uint32_t magic, size, abi; // these three first, for ever
    const char *name, *version, *license;
    const cull_plugin *const *plugins; // NULL-terminated
} cull_module;

#if defined(__cplusplus)
#define CULL_EXTERN extern "C"
#else
#define CULL_EXTERN extern
#endif

CULL_EXTERN __attribute__((visibility("default"))) const cull_module cull_module_v1;

// One module with the plugins given, each a const cull_plugin.
#define CULL_MODULE(mod_name, mod_version, mod_license, ...)                                       \
    static const cull_plugin *const cull_module_plugins[] = { __VA_ARGS__, NULL };                 \
    const cull_module cull_module_v1 = {                                                           \
        .magic = CULL_MAGIC,                                                                       \
        .size = sizeof(cull_module),                                                               \
        .abi = CULL_ABI,                                                                           \
        .name = (mod_name),                                                                        \
        .version = (mod_version),                                                                  \
        .license = (mod_license),                                                                  \
        .plugins = cull_module_plugins,                                                            \
    }

// The fields of a cull_plugin that follow from its settings table and struct, the last ones. A plugin without
// settings leaves them out.
#define CULL_SETTINGS(table, S)                                                                    \
    .settings_size = sizeof(S), .n_params = sizeof(table) / sizeof((table)[0]),                    \
    .param_size = sizeof(cull_param), .params = (table)

#endif
