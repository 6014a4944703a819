// A host for tests of plugins: the core's own context, without a run around it.
//
//     static fake_host *host;                        // group setup: host = fake_host_new(1);
//     const cull_plugin *p = fake_plugin(host, "criterion", "reap");
//     const cull_criterion *reap = p->vtable;
//     void *settings = fake_settings(host, p);       // defaults
//     fake_set(host, p, settings, "min_share", "0.1");
//     assert_ok(host, reap->score(fake_ctx(host), settings, &view, CULL_ALL_LAYERS, &scores));
//
// Everything that can go wrong here fails the test with a sentence.
#ifndef CULL_TESTS_FAKE_HOST_H
#define CULL_TESTS_FAKE_HOST_H

#include <cull/cull.h>

#include "base/context.h"
#include "cut/cut.h"

typedef struct fake_host {
    cull_context context;
    cull_pool *pool;
} fake_host;

fake_host *fake_host_new(size_t threads); // seed 1, silent
void fake_host_free(fake_host *host);
cull_ctx *fake_ctx(fake_host *host);
const char *fake_error(fake_host *host); // the sentence and its frames
void fake_clear(fake_host *host);        // forget the error

// The plugin in PLUGINS/<kind>-<name>.so of the build tree. Also sets the context's owner to its
// name.
#define fake_plugin(host, kind, name)                                                              \
    fake_plugin_at((host), CULL_BINARY_DIR "/plugins/" kind "-" name ".so", (name))
const cull_plugin *fake_plugin_at(fake_host *host, const char *path, const char *name);
void *fake_settings(fake_host *host, const cull_plugin *plugin);
void fake_set(fake_host *host, const cull_plugin *plugin, void *settings, const char *name,
              const char *text);
void fake_set_list(fake_host *host, const cull_plugin *plugin, void *settings, const char *name,
                   size_t n, const char *const *texts);

#define assert_ok(host, call) fake_assert_ok((host), (call), #call, __FILE__, __LINE__)
// The call fails with `status`, and its sentence contains `part`. The error is cleared.
#define assert_fails(host, call, status, part)                                                     \
    fake_assert_fails((host), (call), (status), (part), #call, __FILE__, __LINE__)
void fake_assert_ok(fake_host *host, cull_status status, const char *call, const char *file,
                    int line);
void fake_assert_fails(fake_host *host, cull_status status, cull_status expected, const char *part,
                       const char *call, const char *file, int line);

#endif
