// A vocabulary: tokens by id, ids by token.
#include "vocab.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static size_t slot_of(const tk_vocab *vocab, tk_str token)
{
    size_t i = (size_t)XXH3_64bits(token.s, token.n) & vocab->mask;

    while (vocab->slot[i] >= 0 && !tk_equal(vocab->token[vocab->slot[i]], token))
        i = (i + 1) & vocab->mask;
    return i;
}

int32_t tk_vocab_find(const tk_vocab *vocab, tk_str token)
{
    return vocab->slot[slot_of(vocab, token)];
}

void tk_vocab_add(tk_vocab *vocab, tk_str token, int32_t id)
{
    vocab->slot[slot_of(vocab, token)] = id;
    vocab->token[id] = token;
    vocab->n++;
    if ((size_t)id >= vocab->size)
        vocab->size = (size_t)id + 1;
}

static cull_status greatest_id(const tk_node *node, size_t *greatest)
{
    *greatest = 0;
    const char *key;
    json_t *value;
    json_object_foreach(node->json, key, value)
    {
        const tk_node field = { node->file, node, key, 0, value };
        size_t id;
        CULL_TRY(tk_get_count(&field, TK_MOST_IDS - 1, &id));
        if (id > *greatest)
            *greatest = id;
    }
    return CULL_OK;
}

cull_status tk_vocab_init(cull_ctx *ctx, size_t n, size_t top, tk_vocab *vocab)
{
    size_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    *vocab = (tk_vocab){ .mask = slots - 1 };
    vocab->token = ctx->host->alloc(ctx, top + 1, sizeof *vocab->token);
    vocab->slot = ctx->host->alloc(ctx, slots, sizeof *vocab->slot);
    if (!vocab->token || !vocab->slot)
        return CULL_ENOMEM;
    memset(vocab->slot, 0xff, slots * sizeof *vocab->slot);
    return CULL_OK;
}

cull_status tk_vocab_read(const tk_node *node, tk_vocab *vocab)
{
    CULL_TRY(tk_get_object(node));
    size_t greatest, bytes = 0, used = 0;
    CULL_TRY(greatest_id(node, &greatest));
    cull_ctx *ctx = node->file->ctx;
    CULL_TRY(tk_vocab_init(ctx, json_object_size(node->json), greatest + 1, vocab));
    const char *key;
    json_t *value;
    json_object_foreach(node->json, key, value) bytes += strlen(key);
    char *text = ctx->host->alloc(ctx, bytes + 1, 1);
    if (!text)
        return CULL_ENOMEM;
    json_object_foreach(node->json, key, value)
    {
        const tk_str token = { memcpy(text + used, key, strlen(key)), strlen(key) };
        const int32_t id = (int32_t)json_integer_value(value);
        if (tk_vocab_token(vocab, id).s) {
            const tk_node field = { node->file, node, key, 0, value };
            return tk_wrong(&field, CULL_EFORMAT, "another token has the id %d already", (int)id);
        }
        tk_vocab_add(vocab, token, id);
        used += token.n;
    }
    return CULL_OK;
}
