// What recurrent layers have in attention's place: gated short convolutions (LFM2), gated delta
// nets (Yang et al. 2024, arXiv:2412.06464), Kimi delta attention (arXiv:2510.26692) and Mamba2
// (Dao and Gu 2024, arXiv:2405.21060).
//
// Each is: project, convolve along the path, run a state along it, norm and gate what comes out,
// project back. Convolutions and states are the engine's.
#include <string.h>

#include <cull/kernel.h>

#include "pieces.h"

static float *room(cull_pass *pass, size_t n)
{
    return pass->engine->scratch(pass, n);
}

static cull_status project(cull_pass *pass, size_t l, cull_part part, size_t n, const float *x,
                           size_t from, float *y, size_t to)
{
    return pass->engine->linear(pass, cull_at(l, part), n, x, from, y, to);
}

// ---- LFM2: out = C ∘ conv(B ∘ x) ----

typedef struct product_job { // y = a ∘ b
    const float *a, *b;
    float *y;
    size_t width, lda, ldb, ldy;
} product_job;

static void product_block(void *arg, size_t first, size_t count)
{
    const product_job *job = arg;

    for (size_t i = first; i < first + count; i++)
        for (size_t c = 0; c < job->width; c++)
            job->y[i * job->ldy + c] = job->a[i * job->lda + c] * job->b[i * job->ldb + c];
}

static cull_status short_convolution(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                                     const float *hn, float *out)
{
    const size_t D = m->s.D;
    float *bcx = room(pass, 3 * n * D), *gated = room(pass, n * D), *mixed = room(pass, n * D);

    if (!bcx || !gated || !mixed)
        return CULL_ENOMEM;
    CULL_TRY(project(pass, l, CULL_PART_MIX_IN, n, hn, D, bcx, 3 * D));
    product_job enter = { bcx, bcx + 2 * D, gated, D, 3 * D, 3 * D, D };
    pass->engine->rows(pass, n, product_block, &enter);
    CULL_TRY(pass->engine->convolve(pass, &m->layer[l].mixer.conv[0], gated, mixed));
    product_job leave = { mixed, bcx + D, mixed, D, D, 3 * D, D };
    pass->engine->rows(pass, n, product_block, &leave);
    return project(pass, l, CULL_PART_MIX_OUT, n, mixed, D, out, D);
}

// ---- norm and gate of what a state yields ----

typedef struct leave_job {
    const hf_mixer_layer *layer;
    enum hf_mixer_gate gate;
    float *x;       // (n, width)
    const float *z; // (n, width) of stride ldz
    size_t width, ldz;
} leave_job;

CULL_CLONES
static void times_silu(size_t n, const float *restrict z, float *restrict x)
{
    for (size_t c = 0; c < n; c++)
        x[c] *= z[c] * cull_sigmoid(z[c]);
}

CULL_CLONES
static void times_sigmoid(size_t n, const float *restrict z, float *restrict x)
{
    for (size_t c = 0; c < n; c++)
        x[c] *= cull_sigmoid(z[c]);
}

static void leave_block(void *arg, size_t first, size_t count)
{
    const leave_job *job = arg;
    const hf_mixer_layer *layer = job->layer;

    for (size_t i = first; i < first + count; i++) {
        float *x = job->x + i * job->width;
        const float *z = job->z + i * job->ldz;
        if (job->gate == HF_GATE_FIRST)
            times_silu(job->width, z, x);
        for (size_t c = 0; c < job->width; c += layer->norm.n) {
            hf_norm norm = layer->norm;
            norm.w += c % layer->norm_width;
            hf_norm_row(&norm, x + c, x + c);
        }
        if (job->gate == HF_GATE_SILU)
            times_silu(job->width, z, x);
        if (job->gate == HF_GATE_SIGMOID)
            times_sigmoid(job->width, z, x);
    }
}

// out = project(norm(x) ∘ act(z))
static cull_status leave(cull_pass *pass, const cull_model *m, size_t l, size_t n, float *x,
                         const float *z, size_t ldz, float *out)
{
    const size_t width = m->s.mix.H * m->s.mix.v_width;
    leave_job job = { &m->layer[l].mixer, m->arch->mixer.gate, x, z, width, ldz };

    pass->engine->rows(pass, n, leave_block, &job);
    return project(pass, l, m->arch->mixer.out, n, x, width, out, m->s.D);
}

// ---- delta nets ----

