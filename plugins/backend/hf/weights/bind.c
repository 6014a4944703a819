// The tensors of a checkpoint become the layers of a model.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

// A norm's vectors. (1 + w) is summed here, in float32, as the reference does at each use.
static cull_status load_norm(hf_loader *t, const char *name, size_t n, enum hf_norm_kind kind,
                             float eps, hf_norm *out)
{
    *out = (hf_norm){ .n = n, .centred = kind >= HF_LAYER, .eps = eps };
    CULL_TRY(hf_load_vector(t, hf_loader_name(t, name, 0, ".weight"), HF_VECTOR, 1, &n, &out->w));
    if (kind == HF_RMS_ONE)
        CULL_TRY(hf_add_one(t, n, &out->w));
    return kind == HF_LAYER
               ? hf_load_vector(t, hf_loader_name(t, name, 0, ".bias"), HF_VECTOR, 1, &n, &out->b)
               : CULL_OK;
}

// A norm of the block, as wide as the model; name NULL: none.
static cull_status load_block_norm(hf_loader *t, const char *name, hf_norm *out)
{
    const hf_shape *s = &t->m->s;

    return name ? load_norm(t, name, s->D, s->norm, (float)s->eps, out) : CULL_OK;
}

// Norms of queries and keys, as wide as all heads or as one.
static cull_status load_qk_norms(hf_loader *t, hf_layer *layer)
{
    const hf_arch *arch = t->m->arch;
    const hf_heads *h = layer->heads;
    const bool whole = arch->qk_norm == HF_QK_WHOLE;
    const float eps = (float)t->m->s.eps;
    // A LayerNorm model's heads have RMS norms.
    const enum hf_norm_kind kind = arch->norm == HF_RMS_ONE ? HF_RMS_ONE : HF_RMS;

    if (!t->m->s.qk_norm)
        return CULL_OK;
    if (arch->qk_norm == HF_QK_BARE) {
        if (layer->rotates)
            layer->q_norm = layer->k_norm = (hf_norm){ .n = h->qk, .eps = eps };
        return CULL_OK;
    }
    CULL_TRY(load_norm(t, arch->q_norm ? arch->q_norm : "self_attn.q_norm",
                       whole ? h->H * h->qk : h->qk, kind, eps, &layer->q_norm));
    return load_norm(t, arch->k_norm ? arch->k_norm : "self_attn.k_norm",
                     whole ? h->KV * h->qk : h->qk, kind, eps, &layer->k_norm);
}

static const char *named(const char *own, const char *usual)
{
    return own ? own : usual;
}

static cull_status load_gqa(hf_loader *t, size_t l)
{
    const hf_arch *arch = t->m->arch;
    const hf_shape *s = &t->m->s;
    hf_layer *layer = &t->m->layer[l];
    const hf_heads *h = layer->heads;
    const size_t q = h->H * h->qk * (arch->gated_query ? 2 : 1), k = h->KV * h->qk;
    const size_t v = h->KV * h->v, mixed = h->H * h->v;
    const bool bias = s->qkv_bias;

    CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_Q), named(arch->q, "self_attn.q_proj"), q, s->D,
                            bias));
    CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_K), named(arch->k, "self_attn.k_proj"), k, s->D,
                            bias));
    if (!h->k_is_v)
        CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_V), named(arch->v, "self_attn.v_proj"), v,
                                s->D, bias));
    CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_O), named(arch->o, "self_attn.o_proj"), s->D,
                            mixed, s->o_bias));
    if (arch->gate)
        CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_O_GATE), arch->gate, mixed, s->D, false));
    CULL_TRY(load_qk_norms(t, layer));
    if (arch->v_norm)
        layer->v_norm = (hf_norm){ .n = h->v, .eps = (float)s->eps };
    if (h->sinks)
        CULL_TRY(hf_load_vector(
            t, hf_loader_name(t, "self_attn.sinks|self_attn.attention_sink_bias", 0, ""), HF_VECTOR,
            1, &h->H, &layer->sinks));
    layer->facts.kv_width = k + v;
    return CULL_OK;
}

