// config.json → the numbers of a model.
#include <stdlib.h>
#include <string.h>

#include "lists.h"

#define NEEDS(k)  ((hf_num)HF_NEEDS(k))
#define KEY(k, d) ((hf_num)HF_KEY(k, d))

static void read_block(hf_config *c, const hf_arch *arch, hf_shape *s)
{
    s->L = hf_size(c, NEEDS("num_hidden_layers"), 1);
    s->D = hf_size(c, NEEDS("hidden_size"), 1);
    s->V = hf_size(c, NEEDS("vocab_size"), 1);
    s->eps = hf_real(c, KEY("rms_norm_eps", arch->eps));
    if (c->status == CULL_OK && s->eps < 0)
        (void)hf_wrong(c, "rms_norm_eps", hf_config_value(c, "rms_norm_eps"), "zero or more");
    s->tied = hf_wrapper_ties(c, arch->tied);
    s->head_bias = hf_flag(c, arch->head_bias);
    s->embed_scale = arch->embed_scale.key ? (float)hf_real(c, arch->embed_scale) : 1;
    s->residual_scale = arch->residual_scale.key ? (float)hf_real(c, arch->residual_scale) : 1;
    s->mtp = arch->mtp ? hf_size(c, KEY(arch->mtp, 0), 0) : 0;

    const char *act = hf_word(c, "hidden_act", "silu");
    if (!hf_one_of(act, "silu|swish"))
        (void)hf_refuse(c, "hidden_act", act, "silu, swish");
}

static void read_gqa(hf_config *c, const hf_arch *arch, hf_shape *s)
{
    s->hd = hf_size(c, arch->head_dim.key ? arch->head_dim : KEY("head_dim", 0), 1);
    if (c->status == CULL_OK && s->hd == 0 && s->D % s->H != 0)
        c->status =
            c->ctx->host->fail(c->ctx, CULL_EFORMAT,
                               "%s: hidden_size %zu is not a multiple of num_attention_heads"
                               " %zu, and there is no head_dim",
                               c->path, s->D, s->H);
    s->hd = s->hd ? s->hd : s->D / s->H;
    if (c->status == CULL_OK && s->H % s->KV != 0)
        c->status = c->ctx->host->fail(c->ctx, CULL_EFORMAT,
                                       "%s: num_attention_heads %zu is not a multiple of"
                                       " num_key_value_heads %zu",
                                       c->path, s->H, s->KV);
    s->qkv_bias = hf_flag(c, arch->qkv_bias);
    s->o_bias = hf_flag(c, arch->o_bias);
    s->qk_norm = arch->qk_norm && (!arch->qk_norm_on.key || hf_flag(c, arch->qk_norm_on));
    s->clip = arch->clip.key ? (float)hf_real(c, arch->clip) : INFINITY;
    s->attention_scale = arch->attention_scale.key ? (float)hf_real(c, arch->attention_scale)
                                                   : (float)pow((double)s->hd, -0.5);
}

static void read_mla(hf_config *c, const hf_arch *arch, hf_shape *s)
{
    s->q_rank = hf_size(c, KEY("q_lora_rank", 0), 1);
    if (c->status == CULL_OK && s->q_rank == 0 && !hf_config_is_null(c, "q_lora_rank"))
        (void)hf_wrong(c, "q_lora_rank", NULL, "");
    s->kv_rank = hf_size(c, NEEDS("kv_lora_rank"), 1);
    s->nope = hf_size(c, NEEDS("qk_nope_head_dim"), 1);
    s->rope = hf_size(c, NEEDS("qk_rope_head_dim"), 2);
    s->v_width = hf_size(c, NEEDS("v_head_dim"), 1);
    s->qkv_bias = hf_flag(c, arch->qkv_bias);
    s->o_bias = hf_flag(c, arch->o_bias);
    if (c->status == CULL_OK && s->KV != s->H)
        (void)hf_wrong(c, "num_key_value_heads", hf_config_value(c, "num_key_value_heads"),
                       "num_attention_heads");
    s->clip = INFINITY;
    s->attention_scale = (float)pow((double)(s->nope + s->rope), -0.5);
}

