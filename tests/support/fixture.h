// What the tests of a file share: made by `setup` before the first, gone by `teardown` after the
// last.
//
//     PLUGIN_FIXTURE("metric", "choices") // host, plugin, files
//     …
//     return cmocka_run_group_tests(tests, setup, teardown);
#ifndef CULL_TESTS_FIXTURE_H
#define CULL_TESTS_FIXTURE_H

#include "support/fake_host.h"
#include "support/temp_files.h"

// static fake_host *host;
#define HOST_FIXTURE                                                                               \
    static fake_host *host;                                                                        \
    static int setup(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        host = fake_host_new(1);                                                                   \
        return 0;                                                                                  \
    }                                                                                              \
    static int teardown(void **state)                                                              \
    {                                                                                              \
        (void)state;                                                                               \
        fake_host_free(host);                                                                      \
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
