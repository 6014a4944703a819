// Stored types to float32: BF16, F16, FP8 blocks, MXFP4.
#include "cut/unpack.h"

#include <math.h>
#include <string.h>

#include <cull/kernel.h>

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float cull_bf16_to_f32(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}

uint16_t cull_f32_to_bf16(float value)
{
    const uint32_t bits = to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40); // a NaN stays one
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float cull_f16_to_f32(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = half >> 10 & 0x1fu;
    const uint32_t mantissa = half & 0x3ffu;

    if (exponent == 0) {
        const float value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 31)
        return from_bits(sign | 0x7f800000u | mantissa << 13);
    return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t cull_f32_to_f16(float value)
{
    const uint32_t bits = to_bits(value);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u)
        return sign | 0x7e00u;
    if (magnitude >= 0x477ff000u) // rounds beyond the largest half
        return sign | 0x7c00u;
    if (magnitude < 0x38800000u) { // subnormal: counted in units of 2^-24
        const float units = from_bits(magnitude) * 0x1p24f;
        return (uint16_t)(sign | (uint16_t)nearbyintf(units));
    }
    const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | (uint16_t)((rounded - 0x38000000u) >> 13));
}

float cull_e4m3_to_f32(uint8_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x80u) << 24;
    const uint32_t exponent = bits >> 3 & 0xfu;
    const uint32_t mantissa = bits & 7u;

    if ((bits & 0x7fu) == 0x7fu)
        return NAN;
    if (exponent == 0) {
        const float value = (float)mantissa * 0x1p-9f;
        return sign ? -value : value;
    }
    return from_bits(sign | (exponent + 120) << 23 | mantissa << 20);
}

static uint16_t load16(const unsigned char *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

// One row of a plain type; stride in elements.
static void row_f32(const unsigned char *p, ptrdiff_t stride, size_t n, float *out)
{
    if (stride == 1) {
        memcpy(out, p, n * sizeof *out);
        return;
    }
    for (size_t c = 0; c < n; c++)
        memcpy(out + c, p + (ptrdiff_t)c * stride * 4, sizeof *out);
}

CULL_CLONES
static void row_bf16(const unsigned char *p, ptrdiff_t stride, size_t n, float *out)
{
    if (stride == 1) {
        for (size_t c = 0; c < n; c++)
            out[c] = from_bits((uint32_t)load16(p + 2 * c) << 16);
        return;
    }
    for (size_t c = 0; c < n; c++)
        out[c] = cull_bf16_to_f32(load16(p + (ptrdiff_t)c * stride * 2));
}

static void row_f16(const unsigned char *p, ptrdiff_t stride, size_t n, float *out)
{
    for (size_t c = 0; c < n; c++)
        out[c] = cull_f16_to_f32(load16(p + (ptrdiff_t)c * stride * 2));
}

static float scale_at(const cull_matrix *m, size_t block_row, size_t block_col)
{
    const size_t i = block_row * (size_t)m->scale_stride + block_col;
    const unsigned char *p = m->scale;
    float value;

    if (m->scale_dtype == CULL_DT_F8_E8M0)
        return p[i] == 255 ? NAN : ldexpf(1.0f, (int)p[i] - 127);
    memcpy(&value, p + i * sizeof value, sizeof value);
    return value;
}

static void row_e4m3(const cull_matrix *m, size_t r, float *out)
{
    const unsigned char *p = (const unsigned char *)m->data + (ptrdiff_t)r * m->row_stride;

    if (!m->scale) {
        for (size_t c = 0; c < m->cols; c++)
            out[c] = cull_e4m3_to_f32(p[(ptrdiff_t)c * m->col_stride]);
        return;
    }
    for (size_t c0 = 0, b = 0; c0 < m->cols; c0 += m->block_cols, b++) {
        const float scale = scale_at(m, r / m->block_rows, b);
        const size_t end = c0 + m->block_cols < m->cols ? c0 + m->block_cols : m->cols;
        for (size_t c = c0; c < end; c++)
            out[c] = cull_e4m3_to_f32(p[(ptrdiff_t)c * m->col_stride]) * scale;
    }
}

static void row_mxfp4(const cull_matrix *m, size_t r, float *out)
{
    static const float e2m1[16] = { 0.0f, 0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                    0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f };
    const unsigned char *p = (const unsigned char *)m->data + (ptrdiff_t)r * m->row_stride;

    for (size_t c0 = 0, b = 0; c0 < m->cols; c0 += 32, b++) {
        const float scale = scale_at(m, r, b);
        const size_t n = m->cols - c0 < 32 ? m->cols - c0 : 32;
        for (size_t c = 0; c < n; c++) {
            const unsigned byte = p[(c0 + c) / 2];
            out[c0 + c] = e2m1[c % 2 ? byte >> 4 : byte & 0xfu] * scale;
        }
    }
}

void cull_unpack_rows(const cull_matrix *m, size_t first, size_t n, float *out)
{
    for (size_t r = first; r < first + n; r++, out += m->cols) {
        const unsigned char *base = m->data;
        switch (m->dtype) {
        case CULL_DT_F32:
            row_f32(base + (ptrdiff_t)r * m->row_stride * 4, m->col_stride, m->cols, out);
            break;
        case CULL_DT_BF16:
            row_bf16(base + (ptrdiff_t)r * m->row_stride * 2, m->col_stride, m->cols, out);
            break;
        case CULL_DT_F16:
            row_f16(base + (ptrdiff_t)r * m->row_stride * 2, m->col_stride, m->cols, out);
            break;
        case CULL_DT_F8_E4M3:
            row_e4m3(m, r, out);
            break;
        case CULL_DT_F4:
            row_mxfp4(m, r, out);
            break;
        default:
            memset(out, 0, m->cols * sizeof *out); // open() admits no other type
        }
    }
}

void cull_unpack_bias(const cull_matrix *m, size_t first, size_t n, float *out)
{
    const cull_matrix column = { .rows = 1,
                                 .cols = n,
                                 .data = m->bias,
                                 .dtype = m->bias_dtype,
                                 .row_stride = 0,
                                 .col_stride = m->bias_stride };
    const size_t width = m->bias_dtype == CULL_DT_F32 ? 4 : 2;
    cull_matrix part = column;

    part.data =
        (const unsigned char *)m->bias + (ptrdiff_t)first * m->bias_stride * (ptrdiff_t)width;
    cull_unpack_rows(&part, 0, 1, out);
}

const float *cull_plain_f32(const cull_matrix *m)
{
    const bool plain = m->dtype == CULL_DT_F32 && m->col_stride == 1 &&
                       m->row_stride == (ptrdiff_t)m->cols && (uintptr_t)m->data % 4 == 0;
    return plain ? m->data : NULL;
}
