// Answers of a file, noted and read back.
#include "record/h5/excerpt.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <zlib.h>

#include "base/memory.h"
#include "record/h5/common.h"

typedef struct answer {
    char kind;
    const char *path, *name;
    size_t n;
    const unsigned char *bytes; // (n)
} answer;

struct cull_excerpt {
    size_t n, next; // next: what is likely to be asked, for questions come in one order
    answer *at;     // (n)
};

enum { HEAD = 8, LARGEST = 1 << 26 }; // bytes of an excerpt's size, and at most in it

// ---- notes ----

static void put_size(cull_buf *to, size_t n)
{
    const uint64_t wide = n;

    cull_buf_add(to, &wide, sizeof wide);
}

static void put_text(cull_buf *to, const char *text)
{
    cull_buf_add(to, text, strlen(text) + 1);
}

static void put_head(cull_buf *to, char kind, const char *path, const char *name, size_t n)
{
    cull_buf_add(to, &kind, 1);
    put_text(to, path);
    put_text(to, name);
    put_size(to, n);
}

void cull_note_has(cull_buf *to, const char *path, bool there)
{
    const char byte = there;

    put_head(to, 'h', path, "", 1);
    cull_buf_add(to, &byte, 1);
}

void cull_note_real(cull_buf *to, const char *where, const char *name, const double *value)
{
    put_head(to, 'r', where, name, value ? sizeof *value : 0);
    if (value)
        cull_buf_add(to, value, sizeof *value);
}

void cull_note_link(cull_buf *to, const char *path, const char *target, const char *object)
{
    put_head(to, 'l', path, "", target ? strlen(target) + strlen(object) + 2 : 0);
    if (target) {
        put_text(to, target);
        put_text(to, object);
    }
}

static size_t bytes_of_texts(size_t n, const char *const *texts)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += strlen(texts[i]) + 1;
    return bytes;
}

static const char ABSENT = 1;

void cull_note_texts(cull_buf *to, const char *where, const char *name, size_t n,
                     const char *const *texts)
{
    put_head(to, 't', where, name, texts ? bytes_of_texts(n, texts) : sizeof ABSENT);
    if (!texts)
        cull_buf_add(to, &ABSENT, sizeof ABSENT);
    for (size_t i = 0; texts && i < n; i++)
        put_text(to, texts[i]);
}

static uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// The narrowest form that holds the n numbers to the bit: of doubles b, f or d, of others their
// own.
static char form_of(char type, size_t n, const void *data)
{
    const double *x = data;
    bool bytes = type == 'd', floats = bytes;

    for (size_t i = 0; floats && i < n; i++) {
        const double byte = x[i] >= 0 && x[i] <= UINT8_MAX ? (double)(uint8_t)x[i] : -1;
        const double narrow = fabs(x[i]) <= FLT_MAX ? (double)(float)x[i] : NAN;
        bytes &= bits_of(byte) == bits_of(x[i]);
        floats &= bits_of(narrow) == bits_of(x[i]);
    }
    return bytes && floats ? 'b' : floats ? 'f' : type;
}

static void put_number(cull_buf *to, char form, double x)
{
    const uint8_t byte = form == 'b' ? (uint8_t)x : 0;
    const float narrow = (float)x;

    if (form == 'b')
        cull_buf_add(to, &byte, sizeof byte);
    else
        cull_buf_add(to, &narrow, sizeof narrow);
}

void cull_note_array(cull_buf *to, const char *path, const cull_h5_shape *shape, const void *data)
{
    const bool texts = shape->type == 's';
    const char form = texts ? 's' : form_of(shape->type, shape->n, data);
    const char head[] = { shape->type, form, (char)shape->rank };
    const size_t own = texts ? bytes_of_texts(shape->n, data) : shape->n * cull_h5_size(form);

    put_head(to, 'a', path, "", sizeof head + shape->rank * sizeof(uint64_t) + own);
    cull_buf_add(to, head, sizeof head);
    for (size_t i = 0; i < shape->rank; i++)
        put_size(to, shape->shape[i]);
    if (form == shape->type && !texts)
        cull_buf_add(to, data, own);
    else
        for (size_t i = 0; i < shape->n; i++)
            if (texts)
                put_text(to, ((const char *const *)data)[i]);
            else
                put_number(to, form, ((const double *)data)[i]);
}

