// The tensors of recurrent layers.
#include <math.h>

#include "load.h"

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

    CULL_TRY(hf_load_vector(t, full, HF_VECTOR, is_wide ? 4 : 1, is_wide ? wide : flat, &logs));
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
    CULL_TRY(load_rate(t, mixer->rate, s->H, &mine->rate));
    CULL_TRY(load_vector(t, mixer->dt_bias, s->H * (per_channel ? s->k_width : 1), &mine->dt_bias));
    if (mixer->skip)
        CULL_TRY(load_vector(t, mixer->skip, s->H, &mine->skip));
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

    CULL_TRY(load(t, l, CULL_PART_MIX_IN, mixer->in, mixer->ba ? C + V : C, D));
    if (mixer->ba) {
        CULL_TRY(load(t, l, CULL_PART_MIX_BA, mixer->ba, 2 * s->H, D));
    } else {
        CULL_TRY(load(t, l, CULL_PART_MIX_Z, mixer->z, V, D));
        CULL_TRY(load(t, l, CULL_PART_MIX_B, mixer->b, s->H, D));
        CULL_TRY(load(t, l, CULL_PART_MIX_A, mixer->a, s->H, D));
    }
    t->m->layer[l].facts.attend_width = 4 * D + 4 * C + 5 * V + 6 * s->H;
    CULL_TRY(
        load_filter(t, l, CULL_PART_CONV, mixer->conv, C, true, &t->m->layer[l].mixer.conv[0]));
    CULL_TRY(load_state(t, l, false));
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
        CULL_TRY(load(t, l, CULL_PART_Q + (cull_part)i, in[i], V, D));
        CULL_TRY(load_filter(t, l, CULL_PART_CONV + (cull_part)i, conv[i], V, true,
                             &t->m->layer[l].mixer.conv[i]));
    }
    CULL_TRY(load(t, l, CULL_PART_MIX_A_IN, mixer->a_in, w, D));
    CULL_TRY(load(t, l, CULL_PART_MIX_A_OUT, mixer->a_out, V, w));
    CULL_TRY(load(t, l, CULL_PART_MIX_Z_IN, mixer->z_in, w, D));
    CULL_TRY(load(t, l, CULL_PART_MIX_Z_OUT, mixer->z_out, V, w));
    CULL_TRY(load(t, l, CULL_PART_MIX_B, mixer->b, s->H, D));
    t->m->layer[l].facts.attend_width = 4 * D + 8 * V + 4 * w;
    CULL_TRY(load_state(t, l, true));
    return load(t, l, mixer->out, mixer->out_name, D, V);
}

static cull_status load_mamba2(hf_loader *t, size_t l)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const hf_mixer_shape *s = &t->m->s.mix;
    const size_t D = t->m->s.D, V = s->H * s->v_width, C = V + 2 * s->KH * s->k_width;

    CULL_TRY(load(t, l, CULL_PART_MIX_IN, mixer->in, V + C + s->H, D));
    CULL_TRY(
        load_filter(t, l, CULL_PART_CONV, mixer->conv, C, true, &t->m->layer[l].mixer.conv[0]));
    t->m->layer[l].facts.attend_width = 4 * D + 3 * V + 4 * C + 2 * s->H;
    CULL_TRY(load_state(t, l, false));
    return load(t, l, mixer->out, mixer->out_name, D, V);
}

static cull_status load_convolution(hf_loader *t, size_t l)
{
    const hf_mixer *mixer = &t->m->arch->mixer;
    const size_t D = t->m->s.D;

    CULL_TRY(load(t, l, CULL_PART_MIX_IN, mixer->in, 3 * D, D));
    CULL_TRY(
        load_filter(t, l, CULL_PART_CONV, mixer->conv, D, false, &t->m->layer[l].mixer.conv[0]));
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
