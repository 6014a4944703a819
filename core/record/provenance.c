// Where and by what a trial was made.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "math/kernels.h"
#include "record/build_info.h"
#include "record/trial_file.h"
#include "record/trial_groups.h"

// The value of the first line "key : value" of a file of the system; "" where there is none.
static const char *system_line(cull_ctx *ctx, const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    char line[512], *value = NULL;
    const char *found = "";

    while (file && !value && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strchr(line, ':');
    if (value) {
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        found = cull_arena_copy(cull_context_of(ctx)->alloc, value, strlen(value));
    }
    if (file)
        fclose(file);
    return found;
}

cull_status cull_provenance_here(cull_ctx *ctx, cull_provenance *out)
{
    char host[256] = "";

    (void)gethostname(host, sizeof host - 1);
    cull_key key = { "" };
    const int failed = cull_key_of_file("/proc/self/exe", &key);
    if (failed)
        ctx->host->log(ctx, CULL_WARN, "the program's own file cannot be hashed: %s",
                       strerror(failed));

    cull_arena *arena = cull_context_of(ctx)->alloc;
    out->git_commit = CULL_GIT_COMMIT;
    out->git_dirty = CULL_GIT_DIRTY;
    out->compiler = CULL_COMPILER;
    out->flags = CULL_FLAGS;
    out->binary_hash = cull_arena_copy(arena, key.hex, strlen(key.hex));
    out->host = cull_arena_copy(arena, host, strlen(host));
    out->cpu = system_line(ctx, "/proc/cpuinfo", "model name");
    char kernels[CULL_KERNELS_TEXT];
    cull_kernels_text(kernels);
    out->kernels = cull_arena_copy(arena, kernels, strlen(kernels));
    const char *ram = system_line(ctx, "/proc/meminfo", "MemTotal");
    if (!out->binary_hash || !out->host || !out->cpu || !out->kernels || !ram)
        return cull_no_memory(ctx);
    out->ram_bytes = strtoull(ram, NULL, 10) * 1024;
    return CULL_OK;
}

// ---- in the file ----

static void put_plugins(cull_h5 *file, size_t n, const cull_plugin_used *plugins)
{
    static const char *const names[] = { "kind", "name",     "version", "path",
                                         "hash", "settings", "cite" };

    cull_h5_group(file, "/provenance/plugins");
    for (size_t c = 0; c < sizeof names / sizeof names[0]; c++) {
        const char **column = cull_h5_scratch(file, n, sizeof *column);
        if (!column)
            return;
        for (size_t i = 0; i < n; i++) {
            const char *const row[] = { plugins[i].kind, plugins[i].name, plugins[i].version,
                                        plugins[i].path, plugins[i].hash, plugins[i].settings,
                                        plugins[i].cite };
            column[i] = row[c];
        }
        cull_h5_put(
            file, "/provenance/plugins",
            &(cull_h5_array){ names[c], 's', 1, { "plugin" }, { n }, column, NULL, NULL, NULL });
    }
}

static void put_seeds(cull_h5 *file, size_t n, const cull_seed_used *seeds)
{
    const char **names = cull_h5_scratch(file, n, sizeof *names);
    uint64_t *values = cull_h5_scratch(file, n, sizeof *values);

    if (!names || !values)
        return;

    for (size_t i = 0; i < n; i++) {
        names[i] = seeds[i].name;
        values[i] = seeds[i].value;
    }
    const char *group = "/provenance/seeds";
    cull_h5_group(file, group);
    cull_h5_put(file, group,
                &(cull_h5_array){ "stream", 's', 1, { "stream" }, { n }, names, NULL, NULL, NULL });
    cull_h5_put(file, group,
                &(cull_h5_array){ "value", 'u', 1, { "stream" }, { n }, values, NULL, NULL, NULL });
}

static void put_files(cull_h5 *file, size_t n, const cull_name_key *files)
{
    const char **names = cull_h5_scratch(file, n, sizeof *names);
    const char **keys = cull_h5_scratch(file, n, sizeof *keys);
    uint64_t *bytes = cull_h5_scratch(file, n, sizeof *bytes);

    if (!names || !keys || !bytes)
        return;

    for (size_t i = 0; i < n; i++) {
        names[i] = files[i].name;
        keys[i] = files[i].key;
        bytes[i] = files[i].bytes;
    }
    const char *group = "/provenance/files";
    cull_h5_group(file, group);
    cull_h5_put(file, group,
                &(cull_h5_array){ "path", 's', 1, { "file" }, { n }, names, NULL, NULL, NULL });
    cull_h5_put(
        file, group,
        &(cull_h5_array){
            "xxh3", 's', 1, { "file" }, { n }, keys, NULL, "XXH3-128 of the content", NULL });
    cull_h5_put(file, group,
                &(cull_h5_array){ "size", 'u', 1, { "file" }, { n }, bytes, "byte", NULL, NULL });
}

void cull_put_provenance(cull_h5 *file, const cull_provenance *p)
{
    const char *group = "/provenance";

    cull_h5_group(file, group);
    cull_h5_document(file, group, "config_yaml", p->config_yaml, "the experiment, as it was given");
    cull_h5_document(file, group, "config_resolved", p->config_resolved,
                     "the trial's settings with all defaults, as JSON");
    cull_h5_texts(file, group, "argv", p->argc, p->argv);
    cull_h5_text(file, group, "version", CULL_VERSION);
    cull_h5_text(file, group, "git_commit", p->git_commit);
    cull_h5_count(file, group, "git_dirty", p->git_dirty);
    cull_h5_text(file, group, "compiler", p->compiler);
    cull_h5_text(file, group, "flags", p->flags);
    cull_h5_text(file, group, "binary_hash", p->binary_hash);
    cull_h5_text(file, group, "host", p->host);
    cull_h5_text(file, group, "cpu", p->cpu);
    cull_h5_text(file, group, "kernels", p->kernels);
    cull_h5_count(file, group, "ram_bytes", p->ram_bytes);
    cull_h5_count(file, group, "threads", p->threads);
    put_plugins(file, p->n_plugins, p->plugins);
    put_seeds(file, p->n_seeds, p->seeds);
    put_files(file, p->n_files, p->files);
}
