// A cut in memory: made empty, copied, its overlays found and added.
#include "cut/cut.h"

#include <string.h>

#include "base/pages.h"

enum { PAGED_BYTES = 64 << 10 }; // smaller overlays are not worth a page of their own

// first[] is a hash table of overlay indices, open addressing, at most half full; overlays of the
// same matrix are linked through next[], in the order of addition.
typedef struct owned {
    cull_cut cut; // first: a cull_cut * is an owned *
    size_t room, slots;
    cull_overlay *overlay; // [room]
    bool *paged;           // [room] are its data in a file?
    size_t filling;        // the layer of the overlay that was made last
    size_t *next;          // [room]
    size_t *last;          // [room] for the first of a chain: its end
    size_t *first;         // [slots]
} owned;

static const owned *owned_of(const cull_cut *cut)
{
    return (const owned *)cut;
}

cull_cut *cull_cut_new(cull_ctx *ctx, size_t L, size_t D, const size_t *experts)
{
    owned *own = cull_take(ctx, 1, sizeof *own);
    cull_layer_cut *layer = own ? cull_take(ctx, L, sizeof *layer) : NULL;

    if (!layer)
        return NULL;

    own->cut = (cull_cut){ .size = sizeof own->cut, .L = L, .D = D, .layer = layer };
    for (size_t l = 0; l < L; l++) {
        const size_t E = experts[l];
        layer[l].size = sizeof layer[l];
        layer[l].E = E;
        layer[l].action = cull_take(ctx, E, sizeof *layer[l].action);
        layer[l].target = cull_take(ctx, E, sizeof *layer[l].target);
        layer[l].constant = cull_take(ctx, E * D, sizeof *layer[l].constant);
        if (!layer[l].action || !layer[l].target || !layer[l].constant)
            return NULL;
        for (size_t e = 0; e < E; e++)
            layer[l].target[e] = (uint32_t)e;
    }
    return &own->cut;
}

size_t cull_overlay_bytes(uint32_t kind, size_t rows, size_t cols)
{
    const bool bits = kind == CULL_MASK || kind == CULL_CHANNELS;
    const size_t row = bits                               ? cols / 8 + (cols % 8 != 0)
                       : cols <= SIZE_MAX / sizeof(float) ? cols * sizeof(float)
                                                          : SIZE_MAX;

    return row && rows > SIZE_MAX / row ? SIZE_MAX : rows * row;
}

bool cull_overlay_fits(uint32_t kind, cull_matrix_id where, size_t rows)
{
    const bool down = where.part == CULL_PART_DOWN || where.part == CULL_PART_SHARED_DOWN ||
                      where.part == CULL_PART_DENSE_DOWN;

    if (kind == CULL_CHANNELS || kind == CULL_BIAS)
        return down && rows == 1;
    return (kind == CULL_MASK || kind == CULL_MATRIX) && where.part < CULL_N_PARTS;
}

static bool same(cull_matrix_id a, cull_matrix_id b)
{
    return a.layer == b.layer && a.part == b.part && a.expert == b.expert;
}

// The slot of `where`, taken or free. There is always a free one.
static size_t slot_of(const owned *own, cull_matrix_id where)
{
    uint64_t mixed = (uint64_t)where.layer << 40 ^ (uint64_t)where.expert << 8 ^ where.part;

    mixed *= 0x9e3779b97f4a7c15u; // 2^64 / φ (Knuth, multiplicative hashing)
    size_t slot = (size_t)(mixed >> 20) % own->slots;

    while (own->first[slot] != SIZE_MAX && !same(own->overlay[own->first[slot]].where, where))
        slot = (slot + 1) % own->slots;
    return slot;
}

static void enter(owned *own, size_t i)
{
    const size_t slot = slot_of(own, own->overlay[i].where), first = own->first[slot];

    own->next[i] = SIZE_MAX;
    own->last[i] = i;
    if (first == SIZE_MAX) {
        own->first[slot] = i;
    } else {
        own->next[own->last[first]] = i;
        own->last[first] = i;
    }
}

static cull_status grow(cull_ctx *ctx, owned *own)
{
    const size_t n = own->cut.n_overlays, room = own->room ? 2 * own->room : 32;
    cull_overlay *overlay = cull_take(ctx, room, sizeof *overlay);
    bool *paged = cull_take(ctx, room, sizeof *paged);
    size_t *next = cull_take(ctx, room, sizeof *next);
    size_t *last = cull_take(ctx, room, sizeof *last);
    size_t *first = cull_take(ctx, 2 * room, sizeof *first);

    if (!overlay || !paged || !next || !last || !first)
        return CULL_ENOMEM;

    if (n)
        memcpy(overlay, own->overlay, n * sizeof *overlay);
    if (n)
        memcpy(paged, own->paged, n * sizeof *paged);
    own->cut.overlay = own->overlay = overlay;
    own->paged = paged;
    own->next = next;
    own->last = last;
    own->first = first;
    own->room = room;
    own->slots = 2 * room;
    for (size_t i = 0; i < own->slots; i++)
        first[i] = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        enter(own, i);
    return CULL_OK;
}

