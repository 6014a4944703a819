// Stored types to float32: BF16, F16, FP8 blocks, MXFP4.
#include "cut/unpack.h"

#include <math.h>
#include <string.h>

#include <cull/kernel.h>
#include <cull/number.h>

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
            out[c] = cull_of_bits((uint32_t)load16(p + 2 * c) << 16);
        return;
    }
    for (size_t c = 0; c < n; c++)
        out[c] = cull_of_bf16(load16(p + (ptrdiff_t)c * stride * 2));
}

static void row_f16(const unsigned char *p, ptrdiff_t stride, size_t n, float *out)
{
    for (size_t c = 0; c < n; c++)
        out[c] = cull_of_f16(load16(p + (ptrdiff_t)c * stride * 2));
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
            out[c] = cull_of_e4m3(p[(ptrdiff_t)c * m->col_stride]);
        return;
    }
    for (size_t c0 = 0, b = 0; c0 < m->cols; c0 += m->block_cols, b++) {
        const float scale = scale_at(m, r / m->block_rows, b);
        const size_t end = c0 + m->block_cols < m->cols ? c0 + m->block_cols : m->cols;
        for (size_t c = c0; c < end; c++)
            out[c] = cull_of_e4m3(p[(ptrdiff_t)c * m->col_stride]) * scale;
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

bool cull_is_bf16(const cull_matrix *m)
{
    return m->dtype == CULL_DT_BF16 || (m->dtype == CULL_DT_F8_E4M3 && !m->scale) ||
           (m->dtype == CULL_DT_F4 && m->scale_dtype == CULL_DT_F8_E8M0);
}