static cull_status load_mla(hf_loader *t, size_t l)
{
    const hf_shape *s = &t->m->s;
    hf_layer *layer = &t->m->layer[l];
    const hf_heads *h = layer->heads;
    const size_t q = h->H * h->qk, latent = s->kv_rank + s->rope;
    const size_t kv = h->H * (s->nope + h->v), mixed = h->H * h->v;
    const float eps = 1e-6f; // of the latents' norms, whatever config.json says
    const bool bias = s->qkv_bias;

    if (s->q_rank) {
        CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_Q_A), "self_attn.q_a_proj", s->q_rank, s->D,
                                bias));
        CULL_TRY(load_norm(t, "self_attn.q_a_layernorm", s->q_rank, HF_RMS, eps, &layer->q_a_norm));
        CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_Q_B), "self_attn.q_b_proj", q, s->q_rank,
                                false));
    } else {
        CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_Q), "self_attn.q_proj", q, s->D, false));
    }
    CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_KV_A), "self_attn.kv_a_proj_with_mqa", latent,
                            s->D, bias));
    CULL_TRY(load_norm(t, "self_attn.kv_a_layernorm", s->kv_rank, HF_RMS, eps, &layer->kv_norm));
    CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_KV_B), "self_attn.kv_b_proj", kv, s->kv_rank,
                            false));
    CULL_TRY(
        hf_load_matrix(t, cull_at(l, CULL_PART_O), "self_attn.o_proj", s->D, mixed, s->o_bias));
    layer->facts.kv_width = h->H * (h->qk + h->v);
    return CULL_OK;
}

// A vector of n numbers, each × scale.
static cull_status load_scaled(hf_loader *t, const char *name, size_t n, float scale,
                               const float **out)
{
    const float *stored;
    float *scaled = t->ctx->host->alloc(t->ctx, n, sizeof *scaled);

    if (!scaled)
        return CULL_ENOMEM;
    CULL_TRY(hf_load_vector(t, hf_loader_name(t, name, 0, ""), HF_VECTOR, 1, &n, &stored));
    for (size_t i = 0; i < n; i++)
        scaled[i] = stored[i] * scale;
    *out = scaled;
    return CULL_OK;
}

static bool has_tensor(hf_loader *t, const char *names)
{
    const char *name = hf_loader_name(t, names, 0, ".weight");

    return name && hf_files_find(&t->m->files, name);
}

// Corrections (2, E) of two sets of experts: those of the first.
static cull_status load_two_biases(hf_loader *t, const char *name, size_t E, const float **out)
{
    const size_t both[] = { 2, E };

    CULL_TRY(hf_load_vector(t, name, HF_ENTRIES, 2, both, out));
    hf_files_find(&t->m->files, name)->axis = 1;
    t->params -= E;
    return CULL_OK;
}

static cull_status load_router(hf_loader *t, size_t l)
{
    const hf_router *router = &t->m->arch->router;
    hf_layer *layer = &t->m->layer[l];
    const size_t E = layer->facts.E, flat[] = { E }, row[] = { 1, E };

    const size_t D = t->m->s.D;

    if (router->turned && has_tensor(t, router->turned))
        CULL_TRY(hf_load_turned(t, cull_at(l, CULL_PART_ROUTER), router->turned, E, D));
    else
        CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_ROUTER), router->name, E, D,
                                router->linear_bias));
    if (router->input_scale)
        CULL_TRY(load_scaled(t, router->input_scale, D, (float)pow((double)D, -0.5),
                             &layer->router_scale));
    if (router->gate_scale)
        CULL_TRY(hf_load_vector(t, hf_loader_name(t, router->gate_scale, 0, ""), HF_GATE_SCALE, 1,
                                flat, &layer->gate_scale));
    if (!t->m->s.router_bias)
        return CULL_OK;
    const char *name = hf_loader_name(t, router->bias, 0, "");
    const hf_tensor *found = name ? hf_files_find(&t->m->files, name) : NULL;
    const bool as_row = found && found->t.rank == 2; // ERNIE keeps it as (1, E)
    if (as_row && t->m->arch->twofold && found->t.shape[0] == 2)
        return load_two_biases(t, name, E, &layer->bias);
    return hf_load_vector(t, name, HF_ROUTER_BIAS, as_row ? 2 : 1, as_row ? row : flat,
                          &layer->bias);
}

