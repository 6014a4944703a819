// Memory that is given back all at once: chunks, marks, rewinding.
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/poison.h"

enum { ALIGN = 64, CHUNK = 64 * 1024 };

typedef struct chunk {
    unsigned char *bytes;
    size_t size;
    size_t dirty; // bytes that have been given out before; those beyond are still zero
} chunk;

// Pieces come from chunk[at], from `used` on; the chunks after it are empty and wait to be used
// again.
struct cull_arena {
    chunk *chunk;
    size_t n, room, at, used;
    size_t bytes; // of all chunks
};

cull_arena *cull_arena_new(void)
{
    return cull_alloc(1, sizeof(cull_arena));
}

void cull_arena_free(cull_arena *arena)
{
    if (!arena)
        return;
    for (size_t i = 0; i < arena->n; i++)
        cull_free(arena->chunk[i].bytes);
    cull_free(arena->chunk);
    cull_free(arena);
}

static bool add_chunk(cull_arena *arena, size_t size)
{
    if (arena->n == arena->room) {
        const size_t room = arena->room ? 2 * arena->room : 8;
        chunk *grown = cull_grow(arena->chunk, arena->n, room, sizeof *grown);
        if (!grown)
            return false;
        arena->chunk = grown;
        arena->room = room;
    }

    unsigned char *bytes = cull_alloc(size, 1);
    if (!bytes)
        return false;
    CULL_POISON(bytes, size);
    arena->chunk[arena->n++] = (chunk){ .bytes = bytes, .size = size };
    arena->bytes += size;
    return true;
}

// Chunks double with the arena, up to 64 times the first, so that many small pieces need few of
// them. A larger piece gets one of a few sizes, or pieces that vary would each leave one behind.
static size_t next_size(const cull_arena *arena, size_t bytes)
{
    const size_t usual = (size_t)CHUNK << (arena->n < 6 ? arena->n : 6);
    size_t step = usual / 4;

    if (bytes <= usual / 2)
        return usual;
    while (bytes / 8 >= step)
        step *= 2;
    return bytes > SIZE_MAX - step ? bytes : (bytes + step - 1) / step * step;
}

// Go on in the smallest empty chunk that the piece fits in, or in a new one. The others stay behind
// it for what comes: were they passed over, pieces that vary in size would leave large ones unused.
static bool open_chunk(cull_arena *arena, size_t bytes)
{
    const size_t next = arena->n && arena->used ? arena->at + 1 : arena->at;
    size_t best = arena->n;

    for (size_t i = next; i < arena->n; i++)
        if (arena->chunk[i].size >= bytes &&
            (best == arena->n || arena->chunk[i].size < arena->chunk[best].size))
            best = i;
    if (best == arena->n && !add_chunk(arena, next_size(arena, bytes)))
        return false;

    const chunk chosen = arena->chunk[best];
    arena->chunk[best] = arena->chunk[next];
    arena->chunk[next] = chosen;
    arena->at = next;
    arena->used = 0;
    return true;
}

static void *take(cull_arena *arena, size_t n, size_t size, bool zeroed)
{
    if (size && n > (SIZE_MAX / 2) / size)
        return NULL;

    const size_t wanted = n * size;
    const size_t bytes = wanted ? (wanted + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    if ((!arena->used || bytes > arena->chunk[arena->at].size - arena->used) &&
        !open_chunk(arena, bytes))
        return NULL;

    chunk *c = &arena->chunk[arena->at];
    unsigned char *p = c->bytes + arena->used;
    CULL_UNPOISON(p, wanted);
    if (zeroed && arena->used < c->dirty) {
        const size_t old = c->dirty - arena->used;
        memset(p, 0, old < wanted ? old : wanted);
    }
    arena->used += bytes;
    if (c->dirty < arena->used)
        c->dirty = arena->used;
    return p;
}

void *cull_arena_alloc(cull_arena *arena, size_t n, size_t size)
{
    return take(arena, n, size, true);
}

void *cull_arena_room(cull_arena *arena, size_t n, size_t size)
{
    return take(arena, n, size, false);
}

char *cull_arena_copy(cull_arena *arena, const void *bytes, size_t n)
{
    char *copy = n < SIZE_MAX ? cull_arena_alloc(arena, n + 1, 1) : NULL;

    if (copy && n)
        memcpy(copy, bytes, n);
    return copy;
}

char *cull_arena_printf(cull_arena *arena, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : cull_arena_alloc(arena, (size_t)n + 1, 1);
    if (!text)
        return NULL;

    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

void cull_arena_clear(cull_arena *arena)
{
    cull_arena_rewind(arena, (cull_mark){ 0 });
}

cull_mark cull_arena_mark(const cull_arena *arena)
{
    return (cull_mark){ arena->at, arena->used };
}

void cull_arena_rewind(cull_arena *arena, cull_mark mark)
{
    for (size_t i = mark.chunk; i < arena->n && i <= arena->at; i++) {
        const size_t from = i == mark.chunk ? mark.used : 0;
        CULL_POISON(arena->chunk[i].bytes + from, arena->chunk[i].size - from);
    }
    arena->at = mark.chunk;
    arena->used = mark.used;
}

size_t cull_arena_bytes(const cull_arena *arena)
{
    return arena->bytes;
}
