// Keys and tensors that are not read: left out with a warning, without meaning, or refused.
#include "lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text/json_dumped.h"

// clang-format off
// Of all families. What follows "without meaning" is looked at in training, by other programs, or
// where answers are generated (generation.c reads it there).
static const hf_key shared_keys[] = {
    { "is_causal", "true", NULL },
    { "per_layer_config", "null|{}", NULL },
    { "is_encoder_decoder|add_cross_attention|tie_encoder_decoder", "false|null", NULL },
    { "pruned_heads|fusion_config", "null|{}", NULL },
    { "transformers_weights", "null", NULL }, // a file that is read instead
    { "text_config", "null", NULL },          // within another
    // ---- without meaning
    { "architectures|model_type|auto_map|transformers_version|_name_or_path|name_or_path", HF_ANY, NULL },
    { "dtype|torch_dtype|use_bfloat16|torchscript|_attn_implementation|attn_implementation", HF_ANY, NULL },
    { "_attn_implementation_autoset|_experts_implementation|use_flash_attention", HF_ANY, NULL },
    { "use_cache|return_dict|use_return_dict|output_hidden_states|output_attentions", HF_ANY, NULL },
    { "output_router_logits|router_aux_loss_coef|aux_loss_alpha|seq_aux|ep_size", HF_ANY, NULL },
    { "initializer_range|attention_dropout|hidden_dropout|hidden_dropout_prob|embd_pdrop", HF_ANY, NULL },
    { "resid_pdrop|pretraining_tp|tf_legacy_loss|is_decoder|cross_attention_hidden_size", HF_ANY, NULL },
    { "chunk_size_feed_forward|num_labels|id2label|label2id|problem_type|finetuning_task", HF_ANY, NULL },
    { "tokenizer_class|prefix|task_specific_params|language|image_token_id", HF_ANY, NULL },
    { "pad_token_id|sep_token_id|decoder_start_token_id|unsloth_version|unsloth_fixed", HF_ANY, NULL },
    { "max_length|min_length|do_sample|early_stopping|num_beams|num_beam_groups", HF_ANY, NULL },
    { "diversity_penalty|temperature|top_k|top_p|typical_p|repetition_penalty", HF_ANY, NULL },
    { "length_penalty|no_repeat_ngram_size|encoder_no_repeat_ngram_size|bad_words_ids", HF_ANY, NULL },
    { "num_return_sequences|output_scores|return_dict_in_generate|forced_bos_token_id", HF_ANY, NULL },
    { "forced_eos_token_id|remove_invalid_values|exponential_decay_length_penalty", HF_ANY, NULL },
    { "suppress_tokens|begin_suppress_tokens|max_new_tokens", HF_ANY, NULL },
    // ---- read where another key asks for them
    { "original_max_position_embeddings|initial_context_length", HF_ANY, NULL },
    { "rope_parameters", "null|{}", "rope_scaling stands above it" },
    { 0 }
};

static const hf_left shared_tensors[] = {
    { "self_attn.rotary_emb.inv_freq", "rotary frequencies follow from config.json", HF_KEPT_NOT },
    { 0 }
};

// Of what stands round the language model of a wrapper.
static const hf_key wrapper_keys[] = {
    { "vision_config|audio_config|talker_config|code2wav_config|thinker_config", HF_ANY, NULL },
    { "image_token_id|video_token_id|audio_token_id|image_token_index|video_token_index", HF_ANY, NULL },
    { "vision_start_token_id|vision_end_token_id|audio_start_token_id|audio_end_token_id", HF_ANY, NULL },
    { "image_start_token_id|image_end_token_id|video_start_token_id|video_end_token_id", HF_ANY, NULL },
    { "boi_token_index|eoi_token_index|boi_token_id|eoi_token_id|boa_token_id|eoa_token_id", HF_ANY, NULL },
    { "enable_audio_output|initializer_range|im_start_token_id|im_end_token_id", HF_ANY, NULL },
    { "eoa_token_index|user_token_id|system_token_id|assistant_token_id|position_id_per_seconds", HF_ANY, NULL },
    { "seconds_per_chunk|tts_bos_token_id|tts_eos_token_id|tts_pad_token_id|vision_soft_tokens_per_image", HF_ANY, NULL },
    { "projector_hidden_size|projector_hidden_act|multimodal_projector_bias|merged_hidden_size", HF_ANY, NULL },
    { "vision_feature_layer|vision_feature_select_strategy|spatial_merge_size|img_token_compression_config", HF_ANY, NULL },
    { "projection_hidden_size|projection_layer_norm_eps|ignore_index|media_placeholder_token_id", HF_ANY, NULL },
    { "use_unified_vision_chunk|video_placeholder|bos_token_id|eos_token_id", HF_ANY, NULL },
    { "image_seq_length|process_image_mode|image_grid_pinpoints|projection_dim|num_reward_heads", HF_ANY, NULL },
    { "rope_scaling|rope_parameters", "null|{}", NULL }, // the language model has its own
    { "per_layer_config", "null", NULL }, // over which the reference trips where no layers are
    { 0 }
};
// clang-format on