void cull_h5_pack_notes(const cull_buf *noted, cull_buf *to)
{
    if (noted->n > LARGEST)
        return;
    uLongf n = compressBound(noted->n);
    unsigned char *bytes = cull_alloc(n, 1);
    if (!bytes || noted->failed || compress(bytes, &n, (const Bytef *)noted->s, noted->n) != Z_OK) {
        to->failed = true;
    } else {
        put_size(to, noted->n);
        cull_buf_add(to, bytes, n);
    }
    cull_free(bytes);
}

// ---- reading them ----

typedef struct cursor {
    const unsigned char *at;
    size_t left;
    bool bad; // something was asked for that is not there
} cursor;

static const void *next_bytes(cursor *c, size_t n)
{
    const unsigned char *at = c->at;

    c->bad |= n > c->left;
    if (c->bad)
        return NULL;
    c->at += n;
    c->left -= n;
    return at;
}

static const char *next_text(cursor *c)
{
    const unsigned char *end = c->bad || c->left == 0 ? NULL : memchr(c->at, 0, c->left);

    c->bad |= !end;
    return end ? next_bytes(c, (size_t)(end - c->at) + 1) : NULL;
}

static size_t next_size(cursor *c)
{
    uint64_t wide = 0;
    const void *from = next_bytes(c, sizeof wide);

    if (from)
        memcpy(&wide, from, sizeof wide);
    return (size_t)wide;
}

static answer next_answer(cursor *c)
{
    const char *kind = next_bytes(c, 1);
    answer a = { .kind = kind ? *kind : 0, .path = next_text(c), .name = next_text(c) };

    a.n = next_size(c);
    a.bytes = next_bytes(c, a.n);
    return a;
}

// The answers in n bytes; NULL in *out, as before: they are none.
static cull_status parse(cull_ctx *ctx, size_t n, const unsigned char *bytes, cull_excerpt **out)
{
    cursor c = { bytes, n, false };
    size_t known = 0;

    while (c.left > 0 && !c.bad) {
        (void)next_answer(&c);
        known++;
    }
    if (c.bad)
        return CULL_OK;
    cull_excerpt *e = cull_take(ctx, 1, sizeof *e);
    answer *at = e ? cull_take(ctx, known + 1, sizeof *at) : NULL;
    if (!at)
        return CULL_ENOMEM;
    c = (cursor){ bytes, n, false };
    *e = (cull_excerpt){ .n = known, .at = at };
    for (size_t i = 0; i < known; i++)
        at[i] = next_answer(&c);
    *out = e;
    return CULL_OK;
}

cull_status cull_excerpt_open(cull_ctx *ctx, size_t n, const void *bytes, cull_excerpt **out)
{
    cursor c = { bytes, n, false };
    const size_t size = next_size(&c);

    *out = NULL;
    if (c.bad || size > LARGEST)
        return CULL_OK;
    unsigned char *whole = cull_take(ctx, size + 1, 1);
    uLongf got = size;
    if (!whole)
        return CULL_ENOMEM;
    const int done = uncompress(whole, &got, c.at, c.left);
    if (done == Z_MEM_ERROR)
        return cull_no_memory(ctx);
    return done == Z_OK && got == size ? parse(ctx, size, whole, out) : CULL_OK;
}

static const answer *find(cull_excerpt *e, char kind, const char *path, const char *name)
{
    for (size_t i = 0; i < e->n; i++) {
        const size_t at = (e->next + i) % e->n;
        const answer *a = &e->at[at];
        if (a->kind == kind && strcmp(a->path, path) == 0 && strcmp(a->name, name) == 0) {
            e->next = at + 1;
            return a;
        }
    }
    return NULL;
}

bool cull_excerpt_has(cull_excerpt *from, const char *path, bool *there)
{
    const answer *a = find(from, 'h', path, "");

    if (!a || a->n != 1)
        return false;
    *there = *a->bytes;
    return true;
}

bool cull_excerpt_real(cull_excerpt *from, const char *where, const char *name, bool *there,
                       double *out)
{
    const answer *a = find(from, 'r', where, name);

    if (!a || (a->n != 0 && a->n != sizeof *out))
        return false;
    *there = a->n > 0;
    if (*there)
        memcpy(out, a->bytes, sizeof *out);
    return true;
}

