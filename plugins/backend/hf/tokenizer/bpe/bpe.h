// Byte-pair encoding (Sennrich, Haddow and Birch 2016, section 3.2) as `tokenizers` applies it: a
// word becomes symbols, one a character, and the pair of neighbours with the lowest rank is merged,
// leftmost first, until none is left.
#ifndef HF_TOKENIZER_BPE_H
#define HF_TOKENIZER_BPE_H

#include "vocab.h"

typedef struct tk_merge {
    uint64_t pair; // left id, right id
    uint32_t rank;
    int32_t id; // of what the two become
} tk_merge;

typedef struct tk_bpe {
    tk_vocab vocab;
    tk_merge *merge; // (merge_mask + 1) open addressing; pair TK_NO_PAIR: free
    size_t merge_mask;
    int32_t *made; // (n_merges) the id that each rank makes
    size_t n_merges;
    uint64_t *seam; // (seam_mask + 1) pairs of characters between which some merge joins
    size_t seam_mask;
    bool seams;            // is `seam` of use?
    int32_t unk;           // TK_NO_UNK: none; −1: named, but not in the vocabulary
    tk_str prefix, suffix; // of every symbol but a word's first; of its last
    bool fuse_unk, ignore_merges;
    bool byte_fallback;
    int32_t byte_id[256];   // of <0x00> to <0xFF>, −1: none
    int32_t letter_id[256]; // of the byte-level letter of each byte, or −1
    int32_t ascii_id[128];  // of each ASCII character
} tk_bpe;

#define TK_NO_PAIR UINT64_MAX
enum { TK_NO_UNK = -2 };

// The working memory of one call.
typedef struct tk_symbol {
    int32_t id; // −1: merged into the one before
    uint32_t prev, next;
} tk_symbol;

typedef struct tk_bpe_work {
    tk_ids symbols; // of the run in hand
    tk_text letters;
    tk_symbol *chain;
    uint64_t *heap; // rank << 32 | position
    size_t chain_room, heap_room, n_heap;
    struct tk_cached *cache;
    size_t cache_mask;
    tk_ids cached; // what the cache's entries point to
    bool unknown;  // the unknown token was needed, and is not in the vocabulary
    bool failed;   // out of memory
} tk_bpe_work;

// Where a pair is looked for first in a table of mask + 1 places (Knuth, multiplicative hashing).
static inline size_t tk_pair_slot(uint64_t pair, size_t mask)
{
    const uint64_t hash = pair * 0x9e3779b97f4a7c15u; // 2^64 / φ

    return (size_t)(hash ^ hash >> 32) & mask;
}

// Is there a merge whose left side ends in character a and whose right side begins with b? Where
// there is none between two symbols, nothing ever joins them, and the parts of a word are
// independent.
static inline bool tk_bpe_seam(const tk_bpe *bpe, uint32_t a, uint32_t b)
{
    const uint64_t key = (uint64_t)a << 32 | b;

    for (size_t i = tk_pair_slot(key, bpe->seam_mask);; i = (i + 1) & bpe->seam_mask) {
        if (bpe->seam[i] == key)
            return true;
        if (bpe->seam[i] == TK_NO_PAIR)
            return false;
    }
}

cull_status tk_bpe_read(const tk_node *model, tk_bpe *bpe);
// A file of tiktoken's (ranks.c).
cull_status tk_bpe_read_ranks(cull_ctx *ctx, const char *path, tk_bpe *bpe);

// ---- what both readers are made of ----
// Tables for so many merges, with ranks below n_ranks.
cull_status tk_bpe_room(cull_ctx *ctx, tk_bpe *bpe, size_t n_merges, size_t n_ranks);
void tk_bpe_enter(tk_bpe *bpe, const tk_str side[2], int32_t left, int32_t right, size_t rank,
                  int32_t id);
void tk_bpe_find_letters(tk_bpe *bpe); // after the vocabulary: ids of letters and bytes

// Append the ids of a word. bytes: it is raw, and each byte stands for its byte-level letter.
void tk_bpe_encode(const tk_bpe *bpe, tk_bpe_work *work, tk_str word, bool bytes, tk_ids *out);
void tk_bpe_work_init(tk_bpe_work *work, size_t bytes); // bytes: of the text to come
void tk_bpe_work_release(tk_bpe_work *work);

// Merge symbols[0, n) and append what is left. No state but the work.
void tk_merge_all(const tk_bpe *bpe, tk_bpe_work *work, const int32_t *symbols, size_t n,
                  tk_ids *out);

#endif