// ---- keys ----

static const hf_key *find_key(const hf_key *list, const char *key)
{
    for (; list && list->key; list++)
        if (hf_one_of(key, list->key))
            return list;
    return NULL;
}

// 1 is 1.0, but 1.0 is no integer 1: the reference refuses it there.
static bool same(const json_t *listed, const json_t *value)
{
    if (json_is_real(listed) && json_is_number(value))
        return json_number_value(listed) == json_number_value(value);
    return json_equal(listed, value);
}

// Is `value` one of "a|b" by `equal`?
static bool is_listed(const char *words, const json_t *value,
                      bool (*equal)(const json_t *, const json_t *))
{
    for (size_t n; *words; words += n + (words[n] == '|')) {
        n = strcspn(words, "|");
        json_t *one = json_loadb(words, n, JSON_DECODE_ANY, NULL);
        const bool found = one && equal(one, value);
        json_decref(one);
        if (found)
            return true;
    }
    return false;
}

// Is `value` what one of HF_ANY… asks for?
static bool is_asked_for(const char *any, const json_t *value)
{
    if (strcmp(any, HF_ANY) == 0 || json_is_null(value))
        return true;
    if (strcmp(any, HF_ANY_NUMBER) == 0)
        return json_is_number(value);
    if (strcmp(any, HF_ANY_INTEGER) == 0)
        return json_is_integer(value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_is_array(value);
}

// "1|null" → "1, null"
static const char *listed(cull_ctx *ctx, const char *words)
{
    const char *text = hf_text(ctx, "%s", "");

    for (size_t n; text && *words; words += n + (words[n] == '|')) {
        n = strcspn(words, "|");
        text = hf_text(ctx, "%s%s%.*s", text, *text ? ", " : "", (int)n, words);
    }
    return text ? text : words;
}

static cull_status judge(hf_config *c, cull_model *m, const hf_key *rule, const char *key,
                         const json_t *value)
{
    if (rule && *rule->neutral == *HF_ANY)
        return is_asked_for(rule->neutral, value) ? CULL_OK
                                                  : hf_wrong(c, key, value, rule->neutral + 1);
    if (rule && is_listed(rule->neutral, value, same))
        return CULL_OK;
    if (!rule && json_is_null(value))
        return CULL_OK;
    if (!rule) {
        hf_note(c->ctx, m, "config.json: %s%.60s has no meaning for %s and is ignored", c->where,
                key, m->arch->model_type);
        return CULL_OK;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (rule->why && is_listed(rule->neutral, value, hf_alike))
        hf_note(c->ctx, m, "config.json: %s%s %.60s is left out: %s", c->where, key,
                text ? text : "?", rule->why);
    else
        (void)hf_refuse_value(c, key, text ? text : "?", listed(c->ctx, rule->neutral));
    json_free_dumped(text);
    return c->status;
}

static cull_status judge_all(hf_config *c, cull_model *m, const hf_key *own, const hf_key *shared)
{
    const char *key;
    json_t *value;

    json_object_foreach(c->root, key, value)
    {
        const hf_key *rule = find_key(own, key);
        if (!json_object_get(c->seen, key))
            CULL_TRY(judge(c, m, rule ? rule : find_key(shared, key), key, value));
    }
    return CULL_OK;
}

// Rotary parameters beside a language model, which has its own, are read by nobody; other types
// than the default may trip the reference over what they lack.
static void see_plain_rope(hf_config *c, const char *key)
{
    const json_t *value = json_object_get(c->root, key);
    const json_t *type = json_object_get(value, "rope_type");
    const char *word = json_string_value(type ? type : json_object_get(value, "type"));

    if (word && strcmp(word, "default") == 0)
        (void)hf_config_value(c, key);
}

// A list of layers' types beside the language model is not looked at, but the reference goes
// through it.
static cull_status check_types_beside(hf_config *c)
{
    static const char key[] = "layer_types";
    const json_t *types = json_object_get(c->root, key);

    if (json_is_number(types) || json_is_boolean(types))
        return hf_wrong(c, key, types, "a list");
    return CULL_OK;
}

cull_status hf_lists_keys(hf_config *c, cull_model *m)
{
    for (hf_config *outer = c->outer; outer; outer = outer->outer) {
        see_plain_rope(outer, "rope_scaling");
        see_plain_rope(outer, "rope_parameters");
        CULL_TRY(check_types_beside(outer));
        CULL_TRY(judge_all(outer, m, wrapper_keys, shared_keys));
    }
    return judge_all(c, m, m->arch->keys, shared_keys);
}

cull_status hf_lists_sub_keys(hf_config *c, cull_model *m, const hf_key *list)
{
    return judge_all(c, m, list, NULL);
}

// ---- tensors ----

// The number N of "model.layers.N.…" with *rest at what follows it; −1, and *rest at what follows
// the base, or at the name.
static long layer_of(const cull_model *m, const char *name, const char **rest)
{
    static const char layers[] = "layers.";
    const size_t n = strlen(m->base);
    char *end;

    *rest = name;
    if (strncmp(name, m->base, n) != 0 || strncmp(name + n, layers, sizeof layers - 1) != 0)
        return -1;
    const long layer = strtol(name + n + sizeof layers - 1, &end, 10);
    if (*end != '.' || layer < 0)
        return -1;
    *rest = end + 1;
    return layer;
}

// Has the name a component that begins with "mtp"?
static bool is_mtp(const char *name)
{
    return strncmp(name, "mtp", 3) == 0 || strstr(name, ".mtp");
}

// In a wrapper, what is no part of its language model: eyes, ears, a voice. They have names of
// their own, also where all names begin alike.
static bool is_beside(const cull_model *m, const char *name)
{
    const bool alike = strcmp(m->base, "model.") == 0;
    const bool below = strncmp(name, m->base, strlen(m->base)) == 0;
    const char *rest;

    return m->wrapped && !is_mtp(name) && (!below || (alike && layer_of(m, name, &rest) < 0));
}

// Of a name that a layout of experts begins, the length of that beginning; 0: none does. "*" is a
// number.
static size_t stem_in(const hf_glu_names *glu, const char *name)
{
    const char *const of[] = { glu->gate, glu->up, glu->down };

    for (size_t i = 0; i < 3; i++)
        for (const char *one = of[i]; one && *one;) {
            const size_t n = strcspn(one, "|"), before = strcspn(one, "*|");
            const char *digits = name + before, *after = digits;
            bool equal = strncmp(name, one, before) == 0;
            if (equal && one[before] == '*') {
                after += strspn(digits, "0123456789");
                const size_t rest = n - before - 1;
                equal = after > digits && strncmp(after, one + before + 1, rest) == 0;
                after += equal ? rest : 0;
            }
            if (equal && (*after == '\0' || *after == '.' || *after == '_'))
                return (size_t)(after - name);
            one += n + (one[n] == '|');
        }
    return 0;
}

static bool is_one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

// Are the first `n` characters of a name those of a matrix that has been loaded?
static bool is_loaded(const cull_model *m, const char *name, size_t n)
{
    static const char *const endings[] = { "", ".weight" };
    char stem[512];

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const int length = snprintf(stem, sizeof stem, "%.*s%s", (int)n, name, endings[i]);
        const hf_tensor *t =
            length > 0 && (size_t)length < sizeof stem ? hf_files_find(&m->files, stem) : NULL;
        if (t && t->role)
            return true;
    }
    return false;
}

// Is a tensor that nobody has taken, `rest` in its layer, of experts that are stored in a second
// form? Their matrices; their scales and biases, but not those of matrices that have been loaded.
static bool is_second_form(const cull_model *m, const hf_tensor *t, const char *rest)
{
    static const char *const matrices[] = { "", ".weight", "_blocks", "_scales" };
    static const char *const others[] = { "_bias", ".bias", "_scale_inv", ".weight_scale_inv" };

    for (const hf_expert_layout *layout = m->arch->experts; layout->form; layout++) {
        const size_t n = stem_in(&layout->name, rest);
        if (n && is_one_of(rest + n, matrices, sizeof matrices / sizeof *matrices))
            return true;
        if (n && is_one_of(rest + n, others, sizeof others / sizeof *others) &&
            !is_loaded(m, t->name, (size_t)(rest - t->name) + n))
            return true;
    }
    return false;
}

// The expert of a layer's second set that a tensor belongs to; SIZE_MAX: none.
static size_t second_expert(const cull_model *m, long layer, const char *rest)
{
    static const char *const matrices[] = { ".weight", ".weight_scale_inv" };
    static const char experts[] = "experts.";
    const char *number = m->arch->twofold ? strstr(rest, experts) : NULL;
    const size_t E = m->layer[layer].facts.E;
    bool matrix = false;

    for (const hf_expert_layout *layout = m->arch->experts; number && layout->form; layout++) {
        const size_t n = stem_in(&layout->name, rest);
        matrix |= n && is_one_of(rest + n, matrices, sizeof matrices / sizeof *matrices);
    }
    const size_t e = matrix ? strtoul(number + sizeof experts - 1, NULL, 10) : 0;
    return e >= E && e < 2 * E ? e - E : SIZE_MAX;
}

static const hf_left *find_left(const hf_left *list, const char *name)
{
    for (; list && list->name; list++) {
        const size_t n = strcspn(list->name, "*");
        if (strncmp(name, list->name, n) == 0 && (list->name[n] == '*' || name[n] == '\0'))
            return list;
    }
    return NULL;
}

// Runs of tensors that are left out for one reason: how many, and the first.
typedef struct run {
    const char *why, *first;
    size_t n;
} run;

enum { MOST_RUNS = 16 };

static const char beside_reason[] =
    "beside the language model, no part in text; an export keeps it";

static const char second_reason[] =
    "of a second set of experts, which no text reaches; an export keeps as many as of the first";

static void count(run runs[MOST_RUNS], const char *why, const char *name)
{
    for (size_t i = 0; i < MOST_RUNS; i++) {
        if (runs[i].why && strcmp(runs[i].why, why) != 0)
            continue;
        if (!runs[i].why)
            runs[i] = (run){ why, name, 0 };
        runs[i].n++;
        return;
    }
}

// The role of a layer's tensor that is left out, if an export keeps it. Is it of a second set of
// experts, one by one?
static bool keep(const cull_model *m, hf_tensor *t, const hf_left *left, long layer,
                 const char *rest)
{
    const size_t second = second_expert(m, layer, rest);

    if (left && left->kept) {
        t->role = left->kept == HF_KEPT ? HF_BESIDE : HF_ENTRIES;
        t->axis = left->kept == HF_KEPT_COLUMNS;
    }
    if (second != SIZE_MAX)
        t->role = HF_SECOND;
    t->where = (cull_matrix_id){ (uint32_t)layer, CULL_N_PARTS, (uint32_t)second };
    return second != SIZE_MAX;
}

// A tensor without elements, as of no shared experts: it does nothing, and an export keeps it.
static bool is_empty(const cull_model *m, hf_tensor *t, long layer)
{
    size_t axis = 0;

    while (axis < t->t.rank && t->t.shape[axis] > 0)
        axis++;
    if (axis == t->t.rank || layer < 0 || layer >= (long)m->s.L)
        return false;
    t->role = HF_BESIDE;
    t->where = (cull_matrix_id){ (uint32_t)layer, CULL_N_PARTS, CULL_NONE };
    return true;
}

// Why a tensor that nobody has taken is left out, "" where that needs no word; NULL: it is not to
// be there. Its role becomes that of what an export keeps, if it does.
static const char *reason(const cull_model *m, hf_tensor *t)
{
    const char *rest;
    const long layer = layer_of(m, t->name, &rest);
    const hf_left *left = find_left(m->arch->tensors, rest);

    if (is_beside(m, t->name)) {
        t->role = HF_BESIDE;
        return beside_reason;
    }
    if (is_empty(m, t, layer))
        return "";
    if (layer >= 0 && layer < (long)m->s.L && keep(m, t, left, layer, rest))
        return second_reason;
    if (layer >= (long)m->s.L)
        return (size_t)layer < m->s.L + m->s.mtp ? "a multi-token-prediction (MTP) layer"
                                                 : "a layer beyond num_hidden_layers";
    if (!left)
        left = find_left(shared_tensors, rest);
    if (left)
        return left->why;
    if (layer < 0)
        return is_mtp(t->name) ? "multi-token-prediction (MTP) parts"
                               : "no part of this architecture";
    return m->layer[layer].facts.E && is_second_form(m, t, rest)
               ? "a second form of experts that are stored twice"
               : NULL;
}

// What has an entry an expert must have one for each: an export takes them out one by one.
static cull_status check_entries(cull_ctx *ctx, const cull_model *m, const hf_tensor *t)
{
    const size_t E = t->role == HF_ENTRIES ? m->layer[t->where.layer].facts.E : 0;

    if (t->role != HF_ENTRIES || (t->axis < t->t.rank && E && t->t.shape[t->axis] == E))
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EFORMAT,
                           "%s: tensor \"%s\" is to have %zu entries on axis %zu, one for each of "
                           "the layer's experts",
                           m->facts.source, t->name, E, t->axis);
}

