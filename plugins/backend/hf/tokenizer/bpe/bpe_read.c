// The model of a tokenizer.json: vocabulary, merges, options.
#include "bpe.h"
#include "tokenizer/letters.h"

#include <stdio.h>
#include <string.h>

static size_t table_size(size_t n)
{
    size_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

// A merge's two sides: ["a", "b"], or "a b" with exactly one blank.
static cull_status read_sides(const tk_node *node, tk_str side[2])
{
    size_t n = 0;

    if (json_is_array(node->json)) {
        CULL_TRY(tk_get_array(node, &n));
        if (n != 2)
            return tk_wrong(node, CULL_EFORMAT, "a merge has two sides, not %zu", n);
        for (size_t i = 0; i < 2; i++) {
            const tk_node item = tk_item(node, i);
            if (!json_is_string(item.json))
                return tk_wrong(&item, CULL_EFORMAT, "not a string");
            side[i] = (tk_str){ json_string_value(item.json), json_string_length(item.json) };
        }
        return CULL_OK;
    }
    if (!json_is_string(node->json))
        return tk_wrong(node, CULL_EFORMAT, "a merge is \"a b\" or [\"a\", \"b\"]");
    const tk_str text = { json_string_value(node->json), json_string_length(node->json) };
    const size_t blank = tk_find(text, 0, tk_cstr(" "));
    if (blank == SIZE_MAX || tk_find(text, blank + 1, tk_cstr(" ")) != SIZE_MAX)
        return tk_wrong(node, CULL_EFORMAT, "a merge is two tokens with one blank between them");
    side[0] = (tk_str){ text.s, blank };
    side[1] = (tk_str){ text.s + blank + 1, text.n - blank - 1 };
    return CULL_OK;
}

static cull_status in_vocab(const tk_node *node, const tk_bpe *bpe, tk_str token, int32_t *id)
{
    *id = tk_vocab_find(&bpe->vocab, token);
    if (*id >= 0)
        return CULL_OK;
    return tk_wrong(node, CULL_EFORMAT, "\"%.*s\" is not in the vocabulary",
                    (int)(token.n < 80 ? token.n : 80), token.s);
}

static void enter_merge(tk_bpe *bpe, uint64_t pair, size_t rank, int32_t id)
{
    size_t i = tk_pair_slot(pair, bpe->merge_mask);

    while (bpe->merge[i].pair != TK_NO_PAIR && bpe->merge[i].pair != pair)
        i = (i + 1) & bpe->merge_mask;
    bpe->merge[i] = (tk_merge){ pair, (uint32_t)rank, id };
    bpe->made[rank] = id;
}

static void enter_seam(tk_bpe *bpe, tk_str left, tk_str right)
{
    if (left.n == 0 || right.n == 0)
        return;
    const uint64_t key =
        (uint64_t)tk_char(left.s + tk_char_start(left.s, left.n)) << 32 | tk_char(right.s);
    size_t i = tk_pair_slot(key, bpe->seam_mask);
    while (bpe->seam[i] != TK_NO_PAIR && bpe->seam[i] != key)
        i = (i + 1) & bpe->seam_mask;
    bpe->seam[i] = key;
}

void tk_bpe_enter(tk_bpe *bpe, const tk_str side[2], int32_t left, int32_t right, size_t rank,
                  int32_t id)
{
    enter_merge(bpe, (uint64_t)(uint32_t)left << 32 | (uint32_t)right, rank, id);
    enter_seam(bpe, side[0], side[1]);
}

cull_status tk_bpe_room(cull_ctx *ctx, tk_bpe *bpe, size_t n_merges, size_t n_ranks)
{
    const size_t slots = table_size(n_merges);

    bpe->n_merges = n_merges;
    bpe->merge = ctx->host->alloc(ctx, slots, sizeof *bpe->merge);
    bpe->seam = ctx->host->alloc(ctx, slots, sizeof *bpe->seam);
    bpe->made = ctx->host->alloc(ctx, n_ranks + 1, sizeof *bpe->made);
    if (!bpe->merge || !bpe->seam || !bpe->made)
        return CULL_ENOMEM;
    bpe->merge_mask = bpe->seam_mask = slots - 1;
    for (size_t i = 0; i < slots; i++)
        bpe->merge[i].pair = bpe->seam[i] = TK_NO_PAIR;
    return CULL_OK;
}

static cull_status read_merge(const tk_node *node, tk_bpe *bpe, size_t rank, tk_text *joined)
{
    tk_str side[2];
    int32_t left, right, id;

    CULL_TRY(read_sides(node, side));
    CULL_TRY(in_vocab(node, bpe, side[0], &left));
    CULL_TRY(in_vocab(node, bpe, side[1], &right));
    if (side[1].n < bpe->prefix.n)
        return tk_wrong(node, CULL_EFORMAT,
                        "the right side is shorter than continuing_subword_prefix");
    joined->n = 0;
    tk_text_add(joined, side[0].s, side[0].n);
    tk_text_add(joined, side[1].s + bpe->prefix.n, side[1].n - bpe->prefix.n);
    if (joined->failed)
        return tk_no_memory(node->file->ctx);
    CULL_TRY(in_vocab(node, bpe, tk_text_str(joined), &id));
    tk_bpe_enter(bpe, side, left, right, rank, id);
    return CULL_OK;
}

static cull_status read_merges(const tk_node *node, tk_bpe *bpe, tk_text *joined)
{
    size_t rank = 0, n;

    CULL_TRY(tk_get_array(node, &n));
    CULL_TRY(tk_bpe_room(node->file->ctx, bpe, n, n));
    for (size_t i = 0; i < bpe->n_merges; i++) {
        const tk_node item = tk_item(node, i);
        const char *line = json_string_value(item.json);
        if (line && strncmp(line, "#version", 8) == 0) // as merges.txt begins
            continue;
        CULL_TRY(read_merge(&item, bpe, rank++, joined));
    }
    return CULL_OK;
}

static cull_status read_options(const tk_node *model, tk_bpe *bpe)
{
    const tk_node dropout = tk_field(model, "dropout"), unk = tk_field(model, "unk_token");
    const tk_node prefix = tk_field(model, "continuing_subword_prefix");
    const tk_node suffix = tk_field(model, "end_of_word_suffix");
    const tk_node fuse = tk_field(model, "fuse_unk"), bytes = tk_field(model, "byte_fallback");
    const tk_node ignore = tk_field(model, "ignore_merges");

    if (!tk_absent(&dropout) &&
        !(json_is_number(dropout.json) && json_number_value(dropout.json) == 0))
        return tk_wrong(&dropout, CULL_ENOTSUP,
                        "random merges are not supported; it should be null");
    if (!tk_absent(&prefix))
        CULL_TRY(tk_get_string(&prefix, &bpe->prefix));
    if (!tk_absent(&suffix))
        CULL_TRY(tk_get_string(&suffix, &bpe->suffix));
    CULL_TRY(tk_get_bool(&fuse, false, &bpe->fuse_unk));
    CULL_TRY(tk_get_bool(&bytes, false, &bpe->byte_fallback));
    CULL_TRY(tk_get_bool(&ignore, false, &bpe->ignore_merges));
    bpe->seams = bpe->prefix.n == 0; // with a prefix a token is not the text of its parts
    bpe->unk = TK_NO_UNK;
    if (tk_absent(&unk))
        return CULL_OK;
    tk_str token;
    CULL_TRY(tk_get_string(&unk, &token));
    bpe->seams = bpe->seams && token.n > 0;
    bpe->unk = tk_vocab_find(&bpe->vocab, token); // −1 fails where it is needed, as in `tokenizers`
    return CULL_OK;
}

void tk_bpe_find_letters(tk_bpe *bpe)
{
    for (unsigned i = 0; i < 256; i++) {
        char token[8];
        const size_t n = tk_char_put(token, tk_letter((unsigned char)i));
        bpe->letter_id[i] = tk_vocab_find(&bpe->vocab, (tk_str){ token, n });
        snprintf(token, sizeof token, "<0x%02X>", i);
        bpe->byte_id[i] = tk_vocab_find(&bpe->vocab, (tk_str){ token, 6 });
    }
    for (unsigned i = 0; i < 128; i++) {
        const char c = (char)i;
        bpe->ascii_id[i] = tk_vocab_find(&bpe->vocab, (tk_str){ &c, 1 });
    }
}

cull_status tk_bpe_read(const tk_node *model, tk_bpe *bpe)
{
    const tk_node type = tk_field(model, "type"), vocab = tk_field(model, "vocab");
    const tk_node merges = tk_field(model, "merges");

    CULL_TRY(tk_get_object(model));
    size_t word;
    if (!tk_absent(&type)) // old files leave it out
        CULL_TRY(tk_get_word(&type, (const char *const[]){ "BPE", NULL }, &word));
    CULL_TRY(tk_only(model,
                     "type dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk "
                     "byte_fallback ignore_merges vocab merges"));
    CULL_TRY(tk_vocab_read(&vocab, &bpe->vocab));
    CULL_TRY(read_options(model, bpe));
    tk_bpe_find_letters(bpe);
    tk_text joined = { 0 };
    const cull_status status = read_merges(&merges, bpe, &joined);
    tk_text_free(&joined);
    return status;
}