static cull_status add(cull_ctx *ctx, cull_cut *cut, const cull_overlay *overlay, bool paged)
{
    owned *own = (owned *)cut;

    if (cut->n_overlays == own->room)
        CULL_TRY(grow(ctx, own));
    own->overlay[cut->n_overlays] = *overlay;
    own->paged[cut->n_overlays] = paged;
    enter(own, cut->n_overlays++);
    return CULL_OK;
}

cull_status cull_cut_add_paged(cull_ctx *ctx, cull_cut *cut, const cull_overlay *overlay)
{
    return add(ctx, cut, overlay, true);
}

static void copy_layer(cull_layer_cut *to, const cull_layer_cut *from, size_t D)
{
    memcpy(to->action, from->action, from->E * sizeof *to->action);
    memcpy(to->target, from->target, from->E * sizeof *to->target);
    for (size_t e = 0; e < from->E; e++) // untouched constants cost no memory
        if (from->action[e] == CULL_ACTION_NOVICE)
            memcpy(to->constant + e * D, from->constant + e * D, D * sizeof *to->constant);
    to->skip_layer = from->skip_layer;
    to->skip_moe = from->skip_moe;
    to->k = from->k;
    to->skip_ratio = from->skip_ratio;
    to->top_p = from->top_p;
}

cull_cut *cull_cut_copy(cull_ctx *ctx, const cull_cut *from)
{
    size_t *experts = cull_scratch(ctx, from->L, sizeof *experts);

    if (!experts)
        return NULL;
    for (size_t l = 0; l < from->L; l++)
        experts[l] = from->layer[l].E;

    cull_cut *cut = cull_cut_new(ctx, from->L, from->D, experts);
    if (!cut)
        return NULL;
    for (size_t l = 0; l < from->L; l++)
        copy_layer(&cut->layer[l], &from->layer[l], from->D);
    for (size_t i = 0; i < from->n_overlays; i++)
        if (add(ctx, cut, &from->overlay[i], owned_of(from)->paged[i]) != CULL_OK)
            return NULL;
    return cut;
}

// What is made of one layer is seldom looked at while the next is made.
static void *room_for(cull_ctx *ctx, cull_cut *cut, size_t layer, size_t bytes, bool *paged)
{
    owned *own = (owned *)cut;
    cull_pages *pages = cull_context_of(ctx)->pages;

    *paged = pages && bytes >= PAGED_BYTES;
    if (*paged && own->filling != layer)
        cull_cut_leave(cut, own->filling);
    own->filling = layer;
    return *paged ? cull_pages_take(ctx, pages, bytes, "a cut's matrices")
                  : cull_take(ctx, bytes, 1);
}

void *cull_cut_overlay(cull_ctx *ctx, cull_cut *cut, cull_matrix_id where, uint32_t kind,
                       size_t rows, size_t cols)
{
    const size_t bytes = cull_overlay_bytes(kind, rows, cols);

    if (!cull_overlay_fits(kind, where, rows) || !bytes || bytes == SIZE_MAX ||
        (where.layer != CULL_NONE && where.layer >= cut->L)) {
        cull_fail(
            ctx, CULL_EPLUGIN,
            "an overlay of kind %u for layer %u, part %u with %zu × %zu elements makes no sense",
            kind, where.layer, where.part, rows, cols);
        return NULL;
    }

    bool paged;
    void *data = room_for(ctx, cut, where.layer, bytes, &paged);
    const cull_overlay overlay = { sizeof(cull_overlay), kind, where, rows, cols, data };
    return data && add(ctx, cut, &overlay, paged) == CULL_OK ? data : NULL;
}

size_t cull_cut_first(const cull_cut *cut, cull_matrix_id where)
{
    const owned *own = owned_of(cut);

    return own->slots ? own->first[slot_of(own, where)] : SIZE_MAX;
}

size_t cull_cut_next(const cull_cut *cut, size_t i)
{
    return owned_of(cut)->next[i];
}

bool cull_cut_is_paged(const cull_cut *cut, size_t i)
{
    return owned_of(cut)->paged[i];
}

static void leave(const owned *own, size_t i)
{
    const cull_overlay *o = &own->overlay[i];

    if (own->paged[i])
        cull_pages_leave(o->data, cull_overlay_bytes(o->kind, o->rows, o->cols));
}

void cull_cut_leave(const cull_cut *cut, size_t layer)
{
    for (size_t i = 0; cut && i < cut->n_overlays; i++)
        if (cut->overlay[i].where.layer == layer)
            leave(owned_of(cut), i);
}

void cull_cut_leave_matrix(const cull_cut *cut, cull_matrix_id where)
{
    for (size_t i = cull_cut_first(cut, where); i != SIZE_MAX; i = cull_cut_next(cut, i))
        leave(owned_of(cut), i);
}

bool cull_cut_passes(const cull_cut *cut, size_t l)
{
    return cut && (cut->layer[l].skip_layer || cut->layer[l].skip_moe);
}

bool cull_cut_before_router(const cull_cut *cut, size_t l)
{
    if (!cut)
        return false;
    if (cut->layer[l].skip_layer)
        return true;
    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_matrix_id w = cut->overlay[i].where;
        if (w.layer == l && w.expert == CULL_NONE && w.part != CULL_PART_ROUTER)
            return true;
    }
    return false;
}
