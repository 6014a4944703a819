// The added tokens of one tokenizer: their ids, how they are found, how they are written.
#include "parts.h"

#include <string.h>

// As in `tokenizers`, a token of the model keeps its id whatever the file says, and new ones go on
// after the number of the model's tokens or the last added one. Of several with one content the
// last one's options count, and it is special when one of them is.
static void add(hf_tokenizer *tk, tk_added token, int32_t *next)
{
    const int32_t before = tk_vocab_find(&tk->contents, token.content);

    if (token.content.n == 0)
        return;
    token.rewritten = token.normalized;
    if (before >= 0) {
        token.id = tk->added[before].id;
        token.special = token.special || tk->added[before].special;
        token.rewritten = token.rewritten || tk->added[before].rewritten;
        tk->added[before] = token;
        return;
    }
    if (!tk->own_ids)
        token.id = tk_vocab_find(&tk->bpe.vocab, token.content);
    if (token.id < 0)
        token.id = *next;
    if (token.id >= *next)
        *next = token.id + 1;
    tk_vocab_add(&tk->contents, token.content, (int32_t)tk->n_added);
    tk->added[tk->n_added++] = token;
}

static bool is_named(const tk_vocab *named, tk_str content)
{
    return tk_vocab_find(named, content) >= 0;
}

// Among the first n.
static bool has_id(const hf_tokenizer *tk, size_t n, int32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (tk->added[i].id == id)
            return true;
    return false;
}

// As transformers does: tokens of added_tokens_decoder change those that are there, tokens that are
// named elsewhere become special, and others are only added.
static cull_status add_configured(cull_ctx *ctx, hf_tokenizer *tk, const tk_config *config,
                                  int32_t *next)
{
    tk_vocab named;

    CULL_TRY(tk_vocab_init(ctx, config->n_named, config->n_named, &named));
    for (size_t i = config->n_explicit; i < config->n_named; i++) {
        if (!is_named(&named, config->tokens[i].content))
            tk_vocab_add(&named, config->tokens[i].content, (int32_t)i);
    }
    const size_t own = tk->n_added; // what tokenizer.json has: they keep their ids
    for (size_t i = 0; i < config->n_explicit; i++)
        if (!config->by_file || !has_id(tk, own, config->tokens[i].id))
            add(tk, config->tokens[i], next);
    const size_t n = tk->n_added;
    for (size_t i = 0; i < n; i++)
        tk->added[i].special = tk->added[i].special || is_named(&named, tk->added[i].content);
    for (size_t i = config->n_explicit; i < config->n_tokens; i++) {
        const int32_t before = tk_vocab_find(&tk->contents, config->tokens[i].content);
        if (before < 0 || (size_t)before >= n)
            add(tk, config->tokens[i], next);
    }
    return CULL_OK;
}

static cull_status add_all(cull_ctx *ctx, hf_tokenizer *tk, const tk_added *tokens, size_t n,
                           const tk_config *config)
{
    const size_t most = n + config->n_tokens;
    int32_t next = (int32_t)tk->bpe.vocab.n;

    tk->added = ctx->host->alloc(ctx, most + 1, sizeof *tk->added);
    if (!tk->added)
        return CULL_ENOMEM;
    CULL_TRY(tk_vocab_init(ctx, most, most, &tk->contents));
    for (size_t i = 0; i < n; i++)
        add(tk, tokens[i], &next);
    return add_configured(ctx, tk, config, &next);
}

