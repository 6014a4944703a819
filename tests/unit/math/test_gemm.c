// Products of rows with tiles: against plain loops, and the same bits in whatever company.
#include <math.h>
#include <stdlib.h>

#include "math/bf16.h"
#include "math/gemm.h"
#include "support/test.h"

enum { MOST_ROWS = 600 };

typedef struct problem {
    cull_gemm *g;
    cull_product product;
    size_t n, K;
    float *x;       // (MOST_ROWS, K)
    uint16_t *half; // the same in bf16
    float *w;       // (n, K)
    void *room;
    const void *tile;
    float *y; // (MOST_ROWS, n) all rows in one call
} problem;

static float *numbers(size_t n, unsigned seed)
{
    float *x = malloc(n * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) * 0x1p-24f - 0.5f;
    }
    return x;
}

static void *aligned(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);

    assert_non_null(p);
    return p;
}

static const void *row(const problem *p, size_t r)
{
    return p->product == CULL_PRODUCT_BF16 ? (const void *)(p->half + r * p->K)
                                           : (const void *)(p->x + r * p->K);
}

// Rows [first, first + m) into y, which begins with the first of them.
static void multiply(const problem *p, size_t first, size_t m, float *y)
{
    const cull_rows_by_tile rows = { .product = p->product,
                                     .m = m,
                                     .n = p->n,
                                     .K = p->K,
                                     .ldx = p->K,
                                     .ldy = p->n,
                                     .x = row(p, first),
                                     .tile = p->tile,
                                     .y = y };

    assert_true(cull_gemm_rows(p->g, &rows));
}

static problem begin(cull_product product, size_t n, size_t K)
{
    problem p = { .g = cull_gemm_new(), .product = product, .n = n, .K = K };

    assert_non_null(p.g);
    p.x = numbers(MOST_ROWS * K, 1);
    p.w = numbers(n * K, 2);
    p.half = malloc(MOST_ROWS * K * sizeof *p.half);
    p.y = malloc(MOST_ROWS * n * sizeof *p.y);
    p.room = aligned(cull_gemm_tile_bytes(p.g, product, n, K));
    assert_non_null(p.half);
    assert_non_null(p.y);
    cull_bf16_row(MOST_ROWS * K, p.x, p.half);
    p.tile = cull_gemm_tile(p.g, product, CULL_TILE_F32, n, K, p.w, p.room);
    multiply(&p, 0, MOST_ROWS, p.y);
    return p;
}

static void end(problem *p)
{
    cull_gemm_free(p->g);
    free(p->x);
    free(p->half);
    free(p->w);
    free(p->room);
    free(p->y);
}

static double x_of(const problem *p, size_t r, size_t k)
{
    return (double)(p->product == CULL_PRODUCT_BF16 ? cull_of_bf16(p->half[r * p->K + k])
                                                    : p->x[r * p->K + k]);
}

static double w_of(const problem *p, size_t i, size_t k)
{
    const float w = p->w[i * p->K + k];

    return (double)(p->product == CULL_PRODUCT_BF16 ? cull_of_bf16(cull_bf16_of(w)) : w);
}

static void check_against_loops(const problem *p)
{
    for (size_t r = 0; r < MOST_ROWS; r += 67)
        for (size_t i = 0; i < p->n; i++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < p->K; k++) {
                sum += x_of(p, r, k) * w_of(p, i, k);
                size += fabs(x_of(p, r, k) * w_of(p, i, k));
            }
            assert_true(fabs((double)p->y[r * p->n + i] - sum) <= 4e-6 * size);
        }
}

static void same_rows(const problem *p, size_t first, size_t m, const float *y)
{
    assert_memory_equal(y, p->y + first * p->n, m * p->n * sizeof *y);
}

// Split in 2, 3, 7 and rows of one, and every number of rows that a block may have.
static void check_company(const problem *p)
{
    static const size_t parts[] = { 2, 3, 7 };
    float *y = malloc(MOST_ROWS * p->n * sizeof *y);

    assert_non_null(y);
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < parts[s]; i++) {
            const size_t first = MOST_ROWS * i / parts[s];
            const size_t last = MOST_ROWS * (i + 1) / parts[s];
            multiply(p, first, last - first, y);
            same_rows(p, first, last - first, y);
        }
    for (size_t m = 1; m <= MOST_ROWS; m += m < 200 ? 1 : 23) {
        const size_t first = (m * 37) % (MOST_ROWS - m + 1);
        multiply(p, first, m, y);
        same_rows(p, first, m, y);
    }
    free(y);
}

