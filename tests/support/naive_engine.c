// A plain twin of the engine, in double.
#include "support/naive_engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct naive_core {
    const cull_backend *backend;
    const cull_model *model;
    size_t n;                 // rows of the sequence
    const naive_watch *watch; // or NULL
    size_t n_blocks;
    float *block[64]; // scratch of the piece in hand
} naive_core;

static float from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float half(uint16_t h)
{
    const float sign = h & 0x8000 ? -1 : 1;
    const int e = h >> 10 & 31, m = h & 1023;

    if (e == 31)
        return m ? NAN : sign * INFINITY;
    return sign * (e ? ldexpf(1 + (float)m / 1024, e - 15) : ldexpf((float)m / 1024, -14));
}

static float fp8(uint8_t b)
{
    const float sign = b & 0x80 ? -1 : 1;
    const int e = b >> 3 & 15, m = b & 7;

    if (e == 15 && m == 7)
        return NAN;
    return sign * (e ? ldexpf(1 + (float)m / 8, e - 7) : ldexpf((float)m / 8, -6));
}

static float plain(cull_dtype type, const void *data, ptrdiff_t i)
{
    const unsigned char *p = data;
    uint32_t word;
    uint16_t h;

    switch (type) {
    case CULL_DT_F32:
        memcpy(&word, p + 4 * i, 4);
        return from_bits(word);
    case CULL_DT_BF16:
        memcpy(&h, p + 2 * i, 2);
        return from_bits((uint32_t)h << 16);
    case CULL_DT_F16:
        memcpy(&h, p + 2 * i, 2);
        return half(h);
    case CULL_DT_F8_E4M3:
        return fp8(p[i]);
    case CULL_DT_F8_E8M0:
        return p[i] == 255 ? NAN : ldexpf(1, p[i] - 127);
    default:
        return NAN;
    }
}

static float fp4(const cull_matrix *m, size_t r, size_t c)
{
    static const float value[] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    const unsigned char *row = (const unsigned char *)m->data + (ptrdiff_t)r * m->row_stride;
    const int code = c % 2 ? row[c / 2] >> 4 : row[c / 2] & 15;
    const float scale =
        plain(CULL_DT_F8_E8M0, m->scale, (ptrdiff_t)r * m->scale_stride + (ptrdiff_t)(c / 32));

    return (code & 8 ? -1 : 1) * value[code & 7] * scale;
}

float naive_element(const cull_matrix *m, size_t r, size_t c)
{
    if (m->dtype == CULL_DT_F4)
        return fp4(m, r, c);
    const float q =
        plain(m->dtype, m->data, (ptrdiff_t)r * m->row_stride + (ptrdiff_t)c * m->col_stride);
    if (!m->scale)
        return q;
    return q *
           plain(m->scale_dtype, m->scale,
                 (ptrdiff_t)(r / m->block_rows) * m->scale_stride + (ptrdiff_t)(c / m->block_cols));
}

float naive_bias(const cull_matrix *m, size_t r)
{
    return m->bias ? plain(m->bias_dtype, m->bias, (ptrdiff_t)r * m->bias_stride) : 0;
}

static cull_status naive_linear(cull_pass *pass, cull_matrix_id where, size_t n, const float *x,
                                size_t ldx, float *y, size_t ldy)
{
    const naive_core *core = pass->core;
    cull_matrix m;
    const cull_status status = core->backend->matrix(pass->ctx, core->model, where, &m);

    if (status != CULL_OK)
        return status;
    float *w = malloc(m.cols * sizeof *w);
    for (size_t r = 0; r < m.rows; r++) {
        for (size_t c = 0; c < m.cols; c++)
            w[c] = naive_element(&m, r, c);
        for (size_t i = 0; i < n; i++) {
            double sum = naive_bias(&m, r);
            for (size_t c = 0; c < m.cols; c++)
                sum += (double)x[i * ldx + c] * w[c];
            y[i * ldy + r] = (float)sum;
        }
    }
    free(w);
    if (core->watch)
        core->watch->linear(core->watch->arg, where, n, m.cols, x, ldx, y, ldy);
    return CULL_OK;
}

