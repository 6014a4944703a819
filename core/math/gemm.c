// Products of rows with a tile of W, in blocks of rows whose size a row's bits do not depend on.
//
// Where there are kernels for panels, a block is up to 64 rows: their products stand in a dense
// buffer that stays in the cache and are copied from there, with the bias added. (oneDNN 2.6 has
// no such kernel for a y with strides.) Elsewhere dnnl_sgemm writes in place; it is given 192, 96,
// 48, 24 or 16 rows, the numbers for which its AVX2 and SSE4.1 kernels treat all rows alike.
#include "math/gemm.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "math/bf16.h"
#include "math/onednn.h"
#include "math/pack.h"
#include "math/rows.h"

enum {
    BLOCK_ROWS = 64,
    MOST_SHAPES = 1024,    // compiled products kept
    BUCKETS = 256,         // of their table
    TILE_FLOATS = 1 << 19, // 2 MiB
    MOST_TILE_ROWS = 1024,
    MOST_PLAIN_ROWS = 192,
};

typedef struct shape_entry {
    cull_onednn_shape shape;
    cull_onednn_product product;
    struct shape_entry *next;
} shape_entry;

struct cull_gemm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void (*set_threads)(int); // of the calling thread's OpenMP, if oneDNN was built with it
    bool panels, bf16;
    size_t n_shapes;
    shape_entry *bucket[BUCKETS];
    float *out; // (BLOCK_ROWS, MOST_TILE_ROWS), or (MOST_PLAIN_ROWS, …) for padded rows
    void *pad;  // some rows of x, padded by zeros
    void *scratch;
    size_t pad_bytes, scratch_bytes;
};

// dlsym's object pointer as a function's, as POSIX has it.
static void (*find_set_threads(void))(int)
{
    void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    void (*fn)(int) = NULL;

    if (symbol)
        memcpy(&fn, &symbol, sizeof fn);
    return fn;
}

// Every pool worker is an OpenMP master of its own, so each says that it works alone.
static void work_alone(void (*set_threads)(int))
{
    if (set_threads)
        set_threads(1);
}

cull_gemm *cull_gemm_new(void)
{
    cull_gemm *g = cull_alloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->set_threads = find_set_threads();
    work_alone(g->set_threads);
    g->out = cull_alloc((size_t)MOST_PLAIN_ROWS * MOST_TILE_ROWS, sizeof *g->out);
    if (g->out && dnnl_engine_create(&g->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&g->stream, g->engine, dnnl_stream_default_flags) == dnnl_success) {
        g->panels = cull_onednn_has_panels(g->engine, false);
        g->bf16 = g->panels && cull_onednn_has_panels(g->engine, true);
        return g;
    }
    cull_gemm_free(g);
    return NULL;
}

static void drop_shapes(cull_gemm *g)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (g->bucket[i]) {
            shape_entry *e = g->bucket[i];
            g->bucket[i] = e->next;
            cull_onednn_product_release(&e->product);
            cull_free(e);
        }
    g->n_shapes = 0;
}

void cull_gemm_free(cull_gemm *g)
{
    if (!g)
        return;
    drop_shapes(g);
    if (g->stream)
        dnnl_stream_destroy(g->stream);
    if (g->engine)
        dnnl_engine_destroy(g->engine);
    cull_free(g->out);
    cull_free(g->pad);
    cull_free(g->scratch);
    cull_free(g);
}

bool cull_gemm_has_bf16(const cull_gemm *g)
{
    return g->bf16;
}

static const char *isa_name(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        return "sse41";
    case dnnl_cpu_isa_avx:
        return "avx";
    case dnnl_cpu_isa_avx2:
        return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
        return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
        return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512_core_amx";
    default:
        return "another instruction set";
    }
}

void cull_gemm_kernel(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();

    (void)snprintf(text, size, "oneDNN %d.%d.%d %s", v->major, v->minor, v->patch, isa_name());
}

// ---- tiles ----

