// config.json → the numbers of a model.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lists.h"

#define NEEDS(k)  ((hf_num)HF_NEEDS(k))
#define KEY(k, d) ((hf_num)HF_KEY(k, d))

static void read_block(hf_config *c, const hf_arch *arch, hf_shape *s)
{
    s->L = hf_layer_count(c, arch);
    s->D = hf_size(c, NEEDS("hidden_size"), 1);
    s->V = hf_size(c, NEEDS("vocab_size"), 1);
    const char *eps = arch->eps_key ? arch->eps_key : "rms_norm_eps";
    s->eps = hf_real(c, KEY(eps, arch->eps));
    if (c->status == CULL_OK && s->eps < 0)
        (void)hf_wrong(c, eps, hf_config_value(c, eps), "zero or more");
    s->norm = arch->norm;
    s->score = arch->router.score;
    s->tied = hf_wrapper_ties(c, arch->tied) && !arch->never_tied;
    s->head_bias = hf_flag(c, arch->head_bias);
    s->embed_scale = arch->embed_scale.key ? (float)hf_real(c, arch->embed_scale) : 1;
    s->residual_scale = arch->residual_scale.key ? (float)hf_real(c, arch->residual_scale) : 1;
    s->mtp = arch->mtp ? hf_size(c, KEY(arch->mtp, 0), 0) : 0;

    const char *words = arch->act_words ? arch->act_words : "silu|swish";
    const char *key = hf_config_has(c, "hidden_activation") ? "hidden_activation" : "hidden_act";
    const char *act = hf_word(c, "hidden_act|hidden_activation", words);
    if (act != words && !hf_one_of(act, words))
        (void)hf_refuse(c, key, act, words);
}

// A list with the widths of two sets of experts.
static void read_widths(hf_config *c, const char *key, size_t *first, size_t *second)
{
    const json_t *list = hf_config_value(c, key);
    json_int_t width[2] = { 0 };
    bool right = json_array_size(list) == 2;

    for (size_t i = 0; i < 2; i++) {
        width[i] = json_integer_value(json_array_get(list, i));
        right &= width[i] >= 1 && width[i] < INT32_MAX;
    }
    if (c->status == CULL_OK && !right)
        (void)hf_wrong(c, key, list, "a list of two widths");
    *first = right ? (size_t)width[0] : 1;
    *second = right ? (size_t)width[1] : 1;
}

static void read_experts(hf_config *c, const hf_arch *arch, hf_shape *s)
{
    const hf_router *router = &arch->router;

    s->E = hf_size(c, arch->E, 1);
    if (arch->twofold)
        read_widths(c, arch->F.key, &s->F, &s->second_F);
    else
        s->F = hf_size(c, arch->F, 1);
    s->dense_F = hf_size(c, arch->dense_F, 1);
    const size_t latent = arch->latent.key ? hf_size(c, arch->latent, 1) : 0;
    s->latent = latent != 0;
    s->W = s->latent ? latent : s->D;
    const size_t n = hf_size(c, arch->shared_n, 0);
    s->shared_F = arch->shared_F.key ? hf_size(c, arch->shared_F, 0) : n * s->F;
    s->shared_as_dense = arch->shared_as_dense && s->shared_F == 0;
    s->shared_F = s->shared_as_dense ? s->dense_F : s->shared_F;
    s->ffn_bias = hf_flag(c, arch->ffn_bias);
    s->router_bias = router->bias && (!router->bias_on.key || hf_flag(c, router->bias_on));
    s->renormalise =
        router->renormalise.key ? hf_flag(c, router->renormalise) : router->renormalise.def != 0;
    s->floor = (float)hf_real(c, router->floor);
    s->gate_scale = router->scale.key ? (float)hf_real(c, router->scale) : 1;
    s->jitter = (float)hf_real(c, router->jitter);
    if (c->status == CULL_OK && s->jitter < 0)
        (void)hf_wrong(c, router->jitter.key, hf_config_value(c, router->jitter.key),
                       "zero or more");
    s->n_group = hf_size(c, router->n_group, 1);
    s->topk_group = hf_size(c, router->topk_group, 1);
    s->n_group = s->n_group ? s->n_group : 1;
    s->topk_group = s->topk_group ? s->topk_group : s->n_group;
    s->shared_mean = arch->shared_mean;
    if (arch->act == HF_CLAMPED) {
        s->act_limit = (float)hf_real(c, KEY("swiglu_limit", 7));
        if (c->status == CULL_OK && s->act_limit < 0)
            (void)hf_wrong(c, "swiglu_limit", hf_config_value(c, "swiglu_limit"), "zero or more");
        s->act_alpha = (float)hf_real(c, KEY("swiglu_alpha", 1.702));
    }
}

