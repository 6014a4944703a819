// Opening: tokenizer.json into parts, with what the other files add.
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

// Enter added tokens. As in `tokenizers`, a token of the model keeps its id whatever the file says,
// new ones go on after the number of the model's tokens or the last added one, and the first of
// several with one content stays.
static cull_status add_tokens(cull_ctx *ctx, hf_tokenizer *tk, const tk_added *tokens, size_t n)
{
    tk_vocab seen; // contents to places in tk->added
    TK_TRY(tk_vocab_init(ctx, n, n, &seen));
    int32_t next = (int32_t)tk->bpe.vocab.n;
    for (size_t i = 0; i < n; i++) {
        tk_added token = tokens[i];
        if (token.content.n == 0 || tk_vocab_find(&seen, token.content) >= 0)
            continue;
        token.id = tk_vocab_find(&tk->bpe.vocab, token.content);
        if (token.id < 0)
            token.id = next;
        if (token.id >= next)
            next = token.id + 1;
        tk_vocab_name(&tk->bpe.vocab, token.content, token.id);
        tk_vocab_add(&seen, token.content, (int32_t)tk->n_added);
        tk->added[tk->n_added++] = token;
    }
    tk->special = ctx->host->alloc(ctx, tk->bpe.vocab.size + 1, 1);
    if (!tk->special)
        return CULL_ENOMEM;
    for (size_t i = 0; i < tk->n_added; i++)
        tk->special[tk->added[i].id] = tk->added[i].special;
    return CULL_OK;
}

static void enter_tokens(hf_tokenizer *tk, bool special, tk_rewriting *work)
{
    for (size_t i = 0; i < tk->n_added; i++) {
        const tk_added *token = &tk->added[i];
        if (token->special != special)
            continue;
        if (!token->normalized) {
            tk_trie_enter(&tk->raw, token->content, i);
            continue;
        }
        bool first = true;
        const tk_str content = tk_normalize(&tk->normalizers, work, token->content, &first);
        if (content.n > 0)
            tk_trie_enter(&tk->rewritten, content, i);
    }
}

// The tokens that are looked for, special ones first; the normalised form of those that ask for it.
static cull_status build_tries(cull_ctx *ctx, hf_tokenizer *tk)
{
    tk_matcher matcher;
    if (!tk_matcher_init(&matcher))
        return tk_no_memory(ctx);
    tk_rewriting work = { .matcher = &matcher };
    size_t bytes = 0;
    for (size_t i = 0; i < tk->n_added; i++) {
        bool first = true;
        bytes += tk->added[i].content.n;
        if (tk->added[i].normalized)
            bytes += tk_normalize(&tk->normalizers, &work, tk->added[i].content, &first).n;
    }
    cull_status status = tk_trie_init(ctx, &tk->raw, bytes);
    if (status == CULL_OK)
        status = tk_trie_init(ctx, &tk->rewritten, bytes);
    if (status == CULL_OK) {
        enter_tokens(tk, true, &work);
        enter_tokens(tk, false, &work);
    }
    if (status == CULL_OK && (work.failed || matcher.error))
        status = tk_no_memory(ctx);
    tk_rewriting_release(&work);
    tk_matcher_release(&matcher);
    return status;
}

static cull_status read_components(const tk_node *root, hf_tokenizer *tk)
{
    const tk_node normalizer = tk_field(root, "normalizer"),
                  split = tk_field(root, "pre_tokenizer");
    const tk_node post = tk_field(root, "post_processor"), decoder = tk_field(root, "decoder");
    TK_TRY(tk_normalizers_read(&normalizer, &tk->patterns, &tk->normalizers));
    TK_TRY(tk_steps_read(&split, &tk->patterns, &tk->steps));
    TK_TRY(tk_post_read(&post, &tk->post));
    tk->has_decoder = !tk_absent(&decoder);
    return tk_decoders_read(&decoder, &tk->patterns, &tk->decoders);
}

static int32_t token_id(const hf_tokenizer *tk, tk_str token)
{
    if (!token.s)
        return -1;
    for (size_t i = 0; i < tk->n_added; i++) {
        if (tk_equal(tk->added[i].content, token))
            return tk->added[i].id;
    }
    return tk_vocab_find(&tk->bpe.vocab, token);
}

// transformers 5 makes a post-processor of its own when the configuration speaks of adding BOS or
// EOS, or when the file has none.
static cull_status apply_config(cull_ctx *ctx, const tk_config *config, bool no_post,
                                hf_tokenizer *tk)
{
    tk->bos = token_id(tk, config->bos);
    tk->eos = token_id(tk, config->eos);
    if (!config->rebuild && !no_post)
        return CULL_OK;
    tk->post = (tk_post){ 0 };
    return tk_post_wrap(ctx, &tk->post, &tk->bos, config->add_bos && tk->bos >= 0, &tk->eos,
                        config->add_eos && tk->eos >= 0);
}

static cull_status read_root(const tk_node *root, const char *folder, hf_tokenizer *tk)
{
    cull_ctx *ctx = root->file->ctx;
    const tk_node added = tk_field(root, "added_tokens"), model = tk_field(root, "model");
    const tk_node post = tk_field(root, "post_processor");
    tk_added *tokens;
    size_t n;
    tk_config config;
    TK_TRY(tk_only(root, "version truncation padding added_tokens normalizer pre_tokenizer "
                         "post_processor decoder model"));
    TK_TRY(tk_config_read(ctx, folder, &config));
    TK_TRY(tk_added_read(&added, &tokens, &n));
    TK_TRY(tk_bpe_read(&model, n, &tk->bpe));
    tk->added = ctx->host->alloc(ctx, n + 1, sizeof *tk->added);
    if (!tk->added)
        return CULL_ENOMEM;
    TK_TRY(add_tokens(ctx, tk, tokens, n));
    TK_TRY(read_components(root, tk));
    TK_TRY(build_tries(ctx, tk));
    return apply_config(ctx, &config, tk_absent(&post), tk);
}

static bool exists(const char *folder, const char *name)
{
    char path[4096];
    struct stat info;
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
           stat(path, &info) == 0;
}

cull_status hf_tokenizer_open(cull_ctx *ctx, const char *folder, hf_tokenizer **out)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/tokenizer.json", folder) >= (int)sizeof path)
        return ctx->host->fail(ctx, CULL_EIO, "%s: the name is too long", folder);
    const tk_file file = { ctx, path };
    json_t *json;
    TK_TRY(tk_read_file(&file, 0, &json));
    if (!json && exists(folder, "tiktoken.model"))
        return ctx->host->fail(
            ctx, CULL_ENOTSUP,
            "%s/tiktoken.model: this kind of tokenizer is not read yet, and there is "
            "no tokenizer.json beside it",
            folder);
    if (!json)
        return ctx->host->fail(ctx, CULL_EIO, "%s: there is no such file", path);
    hf_tokenizer *tk = ctx->host->alloc(ctx, 1, sizeof *tk);
    const tk_node root = tk_root(&file, json);
    const cull_status status = tk ? read_root(&root, folder, tk) : CULL_ENOMEM;
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