static cull_status read_attention(hf_config *c, cull_model *m)
{
    hf_shape *s = &m->s;

    m->facts.max_positions = hf_size(c, NEEDS("max_position_embeddings"), 1);
    s->H = hf_size(c, NEEDS("num_attention_heads"), 1);
    s->KV = hf_size(c, KEY("num_key_value_heads", (double)m->arch->kv_heads), 1);
    s->KV = s->KV ? s->KV : s->H;
    if (c->status != CULL_OK)
        return c->status;
    if (m->arch->attention == HF_MLA)
        read_mla(c, m->arch, s);
    else
        read_gqa(c, m->arch, s);
    if (c->status != CULL_OK)
        return c->status;
    m->rope.first = m->arch->attention == HF_MLA ? s->nope : 0;
    m->rope.interleaved = hf_flag(c, m->arch->interleaved);
    HF_TRY(hf_rope_read(c, m, m->arch->attention == HF_MLA ? s->rope : s->hd, &m->rope));
    if (m->arch->attention == HF_MLA)
        s->attention_scale *= (float)(m->rope.yarn_mscale * m->rope.yarn_mscale);
    return c->status;
}

static void read_experts(hf_config *c, const hf_arch *arch, hf_shape *s)
{
    const hf_router *router = &arch->router;

    s->E = hf_size(c, arch->E, 1);
    s->K = hf_size(c, arch->K, 1);
    s->F = hf_size(c, arch->F, 1);
    s->dense_F = hf_size(c, arch->dense_F, 1);
    const size_t n = hf_size(c, arch->shared_n, 0);
    s->shared_F = arch->shared_F.key ? hf_size(c, arch->shared_F, 0) : n * s->F;
    s->ffn_bias = hf_flag(c, arch->ffn_bias);
    s->renormalise =
        router->renormalise.key ? hf_flag(c, router->renormalise) : router->renormalise.def != 0;
    s->floor = (float)hf_real(c, router->floor);
    s->gate_scale = router->scale.key ? (float)hf_real(c, router->scale) : 1;
    s->jitter = (float)hf_real(c, router->jitter);
    s->n_group = hf_size(c, router->n_group, 1);
    s->topk_group = hf_size(c, router->topk_group, 1);
    s->n_group = s->n_group ? s->n_group : 1;
    s->topk_group = s->topk_group ? s->topk_group : s->n_group;
    if (arch->act == HF_CLAMPED) {
        s->act_limit = (float)hf_real(c, KEY("swiglu_limit", 7));
        s->act_alpha = (float)hf_real(c, KEY("swiglu_alpha", 1.702));
    }
}

static cull_status check_experts(hf_config *c, const hf_arch *arch, const hf_shape *s)
{
    const cull_host *host = c->ctx->host;

    if (s->K > s->E)
        return host->fail(c->ctx, CULL_EFORMAT,
                          "%s: %zu experts a token are more than the %zu there are", c->path, s->K,
                          s->E);
    if (arch->router.score == HF_SPARSEMIXER && s->K != 2)
        return host->fail(c->ctx, CULL_ENOTSUP, "%s: %s routes to 2 experts a token, not %zu",
                          c->path, arch->model_type, s->K);
    if (s->n_group > HF_MOST_GROUPS || s->topk_group > s->n_group)
        return host->fail(c->ctx, CULL_EFORMAT,
                          "%s: %zu of %zu groups cannot be chosen (there may be %d)", c->path,
                          s->topk_group, s->n_group, HF_MOST_GROUPS);
    return CULL_OK;
}

static bool in_list(const json_t *list, size_t l)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) == (json_int_t)l)
            return true;
    return false;
}

static cull_status check_list(hf_config *c, const char *key, const json_t *list, bool integers)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (integers ? !json_is_integer(json_array_get(list, i))
                     : !json_is_string(json_array_get(list, i)))
            return hf_wrong(c, key, list, integers ? "a list of integers" : "a list of texts");
    return list && !json_is_array(list) ? hf_wrong(c, key, list, "a list") : CULL_OK;
}

