// An arena: memory that is given out piece by piece and taken back all at once.
//
// Invariants: every piece is zeroed and aligned to 64 bytes; pieces never move; nothing is freed
// singly. An arena belongs to one thread at a time.
#ifndef CULL_BASE_ARENA_H
#define CULL_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cull_arena cull_arena;

cull_arena *cull_arena_new(void); // NULL: out of memory
void cull_arena_free(cull_arena *arena);

// n × size bytes, or NULL when that overflows or there is no memory.
void *cull_arena_alloc(cull_arena *arena, size_t n, size_t size);
// The same, with whatever stood there before: for what is written whole before it is read.
void *cull_arena_room(cull_arena *arena, size_t n, size_t size);
char *cull_arena_copy(cull_arena *arena, const void *bytes, size_t n); // n bytes and a NUL
char *cull_arena_printf(cull_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// Take back everything, or everything given out since `mark`.
void cull_arena_clear(cull_arena *arena);
typedef struct cull_mark {
    size_t chunk, used;
} cull_mark;
cull_mark cull_arena_mark(const cull_arena *arena);
void cull_arena_rewind(cull_arena *arena, cull_mark mark);

size_t cull_arena_bytes(const cull_arena *arena); // held from the system

#endif
