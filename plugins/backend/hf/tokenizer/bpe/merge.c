// Merging: a heap of candidate pairs by (rank, position), over a doubly linked chain of symbols.
// Entries are not removed when one of their symbols changes; an entry is stale when the pair at its
// position no longer makes the same token. O(n log n).
#include "bpe.h"

#include <stdlib.h>

#define NONE UINT32_MAX

static const tk_merge *find_merge(const tk_bpe *bpe, int32_t left, int32_t right)
{
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    for (size_t i = tk_pair_slot(pair, bpe->merge_mask);; i = (i + 1) & bpe->merge_mask) {
        if (bpe->merge[i].pair == pair)
            return &bpe->merge[i];
        if (bpe->merge[i].pair == TK_NO_PAIR)
            return NULL;
    }
}

static void push(tk_bpe_work *work, uint64_t entry)
{
    if (!tk_grow(&work->heap, work->n_heap, &work->heap_room, 1, sizeof *work->heap)) {
        work->failed = true;
        return;
    }
    size_t i = work->n_heap++;
    while (i > 0 && work->heap[(i - 1) / 2] > entry) {
        work->heap[i] = work->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    work->heap[i] = entry;
}

static uint64_t pop(tk_bpe_work *work)
{
    uint64_t *heap = work->heap;
    const uint64_t top = heap[0], last = heap[--work->n_heap];
    const size_t n = work->n_heap;
    size_t i = 0;

    for (size_t child = 1; child < n; child = 2 * i + 1) {
        child += child + 1 < n && heap[child + 1] < heap[child];
        if (last <= heap[child])
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static void push_pair(const tk_bpe *bpe, tk_bpe_work *work, uint32_t left, uint32_t right)
{
    const tk_merge *merge = find_merge(bpe, work->chain[left].id, work->chain[right].id);

    if (merge)
        push(work, (uint64_t)merge->rank << 32 | left);
}

static void merge_top(const tk_bpe *bpe, tk_bpe_work *work)
{
    const uint64_t top = pop(work);
    const uint32_t at = (uint32_t)top;
    const int32_t id = bpe->made[top >> 32];
    tk_symbol *left = &work->chain[at];

    if (left->id < 0 || left->next == NONE)
        return;
    tk_symbol *right = &work->chain[left->next];
    const tk_merge *now = find_merge(bpe, left->id, right->id);
    if (!now || now->id != id)
        return;
    left->id = id;
    right->id = -1;
    left->next = right->next;
    if (left->next != NONE) {
        work->chain[left->next].prev = at;
        push_pair(bpe, work, at, left->next);
    }
    if (left->prev != NONE)
        push_pair(bpe, work, left->prev, at);
}

void tk_merge_all(const tk_bpe *bpe, tk_bpe_work *work, const int32_t *symbols, size_t n,
                  tk_ids *out)
{
    if (n >= NONE || !tk_grow(&work->chain, 0, &work->chain_room, n, sizeof *work->chain)) {
        work->failed = true;
        return;
    }
    tk_symbol *chain = work->chain;
    work->n_heap = 0;
    for (uint32_t i = 0; i < n; i++)
        chain[i] = (tk_symbol){ symbols[i], i > 0 ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE };
    for (uint32_t i = 0; i + 1 < n; i++)
        push_pair(bpe, work, i, i + 1);
    while (work->n_heap > 0 && !work->failed)
        merge_top(bpe, work);
    for (uint32_t i = 0; i < n; i++) {
        if (chain[i].id >= 0)
            tk_ids_add(out, chain[i].id);
    }
}
