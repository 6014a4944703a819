// config.json → recurrent layers: which they are, and their numbers.
#include <string.h>

#include "config.h"
#include "model.h"

#define KEY(k, d) ((hf_num)HF_KEY(k, d))

// ---- which layers ----

static const struct word {
    const char *words;
    enum hf_mix mix;
    bool moe, mlp; // of blocks that have one part each
} layer_words[] = {
    { "linear_attention|mamba|conv|M", HF_MIX_RECURRENT, false, false },
    { "full_attention|attention|*", HF_MIX_ATTENTION, false, false },
    { "moe|E", HF_MIX_NOTHING, true, false },
    { "mlp|-", HF_MIX_NOTHING, false, true },
};

static const struct word *find_word(const char *type, bool single)
{
    for (size_t i = 0; i < (single ? 4 : 2); i++)
        if (hf_one_of(type, layer_words[i].words))
            return &layer_words[i];
    return NULL;
}

// The word for layer l: of the list, or a letter of the pattern; "" where there is none.
static const char *type_of(const json_t *types, size_t l, char letter[2])
{
    letter[0] = letter[1] = '\0';
    if (json_is_array(types))
        return json_string_value(json_array_get(types, l));
    if (json_is_string(types) && l < json_string_length(types))
        letter[0] = json_string_value(types)[l];
    return letter;
}

static size_t length_of(const json_t *types)
{
    return json_is_array(types) ? json_array_size(types) : json_string_length(types);
}

size_t hf_layer_count(hf_config *c, const hf_arch *arch)
{
    const hf_num key =
        arch->mixer.single ? KEY("num_hidden_layers", 0) : (hf_num)HF_NEEDS("num_hidden_layers");
    const json_t *types = arch->mixer.single ? hf_config_value(c, arch->mixer.types) : NULL;
    const size_t L = hf_size(c, key, 1);

    if (arch->mixer.single && length_of(types) == 0)
        (void)hf_wrong(c, arch->mixer.types, types, "a list with a word for each layer");
    return types ? length_of(types) : L;
}

cull_status hf_mixer_layers(hf_config *c, cull_model *m)
{
    const hf_mixer *mixer = &m->arch->mixer;
    const json_t *types = mixer->kind ? hf_config_value(c, mixer->types) : NULL;
    const size_t nth = mixer->attends.key ? hf_size(c, mixer->attends, 1) : 0;
    char letter[2];

    if (types && length_of(types) != m->s.L)
        return hf_wrong(c, mixer->types, types, "a list with a word for each layer");
    for (size_t l = 0; mixer->kind && l < m->s.L; l++) {
        hf_layer *layer = &m->layer[l];
        layer->mix = nth && (l + 1) % nth == 0 ? HF_MIX_ATTENTION : HF_MIX_RECURRENT;
        if (!types)
            continue;
        const char *type = type_of(types, l, letter);
        const struct word *word = type ? find_word(type, mixer->single) : NULL;
        if (!word)
            return hf_refuse(c, mixer->types, type ? type : "?",
                             mixer->single ? "linear_attention, full_attention, moe, mlp"
                                           : "linear_attention, mamba, conv, full_attention, "
                                             "attention");
        layer->mix = word->mix;
        if (mixer->single) {
            layer->facts.E = word->moe ? m->s.E : 0;
            layer->alone = !word->moe && !word->mlp;
        }
    }
    return c->status;
}

// ---- the numbers ----

// As Python writes it, or transformers 5.
static bool is_infinity(const json_t *value)
{
    const char *text = json_string_value(value);
    const char *word = json_string_value(json_object_get(value, "__float__"));

    return (text && strcmp(text, HF_INFINITY) == 0) || (word && strcmp(word, "Infinity") == 0);
}

// The bounds of time steps. Steps are above zero before them; back in time nothing is computed.
static void read_limits(hf_config *c, const char *key, hf_mixer_shape *s)
{
    const json_t *list = key ? hf_config_value(c, key) : NULL;
    const json_t *least = json_array_get(list, 0), *most = json_array_get(list, 1);

    s->dt_least = (float)(json_is_number(least) ? json_number_value(least) : 0);
    s->dt_most = (float)(json_is_number(most) ? json_number_value(most) : INFINITY);
    const bool right = json_array_size(list) == 2 && json_is_number(least) &&
                       (json_is_number(most) || is_infinity(most)) && s->dt_most >= 0;
    if (list && !right)
        (void)hf_wrong(c, key, list, "a list of the least and the greatest, not below zero");
}

void hf_mixer_read(hf_config *c, const hf_mixer *mixer, hf_mixer_shape *s)
{
    if (mixer->kind == HF_MIXER_NONE)
        return;
    s->H = hf_size(c, mixer->H, 1);
    s->KH = hf_size(c, mixer->KH, 1);
    s->k_width = hf_size(c, mixer->k_width, 1);
    s->v_width = hf_size(c, mixer->v_width, 1);
    s->taps = hf_size(c, mixer->taps, 1);
    s->conv_bias = mixer->conv_bias.key ? hf_flag(c, mixer->conv_bias) : mixer->conv_bias.def != 0;
    s->bias = hf_flag(c, mixer->bias);
    read_limits(c, mixer->limits, s);
    if (mixer->least_step.key)
        s->dt_least = (float)hf_real(c, mixer->least_step);
}

cull_status hf_mixer_check(hf_config *c, const cull_model *m)
{
    const hf_mixer_shape *s = &m->s.mix;

    if (m->arch->mixer.kind < HF_MIXER_DELTA || (s->KH && s->H % s->KH == 0))
        return CULL_OK;
    return c->ctx->host->fail(c->ctx, CULL_EFORMAT, "%s: %s %zu is no multiple of %s %zu", c->path,
                              hf_config_name(c, m->arch->mixer.H.key), s->H,
                              hf_config_name(c, m->arch->mixer.KH.key), s->KH);
}
