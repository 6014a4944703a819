// Multi-head attention with shared keys and values (GQA, Ainslie et al. 2023), and multi-head
// latent attention (MLA, DeepSeek-V2, arXiv:2405.04434, section 2.1). Positions, masks and the K/V
// store are the engine's.
#include <string.h>

#include <cull/kernel.h>

#include "pieces.h"

typedef struct table_job {
    const hf_rope *rope;
    bool beyond;
    const int32_t *pos;
    float *table;
} table_job;

static void table_block(void *arg, size_t first, size_t count)
{
    const table_job *job = arg;

    hf_rope_table(job->rope, job->beyond, count, job->pos + first,
                  job->table + first * job->rope->rot);
}

float *hf_rope_rows(cull_pass *pass, const hf_rope *rope, size_t n, const int32_t *pos)
{
    table_job job = { rope, pass->beyond_switch, pos, pass->engine->scratch(pass, n * rope->rot) };

    if (job.table)
        pass->engine->rows(pass, n, table_block, &job);
    return job.table;
}

typedef struct rotate_job {
    const hf_rope *rope;
    const float *table;
    size_t heads, width, ldx;
    float *x;
} rotate_job;

static void rotate_block(void *arg, size_t first, size_t count)
{
    const rotate_job *job = arg;

    for (size_t i = first; i < first + count; i++)
        for (size_t h = 0; h < job->heads; h++)
            hf_rope_rotate(job->rope, job->table + i * job->rope->rot,
                           job->x + i * job->ldx + h * job->width);
}

void hf_rotate_rows(cull_pass *pass, const hf_rope *rope, const float *table, size_t n,
                    size_t heads, size_t width, float *x, size_t ldx)
{
    rotate_job job = { rope, table, heads, width, ldx, x };

    pass->engine->rows(pass, n, rotate_block, &job);
}

typedef struct change_job {
    float *x;
    size_t width;
    float limit, factor;
} change_job;

static void clamp_block(void *arg, size_t first, size_t count)
{
    const change_job *job = arg;

    for (size_t i = first * job->width; i < (first + count) * job->width; i++)
        job->x[i] = fminf(fmaxf(job->x[i], -job->limit), job->limit);
}

static void clamp_rows(cull_pass *pass, size_t n, size_t width, float limit, float *x)
{
    change_job job = { .x = x, .width = width, .limit = limit };

    if (isfinite(limit))
        pass->engine->rows(pass, n, clamp_block, &job);
}

static void scale_block(void *arg, size_t first, size_t count)
{
    const change_job *job = arg;

    for (size_t i = first * job->width; i < (first + count) * job->width; i++)
        job->x[i] *= job->factor;
}

static void scale_rows(cull_pass *pass, size_t n, size_t width, float factor, float *x)
{
    change_job job = { .x = x, .width = width, .factor = factor };

    if (factor != 1)
        pass->engine->rows(pass, n, scale_block, &job);
}

typedef struct temper_job {
    const hf_shape *s;
    const int32_t *pos;
    float *q;
    size_t width;
} temper_job;

static void temper_block(void *arg, size_t first, size_t count)
{
    const temper_job *job = arg;
    const hf_shape *s = job->s;

    for (size_t i = first; i < first + count; i++) {
        const float steps = floorf(((float)job->pos[i] + s->temper_from) / s->temper_span);
        const float factor = log1pf(steps) * s->temper + 1;
        for (size_t c = 0; c < job->width; c++)
            job->q[i * job->width + c] *= factor;
    }
}

// Queries grow sharper with the position (Llama 4; Nakanishi 2025, arXiv:2501.19399).
static void temper_rows(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                        const int32_t *pos, float *q, size_t width)
{
    temper_job job = { &m->s, pos, q, width };

    if (m->layer[l].tempered)
        pass->engine->rows(pass, n, temper_block, &job);
}

// Norm of q, k or v: over a whole row, or over each of its heads.
static void norm_heads(cull_pass *pass, const hf_norm *norm, size_t n, size_t width, float *x)
{
    if (norm->n)
        hf_norm_rows(pass, norm, n * (width / norm->n), x, norm->n, x, norm->n);
}

typedef struct gate_job {
    float *mixed;
    const float *gate;
    size_t width;
} gate_job;

CULL_CLONES
static void gate_block(void *arg, size_t first, size_t count)
{
    const gate_job *job = arg;

    for (size_t i = first * job->width; i < (first + count) * job->width; i++)
        job->mixed[i] *= cull_sigmoid(job->gate[i]);
}

// q, k and v of n rows as the heads meet them, what these yield, and what gates it.
typedef struct heads_rows {
    float *q, *k, *v, *mixed;
    float *gate; // as wide as `mixed`; NULL: none
    size_t q_width, k_width, v_width, mixed_width;
} heads_rows;

// What the heads yield × sigmoid(gate)
static void gate_heads(cull_pass *pass, size_t n, const heads_rows *x)
{
    gate_job job = { x->mixed, x->gate, x->mixed_width };

    if (x->gate)
        pass->engine->rows(pass, n, gate_block, &job);
}

