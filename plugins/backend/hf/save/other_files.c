// What a checkpoint has beside weights and config.json: tokenizer, templates, code, in sub-folders
// too. Other programs' weights stay behind: they are of the model that was not pruned.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save/save.h"

enum { MOST_DEPTH = 8 }; // of sub-folders

typedef struct copying {
    hf_saving *s;
    size_t n_left;    // files that stay behind
    const char *left; // the first of them
} copying;

cull_status hf_write_file(cull_ctx *ctx, const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wbx");
    const bool written =
        file && fwrite(bytes, 1, n, file) == n && fflush(file) == 0 && fsync(fileno(file)) == 0;
    const int error = errno;

    if (file && fclose(file) == 0 && written)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EIO, "%s: %s", path, strerror(error));
}

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

// Weights in any form, and what has them loaded. Names of shards go on after it: "x.gguf.part1of2".
static bool is_weights(const char *name)
{
    static const char *const ends[] = {
        ".bin",    ".pth",     ".pt",          ".ckpt",       ".onnx", ".onnx_data",
        ".h5",     ".msgpack", ".ot",          ".npz",        ".npy",  ".pkl",
        ".pickle", ".tflite",  ".mlmodel",     ".distcp",     ".nemo", ".llamafile",
        ".params", ".engine",  ".safetensors", ".index.json",
    };

    if (strcmp(name, "adapter_config.json") == 0)
        return true;
    if (strstr(name, ".gguf") || strstr(name, ".ggml") || strstr(name, ".safetensors."))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i]))
            return true;
    return false;
}

// What is written anew: the model's own weights with their index, its config.json, what is ours.
static bool is_replaced(const hf_saving *s, const char *name)
{
    static const char *const names[] = { "config.json", "model.safetensors.index.json",
                                         "cull-kept.jsonl", HF_OWN_FILE };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    if (s->how->dequantise && strcmp(name, "hf_quant_config.json") == 0)
        return true; // how it was quantised
    for (size_t i = 0; i < s->m->files.n; i++)
        if (strcmp(name, s->m->files.name[i]) == 0)
            return true;
    return false;
}

static cull_status copy_file(hf_saving *s, const char *from, const char *to)
{
    char block[1 << 16];
    size_t n;

    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wbx") : NULL;
    bool ok = in && out;
    while (ok && (n = fread(block, 1, sizeof block, in)) > 0)
        ok = fwrite(block, 1, n, out) == n;
    ok = ok && !ferror(in) && fflush(out) == 0 && fsync(fileno(out)) == 0;
    const int error = errno;
    if (in)
        (void)fclose(in);
    if (out)
        ok = fclose(out) == 0 && ok;
    return ok ? CULL_OK
              : s->ctx->host->fail(s->ctx, CULL_EIO, "%s to %s: %s", from, to, strerror(error));
}

// The folder that is being written, should it lie inside the source.
static bool is_target(const hf_saving *s, const struct stat *st)
{
    struct stat target;

    return stat(s->how->folder, &target) == 0 && target.st_dev == st->st_dev &&
           target.st_ino == st->st_ino;
}

static cull_status copy_folder(copying *c, const char *below, int depth);

// One entry of the folder `below` ("" or "templates/"). Links to files are followed, as the Hub's
// cache is made of them; links to folders are not.
static cull_status copy_entry(copying *c, const char *below, const char *name, int depth)
{
    hf_saving *s = c->s;
    const char *path = hf_text(s->ctx, "%s%s", below, name);
    const char *from = path ? hf_text(s->ctx, "%s/%s", s->m->facts.source, path) : NULL;
    const char *to = path ? hf_text(s->ctx, "%s/%s", s->how->folder, path) : NULL;
    struct stat link, st;

    if (!from || !to)
        return CULL_ENOMEM;
    if (lstat(from, &link) != 0 || stat(from, &st) != 0)
        return s->ctx->host->fail(s->ctx, CULL_EIO, "%s: %s", from, strerror(errno));
    if (S_ISDIR(link.st_mode) && !is_target(s, &link))
        return copy_folder(c, hf_text(s->ctx, "%s/", path), depth + 1);
    if (!S_ISREG(st.st_mode))
        return CULL_OK;
    if (!is_weights(name))
        return copy_file(s, from, to);
    c->left = c->n_left++ ? c->left : path;
    return CULL_OK;
}

static cull_status copy_folder(copying *c, const char *below, int depth)
{
    hf_saving *s = c->s;
    const char *from = below ? hf_text(s->ctx, "%s/%s", s->m->facts.source, below) : NULL;
    const char *to = below ? hf_text(s->ctx, "%s/%s", s->how->folder, below) : NULL;
    cull_status status = CULL_OK;
    struct dirent *entry;

    if (!from || !to)
        return CULL_ENOMEM;
    if (depth > MOST_DEPTH)
        return s->ctx->host->fail(s->ctx, CULL_ENOTSUP, "%s: folders this deep are not copied",
                                  from);
    if (depth && mkdir(to, 0777) != 0)
        return s->ctx->host->fail(s->ctx, CULL_EIO, "%s: %s", to, strerror(errno));
    DIR *folder = opendir(from);
    if (!folder)
        return s->ctx->host->fail(s->ctx, CULL_EIO, "%s: %s", from, strerror(errno));
    while (status == CULL_OK && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && (depth || !is_replaced(s, entry->d_name)))
            status = copy_entry(c, below, entry->d_name, depth);
    (void)closedir(folder);
    if (depth)
        (void)rmdir(to); // where nothing was copied into it
    return status;
}

cull_status hf_save_rest(hf_saving *s)
{
    copying c = { .s = s };

    CULL_TRY(copy_folder(&c, "", 0));
    if (c.n_left)
        s->ctx->host->log(
            s->ctx, CULL_WARN,
            "%zu files of other weights are not copied, \"%s\" first: they are of the "
            "model that was not pruned",
            c.n_left, c.left);
    return CULL_OK;
}
