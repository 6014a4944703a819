// Layers that differ: "cull_layers" of config.json, in Cull's own layout (docs/checkpoints.md). For
// each layer it holds null, where all is as for the others, or
//
//     {"experts": E, "per_token": K, "groups": [n, …], "constants": [e, …]}
//
// any of which may be missing. Groups of a group-limited router are runs of n experts. An expert
// that is a constant has no matrices, but a row of the tensor experts.constants.
#include "config.h"
#include "model.h"

enum { MOST_EXPERTS = 65536 }; // before any tensor has been looked at

static cull_status wrong(hf_config *c, const char *what)
{
    return c->status =
               c->ctx->host->fail(c->ctx, CULL_EFORMAT, "%s: %s%s", c->path, c->where, what);
}

static cull_status read_constants(hf_config *c, cull_model *m, hf_layer *layer)
{
    const json_t *list = hf_config_value(c, "constants");
    const size_t E = layer->facts.E, n = json_array_size(list);
    json_int_t last = -1;

    if (!list)
        return CULL_OK;
    if (m->arch->stack_bias)
        return wrong(c, "constants: these experts have biases, which say the same");
    uint8_t *constant = c->ctx->host->alloc(c->ctx, E, 1);
    if (!constant)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        const json_int_t e = json_integer_value(item);
        if (!json_is_integer(item) || e <= last || e >= (json_int_t)E)
            return hf_wrong(c, "constants", list, "a rising list of experts");
        constant[e] = 1;
        last = e;
    }
    if (!json_is_array(list) || n == 0 || n >= E)
        return hf_wrong(c, "constants", list, "a list of some of the experts");
    layer->constant = constant;
    layer->n_stored = E - n;
    return CULL_OK;
}

// Equal groups need no list.
static cull_status read_groups(hf_config *c, const cull_model *m, hf_layer *layer)
{
    const json_t *list = hf_config_value(c, "groups");
    const size_t G = m->s.n_group, E = layer->facts.E;
    bool equal = true;
    size_t end = 0;

    if (!list)
        return CULL_OK;
    if (!json_is_array(list) || json_array_size(list) != G ||
        (G == 1 && E >= hf_least_of_group(m->arch)))
        return hf_wrong(c, "groups", list, "a number of experts for each of n_group groups");
    layer->group_end = c->ctx->host->alloc(c->ctx, G, sizeof *layer->group_end);
    if (!layer->group_end)
        return CULL_ENOMEM;
    for (size_t g = 0; g < G; g++) {
        const json_t *item = json_array_get(list, g);
        const json_int_t n = json_integer_value(item);
        if (!json_is_integer(item) || n < 0 || n > (json_int_t)(E - end))
            return hf_wrong(c, "groups", list, "numbers that add up to the layer's experts");
        end += (size_t)n;
        layer->group_end[g] = end;
        equal &= (size_t)n * G == E;
    }
    if (end != E)
        return hf_wrong(c, "groups", list, "numbers that add up to the layer's experts");
    if (equal && E >= G * hf_least_of_group(m->arch))
        layer->group_end = NULL;
    return CULL_OK;
}

// `must`: what the groups would have to be.
static cull_status wrong_groups(hf_config *c, const cull_model *m, size_t E, const char *must)
{
    const hf_arch *arch = m->arch;
    const hf_shape *s = &m->s;

    return c->ctx->host->fail(
        c->ctx, CULL_EFORMAT,
        "%s: %zu experts do not make %zu groups %s (%s %zu, %s %zu, %s %zu, %s %zu)", c->path, E,
        s->n_group, must, hf_config_name(c, arch->E.key), s->E,
        hf_config_name(c, arch->router.n_group.key), s->n_group,
        hf_config_name(c, arch->router.topk_group.key), s->topk_group,
        hf_config_name(c, arch->K.key), s->K);
}

// Groups that no list gives the sizes of are equal.
static cull_status check_groups(hf_config *c, const cull_model *m, const hf_layer *layer)
{
    const size_t G = m->s.n_group, E = layer->facts.E;

    if (E == 0 || layer->group_end)
        return CULL_OK;
    if (E % G != 0)
        return wrong_groups(c, m, E, "of one size");
    if (E / G < hf_least_of_group(m->arch))
        return wrong_groups(c, m, E, "of two or more, whose best two count");
    if (m->s.topk_group * (E / G) < layer->facts.K)
        return wrong_groups(c, m, E, "that hold a token's experts");
    return CULL_OK;
}

static cull_status read_layer(hf_config *c, cull_model *m, hf_layer *layer)
{
    const size_t E = hf_size(c, (hf_num)HF_KEY("experts", (double)m->s.E), 1);
    const size_t K = hf_size(c, (hf_num)HF_KEY("per_token", (double)m->s.K), 1);

    CULL_TRY(c->status);
    if (layer->facts.E == 0)
        return wrong(c, "experts: the layer is dense");
    if (E > m->s.E || E > MOST_EXPERTS || K > E)
        return wrong(c, "experts: more than config.json has, or fewer than a token needs");
    if (m->s.score == HF_SPARSEMIXER && K != 2)
        return wrong(c, "per_token: this router chooses two");
    layer->facts.E = layer->n_stored = E;
    layer->facts.K = K;
    CULL_TRY(read_groups(c, m, layer));
    CULL_TRY(read_constants(c, m, layer));
    const char *unread = hf_config_unread(c, 0);
    return unread ? hf_refuse(c, "key", unread, "experts, per_token, groups, constants")
                  : c->status;
}

cull_status hf_differ_read(hf_config *c, cull_model *m)
{
    const json_t *list = hf_config_value(c, "cull_layers");
    cull_status status = CULL_OK;

    for (size_t l = 0; l < m->s.L; l++) {
        m->layer[l].n_stored = m->layer[l].facts.E;
        m->layer[l].K = m->layer[l].K ? m->layer[l].K : m->s.K;
        m->layer[l].facts.K = m->layer[l].facts.E ? m->layer[l].K : 0;
    }
    if (list && (!json_is_array(list) || json_array_size(list) != m->s.L))
        return hf_wrong(c, "cull_layers", list, "a list with an entry for each layer");
    for (size_t l = 0; list && l < m->s.L && status == CULL_OK; l++) {
        json_t *item = json_array_get(list, l);
        const char *where = hf_text(c->ctx, "cull_layers[%zu].", l);
        hf_config layer = { .ctx = c->ctx, .path = c->path, .where = where };
        if (json_is_null(item))
            continue;
        if (!json_is_object(item))
            return hf_wrong(c, "cull_layers", list, "a list of objects and null");
        layer.root = json_incref(item);
        layer.seen = json_object();
        status = where && layer.seen ? read_layer(&layer, m, &m->layer[l])
                                     : c->ctx->host->fail(c->ctx, CULL_ENOMEM, "out of memory");
        hf_config_close(&layer);
    }
    for (size_t l = 0; l < m->s.L && status == CULL_OK; l++)
        status = check_groups(c, m, &m->layer[l]);
    return status;
}