// Which layers have experts.
static cull_status read_sparse(hf_config *c, cull_model *m)
{
    const hf_arch *arch = m->arch;
    const long first = hf_integer(c, arch->first_moe), last = hf_integer(c, arch->last_moe);
    const size_t step = arch->moe_step.key ? hf_size(c, arch->moe_step, 1) : 1;
    const json_t *except = arch->except ? hf_config_value(c, arch->except) : NULL;

    HF_TRY(check_list(c, arch->except, except, true));
    for (size_t l = 0; l < m->s.L; l++) {
        const bool sparse = (long)l >= first && (last < 0 || (long)l <= last) &&
                            (l + 1) % step == 0 && !in_list(except, l);
        m->layer[l].facts.E = sparse ? m->s.E : 0;
    }
    return c->status;
}

// layer_types: a word for each layer, full_attention or sliding_attention; NULL: there is none.
static cull_status read_types(hf_config *c, const cull_model *m, const json_t **out)
{
    const json_t *types = hf_config_value(c, "layer_types");

    *out = types;
    HF_TRY(check_list(c, "layer_types", types, false));
    if (types && json_array_size(types) != m->s.L)
        return hf_wrong(c, "layer_types", types, "a list with a word for each layer");
    for (size_t l = 0; l < json_array_size(types); l++) {
        const char *type = json_string_value(json_array_get(types, l));
        if (!hf_one_of(type, "sliding_attention|full_attention"))
            return hf_refuse(c, "layer_types", type, "full_attention, sliding_attention");
    }
    return CULL_OK;
}

// Which layers have a window: those that layer_types calls sliding, or by default every other.
static cull_status read_window_types(hf_config *c, cull_model *m, size_t window)
{
    const json_t *types;
    const size_t first = m->arch->window_layers
                             ? hf_size(c, KEY(m->arch->window_layers, (double)m->s.L), 0)
                             : m->s.L;

    HF_TRY(read_types(c, m, &types));
    for (size_t l = 0; l < m->s.L; l++) {
        const char *type = json_string_value(json_array_get(types, l));
        const bool sliding =
            type ? strcmp(type, "sliding_attention") == 0 : l % 2 == 0 && l < first;
        if (type && sliding && window == 0)
            return c->ctx->host->fail(
                c->ctx, CULL_EFORMAT,
                "%s: layer_types has sliding_attention, but there is no window", c->path);
        m->layer[l].facts.window = sliding ? window : 0;
    }
    return c->status;
}

// A family whose layers are all alike does not read layer_types; if they are there, they say so.
static cull_status check_types(hf_config *c, cull_model *m, size_t window)
{
    const char *alike = window ? "sliding_attention" : "full_attention";
    const json_t *types;

    HF_TRY(read_types(c, m, &types));
    for (size_t l = 0; l < json_array_size(types); l++) {
        const char *type = json_string_value(json_array_get(types, l));
        if (strcmp(type, alike) != 0)
            return hf_refuse(c, "layer_types", type, alike);
    }
    return CULL_OK;
}

static cull_status read_windows(hf_config *c, cull_model *m)
{
    const hf_arch *arch = m->arch;
    const bool has = arch->windows != HF_WINDOW_NONE;
    const bool on = has && (!arch->window_switch || hf_flag(c, KEY(arch->window_switch, 0)));
    const json_t *said = json_object_get(c->root, "sliding_window");
    const size_t window = has ? hf_size(c, KEY("sliding_window", 0), on) : 0;
    const size_t size = !on ? 0 : said ? window : arch->window;

    HF_TRY(c->status);
    if (arch->windows == HF_WINDOW_TYPES)
        return read_window_types(c, m, size);
    for (size_t l = 0; l < m->s.L; l++)
        m->layer[l].facts.window = size;
    return check_types(c, m, size);
}

