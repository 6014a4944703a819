// The subsample on which all experts are run, and what is kept of it.
#include "engine/dense_sample.h"

#include <string.h>

#include "base/call.h"
#include "base/memory.h"
#include "engine/deal.h"
#include "math/blas.h"
#include "math/rows.h"

enum { DENSE_BYTES = 128 << 20, GRAM_TOKENS = 16 };

// Rows whose outputs of all experts are held at once.
static size_t chunk_rows(size_t E, size_t D, size_t n)
{
    const size_t fit = DENSE_BYTES / (E * D * sizeof(float)) + 1;

    return fit < n ? fit : n;
}

uint64_t cull_dense_sample_bytes(size_t E, size_t D, size_t F, size_t N, uint32_t groups)
{
    if (E == 0 || !(groups & CULL_STATS_DENSE))
        return 0;
    const uint64_t outputs = (uint64_t)chunk_rows(E, D, N) * (E + 1) * D * sizeof(float);
    const uint64_t each = (uint64_t)(E * E + 2 * E) * sizeof(float) + 2 * sizeof(double);
    const uint64_t channels = ((uint64_t)E * N + chunk_rows(E, D, N)) * F * sizeof(float);
    return outputs + (groups & CULL_STAT_DENSE_SAMPLE ? N * each : 0) +
           (groups & CULL_STAT_DENSE_CHANNELS ? channels : 0);
}

static cull_status begin_means(const cull_stats_pass *g, cull_column_sums **of)
{
    *of = cull_alloc(g->E, sizeof **of);
    if (!*of)
        return cull_no_memory(g->run->ctx);
    for (size_t e = 0; e < g->E; e++)
        CULL_TRY(cull_column_sums_init(g->run->ctx, *of + e, CULL_COLUMN_SUM, g->D, g->first_slice,
                                       g->end_slice));
    return CULL_OK;
}

static cull_status begin_channels(cull_sampler *s)
{
    s->sample.N = s->N;
    s->sample.channels = cull_alloc(s->N * s->g->E * s->g->F, sizeof(float));
    if (!s->sample.channels)
        return cull_no_memory(s->g->run->ctx);
    s->g->stats->dense = &s->sample;
    return CULL_OK;
}

cull_status cull_sampler_begin(cull_sampler *s)
{
    const size_t E = s->g->E, N = s->N;

    s->n_done = s->n_weighed = 0;
    if (s->want & CULL_STAT_DENSE_MEAN)
        CULL_TRY(begin_means(s->g, &s->g->dense_mean));
    if (s->want & CULL_STAT_DENSE_GATED)
        CULL_TRY(begin_means(s->g, &s->g->dense_gated));
    if (s->want & CULL_STAT_DENSE_CHANNELS)
        CULL_TRY(begin_channels(s));
    if (!(s->want & CULL_STAT_DENSE_SAMPLE))
        return CULL_OK;
    s->sample.N = N;
    s->sample.logits = cull_alloc(N * E, sizeof(float));
    s->sample.gram = cull_alloc(N * E * E, sizeof(float));
    s->sample.gate = cull_alloc(N * E, sizeof(float));
    s->sample.weight = cull_alloc(N, sizeof(double));
    s->sample.group = cull_alloc(N, sizeof(uint32_t));
    if (!s->sample.logits || !s->sample.gram || !s->sample.gate || !s->sample.weight ||
        !s->sample.group)
        return cull_no_memory(s->g->run->ctx);
    if (s->target) {
        s->sample.cross = cull_alloc(N * E, sizeof(float));
        s->sample.offset = cull_alloc(N, sizeof(double));
        if (!s->sample.cross || !s->sample.offset)
            return cull_no_memory(s->g->run->ctx);
    }
    s->g->stats->dense = &s->sample;
    return CULL_OK;
}

static void release_means(const cull_stats_pass *g, cull_column_sums **of)
{
    for (size_t e = 0; *of && e < g->E; e++)
        cull_column_sums_release(*of + e);
    cull_free(*of);
    *of = NULL;
}