// Rows in another order: row r stands at place (r · 7) mod 600.
static void check_order(problem *p)
{
    float *x = malloc(MOST_ROWS * p->K * sizeof *x);
    uint16_t *half = malloc(MOST_ROWS * p->K * sizeof *half);
    float *y = malloc(MOST_ROWS * p->n * sizeof *y), *kept = p->x;
    uint16_t *kept_half = p->half;

    assert_non_null(x);
    assert_non_null(half);
    assert_non_null(y);
    for (size_t r = 0; r < MOST_ROWS; r++) {
        const size_t at = r * 7 % MOST_ROWS;
        memcpy(x + at * p->K, p->x + r * p->K, p->K * sizeof *x);
        memcpy(half + at * p->K, p->half + r * p->K, p->K * sizeof *half);
    }
    p->x = x;
    p->half = half;
    multiply(p, 0, MOST_ROWS, y);
    for (size_t r = 0; r < MOST_ROWS; r++)
        same_rows(p, r, 1, y + r * 7 % MOST_ROWS * p->n);
    p->x = kept;
    p->half = kept_half;
    free(x);
    free(half);
    free(y);
}

static void check(cull_product product, size_t n, size_t K)
{
    problem p = begin(product, n, K);

    check_against_loops(&p);
    check_company(&p);
    check_order(&p);
    end(&p);
}

static void check_shapes(cull_product product)
{
    static const size_t shapes[][2] = { { 1, 8 },   { 3, 20 },   { 16, 64 },   { 64, 100 },
                                        { 65, 96 }, { 200, 64 }, { 128, 300 }, { 64, 2048 } };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(product, shapes[i][0], shapes[i][1]);
}

static void rows_in_company(void **state)
{
    (void)state;
    check_shapes(CULL_PRODUCT_F32);
}

static void rows_of_bf16(void **state)
{
    cull_gemm *g = cull_gemm_new();
    const bool has = cull_gemm_has_bf16(g);

    (void)state;
    cull_gemm_free(g);
    if (!has)
        skip();
    check_shapes(CULL_PRODUCT_BF16);
}

// Strides, a bias, and adding to what y holds, in blocks that are full and that are not.
static void forms(void **state)
{
    enum { N = 70, LDX = 116, LDY = 80 };
    problem p = begin(CULL_PRODUCT_F32, N, 100);
    float *x = numbers(MOST_ROWS * LDX, 3), *y = numbers(MOST_ROWS * LDY, 4);
    float *bias = numbers(N, 5), *old = numbers(MOST_ROWS * LDY, 4);

    (void)state;
    for (size_t r = 0; r < MOST_ROWS; r++)
        memcpy(x + r * LDX, p.x + r * p.K, p.K * sizeof *x);
    for (int form = 0; form < 4; form++) {
        const cull_rows_by_tile rows = { .product = p.product,
                                         .add = form & 1,
                                         .m = 203,
                                         .n = N,
                                         .K = p.K,
                                         .ldx = LDX,
                                         .ldy = LDY,
                                         .x = x,
                                         .tile = p.tile,
                                         .bias = form & 2 ? bias : NULL,
                                         .y = y };
        memcpy(y, old, MOST_ROWS * LDY * sizeof *y);
        assert_true(cull_gemm_rows(p.g, &rows));
        for (size_t r = 0; r < MOST_ROWS; r++)
            for (size_t i = 0; i < LDY; i++) {
                float want = old[r * LDY + i];
                if (r < 203 && i < N)
                    want = p.y[r * N + i] + (form & 1 ? want : 0) + (form & 2 ? bias[i] : 0);
                assert_true(fabsf(y[r * LDY + i] - want) <= 1e-6f * (1 + fabsf(want)));
            }
    }
    free(x);
    free(y);
    free(bias);
    free(old);
    end(&p);
}