static bool load_rows(cull_pass *pass, const cull_model *m, const hf_heads *h, size_t n,
                      heads_rows *out)
{
    const bool gated = m->arch->gate || m->arch->gated_query;

    out->q_width = h->H * h->qk;
    out->k_width = h->KV * h->qk;
    out->v_width = h->KV * h->v;
    out->mixed_width = h->H * h->v;
    out->q = pass->engine->scratch(pass, n * out->q_width);
    out->k = pass->engine->scratch(pass, n * out->k_width);
    out->v = pass->engine->scratch(pass, n * out->v_width);
    out->mixed = pass->engine->scratch(pass, n * out->mixed_width);
    out->gate = gated ? pass->engine->scratch(pass, n * out->mixed_width) : NULL;
    return out->q && out->k && out->v && out->mixed && (!gated || out->gate);
}

typedef struct query_job {
    const float *both; // (n, H, query and gate)
    const hf_heads *heads;
    const heads_rows *x;
} query_job;

static void query_block(void *arg, size_t first, size_t count)
{
    const query_job *job = arg;
    const size_t qk = job->heads->qk;

    for (size_t i = first * job->heads->H; i < (first + count) * job->heads->H; i++) {
        memcpy(job->x->q + i * qk, job->both + 2 * i * qk, qk * sizeof *job->both);
        memcpy(job->x->gate + i * qk, job->both + (2 * i + 1) * qk, qk * sizeof *job->both);
    }
}

// Queries, and the gates that come with them or from a matrix of their own.
static cull_status project_query(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                                 const float *hn, const heads_rows *x)
{
    const cull_engine *engine = pass->engine;
    const size_t D = m->s.D;

    if (m->arch->gated_query) {
        float *both = engine->scratch(pass, 2 * n * x->q_width);
        query_job job = { both, m->layer[l].heads, x };
        if (!both)
            return CULL_ENOMEM;
        CULL_TRY(engine->linear(pass, cull_at(l, CULL_PART_Q), n, hn, D, both, 2 * x->q_width));
        engine->rows(pass, n, query_block, &job);
        return CULL_OK;
    }
    CULL_TRY(engine->linear(pass, cull_at(l, CULL_PART_Q), n, hn, D, x->q, x->q_width));
    return x->gate ? engine->linear(pass, cull_at(l, CULL_PART_O_GATE), n, hn, D, x->gate,
                                    x->mixed_width)
                   : CULL_OK;
}

static cull_status project(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                           const float *hn, const heads_rows *x)
{
    const cull_engine *engine = pass->engine;
    const size_t D = m->s.D;

    CULL_TRY(project_query(pass, m, l, n, hn, x));
    CULL_TRY(engine->linear(pass, cull_at(l, CULL_PART_K), n, hn, D, x->k, x->k_width));
    if (!m->layer[l].heads->k_is_v)
        return engine->linear(pass, cull_at(l, CULL_PART_V), n, hn, D, x->v, x->v_width);
    memcpy(x->v, x->k, n * x->v_width * sizeof *x->v);
    return CULL_OK;
}

// Norms, clamps, rotation and scales, in the family's order.
static cull_status bend(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                        const int32_t *pos, const heads_rows *x)
{
    const hf_layer *layer = &m->layer[l];
    const hf_heads *h = layer->heads;
    const bool last = m->arch->qk_norm_last;

    norm_heads(pass, last ? &(hf_norm){ 0 } : &layer->q_norm, n, x->q_width, x->q);
    norm_heads(pass, last ? &(hf_norm){ 0 } : &layer->k_norm, n, x->k_width, x->k);
    norm_heads(pass, &layer->v_norm, n, x->v_width, x->v);
    clamp_rows(pass, n, x->q_width, m->s.clip, x->q);
    clamp_rows(pass, n, x->k_width, m->s.clip, x->k);
    clamp_rows(pass, n, x->v_width, m->s.clip, x->v);
    scale_rows(pass, n, x->v_width, m->s.v_scale, x->v);
    if (layer->rotates) {
        float *table = hf_rope_rows(pass, &h->rope, n, pos);
        if (!table)
            return CULL_ENOMEM;
        hf_rotate_rows(pass, &h->rope, table, n, h->H, h->qk, x->q, x->q_width);
        hf_rotate_rows(pass, &h->rope, table, n, h->KV, h->qk, x->k, x->k_width);
    }
    if (last) {
        norm_heads(pass, &layer->q_norm, n, x->q_width, x->q);
        norm_heads(pass, &layer->k_norm, n, x->k_width, x->k);
    }
    temper_rows(pass, m, l, n, pos, x->q, x->q_width);
    return CULL_OK;
}