typedef struct delta {  // what a delta net's state reads and yields, row by row
    float *q, *k;       // (n, KH, k_width)
    float *v, *z, *out; // (n, H, v_width)
    float *b;           // (n, H)
    float *a;           // (n, H), or (n, H, k_width)
} delta;

static size_t decays_of(const hf_layer *layer)
{
    return layer->mixer.state.per_channel ? layer->mixer.state.k_width : 1;
}

static cull_status make_room(cull_pass *pass, const cull_model *m, size_t l, size_t n, delta *d)
{
    const hf_mixer_shape *x = &m->s.mix;

    d->q = room(pass, n * x->KH * x->k_width);
    d->k = room(pass, n * x->KH * x->k_width);
    d->v = room(pass, n * x->H * x->v_width);
    d->z = room(pass, n * x->H * x->v_width);
    d->out = room(pass, n * x->H * x->v_width);
    d->b = room(pass, n * x->H);
    d->a = room(pass, n * x->H * decays_of(&m->layer[l]));
    return d->q && d->k && d->v && d->z && d->out && d->b && d->a ? CULL_OK : CULL_ENOMEM;
}

// x / √(Σ x² + 1e-6) · scale, of each head of a row.
static void unit_heads(size_t heads, size_t width, float scale, float *x)
{
    for (size_t h = 0; h < heads; h++, x += width) {
        double sum = 0;
        for (size_t c = 0; c < width; c++)
            sum += (double)x[c] * (double)x[c];
        const float factor = scale / sqrtf((float)sum + 1e-6f);
        for (size_t c = 0; c < width; c++)
            x[c] *= factor;
    }
}

static float softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x));
}

typedef struct gate_job {
    const cull_model *m;
    const hf_layer *layer;
    const delta *d;
} gate_job;

// q and k get the length one, q divided by √width besides; b becomes β, a the decay.
static void gate_block(void *arg, size_t first, size_t count)
{
    const gate_job *job = arg;
    const hf_mixer_shape *s = &job->m->s.mix;
    const hf_mixer_layer *layer = &job->layer->mixer;
    const float scale = (float)pow((double)s->k_width, -0.5);
    const size_t decays = decays_of(job->layer);

    for (size_t i = first; i < first + count; i++) {
        float *b = job->d->b + i * s->H, *a = job->d->a + i * s->H * decays;
        unit_heads(s->KH, s->k_width, scale, job->d->q + i * s->KH * s->k_width);
        unit_heads(s->KH, s->k_width, 1, job->d->k + i * s->KH * s->k_width);
        for (size_t h = 0; h < s->H; h++)
            b[h] = cull_sigmoid(b[h]);
        for (size_t c = 0; c < s->H * decays; c++)
            a[c] = -layer->rate[c / decays] * softplus(a[c] + layer->dt_bias[c]);
    }
}

// From d's inputs to the layer's output.
static cull_status run_delta(cull_pass *pass, const cull_model *m, size_t l, size_t n, delta *d,
                             float *out)
{
    gate_job job = { m, &m->layer[l], d };

    pass->engine->rows(pass, n, gate_block, &job);
    CULL_TRY(
        pass->engine->recur(pass, &m->layer[l].mixer.state, d->q, d->k, d->v, d->a, d->b, d->out));
    return leave(pass, m, l, n, d->out, d->z, m->s.mix.H * m->s.mix.v_width, out);
}

typedef struct split_job { // rows of a projection into their parts
    const hf_mixer_shape *s;
    const float *x, *ba;
    float *qkv;
    const delta *d;
} split_job;

// Qwen3-Next's order: key head by key head its q, k, values and gates; likewise β and decay.
static void split_fused(void *arg, size_t first, size_t count)
{
    const split_job *job = arg;
    const hf_mixer_shape *s = job->s;
    const size_t k = s->k_width, r = s->H / s->KH, v = r * s->v_width, K = s->KH * k;

    for (size_t i = first; i < first + count; i++)
        for (size_t g = 0; g < s->KH; g++) {
            const float *x = job->x + (i * s->KH + g) * 2 * (k + v);
            const float *ba = job->ba + (i * s->KH + g) * 2 * r;
            float *qkv = job->qkv + i * (2 * K + s->KH * v);
            memcpy(qkv + g * k, x, k * sizeof *qkv);
            memcpy(qkv + K + g * k, x + k, k * sizeof *qkv);
            memcpy(qkv + 2 * K + g * v, x + 2 * k, v * sizeof *qkv);
            memcpy(job->d->z + (i * s->KH + g) * v, x + 2 * k + v, v * sizeof *qkv);
            memcpy(job->d->b + (i * s->KH + g) * r, ba, r * sizeof *qkv);
            memcpy(job->d->a + (i * s->KH + g) * r, ba + r, r * sizeof *qkv);
        }
}