static bool sees(const cull_attention *a, size_t i, size_t j)
{
    return j <= i && (!a->window || i - j < a->window) &&
           (!a->chunk || i / a->chunk == j / a->chunk);
}

// One head of one row: the mean of the values it sees, weighted by softmax(scale q·k), with the
// sink's share going nowhere.
static void attend_head(const cull_attention *a, size_t i, size_t h, const float *q, const float *k,
                        const float *v, float *out)
{
    const size_t group = h / (a->H / a->KV);
    const float *qi = q + (i * a->H + h) * a->qk_width;
    double score[1024], most = a->sinks ? a->sinks[h] : -INFINITY, sum = 0;

    for (size_t j = 0; j <= i; j++) {
        const float *kj = k + (j * a->KV + group) * a->qk_width;
        double dot = 0;
        for (size_t c = 0; c < a->qk_width; c++)
            dot += (double)qi[c] * kj[c];
        score[j] = sees(a, i, j) ? dot * a->scale : -INFINITY;
        most = fmax(most, score[j]);
    }
    for (size_t j = 0; j <= i; j++)
        sum += exp(score[j] - most);
    sum += a->sinks ? exp(a->sinks[h] - most) : 0;
    for (size_t c = 0; c < a->v_width; c++) {
        double mean = 0;
        for (size_t j = 0; j <= i; j++)
            mean += exp(score[j] - most) / sum * v[(j * a->KV + group) * a->v_width + c];
        out[(i * a->H + h) * a->v_width + c] = (float)mean;
    }
}

static cull_status naive_attention(cull_pass *pass, const cull_attention *a, const float *q,
                                   const float *k, const float *v, float *out)
{
    const size_t n = ((const naive_core *)pass->core)->n;

    if (n > 1024)
        return pass->ctx->host->fail(pass->ctx, CULL_EINVAL, "the naive engine takes 1024 rows");
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < a->H; h++)
            attend_head(a, i, h, q, k, v, out);
    return CULL_OK;
}

// Head h of row i: S ← diag(exp g) S; S ← S + k (β (v − Sᵀk))ᵀ; out = Sᵀ q.
static void recur_row(const cull_recurrence *r, size_t i, size_t h, const float *q, const float *k,
                      const float *v, const float *g, const float *beta, double *S, float *out)
{
    const size_t K = r->k_width, V = r->v_width, group = h / (r->H / r->KH);
    const float *qi = q + (i * r->KH + group) * K, *ki = k + (i * r->KH + group) * K;
    const float *gi = g + (i * r->H + h) * (r->per_channel ? K : 1);

    for (size_t c = 0; c < V; c++) {
        double seen = 0, w = v[(i * r->H + h) * V + c], sum = 0;
        for (size_t j = 0; j < K; j++) {
            S[j * V + c] *= exp((double)gi[r->per_channel ? j : 0]);
            seen += ki[j] * S[j * V + c];
        }
        if (beta)
            w = beta[i * r->H + h] * (w - seen);
        for (size_t j = 0; j < K; j++) {
            S[j * V + c] += ki[j] * w;
            sum += qi[j] * S[j * V + c];
        }
        out[(i * r->H + h) * V + c] = (float)sum;
    }
}

static cull_status naive_recur(cull_pass *pass, const cull_recurrence *r, const float *q,
                               const float *k, const float *v, const float *g, const float *beta,
                               float *out)
{
    const size_t n = ((const naive_core *)pass->core)->n;

    for (size_t h = 0; h < r->H; h++) {
        double *S = calloc(r->k_width * r->v_width, sizeof *S);
        for (size_t i = 0; i < n; i++)
            recur_row(r, i, h, q, k, v, g, beta, S, out);
        free(S);
    }
    return CULL_OK;
}

static cull_status naive_convolve(cull_pass *pass, const cull_convolution *c, const float *x,
                                  float *out)
{
    const naive_core *core = pass->core;
    cull_matrix m;
    const cull_status status = core->backend->matrix(pass->ctx, core->model, c->filter, &m);

    if (status != CULL_OK)
        return status;
    for (size_t i = 0; i < core->n * c->channels; i++) {
        const size_t row = i / c->channels, ch = i % c->channels;
        double y = naive_bias(&m, ch);
        for (size_t j = 0; j < c->taps; j++)
            if (row + j + 1 >= c->taps)
                y += (double)naive_element(&m, ch, j) *
                     x[(row + j + 1 - c->taps) * c->channels + ch];
        out[i] = (float)(c->silu ? y / (1 + exp(-y)) : y);
    }
    return CULL_OK;
}