// The heads themselves, and o_proj.
static cull_status attend(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                          const heads_rows *x, float *out)
{
    const hf_layer *layer = &m->layer[l];
    const hf_heads *h = layer->heads;
    const cull_attention attention = {
        .size = sizeof(cull_attention),
        .H = h->H,
        .KV = h->KV,
        .qk_width = h->qk,
        .v_width = h->v,
        .scale = h->scale,
        .window = layer->facts.window,
        .chunk = layer->local ? m->s.chunk : 0,
        .sinks = layer->sinks,
    };

    CULL_TRY(pass->engine->attention(pass, &attention, x->q, x->k, x->v, x->mixed));
    gate_heads(pass, n, x);
    return pass->engine->linear(pass, cull_at(l, CULL_PART_O), n, x->mixed, x->mixed_width, out,
                                m->s.D);
}

cull_status hf_gqa(cull_pass *pass, const cull_model *m, size_t l, size_t n, const int32_t *pos,
                   const float *hn, float *out)
{
    heads_rows x;

    if (!load_rows(pass, m, m->layer[l].heads, n, &x))
        return CULL_ENOMEM;
    CULL_TRY(project(pass, m, l, n, hn, &x));
    CULL_TRY(bend(pass, m, l, n, pos, &x));
    return attend(pass, m, l, n, &x, out);
}

// q (n, H, nope + rope), with or without a latent of its own
static cull_status mla_query(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                             const float *hn, float *q, size_t q_width)
{
    const cull_engine *engine = pass->engine;
    const hf_shape *s = &m->s;

    if (s->q_rank == 0)
        return engine->linear(pass, cull_at(l, CULL_PART_Q), n, hn, s->D, q, q_width);
    float *latent = engine->scratch(pass, n * s->q_rank);
    if (!latent)
        return CULL_ENOMEM;
    CULL_TRY(engine->linear(pass, cull_at(l, CULL_PART_Q_A), n, hn, s->D, latent, s->q_rank));
    hf_norm_rows(pass, &m->layer[l].q_a_norm, n, latent, s->q_rank, latent, s->q_rank);
    return engine->linear(pass, cull_at(l, CULL_PART_Q_B), n, latent, s->q_rank, q, q_width);
}

typedef struct expand_job {
    const cull_model *m;
    const hf_heads *heads;
    bool rotates;
    const float *table, *latent, *kv;
    float *k, *v;
} expand_job;

// Each head's key is its own part and the one rotated key that all heads share.
static void expand_block(void *arg, size_t first, size_t count)
{
    const expand_job *job = arg;
    const hf_shape *s = &job->m->s;
    const hf_heads *heads = job->heads;
    const hf_rope shared = { .rot = heads->rope.rot, .interleaved = heads->rope.interleaved };
    const size_t qk = heads->qk, both = s->nope + heads->v, H = heads->H;

    for (size_t i = first; i < first + count; i++) {
        const float *kv = job->kv + i * H * both;
        float *k = job->k + i * H * qk, *v = job->v + i * H * heads->v;
        float *rotated = k + s->nope; // the first head's
        memcpy(rotated, job->latent + i * (s->kv_rank + s->rope) + s->kv_rank, s->rope * sizeof *k);
        if (job->rotates)
            hf_rope_rotate(&shared, job->table + i * shared.rot, rotated);
        for (size_t h = 0; h < H; h++) {
            memcpy(k + h * qk, kv + h * both, s->nope * sizeof *k);
            if (h > 0)
                memcpy(k + h * qk + s->nope, rotated, s->rope * sizeof *k);
            memcpy(v + h * heads->v, kv + h * both + s->nope, heads->v * sizeof *v);
        }
    }
}

cull_status hf_mla(cull_pass *pass, const cull_model *m, size_t l, size_t n, const int32_t *pos,
                   const float *hn, float *out)
{
    const cull_engine *engine = pass->engine;
    const hf_layer *layer = &m->layer[l];
    const hf_heads *h = layer->heads;
    const hf_shape *s = &m->s;
    const size_t latent_width = s->kv_rank + s->rope, kv_width = h->H * (s->nope + h->v);
    float *table = layer->rotates ? hf_rope_rows(pass, &h->rope, n, pos) : NULL;
    float *latent = engine->scratch(pass, n * latent_width),
          *kv = engine->scratch(pass, n * kv_width);
    heads_rows x;

    if (!load_rows(pass, m, h, n, &x) || (layer->rotates && !table) || !latent || !kv)
        return CULL_ENOMEM;
    CULL_TRY(mla_query(pass, m, l, n, hn, x.q, x.q_width));
    CULL_TRY(engine->linear(pass, cull_at(l, CULL_PART_KV_A), n, hn, s->D, latent, latent_width));
    hf_norm_rows(pass, &layer->kv_norm, n, latent, latent_width, latent, latent_width);
    CULL_TRY(
        engine->linear(pass, cull_at(l, CULL_PART_KV_B), n, latent, latent_width, kv, kv_width));
    expand_job job = { m, h, layer->rotates, table, latent, kv, x.k, x.v };
    engine->rows(pass, n, expand_block, &job);
    if (layer->rotates)
        hf_rotate_rows(pass, &h->rope, table, n, h->H, h->qk, x.q, x.q_width);
    temper_rows(pass, m, l, n, pos, x.q, x.q_width);
    return attend(pass, m, l, n, &x, out);
}
