// Wrappers: models for images or sound with a language model inside. Their config.json keeps the
// language model's keys in an object of its own, and its tensors stand below a prefix.
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "model.h"

enum { OUTER = 1, INNER = 2 }; // whose tie_word_embeddings ties the head

static const struct wrapper {
    const char *model_type;
    unsigned tied_by;
    bool tied;                // where neither says
    const char *transformers; // its class; NULL: none that has the language model's layers
} wrappers[] = {
    { "qwen3_vl_moe", OUTER, false, "Qwen3VLMoeForConditionalGeneration" },
    { "qwen3_omni_moe", OUTER, false, NULL }, // the thinker's
    { "qwen3_omni_moe_thinker", OUTER, false, "Qwen3OmniMoeThinkerForConditionalGeneration" },
    { "qwen3_5_moe", OUTER, false, "Qwen3_5MoeForConditionalGeneration" },
    { "glm4v_moe", OUTER | INNER, false, "Glm4vMoeForConditionalGeneration" },
    { "ernie4_5_vl_moe", OUTER, true, "Ernie4_5_VLMoeForConditionalGeneration" },
    { "minimax_m3_vl", OUTER | INNER, false, "MiniMaxM3SparseForConditionalGeneration" },
    { "gemma4", OUTER, true, "Gemma4ForConditionalGeneration" },
    { "llama4", INNER, false, "Llama4ForConditionalGeneration" },
    { "kimi_k25", OUTER, true, "Kimi_K25ForConditionalGeneration" },
    { "mistral3", OUTER, true, "Mistral3ForConditionalGeneration" },
};

static const struct wrapper *find(const char *model_type)
{
    for (size_t i = 0; model_type && i < sizeof wrappers / sizeof *wrappers; i++)
        if (strcmp(wrappers[i].model_type, model_type) == 0)
            return &wrappers[i];
    return NULL;
}

// The object under `key` becomes *in, and *outer what it was; how many objects that was.
static size_t descend(hf_config *in, hf_config *outer, const char *key)
{
    hf_config inside;

    if (!json_object_get(in->root, key) || !hf_config_sub(in, key, &inside))
        return 0;
    *outer = *in;
    *in = inside;
    in->outer = outer;
    return 1;
}

cull_status hf_wrapper_open(cull_ctx *ctx, const char *path, hf_wrapped *out)
{
    *out = (hf_wrapped){ 0 };
    CULL_TRY(hf_config_open(ctx, path, &out->text));
    out->depth = descend(&out->text, &out->outer[0], "thinker_config");
    out->depth += descend(&out->text, &out->outer[out->depth], "text_config");
    return out->text.status;
}

void hf_wrapper_close(hf_wrapped *w)
{
    hf_config_close(&w->text);
    for (size_t i = 0; i < w->depth; i++)
        hf_config_close(&w->outer[i]);
}

const char *hf_wrapper_type(hf_config *text)
{
    const char *inner = hf_word(text, "model_type", NULL), *type = inner;

    for (hf_config *c = text->outer; c; c = c->outer) {
        const char *word = hf_word(c, "model_type", NULL);
        if (word && !find(word)) {
            (void)hf_refuse(c, "model_type", word, "a language model, or a known wrapper of one");
            text->status = c->status;
            return NULL;
        }
        type = type ? type : word;
    }
    return type;
}

// Neither true nor false is neither, also where false is the default.
static bool is_tied(hf_config *c, bool def)
{
    static const char key[] = "tie_word_embeddings";

    if (hf_config_is_null(c, key))
        (void)hf_refuse_value(c, key, "null", "true, false");
    return hf_flag(c, (hf_num){ key, def });
}

bool hf_wrapper_ties(hf_config *text, bool tied)
{
    const char *word = text->outer ? hf_word(text->outer, "model_type", "") : "";
    const struct wrapper *wrapper = find(word);

    if (!wrapper)
        return is_tied(text, tied);
    const bool inner = is_tied(text, tied && wrapper->tied_by & INNER);
    const bool outer = is_tied(text->outer, wrapper->tied && wrapper->tied_by & OUTER);
    text->status = text->status ? text->status : text->outer->status;
    return (wrapper->tied_by & OUTER && outer) || (wrapper->tied_by & INNER && inner);
}

const char *hf_wrapper_class(const hf_config *text)
{
    const hf_config *file = text->outer;

    while (file && file->outer)
        file = file->outer;
    const struct wrapper *wrapper =
        file ? find(json_string_value(json_object_get(file->root, "model_type"))) : NULL;
    return wrapper ? wrapper->transformers : NULL;
}
