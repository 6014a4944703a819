// Added tokens: found in a text before anything else looks at it.
#include "added.h"
#include "unicode.h"

#include <string.h>

cull_status tk_added_options(const tk_node *node, bool normalized, tk_added *token)
{
    const struct {
        const char *key;
        bool otherwise, *out;
    } flags[] = {
        { "single_word", false, &token->single_word },
        { "lstrip", false, &token->lstrip },
        { "rstrip", false, &token->rstrip },
        { "normalized", normalized, &token->normalized },
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const tk_node flag = tk_field(node, flags[i].key);
        CULL_TRY(tk_get_bool(&flag, flags[i].otherwise, flags[i].out));
    }
    return CULL_OK;
}

static cull_status read_token(const tk_node *node, tk_added *token)
{
    CULL_TRY(tk_only(node, "id content single_word lstrip rstrip normalized special"));
    const tk_node id = tk_field(node, "id"), content = tk_field(node, "content");
    const tk_node special = tk_field(node, "special");
    size_t value = 0;
    CULL_TRY(tk_get_count(&id, TK_MOST_IDS - 1, &value));
    token->id = (int32_t)value;
    CULL_TRY(tk_get_string(&content, &token->content));
    CULL_TRY(tk_get_bool(&special, false, &token->special));
    return tk_added_options(node, true, token);
}

cull_status tk_added_read(const tk_node *node, tk_added **added, size_t *n)
{
    *n = 0;
    *added = NULL;
    if (tk_absent(node))
        return CULL_OK;
    CULL_TRY(tk_get_array(node, n));
    cull_ctx *ctx = node->file->ctx;
    *added = ctx->host->alloc(ctx, *n + 1, sizeof **added);
    if (!*added)
        return CULL_ENOMEM;
    for (size_t i = 0; i < *n; i++) {
        const tk_node item = tk_item(node, i);
        CULL_TRY(read_token(&item, &(*added)[i]));
    }
    return CULL_OK;
}

cull_status tk_trie_init(cull_ctx *ctx, tk_trie *trie, size_t room)
{
    trie->n = 0;
    trie->room = room;
    memset(trie->root, 0xff, sizeof trie->root);
    trie->node = ctx->host->alloc(ctx, room + 1, sizeof *trie->node);
    return trie->node ? CULL_OK : CULL_ENOMEM;
}

void tk_trie_enter(tk_trie *trie, tk_str content, size_t token)
{
    int32_t *link = &trie->root[(unsigned char)*content.s];

    for (size_t i = 0; i < content.n; i++) {
        const unsigned char byte = (unsigned char)content.s[i];
        while (*link >= 0 && trie->node[*link].byte != byte)
            link = &trie->node[*link].sibling;
        if (*link < 0) {
            *link = (int32_t)trie->n;
            trie->node[trie->n++] = (tk_trie_node){ -1, -1, -1, byte };
        }
        if (i + 1 < content.n)
            link = &trie->node[*link].child;
        else if (trie->node[*link].token < 0)
            trie->node[*link].token = (int32_t)token;
    }
}

// The longest token that begins at s[at], −1: none; *end is where it ends.
static int32_t longest(const tk_trie *trie, tk_str s, size_t at, size_t *end)
{
    int32_t token = -1, node = trie->root[(unsigned char)s.s[at]];

    while (node >= 0) {
        at++;
        if (trie->node[node].token >= 0) {
            token = trie->node[node].token;
            *end = at;
        }
        node = trie->node[node].child;
        while (node >= 0 && (at == s.n || trie->node[node].byte != (unsigned char)s.s[at]))
            node = trie->node[node].sibling;
    }
    return token;
}

static bool alone(tk_str s, size_t start, size_t end)
{
    return !(start > 0 && tk_is_word(tk_char(s.s + tk_char_start(s.s, start)))) &&
           !(end < s.n && tk_is_word(tk_char(s.s + end)));
}

static size_t blanks_before(tk_str s, size_t start)
{
    while (start > 0 && tk_is_space(tk_char(s.s + tk_char_start(s.s, start))))
        start = tk_char_start(s.s, start);
    return start;
}

static size_t blanks_after(tk_str s, size_t end)
{
    while (end < s.n && tk_is_space(tk_char(s.s + end)))
        end += tk_char_length(s.s[end]);
    return end;
}

static void add_segment(tk_segments *out, size_t start, size_t end, int32_t token)
{
    if (out->failed)
        return;
    if (!tk_grow(&out->v, out->n, &out->room, 1, sizeof *out->v)) {
        out->failed = true;
        return;
    }
    out->v[out->n++] = (tk_segment){ start, end, token };
}

void tk_trie_cut(const tk_trie *trie, const tk_added *added, tk_str s, tk_segments *out)
{
    size_t done = 0; // up to here the text is in segments

    for (size_t at = 0, end = 0; at < s.n; at++) {
        const int32_t token = longest(trie, s, at, &end);
        if (token < 0)
            continue;
        size_t start = at, stop = end;
        at = end - 1;
        if (added[token].single_word && !alone(s, start, stop))
            continue;
        if (added[token].lstrip) {
            start = blanks_before(s, start);
            start = start > done ? start : done;
        }
        if (added[token].rstrip)
            stop = blanks_after(s, stop);
        if (done < start)
            add_segment(out, done, start, -1);
        if (start < stop) // not when the token before has taken its blanks
            add_segment(out, start, stop, token);
        done = stop;
    }
    if (done < s.n)
        add_segment(out, done, s.n, -1);
}