// The matrices of a second set of experts have the width that config.json gives it: no text reaches
// them, but the checkpoint is of another config.json, and the reference refuses it.
static cull_status check_second(cull_ctx *ctx, const cull_model *m, const hf_tensor *t)
{
    const char *matrix = strstr(t->name, ".experts.");
    const bool fused = t->role == HF_ENTRIES && m->arch->twofold && matrix;
    const bool single = t->role == HF_SECOND && !strstr(t->name, "_scale_inv");

    if ((!fused && !single) || t->t.rank < 2)
        return CULL_OK;
    const size_t axis = t->t.rank - (strstr(matrix, "down_proj") ? 1 : 2);
    const size_t times = strstr(matrix, "gate_up_proj") ? 2 : 1;
    if (t->t.shape[axis] == times * m->s.second_F)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EFORMAT,
                           "%s: tensor \"%s\" is of experts of width %zu, but by config.json (%s) "
                           "those of the second set have %zu",
                           m->facts.source, t->name, t->t.shape[axis] / times, m->arch->F.key,
                           m->s.second_F);
}

static bool has_adapter(cull_ctx *ctx, const cull_model *m)
{
    const char *path = hf_text(ctx, "%s/adapter_config.json", m->facts.source);

    return path && access(path, F_OK) == 0;
}

