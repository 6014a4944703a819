// Recurrent layers of a checkpoint: which they are, their numbers, their tensors.
#include <string.h>

#include "config.h"
#include "load.h"

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

// A bound of time steps: a number, or Infinity as transformers writes it.
static float bound(const json_t *list, size_t i, float def)
{
    const json_t *value = json_array_get(list, i);

    if (json_is_number(value))
        return (float)json_number_value(value);
    return def;
}

void hf_mixer_read(hf_config *c, const hf_mixer *mixer, hf_mixer_shape *s)
{
    const json_t *limit =
        mixer->kind == HF_MIXER_MAMBA2 ? hf_config_value(c, "time_step_limit") : NULL;

    if (mixer->kind == HF_MIXER_NONE)
        return;
    s->H = hf_size(c, mixer->H, 1);
    s->KH = hf_size(c, mixer->KH, 1);
    s->k_width = hf_size(c, mixer->k_width, 1);
    s->v_width = hf_size(c, mixer->v_width, 1);
    s->taps = hf_size(c, mixer->taps, 1);
    s->conv_bias = mixer->conv_bias.key ? hf_flag(c, mixer->conv_bias) : mixer->conv_bias.def != 0;
    s->bias = hf_flag(c, mixer->bias);
    s->dt_least = bound(limit, 0, 0);
    s->dt_most = bound(limit, 1, INFINITY);
}

cull_status hf_mixer_check(hf_config *c, const cull_model *m)
{
    const hf_mixer_shape *s = &m->s.mix;

    if (m->arch->mixer.kind < HF_MIXER_DELTA || (s->KH && s->H % s->KH == 0))
        return CULL_OK;
    return c->ctx->host->fail(c->ctx, CULL_EFORMAT,
                              "%s: %zu heads of recurrent layers are no multiple of %zu", c->path,
                              s->H, s->KH);
}

// ---- the tensors ----

// A filter is stored (channels, 1, taps).
static cull_status load_filter(hf_loader *t, size_t l, cull_part part, const char *name,
                               size_t channels, bool silu, cull_convolution *out)
{
    const hf_mixer_shape *s = &t->m->s.mix;

    *out = (cull_convolution){ .size = sizeof *out,
                               .filter = cull_at(l, part),
                               .channels = channels,
                               .taps = s->taps,
                               .silu = silu,
                               .state_at = t->m->layer[l].facts.state_width };
    t->m->layer[l].facts.state_width += cull_convolution_floats(out);
    return hf_load_filter(t, cull_at(l, part), name, channels, s->taps, s->conv_bias);
}

static cull_status load_vector(hf_loader *t, const char *name, size_t n, const float **out)
{
    return hf_load_vector(t, hf_loader_name(t, name, 0, ""), HF_VECTOR, 1, &n, out);
}

// (n), or as kimi_linear has it (1, 1, n, 1); its exponential.
static cull_status load_rate(hf_loader *t, const char *name, size_t n, const float **out)
{
    const size_t flat[] = { n }, wide[] = { 1, 1, n, 1 };
    const char *full = hf_loader_name(t, name, 0, "");
    const hf_tensor *found = full ? hf_files_find(&t->m->files, full) : NULL;
    const bool is_wide = found && found->t.rank == 4;
    const float *logs;

    HF_TRY(hf_load_vector(t, full, HF_VECTOR, is_wide ? 4 : 1, is_wide ? wide : flat, &logs));
    float *rate = t->ctx->host->alloc(t->ctx, n, sizeof *rate);
    if (!rate)
        return CULL_ENOMEM;
    for (size_t h = 0; h < n; h++)
        rate[h] = expf(logs[h]);
    *out = rate;
    return CULL_OK;
}

// Where S stands, and its norm.
static cull_status load_state(hf_loader *t, size_t l, bool per_channel)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const hf_mixer_shape *s = &t->m->s.mix;
    hf_layer *layer = &t->m->layer[l];
    hf_mixer_layer *mine = &layer->mixer;
    const size_t group = mixer->grouped ? s->H / s->KH * s->v_width : s->v_width;

    mine->state = (cull_recurrence){ .size = sizeof mine->state,
                                     .H = s->H,
                                     .KH = s->KH,
                                     .k_width = s->k_width,
                                     .v_width = s->v_width,
                                     .per_channel = per_channel,
                                     .state_at = layer->facts.state_width };
    layer->facts.state_width += cull_recurrence_floats(&mine->state);
    mine->norm_width = mixer->grouped ? s->H * s->v_width : s->v_width;
    mine->norm = (hf_norm){ .n = group, .eps = (float)t->m->s.eps };
    HF_TRY(load_rate(t, mixer->rate, s->H, &mine->rate));
    HF_TRY(load_vector(t, mixer->dt_bias, s->H * (per_channel ? s->k_width : 1), &mine->dt_bias));
    if (mixer->skip)
        HF_TRY(load_vector(t, mixer->skip, s->H, &mine->skip));
    return load_vector(t, mixer->norm, mine->norm_width, &mine->norm.w);
}

