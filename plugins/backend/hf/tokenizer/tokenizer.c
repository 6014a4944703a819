// Encoding: added tokens cut the text, what lies between is normalised, cut again, split into
// words, and merged. Decoding: ids to tokens, tokens to text.
#include <stdlib.h>
#include <string.h>

#include "parts.h"

int32_t hf_tokenizer_bos(const hf_tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int32_t hf_tokenizer_eos(const hf_tokenizer *tokenizer)
{
    return tokenizer->eos;
}

bool hf_tokenizer_adds_bos(const hf_tokenizer *tokenizer)
{
    return tokenizer->bos >= 0 && tokenizer->post.n_before > 0 &&
           tokenizer->post.before[0] == tokenizer->bos;
}

size_t hf_tokenizer_size(const hf_tokenizer *tokenizer)
{
    return tokenizer->size;
}

static tk_str name_of(const hf_tokenizer *tk, int32_t id)
{
    return id >= 0 && (size_t)id < tk->size ? tk->name[id] : (tk_str){ NULL, 0 };
}

const char *hf_tokenizer_token(const hf_tokenizer *tokenizer, int32_t id, size_t *n)
{
    const tk_str token = name_of(tokenizer, id);

    *n = token.n;
    return token.s;
}

typedef struct tk_encoding { // the working memory of one call
    const hf_tokenizer *tk;
    tk_matcher matcher;
    tk_segments outer, inner;
    tk_rewriting rewriting, whole; // of a segment, of the text
    tk_words words;
    tk_bpe_work bpe;
    tk_ids ids;
} tk_encoding;

static void release(tk_encoding *work)
{
    free(work->outer.v);
    free(work->inner.v);
    tk_rewriting_release(&work->rewriting);
    tk_rewriting_release(&work->whole);
    tk_words_release(&work->words);
    tk_bpe_work_release(&work->bpe);
    tk_matcher_release(&work->matcher);
    free(work->ids.v);
}

static void encode_words(tk_encoding *work, tk_str segment, size_t head)
{
    tk_words *words = &work->words;

    tk_split(&work->tk->steps, &work->matcher, segment, head, words);
    for (size_t i = 0; i < words->span.n && !words->failed; i++) {
        const tk_span span = words->span.v[i];
        tk_bpe_encode(&work->tk->bpe, &work->bpe,
                      (tk_str){ words->s + span.start, span.end - span.start }, words->letters,
                      &work->ids);
    }
}

static void encode_segment(tk_encoding *work, tk_str segment, size_t head)
{
    const hf_tokenizer *tk = work->tk;
    const tk_str s =
        tk->whole ? segment : tk_normalize(&tk->normalizers, &work->rewriting, segment, &head);

    work->inner.n = 0;
    tk_trie_cut(&tk->rewritten, tk->added, s, &work->inner);
    for (size_t i = 0; i < work->inner.n; i++) {
        const tk_segment *cut = &work->inner.v[i];
        if (cut->token >= 0)
            tk_ids_add(&work->ids, tk->added[cut->token].id);
        else
            encode_words(work, (tk_str){ s.s + cut->start, cut->end - cut->start },
                         head > cut->start ? head - cut->start : 0);
    }
}

static void encode_text(tk_encoding *work, tk_str text)
{
    const hf_tokenizer *tk = work->tk;
    size_t head = 0;

    if (tk->whole)
        text = tk_normalize(&tk->normalizers, &work->whole, text, &head);
    tk_trie_cut(&tk->raw, tk->added, text, &work->outer);
    for (size_t i = 0; i < work->outer.n; i++) {
        const tk_segment *cut = &work->outer.v[i];
        if (cut->token >= 0)
            tk_ids_add(&work->ids, tk->added[cut->token].id);
        else
            encode_segment(work, (tk_str){ text.s + cut->start, cut->end - cut->start },
                           cut->start == 0 ? tk_char_length(*text.s) : 0);
    }
}

// What went wrong, if anything did.
static cull_status outcome(cull_ctx *ctx, const tk_encoding *work)
{
    if (work->matcher.error && work->matcher.error != PCRE2_ERROR_NOMEMORY) {
        PCRE2_UCHAR text[160] = "";
        pcre2_get_error_message(work->matcher.error, text, sizeof text);
        return ctx->host->fail(ctx, CULL_EINVAL, "splitting the text into words: %s",
                               (const char *)text);
    }
    if (work->outer.failed || work->inner.failed || work->rewriting.failed || work->whole.failed ||
        work->words.failed || work->bpe.failed || work->ids.failed || work->matcher.error)
        return tk_no_memory(ctx);
    if (work->bpe.unknown)
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "the text needs the tokenizer's unknown token, which is not in its "
                               "vocabulary");
    return CULL_OK;
}