static cull_status read_quantization(hf_config *c, cull_model *m)
{
    // clang-format off
    static const hf_key keys[] = {
        { "activation_scheme", "\"dynamic\"|null", "activations are not quantised here" },
        { "modules_to_not_convert|ignored_layers|modules_to_convert|dequantize", HF_ANY, NULL },
        { 0 }
    };
    // clang-format on
    const bool may_mxfp4 = m->arch->experts[0].form == HF_COLUMNS;
    hf_shape *s = &m->s;
    hf_config q, *in = c;

    while (in->outer && !hf_config_has(in, "quantization_config"))
        in = in->outer;
    if (!hf_config_sub(in, "quantization_config", &q))
        return in->status;
    const char *works = may_mxfp4 ? "fp8, mxfp4" : "fp8";
    const char *method = hf_word(&q, "quant_method", "none");
    const char *format = hf_word(&q, "fmt", "e4m3");
    const json_t *block = hf_config_value(&q, "weight_block_size");
    cull_status status = q.status;

    if (status == CULL_OK && !hf_one_of(method, may_mxfp4 ? "fp8|mxfp4" : "fp8"))
        status = hf_refuse(&q, "quant_method", method, works);
    else if (status == CULL_OK && !hf_one_of(format, "e4m3|float8_e4m3fn"))
        status = hf_refuse(&q, "fmt", format, "e4m3");
    s->mxfp4 = status == CULL_OK && strcmp(method, "mxfp4") == 0;
    if (status == CULL_OK && !s->mxfp4) {
        const json_int_t rows = json_integer_value(json_array_get(block, 0));
        const json_int_t cols = json_integer_value(json_array_get(block, 1));
        if (block &&
            (json_array_size(block) != 2 || rows < 1 || cols < 1 || rows > 65536 || cols > 65536))
            status = hf_wrong(&q, "weight_block_size", block, "two positive integers");
        s->block_rows = block ? (size_t)rows : 128;
        s->block_cols = block ? (size_t)cols : 128;
    }
    if (status == CULL_OK)
        status = hf_lists_sub_keys(&q, m, keys);
    hf_config_close(&q);
    return status;
}

// A token id, or the first of a list of them; −1: none.
static int32_t read_token(hf_config *c, const char *key)
{
    const json_t *value = hf_config_value(c, key);

    for (hf_config *outer = c->outer; outer && !value; outer = outer->outer)
        value = hf_config_value(outer, key);

    if (json_is_array(value))
        value = json_array_get(value, 0);
    if (value && (!json_is_integer(value) || json_integer_value(value) >= INT32_MAX ||
                  json_integer_value(value) < -1))
        (void)hf_wrong(c, key, value, "a token's number");
    return json_is_integer(value) && c->status == CULL_OK ? (int32_t)json_integer_value(value) : -1;
}

static cull_status allocate_layers(cull_ctx *ctx, hf_config *c, cull_model *m)
{
    if (m->s.L > 1 && m->files.n && m->s.L > m->files.n_tensors)
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: num_hidden_layers is %zu, but there are %zu tensors", c->path,
                               m->s.L, m->files.n_tensors);
    if (m->s.L > 65536)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu layers are too many", c->path, m->s.L);
    m->layer = ctx->host->alloc(ctx, m->s.L, sizeof *m->layer);
    return m->layer ? CULL_OK : CULL_ENOMEM;
}

cull_status hf_shape_read(hf_config *c, cull_model *m)
{
    read_block(c, m->arch, &m->s);
    HF_TRY(c->status);
    HF_TRY(read_attention(c, m));
    read_experts(c, m->arch, &m->s);
    HF_TRY(c->status);
    HF_TRY(allocate_layers(c->ctx, c, m));
    HF_TRY(read_sparse(c, m));
    HF_TRY(read_windows(c, m));
    HF_TRY(read_quantization(c, m));
    m->facts.logit_scale = m->arch->logit_divisor.key ? 1 / hf_real(c, m->arch->logit_divisor) : 1;
    m->facts.bos = read_token(c, "bos_token_id");
    m->facts.eos = read_token(c, "eos_token_id");
    HF_TRY(c->status);
    if (m->arch->adjust)
        HF_TRY(m->arch->adjust(c, m));
    HF_TRY(c->status);
    HF_TRY(check_experts(c, m->arch, &m->s));
    HF_TRY(hf_differ_read(c, m));
    return hf_lists_keys(c, m);
}
