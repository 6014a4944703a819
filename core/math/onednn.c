// oneDNN's matrix product as one call, for its versions 2 and 3.
#include "math/onednn.h"

#include <string.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t desc; // a handle
typedef const_dnnl_memory_desc_t const_desc;
#    define CULL_DESC_IN(d) (d)

static bool make_desc(desc *d, size_t rows, size_t cols, bool bf16, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)cols };

    return dnnl_memory_desc_create_with_tag(d, 2, dims, bf16 ? dnnl_bf16 : dnnl_f32, tag) ==
           dnnl_success;
}

static void drop_desc(desc *d)
{
    if (*d)
        dnnl_memory_desc_destroy(*d);
}

static bool make_primitive_desc(dnnl_engine_t engine, const desc *x, const desc *w, const desc *y,
                                dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    return dnnl_matmul_primitive_desc_create(out, engine, *x, *w, NULL, *y, attr) == dnnl_success;
}

static bool append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef) == dnnl_success;
}
#else
typedef dnnl_memory_desc_t desc; // a struct
typedef const dnnl_memory_desc_t *const_desc;
#    define CULL_DESC_IN(d) (&(d))

static bool make_desc(desc *d, size_t rows, size_t cols, bool bf16, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)cols };

    return dnnl_memory_desc_init_by_tag(d, 2, dims, bf16 ? dnnl_bf16 : dnnl_f32, tag) ==
           dnnl_success;
}

static void drop_desc(desc *d)
{
    (void)d;
}

static bool make_primitive_desc(dnnl_engine_t engine, const desc *x, const desc *w, const desc *y,
                                dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_matmul_desc_t product;

    return dnnl_matmul_desc_init(&product, x, w, NULL, y) == dnnl_success &&
           dnnl_primitive_desc_create(out, &product, attr, engine, NULL) == dnnl_success;
}

static bool append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f) == dnnl_success;
}
#endif

// Scratch is the caller's, and y may be added to.
static bool make_attr(bool add, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t ops = NULL;

    *attr = NULL;
    bool fine =
        dnnl_primitive_attr_create(attr) == dnnl_success &&
        dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user) == dnnl_success;
    if (fine && add) {
        fine = dnnl_post_ops_create(&ops) == dnnl_success && append_sum(ops) &&
               dnnl_primitive_attr_set_post_ops(*attr, ops) == dnnl_success;
        if (ops)
            dnnl_post_ops_destroy(ops);
    }
    return fine;
}

typedef struct descs {
    desc x, w, y;
} descs;

static bool make_descs(cull_onednn_shape s, descs *d)
{
    memset(d, 0, sizeof *d);
    return make_desc(&d->x, s.m, s.K, s.bf16, dnnl_ab) &&
           make_desc(&d->w, s.K, s.n, s.bf16, s.bf16 ? dnnl_BA16a64b2a : dnnl_BA16a64b) &&
           make_desc(&d->y, s.m, s.n, false, dnnl_ab);
}

static void drop_descs(descs *d)
{
    drop_desc(&d->x);
    drop_desc(&d->w);
    drop_desc(&d->y);
}

static bool make_product(dnnl_engine_t engine, cull_onednn_shape s, const descs *d,
                         dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr;
    const bool fine =
        make_attr(s.add, &attr) && make_primitive_desc(engine, &d->x, &d->w, &d->y, attr, out);

    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return fine;
}

bool cull_onednn_has_panels(dnnl_engine_t engine, bool bf16)
{
    const cull_onednn_shape shape = { 64, 128, 256, bf16, false };
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "";
    descs d;
    bool has = make_descs(shape, &d) && make_product(engine, shape, &d, &pd);

    if (has)
        has = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
              strstr(name, "brg") != NULL;
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    drop_descs(&d);
    return has;
}

bool cull_onednn_product_init(dnnl_engine_t engine, cull_onednn_shape shape,
                              cull_onednn_product *out, size_t *scratch)
{
    dnnl_primitive_desc_t pd = NULL;
    descs d;

    memset(out, 0, sizeof *out);
    bool fine = make_descs(shape, &d) && make_product(engine, shape, &d, &pd) &&
                dnnl_primitive_create(&out->primitive, pd) == dnnl_success &&
                dnnl_memory_create(&out->x, CULL_DESC_IN(d.x), engine, NULL) == dnnl_success &&
                dnnl_memory_create(&out->w, CULL_DESC_IN(d.w), engine, NULL) == dnnl_success &&
                dnnl_memory_create(&out->y, CULL_DESC_IN(d.y), engine, NULL) == dnnl_success;
    if (fine) {
        const const_desc room = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        *scratch = dnnl_memory_desc_get_size(room);
        fine = dnnl_memory_create(&out->scratch, room, engine, NULL) == dnnl_success;
    }
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    drop_descs(&d);
    if (!fine)
        cull_onednn_product_release(out);
    return fine;
}

void cull_onednn_product_release(cull_onednn_product *p)
{
    dnnl_memory_t memory[] = { p->x, p->w, p->y, p->scratch };

    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            dnnl_memory_destroy(memory[i]);
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    memset(p, 0, sizeof *p);
}

static bool point(dnnl_memory_t memory, const void *at)
{
    return dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)at) == dnnl_success;
}

bool cull_onednn_execute(dnnl_stream_t stream, const cull_onednn_product *p, const void *x,
                         const void *w, float *y, void *scratch)
{
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, p->x },
                                     { DNNL_ARG_WEIGHTS, p->w },
                                     { DNNL_ARG_DST, p->y },
                                     { DNNL_ARG_SCRATCHPAD, p->scratch } };

    return point(p->x, x) && point(p->w, w) && point(p->y, y) && point(p->scratch, scratch) &&
           dnnl_primitive_execute(p->primitive, stream, sizeof args / sizeof *args, args) ==
               dnnl_success;
}