// What is convolved into q, k and v.
static void split_qkv(void *arg, size_t first, size_t count)
{
    const split_job *job = arg;
    const hf_mixer_shape *s = job->s;
    const size_t K = s->KH * s->k_width, V = s->H * s->v_width;

    for (size_t i = first; i < first + count; i++) {
        const float *x = job->x + i * (2 * K + V);
        memcpy(job->d->q + i * K, x, K * sizeof *x);
        memcpy(job->d->k + i * K, x + K, K * sizeof *x);
        memcpy(job->d->v + i * V, x + 2 * K, V * sizeof *x);
    }
}

// qkv (n, channels), and d's z, b and a, out of the checkpoint's matrices.
static cull_status enter_delta(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                               const float *hn, float *qkv, const delta *d)
{
    const hf_mixer_shape *s = &m->s.mix;
    const size_t D = m->s.D, V = s->H * s->v_width, C = 2 * s->KH * s->k_width + V;

    if (m->layer[l].part[CULL_PART_MIX_BA].rows) {
        float *x = room(pass, n * (C + V)), *ba = room(pass, n * 2 * s->H);
        split_job job = { s, x, ba, qkv, d };
        if (!x || !ba)
            return CULL_ENOMEM;
        CULL_TRY(project(pass, l, CULL_PART_MIX_IN, n, hn, D, x, C + V));
        CULL_TRY(project(pass, l, CULL_PART_MIX_BA, n, hn, D, ba, 2 * s->H));
        pass->engine->rows(pass, n, split_fused, &job);
        return CULL_OK;
    }
    CULL_TRY(project(pass, l, CULL_PART_MIX_IN, n, hn, D, qkv, C));
    CULL_TRY(project(pass, l, CULL_PART_MIX_Z, n, hn, D, d->z, V));
    CULL_TRY(project(pass, l, CULL_PART_MIX_B, n, hn, D, d->b, s->H));
    return project(pass, l, CULL_PART_MIX_A, n, hn, D, d->a, s->H);
}

static cull_status gated_delta(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                               const float *hn, float *out)
{
    const size_t C = m->layer[l].mixer.conv[0].channels;
    float *qkv = room(pass, n * C), *mixed = room(pass, n * C);
    delta d;

    if (!qkv || !mixed)
        return CULL_ENOMEM;
    CULL_TRY(make_room(pass, m, l, n, &d));
    CULL_TRY(enter_delta(pass, m, l, n, hn, qkv, &d));
    CULL_TRY(pass->engine->convolve(pass, &m->layer[l].mixer.conv[0], qkv, mixed));
    split_job job = { &m->s.mix, mixed, NULL, NULL, &d };
    pass->engine->rows(pass, n, split_qkv, &job);
    return run_delta(pass, m, l, n, &d, out);
}

// y = W₂ W₁ x, through a middle as wide as a head.
static cull_status narrow(cull_pass *pass, const cull_model *m, size_t l, cull_part first, size_t n,
                          const float *hn, float *y)
{
    const size_t width = m->s.mix.k_width;
    float *middle = room(pass, n * width);

    if (!middle)
        return CULL_ENOMEM;
    CULL_TRY(project(pass, l, first, n, hn, m->s.D, middle, width));
    return project(pass, l, first + 1, n, middle, width, y, m->s.mix.H * m->s.mix.k_width);
}

static cull_status kimi_delta(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                              const float *hn, float *out)
{
    static const cull_part part[] = { CULL_PART_Q, CULL_PART_K, CULL_PART_V };
    const size_t D = m->s.D, width = m->s.mix.H * m->s.mix.k_width;
    float *x = room(pass, n * width);
    delta d;

    if (!x)
        return CULL_ENOMEM;
    CULL_TRY(make_room(pass, m, l, n, &d));
    float *const to[] = { d.q, d.k, d.v };
    for (size_t i = 0; i < 3; i++) {
        CULL_TRY(project(pass, l, part[i], n, hn, D, x, width));
        CULL_TRY(pass->engine->convolve(pass, &m->layer[l].mixer.conv[i], x, to[i]));
    }
    CULL_TRY(narrow(pass, m, l, CULL_PART_MIX_A_IN, n, hn, d.a));
    CULL_TRY(narrow(pass, m, l, CULL_PART_MIX_Z_IN, n, hn, d.z));
    CULL_TRY(project(pass, l, CULL_PART_MIX_B, n, hn, D, d.b, m->s.mix.H));
    return run_delta(pass, m, l, n, &d, out);
}