// Experts a token: a number, or one for each layer.
static cull_status read_per_token(hf_config *c, cull_model *m)
{
    const json_t *list = hf_config_value(c, m->arch->K.key);
    const hf_num K = m->arch->K_lists ? hf_beside_lists(c, m->arch->K) : m->arch->K;
    hf_shape *s = &m->s;

    if (!json_is_array(list) || !m->arch->K_lists) {
        s->K = hf_size(c, m->files.missing ? (hf_num){ K.key, 0 } : K, 1);
        if (c->status == CULL_OK && s->K == 0)
            hf_note(c->ctx, m, "config.json: without %s one expert a token is taken for active",
                    m->arch->K.key);
        s->K = s->K ? s->K : 1;
        return c->status;
    }
    CULL_TRY(hf_check_integers(c, m->arch->K.key, list));
    if (json_array_size(list) != s->L)
        return hf_wrong(c, m->arch->K.key, list, "a number, or a list with one for each layer");
    s->K_listed = true;
    for (size_t l = 0; l < s->L; l++) {
        const json_int_t k = json_integer_value(json_array_get(list, l));
        if (k < 1 || k > (json_int_t)s->E)
            return hf_wrong(c, m->arch->K.key, list, "a list of numbers of experts");
        m->layer[l].K = (size_t)k;
        s->K = (size_t)k > s->K ? (size_t)k : s->K;
    }
    return CULL_OK;
}

static cull_status check_experts(hf_config *c, const hf_arch *arch, const hf_shape *s)
{
    const cull_host *host = c->ctx->host;

    if (s->K > s->E)
        return host->fail(c->ctx, CULL_EFORMAT, "%s: %s %zu is more than the experts of %s %zu",
                          c->path, hf_config_name(c, arch->K.key), s->K,
                          hf_config_name(c, arch->E.key), s->E);
    if (s->score == HF_SPARSEMIXER && s->K != 2)
        return host->fail(c->ctx, CULL_ENOTSUP,
                          "%s: %s %zu is not supported: %s routes to 2 experts a token", c->path,
                          hf_config_name(c, arch->K.key), s->K, arch->model_type);
    if (s->W > s->D)
        return host->fail(c->ctx, CULL_ENOTSUP,
                          "%s: %s %zu, a space of the experts wider than hidden_size %zu, is not "
                          "supported",
                          c->path, hf_config_name(c, arch->latent.key), s->W, s->D);
    if (s->n_group > HF_MOST_GROUPS || s->topk_group > s->n_group)
        return host->fail(c->ctx, CULL_EFORMAT,
                          "%s: %s %zu of %s %zu groups cannot be chosen (there may be %d)", c->path,
                          hf_config_name(c, arch->router.topk_group.key), s->topk_group,
                          hf_config_name(c, arch->router.n_group.key), s->n_group, HF_MOST_GROUPS);
    return CULL_OK;
}

static bool in_list(const json_t *list, size_t l)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) == (json_int_t)l)
            return true;
    return false;
}

// A list under a key that an architecture may have.
static const json_t *list_of(hf_config *c, const char *key)
{
    const json_t *list = key ? hf_config_value(c, key) : NULL;

    (void)hf_check_integers(c, key, list);
    return list;
}

// mlp_layer_types, which must be right where it is read, and where the reference has layer_types,
// too: then it looks at both.
static const json_t *types_of_parts(hf_config *c, const cull_model *m)
{
    static const char key[] = "mlp_layer_types";
    const json_t *types = json_object_get(c->root, key);
    const json_t *layers = json_object_get(c->root, "layer_types");
    const bool has_types = (layers && !json_is_null(layers)) || m->arch->own_types ||
                           m->arch->local_layers != HF_LOCAL_NONE;

    if (!types || json_is_null(types) || (!m->arch->mlp_types && !has_types))
        return NULL;
    (void)hf_check_words(c, key, types, m->s.L);
    for (size_t l = 0; c->status == CULL_OK && l < m->s.L; l++) {
        const char *word = json_string_value(json_array_get(types, l));
        if (!hf_one_of(word, "sparse|dense"))
            (void)hf_refuse(c, key, word, "sparse, dense");
    }
    return m->arch->mlp_types ? hf_config_value(c, key) : NULL;
}