// The three matrices of a dense feed-forward part, whose ids begin with `first`.
static cull_status load_glu(hf_loader *t, size_t l, const hf_glu_names *name, cull_part first,
                            size_t F)
{
    const size_t D = t->m->s.D;
    const bool bias = t->m->s.ffn_bias;
    hf_layer *layer = &t->m->layer[l];

    if (name->pair && (!name->up || has_tensor(t, name->pair))) {
        CULL_TRY(hf_load_pair(t, l, first, name->pair, F, D));
    } else {
        if (name->gate)
            CULL_TRY(hf_load_matrix(t, cull_at(l, first), name->gate, F, D, bias));
        CULL_TRY(hf_load_matrix(t, cull_at(l, first + 1), name->up, F, D, bias));
    }
    CULL_TRY(hf_load_matrix(t, cull_at(l, first + 2), name->down, D, F, bias));
    layer->side = first;
    layer->side_F = F;
    layer->facts.has_side = true;
    return CULL_OK;
}

// The ways into the experts' own space and back.
static cull_status load_latent(hf_loader *t, size_t l)
{
    const hf_arch *arch = t->m->arch;
    const hf_shape *s = &t->m->s;

    if (!s->latent)
        return CULL_OK;
    t->m->layer[l].facts.expert_width = s->W;
    CULL_TRY(hf_load_matrix(t, cull_at(l, CULL_PART_LATENT_IN), arch->latent_in, s->W, s->D,
                            s->ffn_bias));
    return hf_load_matrix(t, cull_at(l, CULL_PART_LATENT_OUT), arch->latent_out, s->D, s->W,
                          s->ffn_bias);
}

static cull_status load_side(hf_loader *t, size_t l)
{
    const hf_arch *arch = t->m->arch;
    const hf_shape *s = &t->m->s;
    hf_layer *layer = &t->m->layer[l];

    if (layer->alone)
        return CULL_OK;
    if (layer->facts.E == 0)
        return load_glu(t, l, &arch->dense, CULL_PART_DENSE_GATE, s->dense_F);
    if (s->parallel) {
        layer->parallel = true;
        CULL_TRY(load_block_norm(t, "residual_layernorm", &layer->parallel_norm));
        return load_glu(t, l, &arch->parallel, CULL_PART_DENSE_GATE, s->D);
    }
    if (s->shared_F > 0)
        CULL_TRY(load_glu(t, l, &arch->shared, CULL_PART_SHARED_GATE, s->shared_F));
    // Where there is nothing to be gated, the reference has the gate, but needs none.
    const bool needless = s->shared_F == 0 && !t->m->files.missing;
    if (!arch->shared_gate || (needless && !has_tensor(t, arch->shared_gate)))
        return CULL_OK;
    return hf_load_matrix(t, cull_at(l, CULL_PART_SHARED_ROUTER), arch->shared_gate, 1, s->D,
                          false);
}

static uint64_t parts_of(const hf_layer *layer)
{
    uint64_t parts = 0;

    for (size_t p = 0; p < CULL_N_PARTS; p++)
        parts |= (uint64_t)(layer->part[p].rows != 0) << p;
    for (size_t p = CULL_PART_GATE; layer->expert && p <= CULL_PART_DOWN; p++)
        for (size_t e = 0; e < layer->facts.E; e++)
            parts |= (uint64_t)(layer->expert[3 * e + p - CULL_PART_GATE].rows != 0) << p;
    return parts;
}

// Parameters of one channel of a module: rows of gate and up with their biases, a column of down.
static uint64_t channel_params(const cull_matrix *gate, const cull_matrix *up,
                               const cull_matrix *down)
{
    uint64_t n = down->rows;

    for (size_t i = 0; i < 2; i++) {
        const cull_matrix *m = i ? up : gate;
        n += m->rows ? m->cols + (m->bias != NULL) : 0;
    }
    return n;
}

