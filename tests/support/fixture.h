// What the tests of a file share, made by `setup` and gone by `teardown`, of each or of all.
//
//     PLUGIN_FIXTURE("metric", "choices") // host, plugin, files
//     …
//     return cmocka_run_group_tests(tests, setup, teardown);
//
// What a fixture needs beside this header stands at its place.
#ifndef CULL_TESTS_FIXTURE_H
#define CULL_TESTS_FIXTURE_H

#include "support/fake_host.h"
#include "support/temp_files.h"

// static fake_host *host; with so many threads
#define HOST_FIXTURE(threads)                                                                      \
    static fake_host *host;                                                                        \
    static int setup(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        host = fake_host_new(threads);                                                             \
        return 0;                                                                                  \
    }                                                                                              \
    static int teardown(void **state)                                                              \
    {                                                                                              \
        (void)state;                                                                               \
        fake_host_free(host);                                                                      \
        return 0;                                                                                  \
    }

// static char folder[64]; *state: the host. Of each test.
#define FOLDER_FIXTURE                                                                             \
    static char folder[64];                                                                        \
    static int setup(void **state)                                                                 \
    {                                                                                              \
        *state = fake_host_new(1);                                                                 \
        return temp_folder(folder);                                                                \
    }                                                                                              \
    static int teardown(void **state)                                                              \
    {                                                                                              \
        fake_host_free(*state);                                                                    \
        return temp_folder_end(folder);                                                            \
    }

// static fake_host *host; static cull_registry *registry; (plugin/registry.h)
#define REGISTRY_FIXTURE                                                                           \
    static fake_host *host;                                                                        \
    static cull_registry *registry;                                                                \
    static int setup(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        host = fake_host_new(1);                                                                   \
        registry = cull_registry_new(fake_ctx(host));                                              \
        return registry ? 0 : -1;                                                                  \
    }                                                                                              \
    static int teardown(void **state)                                                              \
    {                                                                                              \
        (void)state;                                                                               \
        cull_registry_free(registry);                                                              \
        fake_host_free(host);                                                                      \
        return 0;                                                                                  \
    }

// static fake_host *host; static tinyworld *worlds[2]: both models (support/methods.h)
#define WORLDS_FIXTURE                                                                             \
    static fake_host *host;                                                                        \
    static tinyworld *worlds[2];                                                                   \
    static int setup(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        host = methods_open(worlds);                                                               \
        return 0;                                                                                  \
    }                                                                                              \
    static int teardown(void **state)                                                              \
    {                                                                                              \
        (void)state;                                                                               \
        methods_close(host, worlds);                                                               \
        return 0;                                                                                  \
    }

// static fake_host *host; static const cull_plugin *plugin; static temp_files files;
#define PLUGIN_FIXTURE(kind, name)                                                                 \
    static fake_host *host;                                                                        \
    static const cull_plugin *plugin;                                                              \
    static temp_files files;                                                                       \
    static int setup(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        host = fake_host_new(1);                                                                   \
        plugin = fake_plugin(host, kind, name);                                                    \
        temp_begin(&files);                                                                        \
        return 0;                                                                                  \
    }                                                                                              \
    static int teardown(void **state)                                                              \
    {                                                                                              \
        (void)state;                                                                               \
        temp_end(&files);                                                                          \
        fake_host_free(host);                                                                      \
        return 0;                                                                                  \
    }

#endif
