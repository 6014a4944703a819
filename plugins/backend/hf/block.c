// A block around attention and experts: embedding, residuals, feed-forward parts.
#include <cull/kernel.h>

#include "load.h"
#include "pieces.h"

cull_status hf_embed(cull_pass *pass, const cull_model *m, size_t n, const int32_t *ids, float *h)
{
    const size_t D = m->s.D, width = m->ends[0].dtype == CULL_DT_F32 ? 4 : 2;

    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= m->s.V)
            return pass->ctx->host->fail(pass->ctx, CULL_EINVAL,
                                         "token %d is not in the vocabulary of %zu", (int)ids[i],
                                         m->s.V);
        hf_widen(m->ends[0].dtype,
                 (const unsigned char *)m->ends[0].data + (size_t)ids[i] * D * width, D, h + i * D);
        for (size_t d = 0; d < D; d++)
            if (!isfinite(h[i * D + d]))
                return pass->ctx->host->fail(
                    pass->ctx, CULL_EFORMAT,
                    "embed: the checkpoint's weight in row %d, column %zu is no number",
                    (int)ids[i], d);
        for (size_t d = 0; m->s.embed_scale != 1 && d < D; d++)
            h[i * D + d] *= m->s.embed_scale;
    }
    return CULL_OK;
}

typedef struct sum_job { // h = r + scale (a + b); b may be NULL
    const float *r, *a, *b;
    float *h, scale;
    size_t D;
} sum_job;

CULL_CLONES
static void sum_block(void *arg, size_t first, size_t count)
{
    const sum_job *job = arg;

    for (size_t i = first * job->D; i < (first + count) * job->D; i++)
        job->h[i] = job->r[i] + job->scale * (job->b ? job->a[i] + job->b[i] : job->a[i]);
}

static void add(cull_pass *pass, const cull_model *m, size_t n, const float *r, const float *a,
                const float *b, float *h)
{
    sum_job job = { r, a, b, h, m->s.residual_scale, m->s.D };
    pass->engine->rows(pass, n, sum_block, &job);
}

typedef struct act_job {
    const hf_shape *s;
    enum hf_act act;
    size_t F;
    float *g;
    const float *u;
} act_job;

// g = silu(g) · u
CULL_CLONES
static void silu_times(size_t n, float *restrict g, const float *restrict u)
{
    for (size_t i = 0; i < n; i++)
        g[i] = g[i] * cull_sigmoid(g[i]) * u[i];
}

// gpt-oss: g ≤ limit, |u| ≤ limit; g · σ(α g) · (u + 1)
CULL_CLONES
static void clamped_times(size_t n, float *restrict g, const float *restrict u, float limit,
                          float alpha)
{
    for (size_t i = 0; i < n; i++) {
        const float a = g[i] < limit ? g[i] : limit;
        const float b = u[i] < -limit ? -limit : (u[i] < limit ? u[i] : limit);
        g[i] = a * cull_sigmoid(alpha * a) * (b + 1.0f);
    }
}

static void act_block(void *arg, size_t first, size_t count)
{
    const act_job *job = arg;
    float *g = job->g + first * job->F;
    const float *u = job->u + first * job->F;

    if (job->act == HF_SILU)
        silu_times(count * job->F, g, u);
    else
        clamped_times(count * job->F, g, u, job->s->act_limit, job->s->act_alpha);
}

cull_status hf_glu(cull_pass *pass, const cull_model *m, cull_matrix_id gate, size_t F, size_t n,
                   const float *x, float *y)
{
    const cull_matrix_id up = { gate.layer, gate.part + 1, gate.expert };
    const cull_matrix_id down = { gate.layer, gate.part + 2, gate.expert };
    float *g = pass->engine->scratch(pass, n * F), *u = pass->engine->scratch(pass, n * F);

    if (!g || !u)
        return CULL_ENOMEM;
    HF_TRY(pass->engine->linear(pass, gate, n, x, m->s.D, g, F));
    HF_TRY(pass->engine->linear(pass, up, n, x, m->s.D, u, F));
    act_job job = { &m->s, gate.expert == CULL_NONE ? HF_SILU : m->arch->act, F, g, u };
    pass->engine->rows(pass, n, act_block, &job);
    return pass->engine->linear(pass, down, n, g, F, y, m->s.D);
}