size_t cull_gemm_tile_rows(size_t K)
{
    const size_t rows = TILE_FLOATS / (K ? K : 1) / CULL_PANEL * CULL_PANEL;

    if (rows < CULL_PANEL)
        return CULL_PANEL;
    return rows < MOST_TILE_ROWS ? rows : MOST_TILE_ROWS;
}

size_t cull_gemm_tile_bytes(const cull_gemm *g, cull_product product, size_t n, size_t K)
{
    if (product == CULL_PRODUCT_BF16)
        return cull_pack_bytes(n, K, true);
    return g->panels ? cull_pack_bytes(n, K, false) : n * K * sizeof(float);
}

const void *cull_gemm_tile(const cull_gemm *g, cull_product product, cull_tile_source source,
                           size_t n, size_t K, const void *w, void *tile)
{
    if (product == CULL_PRODUCT_BF16) {
        if (source == CULL_TILE_BF16)
            cull_pack_bf16(n, K, w, K, tile);
        else
            cull_pack_narrow(n, K, w, K, tile);
    } else if (g->panels) {
        if (source == CULL_TILE_BF16)
            cull_pack_widen(n, K, w, K, tile);
        else
            cull_pack_f32(n, K, w, K, tile);
    } else if (source == CULL_TILE_BF16) {
        cull_bf16_widen(n * K, w, tile);
    } else {
        return w;
    }
    return tile;
}

const void *cull_gemm_tile_across(const cull_gemm *g, size_t n, size_t K, const float *w,
                                  size_t stride, void *tile)
{
    float *rows = tile;

    if (g->panels) {
        cull_pack_across(n, K, w, stride, tile);
        return tile;
    }
    for (size_t k = 0; k < K; k++)
        for (size_t i = 0; i < n; i++)
            rows[i * K + k] = w[k * stride + i];
    return tile;
}

// ---- compiled products ----

static size_t bucket_of(cull_onednn_shape s)
{
    return (s.m * 31 + s.n * 7 + s.K * 131 + s.bf16 * 3u + s.add) % BUCKETS;
}

static bool same_shape(cull_onednn_shape a, cull_onednn_shape b)
{
    return a.m == b.m && a.n == b.n && a.K == b.K && a.bf16 == b.bf16 && a.add == b.add;
}

// At least so many bytes at *p.
static bool room(void **p, size_t *have, size_t bytes)
{
    if (*p && *have >= bytes)
        return true;

    cull_free(*p);
    *p = cull_alloc(bytes + 1, 1);
    *have = *p ? bytes : 0;
    return *p;
}

static const cull_onednn_product *product_of(cull_gemm *g, cull_onednn_shape shape)
{
    size_t scratch = 0;

    for (shape_entry *e = g->bucket[bucket_of(shape)]; e; e = e->next)
        if (same_shape(e->shape, shape))
            return &e->product;
    if (g->n_shapes == MOST_SHAPES)
        drop_shapes(g);
    shape_entry *e = cull_alloc(1, sizeof *e);
    if (!e)
        return NULL;
    if (!cull_onednn_product_init(g->engine, shape, &e->product, &scratch) ||
        !room(&g->scratch, &g->scratch_bytes, scratch)) {
        cull_onednn_product_release(&e->product);
        cull_free(e);
        return NULL;
    }
    e->shape = shape;
    e->next = g->bucket[bucket_of(shape)];
    g->bucket[bucket_of(shape)] = e;
    g->n_shapes++;
    return &e->product;
}

// ---- blocks of rows ----

typedef struct block {
    size_t m;      // rows wanted
    size_t rows;   // rows computed
    const void *x; // dense where the kernel wants that
    float *y;
} block;

static size_t element(cull_product product)
{
    return product == CULL_PRODUCT_BF16 ? sizeof(uint16_t) : sizeof(float);
}