void cull_dense_sample_release(cull_dense_sample *sample)
{
    cull_free((void *)(uintptr_t)sample->logits);
    cull_free((void *)(uintptr_t)sample->gram);
    cull_free((void *)(uintptr_t)sample->gate);
    cull_free((void *)(uintptr_t)sample->weight);
    cull_free((void *)(uintptr_t)sample->group);
    cull_free((void *)(uintptr_t)sample->cross);
    cull_free((void *)(uintptr_t)sample->offset);
    cull_free((void *)(uintptr_t)sample->channels);
    *sample = (cull_dense_sample){ .size = sizeof *sample };
}

void cull_sampler_release(cull_sampler *s)
{
    cull_dense_sample_release(&s->sample);
    if (s->g) {
        release_means(s->g, &s->g->dense_mean);
        release_means(s->g, &s->g->dense_gated);
    }
}

typedef struct chunk { // some rows of the subsample and all experts' outputs for them
    cull_sampler *s;
    const cull_cut *cut;
    size_t n, at;   // at: of the first among the subsample
    float *x;       // (n, D)
    float *moe;     // (n, D) the routed output
    float *scale;   // (n, E) what multiplies each expert's input; NULL: nothing does
    float *y;       // (E, n, D)
    uint8_t *slice; // (n)
    float *p;       // (n, E) probabilities; NULL: not wanted, or in y already
} chunk;

// The rows as expert e would meet them: × its gate, had it been chosen.
static const float *scaled_rows(const chunk *c, size_t e, cull_arena *arena)
{
    const size_t D = c->s->g->D, E = c->s->g->E;
    float *x = cull_arena_room(arena, c->n * D, sizeof *x);

    for (size_t i = 0; x && i < c->n; i++) {
        memcpy(x + i * D, c->x + i * D, D * sizeof *x);
        cull_row_scale(D, x + i * D, c->scale[i * E + e]);
    }
    return x;
}

// u (n, F), of expert e, into the sample.
static void keep_channels(const chunk *c, size_t e, const float *u)
{
    const cull_sampler *s = c->s;
    const size_t F = s->g->F;
    float *to = (float *)(uintptr_t)s->sample.channels;

    for (size_t i = 0; i < c->n; i++)
        memcpy(to + ((c->at + i) * s->g->E + e) * F, u + i * F, F * sizeof *to);
}