// config.json says that weights are quantised, and none is.
static bool is_plain(const cull_model *m)
{
    bool plain = (m->s.block_rows || m->s.mxfp4) && !m->files.missing;

    for (size_t i = 0; plain && i < m->files.n_tensors; i++) {
        const hf_tensor *t = &m->files.tensor[i];
        plain = t->t.dtype != CULL_DT_F8_E4M3 && t->role != HF_STACK_BLOCKS;
    }
    return plain;
}

cull_status hf_lists_tensors(cull_ctx *ctx, cull_model *m)
{
    run runs[MOST_RUNS] = { 0 };

    for (size_t i = 0; i < m->files.n_tensors; i++) {
        hf_tensor *t = &m->files.tensor[i];
        const bool taken = t->role;
        const char *why = taken ? "" : reason(m, t);
        if (!taken && t->role)
            m->facts.bytes_beside += t->t.bytes;
        if (t->role == HF_SECOND && t->where.expert == 0)
            m->layer[t->where.layer].facts.expert_beside += t->t.bytes;
        CULL_TRY(check_second(ctx, m, t));
        if (!why)
            return ctx->host->fail(ctx, CULL_ENOTSUP,
                                   "%s: tensor \"%s\" is unknown, or by config.json not to be "
                                   "there: what it does in its layer would be left out",
                                   m->facts.source, t->name);
        if (!*why)
            continue;
        CULL_TRY(check_entries(ctx, m, t));
        count(runs, why, t->name);
    }
    for (size_t i = 0; i < MOST_RUNS && runs[i].why; i++)
        hf_note(ctx, m, "%zu tensors are left out, \"%s\" first: %s", runs[i].n, runs[i].first,
                runs[i].why);
    if (has_adapter(ctx, m))
        hf_note(ctx, m,
                "adapter_config.json: the adapter beside the model is left out; transformers with "
                "peft opens the folder as the base model that it names, and the adapter");
    if (is_plain(m))
        hf_note(ctx, m,
                "config.json: quantization_config is left out: it says %s, but no weight is "
                "stored so",
                m->s.mxfp4 ? "mxfp4" : "fp8");
    if (m->files.unlisted)
        hf_note(ctx, m, "%zu tensors stand in the shards but not in the index", m->files.unlisted);
    if (m->files.beside)
        hf_note(ctx, m,
                "model.safetensors is read, as transformers does; the index beside it, "
                "which names %s, is left out",
                m->files.beside);
    return CULL_OK;
}