// The block's rows of x, dense and padded to b->rows by zeros: in place where they stand so.
static bool dense_rows(cull_gemm *g, const cull_rows_by_tile *p, block *b)
{
    const size_t width = p->K * element(p->product), step = p->ldx * element(p->product);

    if (b->rows == b->m && (step == width || b->m == 1))
        return true;
    if (!room(&g->pad, &g->pad_bytes, b->rows * width))
        return false;
    for (size_t r = 0; r < b->m; r++)
        memcpy((char *)g->pad + r * width, (const char *)b->x + r * step, width);
    memset((char *)g->pad + b->m * width, 0, (b->rows - b->m) * width);
    b->x = g->pad;
    return true;
}

static void copy_out(const cull_rows_by_tile *p, const block *b, const float *from)
{
    for (size_t r = 0; r < b->m; r++)
        cull_row_put(p->n, from + r * p->n, p->bias, p->add, b->y + r * p->ldy);
}

// Up to 64 rows by panels: powers of two, or multiples of 8 lest each number is compiled for.
static bool multiply_panels(cull_gemm *g, const cull_rows_by_tile *p, block *b)
{
    const bool in_place = p->ldy == p->n && !p->bias;

    b->rows = b->m == 1 || b->m == 2 || b->m == 4 ? b->m : (b->m + 7) / 8 * 8;
    const bool direct = in_place && b->rows == b->m;
    const cull_onednn_shape shape = { b->rows, p->n, p->K, p->product == CULL_PRODUCT_BF16,
                                      direct && p->add };
    const cull_onednn_product *product = product_of(g, shape);

    if (!product || !dense_rows(g, p, b) ||
        !cull_onednn_execute(g->stream, product, b->x, p->tile, direct ? b->y : g->out, g->scratch))
        return false;
    if (!direct)
        copy_out(p, b, g->out);
    return true;
}

static bool sgemm(const cull_rows_by_tile *p, const block *b, size_t ldx, float *y, size_t ldy)
{
    return dnnl_sgemm('N', 'T', (dnnl_dim_t)b->rows, (dnnl_dim_t)p->n, (dnnl_dim_t)p->K, 1.0f, b->x,
                      (dnnl_dim_t)ldx, p->tile, (dnnl_dim_t)p->K, 0.0f, y,
                      (dnnl_dim_t)ldy) == dnnl_success;
}

static bool multiply_plain(cull_gemm *g, const cull_rows_by_tile *p, block *b)
{
    static const size_t alike[] = { 16, 24, 48, 96, MOST_PLAIN_ROWS };
    size_t i = 0;

    while (alike[i] < b->m)
        i++;
    b->rows = alike[i];
    if (b->rows == b->m && !p->add && !p->bias)
        return sgemm(p, b, p->ldx, b->y, p->ldy);
    const size_t ldx = b->rows == b->m ? p->ldx : p->K;
    if (b->rows != b->m && !dense_rows(g, p, b))
        return false;
    if (!sgemm(p, b, ldx, g->out, p->n))
        return false;
    copy_out(p, b, g->out);
    return true;
}

bool cull_gemm_rows(cull_gemm *g, const cull_rows_by_tile *p)
{
    const bool panels = g->panels;
    const size_t most = panels ? BLOCK_ROWS : MOST_PLAIN_ROWS;
    const size_t step = p->ldx * element(p->product);

    work_alone(g->set_threads);
    for (size_t i = 0; i < p->m; i += most) {
        block b = { .m = p->m - i < most ? p->m - i : most,
                    .x = (const char *)p->x + i * step,
                    .y = p->y + i * p->ldy };
        if (!(panels ? multiply_panels : multiply_plain)(g, p, &b))
            return false;
    }
    return true;
}

bool cull_gemm_f32(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
                   const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                   size_t ldc)
{
    work_alone(find_set_threads());
    return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m,
                      (dnnl_dim_t)n, (dnnl_dim_t)k, alpha, a, (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb,
                      beta, c, (dnnl_dim_t)ldc) == dnnl_success;
}