// ---- Mamba2 ----

typedef struct mamba { // row by row
    const cull_model *m;
    const hf_mixer_layer *layer;
    const float *in;  // (n, V + C + H): gate, what is convolved, time steps
    float *x, *mixed; // (n, C): x, B and C before and after the convolution
    float *v, *b, *c; // (n, V), (n, KH, k_width): dt x, B, C
    float *g, *out;   // (n, H), (n, V)
    size_t V, C, in_width;
} mamba;

static void mamba_enter(void *arg, size_t first, size_t count)
{
    const mamba *t = arg;

    for (size_t i = first; i < first + count; i++)
        memcpy(t->x + i * t->C, t->in + i * t->in_width + t->V, t->C * sizeof *t->x);
}

// x, B and C, and each head's time step: how far its state decays, and how much of x it takes.
static void mamba_step(void *arg, size_t first, size_t count)
{
    const mamba *t = arg;
    const hf_mixer_shape *s = &t->m->s.mix;
    const size_t K = s->KH * s->k_width;

    for (size_t i = first; i < first + count; i++) {
        const float *mixed = t->mixed + i * t->C, *dt = t->in + i * t->in_width + t->V + t->C;
        memcpy(t->b + i * K, mixed + t->V, K * sizeof *mixed);
        memcpy(t->c + i * K, mixed + t->V + K, K * sizeof *mixed);
        for (size_t h = 0; h < s->H; h++) {
            const float soft = softplus(dt[h] + t->layer->dt_bias[h]);
            const float step = fminf(fmaxf(soft, s->dt_least), s->dt_most);
            t->g[i * s->H + h] = -t->layer->rate[h] * step;
            for (size_t c = h * s->v_width; c < (h + 1) * s->v_width; c++)
                t->v[i * t->V + c] = mixed[c] * step;
        }
    }
}

// out += D x
static void mamba_skip(void *arg, size_t first, size_t count)
{
    const mamba *t = arg;
    const size_t width = t->m->s.mix.v_width;

    for (size_t i = first; i < first + count; i++)
        for (size_t c = 0; c < t->V; c++)
            t->out[i * t->V + c] += t->layer->skip[c / width] * t->mixed[i * t->C + c];
}

static cull_status mamba2(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *hn,
                          float *out)
{
    const hf_mixer_shape *s = &m->s.mix;
    const hf_mixer_layer *layer = &m->layer[l].mixer;
    const size_t K = s->KH * s->k_width, V = s->H * s->v_width, C = V + 2 * K;
    float *in = room(pass, n * (V + C + s->H));
    mamba t = { m,
                layer,
                in,
                room(pass, n * C),
                room(pass, n * C),
                room(pass, n * V),
                room(pass, n * K),
                room(pass, n * K),
                room(pass, n * s->H),
                room(pass, n * V),
                V,
                C,
                V + C + s->H };

    if (!in || !t.x || !t.mixed || !t.v || !t.b || !t.c || !t.g || !t.out)
        return CULL_ENOMEM;
    CULL_TRY(project(pass, l, CULL_PART_MIX_IN, n, hn, m->s.D, in, t.in_width));
    pass->engine->rows(pass, n, mamba_enter, &t);
    CULL_TRY(pass->engine->convolve(pass, &layer->conv[0], t.x, t.mixed));
    pass->engine->rows(pass, n, mamba_step, &t);
    CULL_TRY(pass->engine->recur(pass, &layer->state, t.c, t.b, t.v, t.g, NULL, t.out));
    pass->engine->rows(pass, n, mamba_skip, &t);
    return leave(pass, m, l, n, t.out, in, t.in_width, out);
}

cull_status hf_mix(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *hn,
                   float *out)
{
    switch (m->arch->mixer.kind) {
    case HF_MIXER_CONV:
        return short_convolution(pass, m, l, n, hn, out);
    case HF_MIXER_DELTA:
        return gated_delta(pass, m, l, n, hn, out);
    case HF_MIXER_KDA:
        return kimi_delta(pass, m, l, n, hn, out);
    default:
        return mamba2(pass, m, l, n, hn, out);
    }
}