static cull_status hand_over(cull_ctx *ctx, const tk_post *post, const tk_ids *ids, bool special,
                             int32_t **out, size_t *n)
{
    const size_t before = special ? post->n_before : 0, after = special ? post->n_after : 0;

    *n = before + ids->n + after;
    *out = ctx->host->alloc(ctx, *n + 1, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    if (before > 0)
        memcpy(*out, post->before, before * sizeof **out);
    if (ids->n > 0)
        memcpy(*out + before, ids->v, ids->n * sizeof **out);
    if (after > 0)
        memcpy(*out + before + ids->n, post->after, after * sizeof **out);
    return CULL_OK;
}

cull_status hf_tokenizer_encode(cull_ctx *ctx, const hf_tokenizer *tokenizer, const char *text,
                                size_t len, uint32_t flags, int32_t **ids, size_t *n)
{
    const size_t valid = tk_valid_prefix(text, len);

    if (valid < len)
        return ctx->host->fail(ctx, CULL_EINVAL, "the text is not UTF-8: byte %zu is 0x%02x", valid,
                               (unsigned)(unsigned char)text[valid]);
    tk_encoding work = { .tk = tokenizer };
    if (!tk_matcher_init(&work.matcher))
        return tk_no_memory(ctx);
    work.rewriting.matcher = work.whole.matcher = &work.matcher;
    tk_bpe_work_init(&work.bpe, len);
    encode_text(&work, (tk_str){ text, len });
    cull_status status = outcome(ctx, &work);
    if (status == CULL_OK)
        status = hand_over(ctx, &tokenizer->post, &work.ids, flags & CULL_SPECIAL, ids, n);
    release(&work);
    return status;
}

static void list_tokens(const hf_tokenizer *tk, const int32_t *ids, size_t n, bool special,
                        tk_tokens *tokens)
{
    for (size_t i = 0; i < n; i++) {
        const tk_str token = name_of(tk, ids[i]);
        if (!token.s || (!special && tk->special[ids[i]]))
            continue;
        if (!tk->has_decoder && tokens->span.n > 0)
            tk_text_add(&tokens->text, " ", 1);
        tk_tokens_add(tokens, token);
    }
}

static cull_status check_known(cull_ctx *ctx, const hf_tokenizer *tk, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!name_of(tk, ids[i]).s)
            return ctx->host->fail(
                ctx, CULL_EFORMAT, "id %d has no token: %s of the tokenizer's ids, 0 to %zu",
                (int)ids[i], (size_t)ids[i] < tk->size ? "it lies in a gap" : "it is none",
                tk->size - 1);
    return CULL_OK;
}

cull_status hf_tokenizer_decode(cull_ctx *ctx, const hf_tokenizer *tokenizer, const int32_t *ids,
                                size_t n, uint32_t flags, char **text, size_t *len)
{
    tk_matcher matcher;

    if (flags & CULL_KNOWN)
        CULL_TRY(check_known(ctx, tokenizer, ids, n));
    if (!tk_matcher_init(&matcher))
        return tk_no_memory(ctx);
    tk_decoding work = { .matcher = &matcher };
    tk_tokens *tokens = &work.list[0];
    list_tokens(tokenizer, ids, n, flags & CULL_SPECIAL, tokens);
    work.failed = tokens->text.failed || tokens->span.failed;
    const tk_str decoded = tk_decode(&tokenizer->decoders, &work);
    cull_status status = work.failed || matcher.error ? tk_no_memory(ctx) : CULL_OK;
    if (status == CULL_OK) {
        *len = decoded.n;
        *text = ctx->host->alloc(ctx, decoded.n + 1, 1);
        status = *text ? CULL_OK : CULL_ENOMEM;
    }
    if (status == CULL_OK && decoded.n > 0)
        memcpy(*text, decoded.s, decoded.n);
    tk_decoding_release(&work);
    tk_matcher_release(&matcher);
    return status;
}