static float *naive_scratch(cull_pass *pass, size_t n)
{
    naive_core *core = pass->core;

    if (core->n_blocks == sizeof core->block / sizeof *core->block)
        return NULL;
    float *block = malloc(n ? n * sizeof *block : 1);
    for (size_t i = 0; block && i < n; i++)
        block[i] = NAN; // nobody may rely on zeroes
    core->block[core->n_blocks++] = block;
    return block;
}

static void end_piece(cull_pass *pass)
{
    naive_core *core = pass->core;

    while (core->n_blocks)
        free(core->block[--core->n_blocks]);
}

static void naive_rows(cull_pass *pass, size_t n, void (*fn)(void *arg, size_t first, size_t count),
                       void *arg)
{
    (void)pass;
    for (size_t i = 0; i < n; i += 7) // pieces must not mind how their rows are cut
        fn(arg, i, n - i < 7 ? n - i : 7);
}

static float *floats(size_t n)
{
    return calloc(n ? n : 1, sizeof(float));
}

// Σ g y over each row's experts, one row at a time.
static cull_status mixture(cull_pass *pass, const cull_layer_facts *facts, size_t l, size_t D,
                           size_t n, const float *x, const naive_forward *f, float *moe)
{
    const naive_core *core = pass->core;
    float *in = floats(D), *y = floats(D);
    cull_status status = CULL_OK;

    for (size_t i = 0; i < n * facts->K && status == CULL_OK; i++) {
        const int32_t e = f->index[l][i];
        const float g = f->gate[l][i];
        const size_t row = i / facts->K;
        if (e < 0)
            continue;
        for (size_t d = 0; d < D; d++)
            in[d] = x[row * D + d] * (facts->gate_on_input ? g : 1);
        status = core->backend->expert(pass, core->model, l, (size_t)e, 1, in, y);
        end_piece(pass);
        for (size_t d = 0; d < D; d++)
            moe[row * D + d] += y[d] * (facts->gate_on_input ? 1 : g);
    }
    free(in);
    free(y);
    return status;
}

// The same where experts work in a space of their own.
static cull_status mixture_beyond(cull_pass *pass, const cull_layer_facts *facts, size_t l,
                                  size_t D, size_t n, const float *x, const naive_forward *f,
                                  float *moe)
{
    const naive_core *core = pass->core;
    float *z = floats(n * D), *sum = floats(n * D);

    cull_status status = core->backend->enter(pass, core->model, l, n, x, z);
    end_piece(pass);
    if (status == CULL_OK)
        status = mixture(pass, facts, l, D, n, z, f, sum);
    if (status == CULL_OK)
        status = core->backend->leave(pass, core->model, l, n, sum, moe);
    end_piece(pass);
    free(z);
    free(sum);
    return status;
}

static cull_status visit(cull_pass *pass, size_t l, const int32_t *pos, const cull_rule *rule,
                         naive_forward *f, float *h)
{
    const naive_core *core = pass->core;
    const cull_backend *b = core->backend;
    const cull_layer_facts *facts = b->layer_facts(core->model, l);
    const size_t n = f->n, D = f->D, E = facts->E;
    float *r = floats(n * D), *side = facts->has_side ? floats(n * D) : NULL;
    float *x = floats(n * D), *moe = E ? floats(n * D) : NULL;

    cull_status status = b->attend(pass, core->model, l, n, pos, h, r, side, x);
    end_piece(pass);
    if (E) {
        const cull_routed routed = { sizeof(cull_routed), f->index[l], f->gate[l],
                                     f->router_logits[l], f->p[l] };
        if (status == CULL_OK)
            status = b->route(pass, core->model, l, n, x, rule, &routed);
        end_piece(pass);
        if (status == CULL_OK)
            status =
                (facts->expert_width ? mixture_beyond : mixture)(pass, facts, l, D, n, x, f, moe);
    }
    if (status == CULL_OK)
        status = b->after(pass, core->model, l, n, r, side, moe, h);
    end_piece(pass);
    free(r);
    free(side);
    free(x);
    free(moe);
    return status;
}