static cull_status load(hf_loader *t, size_t l, cull_part part, const char *name, size_t rows,
                        size_t cols)
{
    return hf_load_matrix(t, cull_at(l, part), name, rows, cols, t->m->s.mix.bias);
}

static cull_status load_delta(hf_loader *t, size_t l)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const hf_mixer_shape *s = &t->m->s.mix;
    const size_t D = t->m->s.D, V = s->H * s->v_width, C = 2 * s->KH * s->k_width + V;

    HF_TRY(load(t, l, CULL_PART_MIX_IN, mixer->in, mixer->ba ? C + V : C, D));
    if (mixer->ba) {
        HF_TRY(load(t, l, CULL_PART_MIX_BA, mixer->ba, 2 * s->H, D));
    } else {
        HF_TRY(load(t, l, CULL_PART_MIX_Z, mixer->z, V, D));
        HF_TRY(load(t, l, CULL_PART_MIX_B, mixer->b, s->H, D));
        HF_TRY(load(t, l, CULL_PART_MIX_A, mixer->a, s->H, D));
    }
    t->m->layer[l].facts.attend_width = 4 * D + 4 * C + 5 * V + 6 * s->H;
    HF_TRY(load_filter(t, l, CULL_PART_CONV, mixer->conv, C, true, &t->m->layer[l].mixer.conv[0]));
    HF_TRY(load_state(t, l, false));
    return load(t, l, mixer->out, mixer->out_name, D, V);
}

static cull_status load_kda(hf_loader *t, size_t l)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const hf_mixer_shape *s = &t->m->s.mix;
    const char *const in[] = { mixer->q, mixer->k, mixer->v };
    const char *const conv[] = { mixer->conv, mixer->conv_k, mixer->conv_v };
    const size_t D = t->m->s.D, w = s->k_width, V = s->H * w;

    for (size_t i = 0; i < 3; i++) {
        HF_TRY(load(t, l, CULL_PART_Q + (cull_part)i, in[i], V, D));
        HF_TRY(load_filter(t, l, CULL_PART_CONV + (cull_part)i, conv[i], V, true,
                           &t->m->layer[l].mixer.conv[i]));
    }
    HF_TRY(load(t, l, CULL_PART_MIX_A_IN, mixer->a_in, w, D));
    HF_TRY(load(t, l, CULL_PART_MIX_A_OUT, mixer->a_out, V, w));
    HF_TRY(load(t, l, CULL_PART_MIX_Z_IN, mixer->z_in, w, D));
    HF_TRY(load(t, l, CULL_PART_MIX_Z_OUT, mixer->z_out, V, w));
    HF_TRY(load(t, l, CULL_PART_MIX_B, mixer->b, s->H, D));
    t->m->layer[l].facts.attend_width = 4 * D + 8 * V + 4 * w;
    HF_TRY(load_state(t, l, true));
    return load(t, l, mixer->out, mixer->out_name, D, V);
}

static cull_status load_mamba2(hf_loader *t, size_t l)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const hf_mixer_shape *s = &t->m->s.mix;
    const size_t D = t->m->s.D, V = s->H * s->v_width, C = V + 2 * s->KH * s->k_width;

    HF_TRY(load(t, l, CULL_PART_MIX_IN, mixer->in, V + C + s->H, D));
    HF_TRY(load_filter(t, l, CULL_PART_CONV, mixer->conv, C, true, &t->m->layer[l].mixer.conv[0]));
    t->m->layer[l].facts.attend_width = 4 * D + 3 * V + 4 * C + 2 * s->H;
    HF_TRY(load_state(t, l, false));
    return load(t, l, mixer->out, mixer->out_name, D, V);
}

static cull_status load_convolution(hf_loader *t, size_t l)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const size_t D = t->m->s.D;

    HF_TRY(load(t, l, CULL_PART_MIX_IN, mixer->in, 3 * D, D));
    HF_TRY(load_filter(t, l, CULL_PART_CONV, mixer->conv, D, false, &t->m->layer[l].mixer.conv[0]));
    t->m->layer[l].facts.attend_width = 9 * D;
    return load(t, l, mixer->out, mixer->out_name, D, D);
}

cull_status hf_load_mixer(hf_loader *t, size_t l)
{
    switch (t->m->arch->mixer.kind) {
    case HF_MIXER_CONV:
        return load_convolution(t, l);
    case HF_MIXER_DELTA:
        return load_delta(t, l);
    case HF_MIXER_KDA:
        return load_kda(t, l);
    default:
        return load_mamba2(t, l);
    }
}