// A tile is the same whether W stands in float32 or in bf16.
static void tiles(void **state)
{
    enum { N = 75, K = 99 };
    cull_gemm *g = cull_gemm_new();
    float *w = numbers(N * K, 6);
    uint16_t half[N * K];

    (void)state;
    cull_bf16_row(N * K, w, half);
    cull_bf16_widen(N * K, half, w);
    for (int product = 0; product < 1 + cull_gemm_has_bf16(g); product++) {
        const size_t bytes = cull_gemm_tile_bytes(g, (cull_product)product, N, K);
        void *a = aligned(bytes), *b = aligned(bytes);
        const void *of_f32 = cull_gemm_tile(g, (cull_product)product, CULL_TILE_F32, N, K, w, a);
        const void *of_bf16 =
            cull_gemm_tile(g, (cull_product)product, CULL_TILE_BF16, N, K, half, b);
        assert_memory_equal(of_f32, of_bf16, bytes);
        free(a);
        free(b);
    }
    free(w);
    cull_gemm_free(g);
}

// A tile is the same whether W or its transpose is given.
static void tiles_across(void **state)
{
    enum { N = 75, K = 99, STRIDE = 80 };
    cull_gemm *g = cull_gemm_new();
    float *w = numbers(N * K, 8), *across = numbers(K * STRIDE, 9);
    const size_t bytes = cull_gemm_tile_bytes(g, CULL_PRODUCT_F32, N, K);
    void *a = aligned(bytes), *b = aligned(bytes);

    (void)state;
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < K; k++)
            across[k * STRIDE + i] = w[i * K + k];
    assert_memory_equal(cull_gemm_tile(g, CULL_PRODUCT_F32, CULL_TILE_F32, N, K, w, a),
                        cull_gemm_tile_across(g, N, K, across, STRIDE, b), bytes);
    free(a);
    free(b);
    free(w);
    free(across);
    cull_gemm_free(g);
}

// Attention takes as many of a tile's keys as there are, in multiples of 64: neither the columns
// beside one nor channels of zeros behind the last change a bit.
static void narrower(void **state)
{
    static const size_t widths[] = { 8, 32, 64, 80, 128, 192 };
    enum { KEYS = 128, HALF = 64, ROWS = 50 };

    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const size_t width = widths[i];
        problem score = begin(CULL_PRODUCT_F32, KEYS, width);
        problem fewer = begin(CULL_PRODUCT_F32, HALF, width); // the same x, the first half of w
        for (size_t r = 0; r < ROWS; r++)
            assert_memory_equal(score.y + r * KEYS, fewer.y + r * HALF, HALF * sizeof *score.y);
        end(&score);
        end(&fewer);

        problem values = begin(CULL_PRODUCT_F32, width, KEYS);
        problem some = begin(CULL_PRODUCT_F32, width, HALF);
        for (size_t r = 0; r < MOST_ROWS; r++) {
            memcpy(some.x + r * HALF, values.x + r * KEYS, HALF * sizeof *some.x);
            memset(values.x + r * KEYS + HALF, 0, HALF * sizeof *some.x);
        }
        for (size_t r = 0; r < width; r++)
            memcpy(some.w + r * HALF, values.w + r * KEYS, HALF * sizeof *some.w);
        some.tile =
            cull_gemm_tile(some.g, some.product, CULL_TILE_F32, width, HALF, some.w, some.room);
        multiply(&values, 0, ROWS, values.y);
        multiply(&some, 0, ROWS, some.y);
        assert_memory_equal(values.y, some.y, ROWS * width * sizeof *values.y);
        end(&values);
        end(&some);
    }
}

static void two_terms(void **state)
{
    float *x = numbers(1000, 7), rounded[1000], two[1000];
    uint16_t high[1000], low[1000];

    (void)state;
    x[0] = 0;
    x[1] = INFINITY;
    x[2] = -3e38f;
    x[3] = 3.4e38f; // its first term is beyond bf16
    cull_bf16_two(1000, x, high, low);
    cull_bf16_round(1000, x, rounded);
    cull_bf16_round_two(1000, x, two);
    for (size_t i = 0; i < 1000; i++) {
        const float h = cull_of_bf16(high[i]), l = cull_of_bf16(low[i]);
        assert_true(rounded[i] == h && two[i] == h + l);
        if (i != 1 && i != 3)
            assert_true(fabsf(x[i] - two[i]) <= 0x1p-17f * fabsf(x[i]));
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_company), cmocka_unit_test(rows_of_bf16),
        cmocka_unit_test(forms),           cmocka_unit_test(tiles),
        cmocka_unit_test(tiles_across),    cmocka_unit_test(narrower),
        cmocka_unit_test(two_terms),
    };

    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
