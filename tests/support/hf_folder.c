// The folder of a checkpoint that tests of the backend hf change.
#include "support/test.h"

#include <stdio.h>
#include <unistd.h>

#include "support/hf_folder.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

int hf_folder_new(void **state)
{
    hf_folder *f = test_calloc(1, sizeof *f);

    f->host = fake_host_new(1);
    f->plugin = fake_plugin(f->host, "backend", "hf");
    f->hf = f->plugin->vtable;
    f->settings = fake_settings(f->host, f->plugin);
    temp_begin(&f->files);
    f->folder = f->files.folder;
    *state = f;
    return 0;
}

static const char *const files[] = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors",
};
enum { N_FILES = sizeof files / sizeof *files };

int hf_folder_free(void **state)
{
    hf_folder *f = *state;

    temp_end(&f->files);
    fake_host_free(f->host);
    test_free(f);
    return 0;
}

bool hf_folder_read(hf_folder *f, const char *path, const char **bytes, size_t *n)
{
    if (access(path, R_OK) != 0)
        return false;
    assert_ok(f->host, fake_ctx(f->host)->host->read_file(fake_ctx(f->host), path, bytes, n));
    return true;
}

void hf_folder_copy(hf_folder *f, const char *name)
{
    char path[512];
    const char *bytes;
    size_t n;

    for (size_t i = 0; i < N_FILES; i++) {
        (void)snprintf(path, sizeof path, GOLDEN "%s/%s", name, files[i]);
        (void)unlink(temp_path(&f->files, files[i]));
        if (hf_folder_read(f, path, &bytes, &n))
            (void)temp_write(&f->files, files[i], bytes, n);
    }
}

cull_status hf_folder_open(hf_folder *f, const char *folder, uint32_t what, cull_model **model)
{
    fake_set(f->host, f->plugin, f->settings, "path", folder);
    return f->hf->open(fake_ctx(f->host), f->settings, what, model);
}
