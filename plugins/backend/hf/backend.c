// Backend hf: checkpoints as Hugging Face's transformers writes them.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "forward/pieces.h"
#include "save/save.h"
#include "tokenizer/tokenizer.h"

struct settings {
    const char *path;
};

static const cull_param params[] = {
    CULL_P_PATH(
        struct settings, path, CULL_REQUIRED,
        "folder with config.json, safetensors files and tokenizer.json; or the id of a model in"
        " the local Hub cache, org/name"),
};

static cull_status hf_open(cull_ctx *ctx, const void *settings, uint32_t what, cull_model **out)
{
    const struct settings *set = settings;

    return hf_open_folder(ctx, set->path, what, out);
}

static const cull_model_facts *hf_model_facts(const cull_model *m)
{
    return &m->facts;
}

static const cull_layer_facts *hf_layer_facts(const cull_model *m, size_t l)
{
    return &m->layer[l].facts;
}

static cull_status hf_matrix(cull_ctx *ctx, const cull_model *m, cull_matrix_id where,
                             cull_matrix *out)
{
    const cull_matrix *found = hf_matrix_place(m, where);

    if (found && found->rows) {
        *out = *found;
        return CULL_OK;
    }
    return ctx->host->fail(ctx, CULL_ENOTSUP, "layer %d has no matrix %s (expert %d)",
                           (int)where.layer, cull_part_word(where.part), (int)where.expert);
}

static void hf_prefetch(const cull_model *m, size_t l)
{
    hf_files_prefetch(&m->files, m->layer[l].first_tensor, m->layer[l].end_tensor);
}

static void hf_release(const cull_model *m, size_t l)
{
    hf_files_release(&m->files, m->layer[l].first_tensor, m->layer[l].end_tensor);
}

static void hf_release_all(const cull_model *m)
{
    hf_files_release(&m->files, 0, m->files.n_tensors);
}

static cull_status hf_encode(cull_ctx *ctx, const cull_model *m, const char *text, size_t len,
                             uint32_t flags, int32_t **ids, size_t *n)
{
    return hf_tokenizer_encode(ctx, m->tokenizer, text, len, flags, ids, n);
}

static cull_status hf_decode(cull_ctx *ctx, const cull_model *m, const int32_t *ids, size_t n,
                             uint32_t flags, char **text, size_t *len)
{
    return hf_tokenizer_decode(ctx, m->tokenizer, ids, n, flags, text, len);
}

static size_t hf_notes(const cull_model *m, const char *const **texts)
{
    *texts = m->note;
    return m->n_notes;
}

static const cull_backend hf = {
    .size = sizeof hf,
    .open = hf_open,
    .close = hf_close,
    .facts = hf_model_facts,
    .layer_facts = hf_layer_facts,
    .matrix = hf_matrix,
    .prefetch = hf_prefetch,
    .release = hf_release,
    .embed = hf_embed,
    .attend = hf_attend,
    .route = hf_route,
    .expert = hf_expert,
    .after = hf_after,
    .enter = hf_enter,
    .leave = hf_leave,
    .norm = hf_last_norm,
    .encode = hf_encode,
    .decode = hf_decode,
    .notes = hf_notes,
    .save = hf_save,
    .release_all = hf_release_all,
    .saved_bytes = hf_saved_bytes,
};

CULL_PLUGIN(
    BACKEND, hf, "1.0", "checkpoints of Hugging Face's transformers, memory-mapped",
    .doc =
        "Opens a folder with config.json and safetensors files (one, or shards with an index) and"
        " describes the layers' pieces to the engine. Weights stay as stored: BF16, F16, F32, FP8"
        " E4M3 with block scales, MXFP4. Whatever is wrong with a checkpoint is found when it is"
        " opened; what is left out (MTP layers, tensors that belong to no part) is noted."
        " generation_config.json (without one, config.json) says what transformers' generate()"
        " does in greedy decoding: every id of eos_token_id ends an answer, repetition_penalty is"
        " applied, max_new_tokens stands above a task's; other keys that change answers"
        " (min_new_tokens, no_repeat_ngram_size, suppress_tokens, …) are refused where answers are"
        " generated, and only there.",
    .cite = "each architecture's paper is named in its file, plugins/backend/hf/arch",
    CULL_SETTINGS(params, struct settings));