static cull_status run_expert(void *arg, size_t e, size_t worker)
{
    const chunk *c = arg;
    cull_input_hooks inputs = { 0 };
    cull_stats_pass *g = c->s->g;
    cull_piece piece = cull_piece_inner(g->run, worker);
    cull_arena *arena = cull_piece_arena(&piece);
    const cull_mark mark = cull_arena_mark(arena);

    if (c->cut && c->cut->layer[g->l].action[e] != CULL_ACTION_BASE)
        return CULL_OK; // gone already: zeros
    piece.cut = c->cut;
    piece.layer = g->l;
    piece.pass.core = &piece;
    const float *x = c->scale ? scaled_rows(c, e, arena) : c->x;
    if (!x)
        return cull_no_memory(g->run->ctx);
    if (c->s->want & CULL_STAT_DENSE_CHANNELS) {
        inputs.down = cull_arena_room(arena, c->n * g->F, sizeof *inputs.down);
        if (!inputs.down)
            return cull_no_memory(g->run->ctx);
        piece.inputs = &inputs;
    }
    CULL_TRY(CULL_CALL(g->run->ctx, g->run->m->plugin, g->l, expert,
                       g->run->m->backend->expert(&piece.pass, g->run->m->model, g->l, e, c->n, x,
                                                  c->y + e * c->n * g->D)));
    if (inputs.down)
        keep_channels(c, e, inputs.down);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// Σ over the chunk, of y, or with `p` (n, E) of p y.
static cull_status add_means(const chunk *c, const float *p, cull_column_sums *to)
{
    const cull_stats_pass *g = c->s->g;
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    cull_column_work *work = cull_arena_alloc(arena, g->E, sizeof *work);
    const float **row = cull_arena_alloc(arena, g->E * c->n, sizeof *row);
    float *weight = cull_arena_alloc(arena, g->E * c->n, sizeof *weight);

    if (!work || !row || !weight)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < g->E * c->n; i++) {
        row[i] = c->y + i * g->D;
        weight[i] = p ? p[i % c->n * g->E + i / c->n] : 1.0f;
    }
    for (size_t e = 0; e < g->E; e++)
        work[e] =
            (cull_column_work){ to + e, { c->n, row + e * c->n, weight + e * c->n, c->slice } };
    CULL_TRY(cull_column_sums_add(g->run, g->E, work));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// G_t = F_t F_tᵀ for a few tokens, F_t (E, D) in float64.
static cull_status add_grams(void *arg, size_t block, size_t worker)
{
    const chunk *c = arg;
    const cull_stats_pass *g = c->s->g;
    const size_t first = block * GRAM_TOKENS;
    const size_t end = first + GRAM_TOKENS < c->n ? first + GRAM_TOKENS : c->n;
    cull_arena *arena = g->run->worker[worker].arena;
    const cull_mark mark = cull_arena_mark(arena);
    double *f = cull_arena_alloc(arena, g->E * g->D, sizeof *f);
    double *gram = cull_arena_alloc(arena, g->E * g->E, sizeof *gram);

    if (!f || !gram)
        return cull_no_memory(g->run->ctx);
    for (size_t t = first; t < end; t++) {
        float *out = (float *)(uintptr_t)c->s->sample.gram + (c->at + t) * g->E * g->E;
        for (size_t e = 0; e < g->E; e++)
            for (size_t d = 0; d < g->D; d++)
                f[e * g->D + d] = c->y[(e * c->n + t) * g->D + d];
        if (!cull_syrk_f64(false, g->E, g->D, f, g->D, 0.0, gram, g->E))
            return cull_fail(g->run->ctx, CULL_ENOTSUP, "a Gram matrix of %zu outputs", g->E);
        for (size_t a = 0; a < g->E; a++)
            for (size_t b = 0; b <= a; b++)
                out[a * g->E + b] = out[b * g->E + a] = (float)gram[a * g->E + b];
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// Against another routed output: F_t r and ‖r‖².
static cull_status add_crosses(void *arg, size_t t, size_t worker)
{
    const chunk *c = arg;
    const cull_stats_pass *g = c->s->g;
    const float *moe = c->moe + t * g->D;
    const float *target = c->s->target + (c->at + t) * g->D;
    float *cross = (float *)(uintptr_t)c->s->sample.cross + (c->at + t) * g->E;
    double offset = 0.0;

    (void)worker;
    for (size_t d = 0; d < g->D; d++)
        offset += ((double)moe[d] - (double)target[d]) * ((double)moe[d] - (double)target[d]);
    ((double *)(uintptr_t)c->s->sample.offset)[c->at + t] = offset;
    for (size_t e = 0; e < g->E; e++) {
        const float *y = c->y + (e * c->n + t) * g->D;
        double sum = 0.0;
        for (size_t d = 0; d < g->D; d++)
            sum += (double)y[d] * ((double)moe[d] - (double)target[d]);
        cross[e] = (float)sum;
    }
    return CULL_OK;
}

static cull_status run_chunk(chunk *c)
{
    cull_stats_pass *g = c->s->g;

    CULL_TRY(cull_run_each(g->run, g->E, run_expert, c));
    if (c->s->want & CULL_STAT_DENSE_MEAN)
        CULL_TRY(add_means(c, NULL, g->dense_mean));
    if (c->s->want & CULL_STAT_DENSE_GATED)
        CULL_TRY(add_means(c, c->p, g->dense_gated));
    if (!(c->s->want & CULL_STAT_DENSE_SAMPLE))
        return CULL_OK;
    CULL_TRY(cull_run_each(g->run, (c->n + GRAM_TOKENS - 1) / GRAM_TOKENS, add_grams, c));
    return c->s->target ? cull_run_each(g->run, c->n, add_crosses, c) : CULL_OK;
}

// Logits and coefficients of row i of the lane become token t of the subsample.
static void copy_routing(cull_sampler *s, const cull_lane *lane, size_t i, size_t t,
                         uint32_t sequence)
{
    const cull_stats_pass *g = s->g;
    float *gate = (float *)(uintptr_t)s->sample.gate + t * g->E;

    memcpy((float *)(uintptr_t)s->sample.logits + t * g->E, lane->routed.logits + i * g->E,
           g->E * sizeof(float));
    for (size_t k = 0; k < g->K; k++)
        if (lane->routed.index[i * g->K + k] >= 0)
            gate[lane->routed.index[i * g->K + k]] =
                lane->slot_scale ? 1 : lane->routed.gate[i * g->K + k];
    ((uint32_t *)(uintptr_t)s->sample.group)[t] = sequence;
}

// Room for `most` rows.
static cull_status make_chunk(cull_sampler *s, const cull_lane *lane, size_t most, chunk *c)
{
    const cull_stats_pass *g = s->g;
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const bool gated = (s->want & CULL_STAT_DENSE_GATED) && !lane->slot_scale;

    *c = (chunk){
        .s = s,
        .at = s->n_done,
        .x = cull_arena_alloc(arena, most * g->D, sizeof(float)),
        .moe = s->target ? cull_arena_alloc(arena, most * g->D, sizeof(float)) : NULL,
        .scale = lane->slot_scale ? cull_arena_alloc(arena, most * g->E, sizeof(float)) : NULL,
        .y = cull_arena_alloc(arena, g->E * most * g->D, sizeof(float)),
        .slice = cull_arena_alloc(arena, most, 1),
        .p = gated ? cull_arena_alloc(arena, most * g->E, sizeof(float)) : NULL,
    };
    const bool all = c->x && c->y && c->slice && (c->moe || !s->target) &&
                     (c->scale || !lane->slot_scale) && (c->p || !gated);
    return all ? CULL_OK : cull_no_memory(g->run->ctx);
}

// Row i of the lane joins the chunk.
static void take_row(cull_sampler *s, const cull_lane *lane, size_t i, chunk *c)
{
    const cull_stats_pass *g = s->g;
    const float *p = lane->routed.p + i * g->E;

    c->slice[c->n] = g->slice[lane->first_row + i];
    memcpy(c->x + c->n * g->D, lane->z + i * g->D, g->D * sizeof *c->x);
    if (c->scale) // the unbiased score of an expert is its gate
        memcpy(c->scale + c->n * g->E, p, g->E * sizeof *c->scale);
    if (c->p)
        memcpy(c->p + c->n * g->E, p, g->E * sizeof *c->p);
    if (c->moe)
        memcpy(c->moe + c->n * g->D, lane->sum + i * g->D, g->D * sizeof *c->moe);
    if (s->want & CULL_STAT_DENSE_SAMPLE)
        copy_routing(s, lane, i, c->at + c->n, s->group[lane->first_row + i]);
    c->n++;
}

cull_status cull_sampler_add(cull_sampler *s, const cull_lane *lane)
{
    const cull_stats_pass *g = s->g;
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t most = chunk_rows(g->E, g->D, lane->n);
    chunk c;

    CULL_TRY(make_chunk(s, lane, most, &c));
    for (size_t i = 0; i < lane->n; i++) {
        if (s->chosen[lane->first_row + i])
            take_row(s, lane, i, &c);
        if (c.n == most || (i + 1 == lane->n && c.n)) {
            CULL_TRY(run_chunk(&c));
            c.at += c.n;
            c.n = 0;
        }
    }
    s->n_done = c.at;
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

void cull_sampler_weigh(cull_sampler *s, const cull_lane *lane)
{
    const size_t D = s->g->D;
    double *weight = (double *)(uintptr_t)s->sample.weight;

    for (size_t i = 0; weight && i < lane->n; i++) {
        double sum = 0.0;
        if (!s->chosen[lane->first_row + i])
            continue;
        for (size_t d = 0; d < D; d++)
            sum += (double)lane->sum[i * D + d] * (double)lane->sum[i * D + d];
        weight[s->n_weighed++] = sum > 0.0 ? 1.0 / sum : 0.0;
    }
}

// ---- a sample of several processes ----

enum { N_FIELDS = 8 };

typedef struct fields { // of a sample: where each is, and its bytes a token
    const void *at[N_FIELDS];
    size_t bytes[N_FIELDS], token;
} fields;

static fields fields_of(const cull_sampler *s)
{
    const cull_dense_sample *d = &s->sample;
    const size_t row = s->g->E * sizeof(float);
    const size_t bytes[N_FIELDS] = {
        row, s->g->E * row,  row,           sizeof(double), sizeof(uint32_t),
        row, sizeof(double), s->g->F * row,
    };
    fields f = { .at = { d->logits, d->gram, d->gate, d->weight, d->group, d->cross, d->offset,
                         d->channels } };

    for (size_t i = 0; i < N_FIELDS; i++) {
        f.bytes[i] = f.at[i] ? bytes[i] : 0;
        f.token += f.bytes[i];
    }
    return f;
}

// The number of tokens, then field by field.
static double *put_sample(const fields *f, size_t N, size_t *words)
{
    *words = 1 + (N * f->token + sizeof(double) - 1) / sizeof(double);
    double *out = cull_alloc(*words, sizeof *out);
    char *at = (char *)(out + 1);

    if (!out)
        return NULL;
    out[0] = (double)N;
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (N > 0 && f->bytes[i] > 0)
            memcpy(at, f->at[i], N * f->bytes[i]);
        at += N * f->bytes[i];
    }
    return out;
}

// Field i of all parts, one after the other.
static void *join_field(const fields *f, size_t i, size_t N, size_t n_parts,
                        const double *const *part)
{
    char *out = cull_alloc(N * f->bytes[i], 1), *to = out;
    size_t before = 0;

    for (size_t j = 0; j < i; j++)
        before += f->bytes[j];
    for (size_t p = 0; out && p < n_parts; p++) {
        const size_t n = (size_t)part[p][0];
        memcpy(to, (const char *)(part[p] + 1) + n * before, n * f->bytes[i]);
        to += n * f->bytes[i];
    }
    return out;
}

static cull_status join_sample(cull_sampler *s, const fields *f, size_t n_parts,
                               const double *const *part)
{
    void *field[N_FIELDS] = { 0 };
    size_t N = 0;
    bool well = true;

    for (size_t p = 0; p < n_parts; p++)
        N += (size_t)part[p][0];
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (!f->at[i])
            continue;
        field[i] = join_field(f, i, N, n_parts, part);
        well = well && field[i];
        cull_free((void *)(uintptr_t)f->at[i]);
    }
    s->sample = (cull_dense_sample){ sizeof s->sample, N,        field[0], field[1], field[2],
                                     field[3],         field[4], field[5], field[6], field[7] };
    return well ? CULL_OK : cull_no_memory(s->g->run->ctx);
}

cull_status cull_sampler_share(cull_sampler *s)
{
    const cull_calibration *cal = s->g->cal;
    const cull_run *run = s->g->run;
    const size_t to = cal->rounds ? cull_layer_hand(run->m, s->g->l, cal->n_deciders) : 0;
    const fields f = fields_of(s);
    const double *const *part;
    size_t words, n_parts;

    if (!cal->share || !s->g->stats->dense || s->g->E == 0)
        return CULL_OK;
    double *own = put_sample(&f, s->N, &words);
    if (!own)
        return cull_no_memory(run->ctx);
    cull_status status = cal->share(cal->share_arg, run->ctx, to, words, own, &n_parts, &part);
    if (status == CULL_OK && n_parts > 0)
        status = join_sample(s, &f, n_parts, part);
    cull_free(own);
    return status;
}

static void finish_means(const cull_stats_pass *g, cull_column_sums *of, const double *to)
{
    for (size_t e = 0; of && e < g->E; e++) {
        double *mean = (double *)(uintptr_t)to + e * g->D;
        cull_column_sums_total(of + e, 0, mean);
        for (size_t d = 0; d < g->D; d++)
            mean[d] /= (double)g->n_dense;
    }
}

void cull_sampler_finish(cull_sampler *s)
{
    finish_means(s->g, s->g->dense_mean, s->g->stats->dense_mean);
    finish_means(s->g, s->g->dense_gated, s->g->stats->dense_gated);
}