static void count_channels(hf_layer *layer)
{
    cull_layer_facts *facts = &layer->facts;

    for (size_t e = facts->E; e-- > 0;)
        if (hf_is_stored(layer, e)) {
            const cull_matrix *m = &layer->expert[3 * e];
            facts->channel_params = channel_params(m, m + 1, m + 2);
        }
    if (layer->side_F) {
        const cull_matrix *m = &layer->part[layer->side];
        facts->side_F = layer->side_F;
        facts->side_channel_params = channel_params(m, m + 1, m + 2);
    }
}

// The norms around a block's parts, and what multiplies its output.
static cull_status load_block_norms(hf_loader *t, hf_layer *layer)
{
    static const hf_norm_names before = { .attention = "input_layernorm",
                                          .ffn = "post_attention_layernorm" };
    const hf_arch *arch = t->m->arch;
    const bool own = arch->norms.attention || arch->norms.attention_after;
    const hf_norm_names *names = own ? &arch->norms : &before;
    const float *out;
    const size_t one = 1;

    if (layer->mix != HF_MIX_NOTHING) {
        CULL_TRY(load_block_norm(t, names->attention, &layer->attention_norm));
        CULL_TRY(load_block_norm(t, names->attention_after, &layer->attention_after));
    }
    if (!layer->alone) {
        CULL_TRY(load_block_norm(t, names->ffn, &layer->ffn_norm));
        CULL_TRY(load_block_norm(t, names->ffn_after, &layer->ffn_after));
    }
    layer->sum_scale = t->m->s.residual_scale;
    layer->out_scale = 1;
    if (arch->out_scale) {
        CULL_TRY(
            hf_load_vector(t, hf_loader_name(t, arch->out_scale, 0, ""), HF_VECTOR, 1, &one, &out));
        layer->out_scale = *out;
        t->params -= one; // a buffer of the reference, no parameter
    }
    if (layer->facts.E == 0)
        return CULL_OK;
    layer->sum_scale *= t->m->s.shared_mean ? 0.5f : 1;
    CULL_TRY(load_block_norm(t, names->side_after, &layer->side_after));
    CULL_TRY(load_block_norm(t, names->experts_after, &layer->experts_after));
    if (!names->experts)
        return CULL_OK;
    layer->facts.expert_width = t->m->s.D; // the same space, scaled
    return load_scaled(t, names->experts, t->m->s.D, 1, &layer->expert_scale);
}

// What turns a layer's rows to each other.
static cull_status load_mix(hf_loader *t, size_t l)
{
    switch (t->m->layer[l].mix) {
    case HF_MIX_NOTHING:
        return CULL_OK;
    case HF_MIX_RECURRENT:
        return hf_load_mixer(t, l);
    default:
        return (t->m->arch->attention == HF_MLA ? load_mla : load_gqa)(t, l);
    }
}

// Attention is dense as far as all is chosen, but a layer without its indexer is another's.
static cull_status check_indexer(hf_loader *t, const hf_layer *layer)
{
    if (!layer->chooses || t->m->files.missing)
        return CULL_OK;
    const char *name = hf_loader_name(t, t->m->arch->indexer, 0, ".weight");
    if (!name)
        return CULL_ENOMEM;
    if (hf_files_find(&t->m->files, name))
        return CULL_OK;
    return t->ctx->host->fail(t->ctx, CULL_EFORMAT,
                              "%s: tensor \"%s\" is missing, of a layer with sparse attention",
                              t->m->facts.source, name);
}

static cull_status load_layer(hf_loader *t, size_t l)
{
    const hf_shape *s = &t->m->s;
    hf_layer *layer = &t->m->layer[l];
    cull_layer_facts *facts = &layer->facts;

    t->params = t->bytes = 0;
    CULL_TRY(load_block_norms(t, layer));
    CULL_TRY(load_mix(t, l));
    CULL_TRY(check_indexer(t, layer));
    CULL_TRY(load_side(t, l));
    if (facts->E) {
        CULL_TRY(load_router(t, l));
        CULL_TRY(load_latent(t, l));
    }
    facts->other_params = t->params;
    if (facts->E)
        CULL_TRY(hf_load_experts(t, l));
    facts->size = sizeof *facts;
    const size_t constants = (facts->E - layer->n_stored) * s->D;
    facts->expert_params =
        facts->E ? (t->params - facts->other_params - constants) / layer->n_stored : 0;
    facts->F = facts->E ? s->F : 0;
    const bool grouped = facts->E && !layer->group_end; // else no plugin could know which is which
    facts->n_group = grouped ? s->n_group : 1;
    facts->topk_group = grouped ? s->topk_group : 1;
    facts->renormalise = s->renormalise;
    facts->gate_on_input = facts->E && t->m->arch->gate_on_input;
    facts->bytes = t->bytes;
    facts->parts = parts_of(layer);
    count_channels(layer);
    return CULL_OK;
}

