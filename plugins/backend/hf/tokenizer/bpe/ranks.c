// A vocabulary of tiktoken: lines of a token in base64 and its rank, which is its id.
//
// tiktoken merges the pair of neighbours whose bytes together have the lowest rank. So each way to
// cut a token into two others is a merge of the token's rank, and what tk_merge_all does with all
// of these is the same.
#include "bpe.h"
#include "tokenizer/letters.h"

#include <string.h>

typedef struct tk_ranks { // the file, and where in it we are
    cull_ctx *ctx;
    const char *path;
    tk_str bytes;
    size_t at, line;
} tk_ranks;

static cull_status wrong(const tk_ranks *r, const char *what)
{
    return r->ctx->host->fail(r->ctx, CULL_EFORMAT, "%s:%zu: %s", r->path, r->line, what);
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Base64 (RFC 4648) with its padding; false: it is none.
static bool decode(tk_str code, tk_text *out)
{
    if (code.n == 0 || code.n % 4 != 0)
        return false;
    for (size_t i = 0; i < code.n; i += 4) {
        const bool last = i + 4 == code.n;
        const size_t pad = !last || code.s[i + 3] != '=' ? 0 : code.s[i + 2] == '=' ? 2 : 1;
        uint32_t word = 0;
        for (size_t k = 0; k < 4; k++) {
            const int six = k < 4 - pad ? sextet(code.s[i + k]) : 0;
            if (six < 0)
                return false;
            word = word << 6 | (uint32_t)six;
        }
        const char three[] = { (char)(word >> 16), (char)(word >> 8), (char)word };
        tk_text_add(out, three, 3 - pad);
    }
    return true;
}

// "BASE64 RANK"; false: it is none.
static bool read_line(tk_str line, tk_text *token, int32_t *rank)
{
    const char *blank = memchr(line.s, ' ', line.n);
    const size_t width = blank ? (size_t)(blank - line.s) : line.n;
    uint64_t value = 0;
    size_t i = width + 1;

    for (; i < line.n && line.s[i] >= '0' && line.s[i] <= '9' && value < TK_MOST_IDS; i++)
        value = 10 * value + (uint64_t)(line.s[i] - '0');
    token->n = 0;
    *rank = (int32_t)value;
    return i == line.n && i > width + 1 && value < TK_MOST_IDS &&
           decode((tk_str){ line.s, width }, token);
}

// The next line that is not empty: the token's bytes and its rank. *more false: there is none.
static cull_status next_rank(tk_ranks *r, tk_text *token, int32_t *rank, bool *more)
{
    for (*more = false; r->at < r->bytes.n && !*more;) {
        const char *line = r->bytes.s + r->at, *end = memchr(line, '\n', r->bytes.n - r->at);
        size_t n = end ? (size_t)(end - line) : r->bytes.n - r->at;
        r->at += n + (end != NULL);
        r->line++;
        n -= n > 0 && line[n - 1] == '\r';
        *more = n > 0;
        if (*more && !read_line((tk_str){ line, n }, token, rank))
            return wrong(r, "not a token in base64, a blank and its rank");
    }
    return token->failed ? tk_no_memory(r->ctx) : CULL_OK;
}

static cull_status read_vocab(tk_ranks *r, tk_bpe *bpe, tk_text *token)
{
    size_t n = 0, top = 0;
    int32_t rank = 0;
    bool more = true;

    for (; more; n += more) {
        CULL_TRY(next_rank(r, token, &rank, &more));
        top = (size_t)rank > top ? (size_t)rank : top;
    }
    if (n == 0)
        return wrong(r, "there is no token");
    CULL_TRY(tk_vocab_init(r->ctx, n, top + 1, &bpe->vocab));
    r->at = r->line = 0;
    for (size_t i = 0; i < n; i++) {
        CULL_TRY(next_rank(r, token, &rank, &more));
        char *letters = r->ctx->host->alloc(r->ctx, 2 * token->n + 1, 1);
        tk_text text = { .s = letters, .room = 2 * token->n + 1 };
        if (!letters)
            return CULL_ENOMEM;
        tk_text_add_letters(&text, token->s, token->n); // of two bytes at most each
        if (tk_vocab_token(&bpe->vocab, rank).s ||
            tk_vocab_find(&bpe->vocab, tk_text_str(&text)) >= 0)
            return wrong(r, "a token, or a rank, that was there before");
        tk_vocab_add(&bpe->vocab, tk_text_str(&text), rank);
    }
    return CULL_OK;
}

// Enter the ways to cut a token into two others, or, `enter` false, only count them.
static size_t cut(tk_bpe *bpe, tk_str token, int32_t id, bool enter)
{
    size_t n = 0;

    for (size_t i = tk_char_length(*token.s); i < token.n; i += tk_char_length(token.s[i])) {
        const tk_str side[] = { { token.s, i }, { token.s + i, token.n - i } };
        const int32_t left = tk_vocab_find(&bpe->vocab, side[0]);
        const int32_t right = left < 0 ? -1 : tk_vocab_find(&bpe->vocab, side[1]);
        if (right < 0)
            continue;
        n++;
        if (enter)
            tk_bpe_enter(bpe, side, left, right, (size_t)id, id);
    }
    return n;
}

static cull_status make_merges(tk_ranks *r, tk_bpe *bpe)
{
    size_t n = 0;

    for (size_t id = 0; id < bpe->vocab.size; id++)
        if (bpe->vocab.token[id].n)
            n += cut(bpe, bpe->vocab.token[id], (int32_t)id, false);
    CULL_TRY(tk_bpe_room(r->ctx, bpe, n, bpe->vocab.size));
    for (size_t id = 0; id < bpe->vocab.size; id++)
        if (bpe->vocab.token[id].n)
            (void)cut(bpe, bpe->vocab.token[id], (int32_t)id, true);
    return CULL_OK;
}

cull_status tk_bpe_read_ranks(cull_ctx *ctx, const char *path, tk_bpe *bpe)
{
    tk_ranks r = { .ctx = ctx, .path = path };
    tk_text token = { 0 };

    CULL_TRY(ctx->host->read_file(ctx, path, &r.bytes.s, &r.bytes.n));
    if (r.bytes.n > TK_MOST_BYTES)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu bytes are too many for such a file",
                               path, r.bytes.n);
    cull_status status = read_vocab(&r, bpe, &token);
    tk_text_free(&token);
    CULL_TRY(status);
    bpe->unk = TK_NO_UNK;
    bpe->seams = bpe->ignore_merges = true; // a word that is a token is it, whatever merges say
    tk_bpe_find_letters(bpe);
    for (unsigned i = 0; i < 256; i++)
        if (bpe->letter_id[i] < 0)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the byte 0x%02x has no rank", path, i);
    return make_merges(&r, bpe);
}
