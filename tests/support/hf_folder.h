// A copy of a golden checkpoint, to be damaged and opened by the backend hf.
#ifndef CULL_TESTS_HF_FOLDER_H
#define CULL_TESTS_HF_FOLDER_H

#include <cull/backend.h>

#include "support/fake_host.h"
#include "support/temp_files.h"

typedef struct hf_folder {
    fake_host *host;
    const cull_plugin *plugin;
    const cull_backend *hf;
    void *settings;
    temp_files files;   // a copy of a checkpoint
    const char *folder; // in which it lies
} hf_folder;

int hf_folder_new(void **state); // set up and tear down of cmocka
int hf_folder_free(void **state);

// Copy checkpoint `name` of tests/golden/architectures into the folder.
void hf_folder_copy(hf_folder *, const char *name);
// The bytes of a file, which live as long as the host; false: there is no such file.
bool hf_folder_read(hf_folder *, const char *path, const char **bytes, size_t *n);
// Open what lies in `folder`; what: CULL_OPEN_…
cull_status hf_folder_open(hf_folder *, const char *folder, uint32_t what, cull_model **model);

#endif