bool cull_excerpt_link(cull_excerpt *from, const char *path, const char **target,
                       const char **object)
{
    const answer *a = find(from, 'l', path, "");

    *target = *object = NULL;
    if (!a)
        return false;
    cursor c = { a->bytes, a->n, false };
    if (a->n > 0) {
        *target = next_text(&c);
        *object = next_text(&c);
    }
    return !c.bad && c.left == 0;
}

// All that is left as texts, (n) in *out; *known: is it texts, and as many as `want` (SIZE_MAX:
// any)?
static cull_status take_texts(cull_ctx *ctx, cursor *c, size_t want, bool *known, size_t *n,
                              const char *const **out)
{
    size_t count = 0;

    for (cursor all = *c; all.left > 0 && !c->bad; count++)
        c->bad |= !next_text(&all);
    *known = !c->bad && (want == SIZE_MAX || count == want);
    if (!*known)
        return CULL_OK;
    const char **texts = cull_take(ctx, count + 1, sizeof *texts);
    if (!texts)
        return CULL_ENOMEM;
    for (size_t i = 0; i < count; i++)
        texts[i] = next_text(c);
    *n = count;
    *out = texts;
    return CULL_OK;
}

cull_status cull_excerpt_texts(cull_ctx *ctx, cull_excerpt *from, const char *where,
                               const char *name, bool *known, bool *there, size_t *n,
                               const char *const **out)
{
    const answer *a = find(from, 't', where, name);

    *known = a != NULL;
    *there = a && !(a->n == sizeof ABSENT && *a->bytes == ABSENT);
    if (!*there)
        return CULL_OK;
    cursor c = { a->bytes, a->n, false };
    return take_texts(ctx, &c, SIZE_MAX, known, n, out);
}

static double number_at(char form, const unsigned char *from, size_t i)
{
    float narrow;

    if (form == 'b')
        return from[i];
    memcpy(&narrow, from + i * sizeof narrow, sizeof narrow);
    return narrow;
}

// shape->n numbers of a form.
static cull_status take_numbers(cull_ctx *ctx, cursor *c, const cull_h5_shape *shape, char form,
                                bool *known, const void **data)
{
    const size_t width = cull_h5_size(form);
    const bool own = form == shape->type;

    *known = (own || (shape->type == 'd' && (form == 'b' || form == 'f'))) &&
             shape->n <= c->left / width && c->left == shape->n * width;
    if (!*known)
        return CULL_OK;
    double *numbers = cull_take(ctx, shape->n + 1, cull_h5_size(shape->type));
    if (!numbers)
        return CULL_ENOMEM;
    if (own)
        memcpy(numbers, c->at, c->left);
    for (size_t i = 0; !own && i < shape->n; i++)
        numbers[i] = number_at(form, c->at, i);
    *data = numbers;
    return CULL_OK;
}

static bool take_shape(cursor *c, size_t rank, cull_h5_shape *shape)
{
    shape->rank = rank;
    shape->n = 1;
    if (rank > CULL_H5_RANK)
        return false;
    for (size_t i = 0; i < rank; i++) {
        shape->shape[i] = next_size(c);
        if (shape->shape[i] > 0 && shape->n > LARGEST / shape->shape[i])
            return false;
        shape->n *= shape->shape[i];
    }
    return !c->bad;
}

cull_status cull_excerpt_array(cull_ctx *ctx, cull_excerpt *from, const char *path, bool *known,
                               cull_h5_shape *shape, const void **data)
{
    const answer *a = find(from, 'a', path, "");
    cursor c = { a ? a->bytes : NULL, a ? a->n : 0, false };
    const char *head = next_bytes(&c, 3);
    size_t n;

    *known = head && head[0] == shape->type && take_shape(&c, (unsigned char)head[2], shape);
    if (!*known)
        return CULL_OK;
    if (shape->type != 's')
        return take_numbers(ctx, &c, shape, head[1], known, data);
    const char *const *texts = NULL;
    const cull_status status = take_texts(ctx, &c, shape->n, known, &n, &texts);
    *data = texts;
    return status;
}
