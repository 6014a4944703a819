// A checkpoint opened through the backend hf, for tests of the engine.
#ifndef CULL_TESTS_OPENED_H
#define CULL_TESTS_OPENED_H

#include "engine/engine.h"
#include "support/fake_host.h"

// Both fail the test when the checkpoint cannot be opened; `opened_new` looks below the source
// folder.
cull_open_model opened_new(fake_host *host, const char *path);
cull_open_model opened_at(fake_host *host, const char *path);
void opened_close(cull_open_model *m);

// The layers' facts as the statistics' store wants them, in the host's memory.
const cull_layer_facts *const *opened_facts(fake_host *host, const cull_open_model *m);

// A cut that drops all but the kept experts of each layer: kept[l] sorted, n_kept[l] of them.
cull_cut *opened_drop(fake_host *host, const cull_open_model *m, const int32_t *const *kept,
                      const size_t *n_kept);

#endif
