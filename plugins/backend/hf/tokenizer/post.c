// Post-processors: what stands around a text's ids.
#include "post.h"

#include <string.h>

static cull_status joined(cull_ctx *ctx, const int32_t *a, size_t n_a, const int32_t *b, size_t n_b,
                          int32_t **out, size_t *n)
{
    *n = n_a + n_b;
    *out = ctx->host->alloc(ctx, *n + 1, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    if (n_a > 0)
        memcpy(*out, a, n_a * sizeof *a);
    if (n_b > 0)
        memcpy(*out + n_a, b, n_b * sizeof *b);
    return CULL_OK;
}

// Put ids around what is there, outermost.
static cull_status wrap(cull_ctx *ctx, tk_post *post, const int32_t *before, size_t n_before,
                        const int32_t *after, size_t n_after)
{
    const tk_post old = *post;

    CULL_TRY(
        joined(ctx, before, n_before, old.before, old.n_before, &post->before, &post->n_before));
    return joined(ctx, old.after, old.n_after, after, n_after, &post->after, &post->n_after);
}

static cull_status add_ids(const tk_node *ids, tk_ids *out)
{
    size_t n = 0;

    CULL_TRY(tk_get_array(ids, &n));
    for (size_t i = 0; i < n; i++) {
        const tk_node item = tk_item(ids, i);
        size_t id = 0;
        CULL_TRY(tk_get_count(&item, INT32_MAX, &id));
        tk_ids_add(out, (int32_t)id);
    }
    return CULL_OK;
}

// A piece of a template: {"SpecialToken": {"id": word}}, whose ids stand in special_tokens, or
// {"Sequence": {"id": "A"}}, the text.
static cull_status add_piece(const tk_node *node, const tk_node *tokens, tk_ids *out, bool *is_text)
{
    CULL_TRY(tk_only(node, "SpecialToken Sequence"));
    const tk_node special = tk_field(node, "SpecialToken"), text = tk_field(node, "Sequence");
    const tk_node id = tk_field(special.json ? &special : &text, "id");
    if (!json_is_string(id.json))
        return tk_wrong(&id, CULL_EFORMAT, "not a string");
    *is_text = !special.json;
    if (*is_text)
        return strcmp(json_string_value(id.json), "A") == 0
                   ? CULL_OK
                   : tk_wrong(&id, CULL_EFORMAT, "a single text is sequence A");
    const tk_node token = tk_field(tokens, json_string_value(id.json));
    const tk_node ids = tk_field(&token, "ids");
    return add_ids(&ids, out);
}

static cull_status read_template(const tk_node *node, tk_ids side[2])
{
    const tk_node single = tk_field(node, "single"), tokens = tk_field(node, "special_tokens");
    size_t n = 0, n_texts = 0;

    CULL_TRY(tk_get_array(&single, &n));
    for (size_t i = 0; i < n; i++) {
        const tk_node item = tk_item(&single, i);
        bool is_text;
        CULL_TRY(add_piece(&item, &tokens, &side[n_texts > 0], &is_text));
        n_texts += is_text;
    }
    return n_texts == 1
               ? CULL_OK
               : tk_wrong(&single, CULL_ENOTSUP, "the text stands there %zu times", n_texts);
}

// {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}
static cull_status read_pair(const tk_node *node, tk_ids side[2])
{
    static const char *const keys[] = { "cls", "sep" };

    for (size_t i = 0; i < 2; i++) {
        const tk_node pair = tk_field(node, keys[i]), item = tk_item(&pair, 1);
        size_t id = 0;
        CULL_TRY(tk_get_count(&item, INT32_MAX, &id));
        tk_ids_add(&side[i], (int32_t)id);
    }
    return CULL_OK;
}

static cull_status read_nothing(const tk_node *node, tk_ids side[2])
{
    (void)node, (void)side; // it only changes offsets
    return CULL_OK;
}

static const struct {
    tk_kind kind;
    cull_status (*read)(const tk_node *, tk_ids side[2]);
} kinds[] = {
    { { "Sequence", "type processors" }, NULL },
    { { "BertProcessing", "type cls sep" }, read_pair },
    { { "ByteLevel", "type add_prefix_space trim_offsets use_regex" }, read_nothing },
    { { "RobertaProcessing", "type cls sep trim_offsets add_prefix_space" }, read_pair },
    { { "TemplateProcessing", "type single pair special_tokens" }, read_template },
};

static cull_status read_one(const tk_node *node, tk_post *post);

static cull_status read_sequence(const tk_node *node, tk_post *post)
{
    const tk_node all = tk_field(node, "processors");
    size_t n = 0;

    CULL_TRY(tk_get_array(&all, &n));
    for (size_t i = 0; i < n; i++) {
        const tk_node item = tk_item(&all, i);
        CULL_TRY(read_one(&item, post));
    }
    return CULL_OK;
}

static cull_status read_one(const tk_node *node, tk_post *post)
{
    size_t kind;

    CULL_TRY(tk_get_kind(node, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &kind));
    if (!kinds[kind].read)
        return read_sequence(node, post);
    tk_ids side[2] = { { 0 }, { 0 } };
    cull_ctx *ctx = node->file->ctx;
    cull_status status = kinds[kind].read(node, side);
    if (status == CULL_OK && (side[0].failed || side[1].failed))
        status = tk_no_memory(ctx);
    if (status == CULL_OK && side[0].n + side[1].n > 0 && post->n_before + post->n_after > 0)
        status = tk_wrong(node, CULL_ENOTSUP, "the second post-processor that adds tokens");
    if (status == CULL_OK)
        status = wrap(ctx, post, side[0].v, side[0].n, side[1].v, side[1].n);
    tk_ids_free(&side[0]);
    tk_ids_free(&side[1]);
    return status;
}

cull_status tk_post_read(const tk_node *node, tk_post *post)
{
    *post = (tk_post){ 0 };
    return tk_absent(node) ? CULL_OK : read_one(node, post);
}