static cull_status head(cull_pass *pass, naive_forward *f, const float *hn,
                        const cull_model_facts *facts)
{
    const cull_matrix_id where = { CULL_NONE, CULL_PART_HEAD, CULL_NONE };
    const cull_status status = naive_linear(pass, where, f->n, hn, f->D, f->logits, f->V);

    for (size_t i = 0; i < f->n * f->V; i++)
        f->logits[i] = (float)(f->logits[i] * facts->logit_scale);
    for (size_t i = 0; facts->logit_cap > 0 && i < f->n * f->V; i++)
        f->logits[i] = (float)(facts->logit_cap * tanh(f->logits[i] / facts->logit_cap));
    return status;
}

void naive_room(const cull_backend *backend, const cull_model *model, size_t n, naive_forward *f)
{
    const cull_model_facts *facts = backend->facts(model);

    *f = (naive_forward){ .n = n, .L = facts->L, .D = facts->D, .V = facts->V };
    f->logits = floats(n * f->V);
    f->hidden = floats((f->L + 1) * n * f->D);
    f->router_logits = calloc(f->L, sizeof *f->router_logits);
    f->p = calloc(f->L, sizeof *f->p);
    f->index = calloc(f->L, sizeof *f->index);
    f->gate = calloc(f->L, sizeof *f->gate);
    for (size_t l = 0; l < f->L; l++) {
        const cull_layer_facts *layer = backend->layer_facts(model, l);
        if (layer->E == 0)
            continue;
        f->router_logits[l] = floats(n * layer->E);
        f->p[l] = floats(n * layer->E);
        f->index[l] = calloc(n * layer->K, sizeof **f->index);
        f->gate[l] = floats(n * layer->K);
    }
}

cull_status naive_run(cull_ctx *ctx, const cull_backend *backend, const cull_model *model, size_t n,
                      const int32_t *ids, const cull_rule *rule, naive_forward *f)
{
    return naive_run_watched(ctx, backend, model, n, ids, rule, NULL, f);
}

cull_status naive_run_watched(cull_ctx *ctx, const cull_backend *backend, const cull_model *model,
                              size_t n, const int32_t *ids, const cull_rule *rule,
                              const naive_watch *watch, naive_forward *f)
{
    static const cull_engine engine = {
        .size = sizeof engine,
        .linear = naive_linear,
        .attention = naive_attention,
        .scratch = naive_scratch,
        .rows = naive_rows,
        .recur = naive_recur,
        .convolve = naive_convolve,
    };
    const cull_model_facts *facts = backend->facts(model);
    naive_core core = { .backend = backend, .model = model, .n = n, .watch = watch };
    cull_pass pass = { sizeof pass, &engine, ctx, facts->rope_switch && n > facts->rope_switch,
                       &core };
    int32_t *pos = calloc(n, sizeof *pos);
    float *h = floats(n * facts->D);

    naive_room(backend, model, n, f);
    for (size_t i = 0; i < n; i++)
        pos[i] = (int32_t)i;
    cull_status status = backend->embed(&pass, model, n, ids, h);
    for (size_t l = 0; l < f->L && status == CULL_OK; l++) {
        memcpy(f->hidden + l * n * f->D, h, n * f->D * sizeof *h);
        status = visit(&pass, l, pos, rule ? rule + l : NULL, f, h);
    }
    float *hn = f->hidden + f->L * n * f->D;
    if (status == CULL_OK)
        status = backend->norm(&pass, model, n, h, hn);
    end_piece(&pass);
    if (status == CULL_OK)
        status = head(&pass, f, hn, facts);
    free(pos);
    free(h);
    return status;
}

void naive_free(naive_forward *f)
{
    for (size_t l = 0; l < f->L; l++) {
        free(f->router_logits[l]);
        free(f->p[l]);
        free(f->index[l]);
        free(f->gate[l]);
    }
    free(f->router_logits);
    free(f->p);
    free(f->index);
    free(f->gate);
    free(f->logits);
    free(f->hidden);
}