// Normalised, if the token asks for it, or once did.
static cull_status set_form(const tk_node *root, hf_tokenizer *tk, tk_rewriting *work,
                            tk_added *token)
{
    token->form = token->content;
    if (!token->rewritten)
        return CULL_OK;
    cull_ctx *ctx = root->file->ctx;
    size_t head = 0;
    const tk_str form = tk_normalize(&tk->normalizers, work, token->content, &head);
    if (work->failed || work->matcher->error)
        return tk_no_memory(ctx);
    char *copy = ctx->host->alloc(ctx, form.n + 1, 1);
    if (!copy)
        return CULL_ENOMEM;
    if (form.n > 0)
        memcpy(copy, form.s, form.n);
    token->form = (tk_str){ copy, form.n };
    return form.n > 0
               ? CULL_OK
               : tk_wrong(root, CULL_ENOTSUP,
                          "the added token \"%.*s\" is empty once it is normalised",
                          (int)(token->content.n < 80 ? token->content.n : 80), token->content.s);
}

static cull_status set_forms(const tk_node *root, hf_tokenizer *tk)
{
    tk_matcher matcher;

    if (!tk_matcher_init(&matcher))
        return tk_no_memory(root->file->ctx);
    tk_rewriting work = { .matcher = &matcher };
    cull_status status = CULL_OK;
    for (size_t i = 0; i < tk->n_added && status == CULL_OK; i++)
        status = set_form(root, tk, &work, &tk->added[i]);
    tk_rewriting_release(&work);
    tk_matcher_release(&matcher);
    return status;
}

// Decoding sees a token by its form, and passes over it when that is what a special token contains.
static cull_status name_tokens(cull_ctx *ctx, hf_tokenizer *tk)
{
    const tk_vocab *vocab = &tk->bpe.vocab;

    tk->size = vocab->size;
    for (size_t i = 0; i < tk->n_added; i++)
        tk->size = (size_t)tk->added[i].id < tk->size ? tk->size : (size_t)tk->added[i].id + 1;
    tk->name = ctx->host->alloc(ctx, tk->size + 1, sizeof *tk->name);
    tk->special = ctx->host->alloc(ctx, tk->size + 1, 1);
    if (!tk->name || !tk->special)
        return CULL_ENOMEM;
    if (vocab->size > 0)
        memcpy(tk->name, vocab->token, vocab->size * sizeof *tk->name);
    for (size_t i = 0; i < tk->n_added; i++) {
        const tk_added *token = &tk->added[i];
        const int32_t same = tk_vocab_find(&tk->contents, token->form);
        tk->name[token->id] = token->form;
        tk->special[token->id] = same >= 0 && tk->added[same].special;
    }
    return CULL_OK;
}

// Where two tokens have one form, the one that is not special is found.
static cull_status build_tries(cull_ctx *ctx, hf_tokenizer *tk)
{
    size_t bytes = 0;

    for (size_t i = 0; i < tk->n_added; i++)
        bytes += tk->added[i].form.n + tk->added[i].content.n;
    CULL_TRY(tk_trie_init(ctx, &tk->raw, bytes));
    CULL_TRY(tk_trie_init(ctx, &tk->rewritten, bytes));
    for (size_t i = 0; i < 2 * tk->n_added; i++) {
        const size_t k = i % tk->n_added;
        const tk_added *token = &tk->added[k];
        if (token->special == (i >= tk->n_added))
            tk_trie_enter(token->normalized ? &tk->rewritten : &tk->raw,
                          token->normalized ? token->form : token->content, k);
    }
    return CULL_OK;
}

cull_status tk_added_enter(const tk_node *root, hf_tokenizer *tk, const tk_added *tokens, size_t n,
                           const tk_config *config)
{
    cull_ctx *ctx = root->file->ctx;

    CULL_TRY(add_all(ctx, tk, tokens, n, config));
    CULL_TRY(set_forms(root, tk));
    CULL_TRY(name_tokens(ctx, tk));
    return build_tries(ctx, tk);
}

int32_t tk_token_id(const hf_tokenizer *tk, tk_str token)
{
    if (!token.s)
        return -1;
    const int32_t added = tk_vocab_find(&tk->contents, token);
    return added >= 0 ? tk->added[added].id : tk_vocab_find(&tk->bpe.vocab, token);
}
