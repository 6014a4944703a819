// Opening: tokenizer.json into parts, with what the other files add.
#include "parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "common/text/json_dumped.h"
#include "digest.h"

static cull_status read_root(const tk_node *root, const char *folder, hf_tokenizer *tk)
{
    cull_ctx *ctx = root->file->ctx;
    const tk_node added = tk_field(root, "added_tokens"), model = tk_field(root, "model");
    tk_added *tokens;
    size_t n;
    tk_config config;

    CULL_TRY(tk_only(root, "version truncation padding added_tokens normalizer pre_tokenizer "
                           "post_processor decoder model"));
    CULL_TRY(tk_config_read(ctx, folder, &config));
    CULL_TRY(tk_added_read(&added, &tokens, &n));
    CULL_TRY(tk_bpe_read(&model, &tk->bpe));
    CULL_TRY(tk_components_read(root, tk));
    CULL_TRY(tk_added_enter(root, tk, tokens, n, &config));
    tk->bos = tk_token_id(tk, config.bos);
    tk->eos = tk_token_id(tk, config.eos);
    return CULL_OK;
}

static bool exists(const char *folder, const char *name)
{
    char path[4096];
    struct stat info;

    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
           stat(path, &info) == 0;
}

// Without a tokenizer.json: tiktoken's file, or a word about what there is.
static cull_status open_other(cull_ctx *ctx, const char *folder, hf_tokenizer *tk)
{
    char ranks[4096];

    CULL_TRY(tk_find_ranks(ctx, folder, ranks));
    if (*ranks)
        return tk_tiktoken_open(ctx, folder, ranks, tk);
    if (exists(folder, "tokenizer.model"))
        return ctx->host->fail(ctx, CULL_ENOTSUP,
                               "%s/tokenizer.model: SentencePiece's own form is not read; make a "
                               "tokenizer.json of it: "
                               "python -c \"from transformers import AutoTokenizer as T; "
                               "T.from_pretrained('%s').save_pretrained('%s')\"",
                               folder, folder, folder);
    return ctx->host->fail(ctx, CULL_EIO, "%s/tokenizer.json: there is no such file", folder);
}

static cull_status open_json(const tk_file *file, json_t *json, const char *folder,
                             hf_tokenizer *tk)
{
    const tk_node root = tk_root(file, json);

    return read_root(&root, folder, tk);
}

// The tokens as decoding sees them, and the decoder as it is written.
static cull_status know_decoding(cull_ctx *ctx, const json_t *decoder, hf_tokenizer *tk)
{
    char *written = decoder ? json_dumps(decoder, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    XXH3_state_t *state = XXH3_createState();

    if (!state || (decoder && !written)) {
        json_free_dumped(written);
        (void)XXH3_freeState(state);
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    }
    (void)XXH3_128bits_reset(state);
    for (size_t id = 0; id < tk->size; id++) {
        const uint64_t n = tk->name[id].s ? tk->name[id].n : UINT64_MAX;
        (void)XXH3_128bits_update(state, &n, sizeof n);
        (void)XXH3_128bits_update(state, &tk->special[id], sizeof tk->special[id]);
        if (tk->name[id].s)
            (void)XXH3_128bits_update(state, tk->name[id].s, tk->name[id].n);
    }
    if (written)
        (void)XXH3_128bits_update(state, written, strlen(written));
    hf_digest(state, tk->decoding);
    (void)XXH3_freeState(state);
    json_free_dumped(written);
    return CULL_OK;
}

const char *hf_tokenizer_decoding(const hf_tokenizer *tokenizer)
{
    return tokenizer->decoding;
}

cull_status hf_tokenizer_open(cull_ctx *ctx, const char *folder, hf_tokenizer **out)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/tokenizer.json", folder) >= (int)sizeof path)
        return ctx->host->fail(ctx, CULL_EIO, "%s: the name is too long", folder);
    const tk_file file = { ctx, path };
    json_t *json;
    CULL_TRY(tk_read_file(&file, 0, &json));
    hf_tokenizer *tk = ctx->host->alloc(ctx, 1, sizeof *tk);
    cull_status status = !tk    ? CULL_ENOMEM
                         : json ? open_json(&file, json, folder, tk)
                                : open_other(ctx, folder, tk);
    if (status == CULL_OK)
        status = know_decoding(ctx, json_object_get(json, "decoder"), tk);
    json_decref(json);
    if (status != CULL_OK)
        hf_tokenizer_close(tk);
    else
        *out = tk;
    return status;
}

void hf_tokenizer_close(hf_tokenizer *tokenizer)
{
    if (tokenizer)
        tk_patterns_free(tokenizer->patterns);
}