cull_status hf_expert(cull_pass *pass, const cull_model *m, size_t l, size_t e, size_t n,
                      const float *x, float *y)
{
    return hf_glu(pass, m, cull_at_expert(l, CULL_PART_GATE, e), m->s.F, n, x, y);
}

typedef struct gate_job {
    size_t D;
    const float *gate; // (n)
    float *side;       // (n, D)
} gate_job;

static void gate_block(void *arg, size_t first, size_t count)
{
    const gate_job *job = arg;

    for (size_t i = first; i < first + count; i++) {
        const float share = 1 / (1 + expf(-job->gate[i]));
        for (size_t d = 0; d < job->D; d++)
            job->side[i * job->D + d] *= share;
    }
}

// side (n, D) × sigmoid(gate · x)
static cull_status gate_side(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                             const float *x, float *side)
{
    float *gate = pass->engine->scratch(pass, n);
    gate_job job = { m->s.D, gate, side };

    if (!gate)
        return CULL_ENOMEM;
    HF_TRY(pass->engine->linear(pass, cull_at(l, CULL_PART_SHARED_ROUTER), n, x, m->s.D, gate, 1));
    pass->engine->rows(pass, n, gate_block, &job);
    return CULL_OK;
}

// What runs beside the routed experts, or in their place.
static cull_status run_side(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                            const float *r, const float *x, float *side)
{
    const hf_layer *layer = &m->layer[l];
    const cull_matrix_id gate = cull_at(l, layer->side);

    if (layer->parallel) {
        float *rn = pass->engine->scratch(pass, n * m->s.D);
        if (!rn)
            return CULL_ENOMEM;
        hf_norm_rows(pass, &layer->parallel_norm, n, r, m->s.D, rn, m->s.D);
        return hf_glu(pass, m, gate, layer->side_F, n, rn, side);
    }
    HF_TRY(hf_glu(pass, m, gate, layer->side_F, n, x, side));
    return layer->part[CULL_PART_SHARED_ROUTER].rows ? gate_side(pass, m, l, n, x, side) : CULL_OK;
}

cull_status hf_attend(cull_pass *pass, const cull_model *m, size_t l, size_t n, const int32_t *pos,
                      const float *h, float *r, float *side, float *x)
{
    const hf_layer *layer = &m->layer[l];
    const size_t D = m->s.D;
    float *hn = pass->engine->scratch(pass, n * D), *mixed = pass->engine->scratch(pass, n * D);

    if (!hn || !mixed)
        return CULL_ENOMEM;
    hf_norm_rows(pass, &layer->attention_norm, n, h, D, hn, D);
    HF_TRY((m->arch->attention == HF_MLA ? hf_mla : hf_gqa)(pass, m, l, n, pos, hn, mixed));
    if (layer->parallel) // Arctic's experts read the block's input, beside attention
        hf_norm_rows(pass, &layer->ffn_norm, n, h, D, x, D);
    add(pass, m, n, h, mixed, NULL, r);
    if (!layer->parallel)
        hf_norm_rows(pass, &layer->ffn_norm, n, r, D, x, D);
    return side ? run_side(pass, m, l, n, r, x, side) : CULL_OK;
}

cull_status hf_after(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *r,
                     const float *side, const float *moe, float *h)
{
    (void)l;
    if (moe || side)
        add(pass, m, n, r, moe ? moe : side, moe ? side : NULL, h);
    else if (h != r)
        for (size_t i = 0; i < n * m->s.D; i++)
            h[i] = r[i];
    return CULL_OK;
}
