// The names under which a cut's parts stand in its file.
#include "cut/cut_names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const parts[] = {
#define WORD(name, word) word,
    CULL_PARTS(WORD)
#undef WORD
};

void cull_place_name(cull_matrix_id where, char name[CULL_PLACE])
{
    const char *part = parts[where.part];

    if (where.layer == CULL_NONE)
        snprintf(name, CULL_PLACE, "%s", part);
    else if (where.expert == CULL_NONE)
        snprintf(name, CULL_PLACE, "layer.%u.%s", where.layer, part);
    else
        snprintf(name, CULL_PLACE, "layer.%u.expert.%u.%s", where.layer, where.expert, part);
}

// "word.123." at *c: the number, and *c moved past it. Numbers have one form only.
static bool take_number(const char **c, const char *word, uint32_t *out)
{
    const size_t n = strlen(word);
    if (strncmp(*c, word, n) != 0 || (*c)[n] != '.')
        return true; // not there
    char *end;
    const char *digits = *c + n + 1;
    const unsigned long value = strtoul(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || (*digits == '0' && end != digits + 1) || *end != '.' ||
        value >= CULL_NONE)
        return false;
    *out = (uint32_t)value;
    *c = end + 1;
    return true;
}

bool cull_layer_of_name(const char *name, const char *ending, uint32_t *layer)
{
    const char *c = name;

    return take_number(&c, "layer", layer) && c != name && strcmp(c, ending + 1) == 0;
}

bool cull_place_of(const char *name, const char *ending, cull_matrix_id *out)
{
    const char *c = name, *dot = strrchr(name, '.');
    *out = (cull_matrix_id){ CULL_NONE, 0, CULL_NONE };

    if (!dot || strcmp(dot, ending) != 0 || !take_number(&c, "layer", &out->layer) ||
        !take_number(&c, "expert", &out->expert) ||
        (out->expert != CULL_NONE && out->layer == CULL_NONE))
        return false;
    for (uint32_t p = 0; p < CULL_N_PARTS; p++)
        if (strlen(parts[p]) == (size_t)(dot - c) && memcmp(parts[p], c, (size_t)(dot - c)) == 0) {
            out->part = p;
            return true;
        }
    return false;
}

size_t cull_store_size(cull_dtype store)
{
    switch (store) {
    case CULL_DT_F32:
        return 4;
    case CULL_DT_BF16:
    case CULL_DT_F16:
        return 2;
    default:
        return 0;
    }
}

static uint16_t bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float of_bf16(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// IEEE binary16: 11 significant bits, exponents −14 to 15, below that steps of 2⁻²⁴.
static uint16_t f16_of(float value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const float size = fabsf(value);

    if (isnan(value))
        return 0x7e00;
    if (size >= 65520.0f) // half a step above the largest number
        return sign | 0x7c00;
    if (size < 0x1p-14f)
        return (uint16_t)(sign | (uint16_t)rintf(size * 0x1p24f));
    int exponent;
    const float fraction = frexpf(size, &exponent); // [0.5, 1)
    const int mantissa =
        (int)rintf(fraction * 0x1p11f); // [1024, 2048]; 2048 carries into the exponent
    return (uint16_t)(sign | (uint16_t)(((exponent + 13) << 10) + mantissa));
}

static float of_f16(uint16_t half)
{
    const int exponent = half >> 10 & 0x1f, mantissa = half & 0x3ff;
    float size;

    if (exponent == 31)
        size = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        size = ldexpf((float)mantissa, -24);
    else
        size = ldexpf((float)(mantissa + 1024), exponent - 25);
    return half & 0x8000 ? -size : size;
}

bool cull_narrow(cull_dtype store, size_t n, const float *from, void *to)
{
    bool fits = true;
    if (store == CULL_DT_F32) {
        memcpy(to, from, n * sizeof *from);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        const uint16_t half = store == CULL_DT_BF16 ? bf16_of(from[i]) : f16_of(from[i]);
        const uint16_t most = store == CULL_DT_BF16 ? 0x7f80 : 0x7c00;
        fits &= (half & 0x7fff) < most || !isfinite(from[i]);
        memcpy((unsigned char *)to + 2 * i, &half, sizeof half);
    }
    return fits;
}

void cull_widen(cull_dtype store, size_t n, const void *from, float *to)
{
    if (store == CULL_DT_F32) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const unsigned char *)from + 2 * i, sizeof half);
        to[i] = store == CULL_DT_BF16 ? of_bf16(half) : of_f16(half);
    }
}
