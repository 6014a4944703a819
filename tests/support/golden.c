// Golden tensors by name.
#include "support/golden.h"

#include <math.h>

#include "base/memory.h"
#include "support/test.h"

struct golden {
    const char *path;
    cull_safetensors *file;
    cull_arena *arena;
};

golden *golden_open(fake_host *host, const char *path)
{
    golden *g = cull_alloc(1, sizeof *g);

    assert_non_null(g);
    g->arena = cull_arena_new();
    assert_non_null(g->arena);
    g->path = cull_arena_copy(g->arena, path, strlen(path));
    assert_ok(host, cull_safetensors_open(fake_ctx(host), path, &g->file));
    return g;
}

void golden_close(golden *g)
{
    cull_safetensors_close(g->file);
    cull_arena_free(g->arena);
    cull_free(g);
}

bool golden_has(const golden *g, const char *name)
{
    cull_tensor tensor;

    return cull_safetensors_find(g->file, name, &tensor);
}

cull_tensor golden_tensor(const golden *g, const char *name)
{
    cull_tensor tensor = { 0 };

    if (!cull_safetensors_find(g->file, name, &tensor))
        fail_msg("%s has no tensor \"%s\"", g->path, name);
    return tensor;
}

static const void *numbers(golden *g, const char *name, cull_dtype dtype, size_t rank,
                           const size_t *shape)
{
    const cull_tensor t = golden_tensor(g, name);

    if (t.dtype != dtype)
        fail_msg("%s: \"%s\" is %s, not %s", g->path, name, cull_dtype_word(t.dtype),
                 cull_dtype_word(dtype));
    if (rank != SIZE_MAX && t.rank != rank)
        fail_msg("%s: \"%s\" has rank %zu, not %zu", g->path, name, t.rank, rank);
    for (size_t i = 0; rank != SIZE_MAX && shape && i < rank; i++)
        if (t.shape[i] != shape[i])
            fail_msg("%s: dimension %zu of \"%s\" is %zu, not %zu", g->path, i, name, t.shape[i],
                     shape[i]);
    void *copy = cull_arena_copy(g->arena, t.data, t.bytes);
    assert_non_null(copy);
    return copy;
}

const float *golden_f32(golden *g, const char *name, size_t rank, const size_t *shape)
{
    return numbers(g, name, CULL_DT_F32, rank, shape);
}

const double *golden_f64(golden *g, const char *name, size_t rank, const size_t *shape)
{
    return numbers(g, name, CULL_DT_F64, rank, shape);
}

const int32_t *golden_i32(golden *g, const char *name, size_t rank, const size_t *shape)
{
    return numbers(g, name, CULL_DT_I32, rank, shape);
}

const uint8_t *golden_u8(golden *g, const char *name, size_t rank, const size_t *shape)
{
    const cull_dtype dtype = golden_tensor(g, name).dtype;

    return numbers(g, name, dtype == CULL_DT_BOOL ? CULL_DT_BOOL : CULL_DT_U8, rank, shape);
}

// IEEE 754 binary16.
static double half(uint16_t h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    const double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                             : exponent == 0 ? ldexp(fraction, -24)
                                             : ldexp(1024 + fraction, exponent - 25);

    return h & 0x8000 ? -magnitude : magnitude;
}

static double bfloat(uint16_t b)
{
    const uint32_t bits = (uint32_t)b << 16;
    float f;

    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static double number_at(const golden *g, const void *data, cull_dtype dtype, size_t i)
{
    switch (dtype) {
    case CULL_DT_F32:
        return (double)((const float *)data)[i];
    case CULL_DT_F64:
        return ((const double *)data)[i];
    case CULL_DT_I32:
        return ((const int32_t *)data)[i];
    case CULL_DT_I64:
        return (double)((const int64_t *)data)[i];
    case CULL_DT_U8:
    case CULL_DT_BOOL:
        return ((const uint8_t *)data)[i];
    case CULL_DT_F16:
        return half(((const uint16_t *)data)[i]);
    case CULL_DT_BF16:
        return bfloat(((const uint16_t *)data)[i]);
    default:
        fail_msg("%s: %s is no dtype for numbers", g->path, cull_dtype_word(dtype));
    }
    return NAN;
}

const double *golden_numbers(golden *g, const char *name, size_t *n)
{
    const cull_tensor t = golden_tensor(g, name);
    const void *data = numbers(g, name, t.dtype, SIZE_MAX, NULL);

    *n = t.bytes * 8 / cull_dtype_bits(t.dtype);
    double *out = cull_arena_alloc(g->arena, *n, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < *n; i++)
        out[i] = number_at(g, data, t.dtype, i);
    return out;
}
