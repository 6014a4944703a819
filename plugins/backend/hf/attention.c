// Multi-head attention with shared keys and values (GQA, Ainslie et al. 2023), and multi-head
// latent attention (MLA, DeepSeek-V2, arXiv:2405.04434, section 2.1). Positions, masks and the K/V
// store are the engine's.
#include <string.h>

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

float *hf_rope_rows(cull_pass *pass, const cull_model *m, size_t n, const int32_t *pos)
{
    table_job job = { &m->rope, pass->beyond_switch, pos,
                      pass->engine->scratch(pass, n * m->rope.rot) };

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

typedef struct clamp_job {
    float *x;
    size_t width;
    float limit;
} clamp_job;

static void clamp_block(void *arg, size_t first, size_t count)
{
    const clamp_job *job = arg;

    for (size_t i = first * job->width; i < (first + count) * job->width; i++)
        job->x[i] = fminf(fmaxf(job->x[i], -job->limit), job->limit);
}

static void clamp_rows(cull_pass *pass, size_t n, size_t width, float limit, float *x)
{
    clamp_job job = { x, width, limit };

    if (isfinite(limit))
        pass->engine->rows(pass, n, clamp_block, &job);
}

// Norm of q or k: over a whole row, or over each of its heads.
static void qk_norm(cull_pass *pass, const hf_norm *norm, size_t n, size_t width, float *x)
{
    if (norm->w)
        hf_norm_rows(pass, norm, n * (width / norm->n), x, norm->n, x, norm->n);
}

cull_status hf_gqa(cull_pass *pass, const cull_model *m, size_t l, size_t n, const int32_t *pos,
                   const float *hn, float *out)
{
    const cull_engine *engine = pass->engine;
    const hf_layer *layer = &m->layer[l];
    const hf_shape *s = &m->s;
    const size_t q_width = s->H * s->hd, kv_width = s->KV * s->hd;
    float *table = hf_rope_rows(pass, m, n, pos);
    float *q = engine->scratch(pass, n * q_width), *mixed = engine->scratch(pass, n * q_width);
    float *k = engine->scratch(pass, n * kv_width), *v = engine->scratch(pass, n * kv_width);

    if (!table || !q || !mixed || !k || !v)
        return CULL_ENOMEM;
    HF_TRY(engine->linear(pass, cull_at(l, CULL_PART_Q), n, hn, s->D, q, q_width));
    HF_TRY(engine->linear(pass, cull_at(l, CULL_PART_K), n, hn, s->D, k, kv_width));
    HF_TRY(engine->linear(pass, cull_at(l, CULL_PART_V), n, hn, s->D, v, kv_width));
    qk_norm(pass, &layer->q_norm, n, q_width, q);
    qk_norm(pass, &layer->k_norm, n, kv_width, k);
    clamp_rows(pass, n, q_width, s->clip, q);
    clamp_rows(pass, n, kv_width, s->clip, k);
    clamp_rows(pass, n, kv_width, s->clip, v);
    hf_rotate_rows(pass, &m->rope, table, n, s->H, s->hd, q, q_width);
    hf_rotate_rows(pass, &m->rope, table, n, s->KV, s->hd, k, kv_width);
    const cull_attention attention = {
        .H = s->H,
        .KV = s->KV,
        .qk_width = s->hd,
        .v_width = s->hd,
        .scale = s->attention_scale,
        .window = layer->facts.window,
        .sinks = layer->sinks,
    };
    HF_TRY(engine->attention(pass, &attention, q, k, v, mixed));
    return engine->linear(pass, cull_at(l, CULL_PART_O), n, mixed, q_width, out, s->D);
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
    HF_TRY(engine->linear(pass, cull_at(l, CULL_PART_Q_A), n, hn, s->D, latent, s->q_rank));
    hf_norm_rows(pass, &m->layer[l].q_a_norm, n, latent, s->q_rank, latent, s->q_rank);
    return engine->linear(pass, cull_at(l, CULL_PART_Q_B), n, latent, s->q_rank, q, q_width);
}

typedef struct expand_job {
    const cull_model *m;
    const float *table, *latent, *kv;
    float *k, *v;
} expand_job;

// Each head's key is its own part and the one rotated key that all heads share.
static void expand_block(void *arg, size_t first, size_t count)
{
    const expand_job *job = arg;
    const hf_shape *s = &job->m->s;
    const hf_rope shared = { .rot = job->m->rope.rot, .interleaved = job->m->rope.interleaved };
    const size_t qk = s->nope + s->rope, both = s->nope + s->v_width;

    for (size_t i = first; i < first + count; i++) {
        const float *kv = job->kv + i * s->H * both;
        float *k = job->k + i * s->H * qk, *v = job->v + i * s->H * s->v_width;
        float *rotated = k + s->nope; // the first head's
        memcpy(rotated, job->latent + i * (s->kv_rank + s->rope) + s->kv_rank, s->rope * sizeof *k);
        hf_rope_rotate(&shared, job->table + i * shared.rot, rotated);
        for (size_t h = 0; h < s->H; h++) {
            memcpy(k + h * qk, kv + h * both, s->nope * sizeof *k);
            if (h > 0)
                memcpy(k + h * qk + s->nope, rotated, s->rope * sizeof *k);
            memcpy(v + h * s->v_width, kv + h * both + s->nope, s->v_width * sizeof *v);
        }
    }
}

cull_status hf_mla(cull_pass *pass, const cull_model *m, size_t l, size_t n, const int32_t *pos,
                   const float *hn, float *out)
{
    const cull_engine *engine = pass->engine;
    const hf_layer *layer = &m->layer[l];
    const hf_shape *s = &m->s;
    const size_t qk = s->nope + s->rope, latent_width = s->kv_rank + s->rope;
    const size_t kv_width = s->H * (s->nope + s->v_width), v_width = s->H * s->v_width;
    float *table = hf_rope_rows(pass, m, n, pos);
    float *q = engine->scratch(pass, n * s->H * qk), *k = engine->scratch(pass, n * s->H * qk);
    float *latent = engine->scratch(pass, n * latent_width),
          *kv = engine->scratch(pass, n * kv_width);
    float *v = engine->scratch(pass, n * v_width), *mixed = engine->scratch(pass, n * v_width);

    if (!table || !q || !k || !latent || !kv || !v || !mixed)
        return CULL_ENOMEM;
    HF_TRY(mla_query(pass, m, l, n, hn, q, s->H * qk));
    HF_TRY(engine->linear(pass, cull_at(l, CULL_PART_KV_A), n, hn, s->D, latent, latent_width));
    hf_norm_rows(pass, &layer->kv_norm, n, latent, latent_width, latent, latent_width);
    HF_TRY(engine->linear(pass, cull_at(l, CULL_PART_KV_B), n, latent, latent_width, kv, kv_width));
    expand_job job = { m, table, latent, kv, k, v };
    engine->rows(pass, n, expand_block, &job);
    hf_rotate_rows(pass, &m->rope, table, n, s->H, qk, q, s->H * qk);
    const cull_attention attention = {
        .H = s->H,
        .KV = s->H,
        .qk_width = qk,
        .v_width = s->v_width,
        .scale = s->attention_scale,
        .window = layer->facts.window,
    };
    HF_TRY(engine->attention(pass, &attention, q, k, v, mixed));
    return engine->linear(pass, cull_at(l, CULL_PART_O), n, mixed, v_width, out, s->D);
}