// Embedding, head and last norm. A tied model's head is its embedding.
static cull_status load_ends(hf_loader *t)
{
    cull_model *m = t->m;
    const hf_shape *s = &m->s;
    const cull_matrix_id embed = { CULL_NONE, CULL_PART_EMBED, CULL_NONE };
    const cull_matrix_id head = { CULL_NONE, CULL_PART_HEAD, CULL_NONE };
    const char *embedding = hf_text(t->ctx, "%s%s", m->base, hf_embedding_name(m->arch));
    const char *norm = hf_text(t->ctx, "%s%s", m->base, named(m->arch->last_norm, "norm"));
    const char *weight = hf_text(t->ctx, "%s.weight", m->head);
    const char *bias = hf_text(t->ctx, "%s.bias", m->head);

    m->ends = t->ctx->host->alloc(t->ctx, 2, sizeof *m->ends);
    if (!m->ends || !embedding || !norm || !weight || !bias)
        return CULL_ENOMEM;
    const bool stored = hf_files_find(&m->files, weight);
    CULL_TRY(hf_load_matrix(t, embed, embedding, s->V, s->D, false));
    if (m->ends[0].dtype == CULL_DT_F8_E4M3)
        return t->ctx->host->fail(t->ctx, CULL_ENOTSUP, "%s: an embedding in FP8 is not supported",
                                  m->facts.source);
    CULL_TRY(load_block_norm(t, norm, &m->final_norm));
    if (s->tied && stored)
        hf_note(t->ctx, m, "the head is stored, so that it is not tied to the embedding");
    m->ends[1] = m->ends[0];
    if (!s->tied || stored)
        CULL_TRY(hf_load_matrix(t, head, m->head, s->V, s->D, s->head_bias));
    else if (s->head_bias)
        CULL_TRY(hf_load_bias(t, head, bias, &m->ends[1]));
    m->facts.params_total = t->params;
    m->facts.bytes = t->bytes;
    return CULL_OK;
}

// Prefix of the tensors that stand before "embed_tokens", and the head's name; the first is that of
// a language model alone.
static const struct layout {
    const char *base, *head;
} layouts[] = {
    { "model.", "lm_head" },
    { "model.language_model.", "lm_head" },
    { "language_model.model.", "language_model.lm_head" },
    { "thinker.model.", "thinker.lm_head" },
    { "backbone.", "lm_head" }, // nemotron_h
    { "thinker.model.language_model.", "thinker.lm_head" },
};

static void find_names(cull_model *m)
{
    char name[64];

    m->base = layouts[0].base;
    m->head = layouts[0].head;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        (void)snprintf(name, sizeof name, "%s%s.weight", layouts[i].base,
                       hf_embedding_name(m->arch));
        if (!hf_files_find(&m->files, name))
            continue;
        m->base = layouts[i].base;
        m->head = layouts[i].head;
        return;
    }
}

cull_status hf_bind(cull_ctx *ctx, cull_model *m)
{
    hf_loader t = { .ctx = ctx, .m = m };

    find_names(m);
    CULL_TRY(load_ends(&t));
    for (size_t l = 0; l < m->s.L; l++) {
        hf_layer *layer = &m->layer[l];
        (void)snprintf(t.prefix, sizeof t.prefix, "%slayers.%zu.", m->base, l);
        hf_files_range(&m->files, t.prefix, &layer->first_tensor, &layer->end_tensor);
        CULL_TRY(load_layer(&t, l));
    }
    return CULL_OK;
}