// Layers that are named one by one: by a word each, or by 1 and 0. False: they are not.
static bool read_named(hf_config *c, cull_model *m)
{
    const json_t *types = types_of_parts(c, m);
    const json_t *flags = types ? NULL : list_of(c, m->arch->flags);
    const json_t *list = types ? types : flags;

    if (!list)
        return false;
    if (flags && json_array_size(flags) != m->s.L)
        (void)hf_wrong(c, m->arch->flags, flags, "a list with a number for each layer");
    for (size_t l = 0; c->status == CULL_OK && l < m->s.L; l++) {
        const json_t *item = json_array_get(list, l);
        const char *word = json_string_value(item);
        m->layer[l].facts.E =
            (word ? strcmp(word, "sparse") == 0 : json_integer_value(item) != 0) ? m->s.E : 0;
    }
    return true;
}

// Which layers have experts.
static cull_status read_sparse(hf_config *c, cull_model *m)
{
    const hf_arch *arch = m->arch;
    const long first = hf_integer(c, arch->first_moe), last = hf_integer(c, arch->last_moe);
    const size_t step = arch->moe_step.key ? hf_size(c, arch->moe_step, 1) : 1;
    const json_t *except = list_of(c, arch->except), *only = list_of(c, arch->only);

    CULL_TRY(c->status);
    if (read_named(c, m))
        return c->status;
    for (size_t l = 0; l < m->s.L; l++) {
        const bool sparse = (long)l >= first && (last == -1 || (long)l <= last) &&
                            (only ? in_list(only, l) : (l + 1) % step == 0) && !in_list(except, l);
        m->layer[l].facts.E = sparse ? m->s.E : 0;
    }
    return c->status;
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
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: num_hidden_layers %zu is too many", c->path,
                               m->s.L);
    m->layer = ctx->host->alloc(ctx, m->s.L, sizeof *m->layer);
    return m->layer ? CULL_OK : CULL_ENOMEM;
}

// The type that weights would have, were they there.
static cull_status read_dtype(hf_config *c, hf_shape *s)
{
    const char *word = hf_word(c, "dtype|torch_dtype", NULL);

    s->dtype = CULL_DT_BF16;
    if (word && strcmp(word, "float32") == 0)
        s->dtype = CULL_DT_F32;
    else if (word && strcmp(word, "float16") == 0)
        s->dtype = CULL_DT_F16;
    return c->status;
}

// What becomes of logits behind the head.
static void read_logits(hf_config *c, const hf_arch *arch, cull_model_facts *facts)
{
    if (arch->logit_divisor.key)
        facts->logit_scale = 1 / hf_real(c, arch->logit_divisor);
    if (arch->logit_scale.key)
        facts->logit_scale = hf_real(c, arch->logit_scale);
    const double cap = arch->softcap.key ? hf_real(c, arch->softcap) : 0;
    facts->logit_cap = fabs(cap); // tanh is odd
    facts->reading += cap < 0;    // which was passed over
    if (c->status == CULL_OK && arch->softcap.key && facts->logit_cap == 0 &&
        hf_config_has(c, arch->softcap.key))
        (void)hf_wrong(c, arch->softcap.key, hf_config_value(c, arch->softcap.key),
                       "a number other than 0");
}

cull_status hf_shape_read(hf_config *c, cull_model *m)
{
    if (m->files.missing)
        CULL_TRY(read_dtype(c, &m->s));
    read_block(c, m->arch, &m->s);
    CULL_TRY(c->status);
    CULL_TRY(allocate_layers(c->ctx, c, m));
    CULL_TRY(hf_heads_read(c, m));
    read_experts(c, m->arch, &m->s);
    CULL_TRY(c->status);
    CULL_TRY(read_per_token(c, m));
    hf_mixer_read(c, &m->arch->mixer, &m->s.mix);
    CULL_TRY(read_sparse(c, m));
    CULL_TRY(hf_mixer_layers(c, m));
    CULL_TRY(hf_quantization_read(c, m));
    read_logits(c, m->arch, &m->facts);
    m->facts.bos = read_token(c, "bos_token_id");
    m->facts.eos = read_token(c, "eos_token_id");
    CULL_TRY(c->status);
    if (m->arch->adjust)
        CULL_TRY(m->arch->adjust(c, m));
    CULL_TRY(c->status);
    hf_heads_finish(c, m);
    CULL_TRY(check_experts(c, m->arch, &m->s));
    CULL_TRY(hf_mixer_check(c, m));
    CULL_TRY(hf_differ_read(c, m));
    return hf_lists_keys(c, m);
}
