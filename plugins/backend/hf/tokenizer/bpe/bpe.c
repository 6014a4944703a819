// From a word to symbols, and from runs of symbols to ids.
#include "bpe.h"
#include "tokenizer/letters.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    CUT_FROM = 64,       // bytes of a word from which it is cut into runs
    MOST_CACHED = 48,    // symbols of a run that is remembered
    MOST_POOL = 1 << 22, // ids in the cache's pool
};

typedef struct tk_cached {
    uint64_t hash;
    size_t at; // in work->cached: n symbols, then n_ids ids
    uint32_t n, n_ids;
} tk_cached;

void tk_bpe_work_release(tk_bpe_work *work)
{
    free(work->symbols.v);
    free(work->letters.s);
    free(work->chain);
    free(work->heap);
    free(work->cache);
    free(work->cached.v);
}

void tk_bpe_work_init(tk_bpe_work *work, size_t bytes)
{
    *work = (tk_bpe_work){ 0 };
    if (bytes < 512)
        return;
    size_t slots = 64;
    while (slots < bytes / 16 && slots < 1 << 15)
        slots *= 2;
    work->cache = calloc(slots, sizeof *work->cache);
    work->cache_mask = slots - 1; // without a cache it only takes longer
}

// A run's ids, from the cache or by merging.
static void encode_run(const tk_bpe *bpe, tk_bpe_work *work, const int32_t *run, size_t n,
                       tk_ids *out)
{
    if (!work->cache || n < 2 || n > MOST_CACHED) {
        tk_merge_all(bpe, work, run, n, out);
        return;
    }
    const uint64_t hash = XXH3_64bits(run, n * sizeof *run);
    tk_cached *entry = &work->cache[hash & work->cache_mask];
    if (entry->n == n && entry->hash == hash &&
        memcmp(work->cached.v + entry->at, run, n * sizeof *run) == 0) {
        for (size_t i = 0; i < entry->n_ids; i++)
            tk_ids_add(out, work->cached.v[entry->at + n + i]);
        return;
    }
    const size_t before = out->n;
    tk_merge_all(bpe, work, run, n, out);
    if (out->failed || work->failed || work->cached.n > MOST_POOL)
        return;
    *entry = (tk_cached){ hash, work->cached.n, (uint32_t)n, (uint32_t)(out->n - before) };
    for (size_t i = 0; i < n; i++)
        tk_ids_add(&work->cached, run[i]);
    for (size_t i = before; i < out->n; i++)
        tk_ids_add(&work->cached, out->v[i]);
    if (work->cached.failed)
        work->failed = true;
}

static void end_run(const tk_bpe *bpe, tk_bpe_work *work, tk_ids *out)
{
    if (work->symbols.n > 0)
        encode_run(bpe, work, work->symbols.v, work->symbols.n, out);
    work->symbols.n = 0;
}

// Can any merge join what ends in symbol `left` with what begins with `right`?
static bool joins(const tk_bpe *bpe, int32_t left, int32_t right)
{
    const tk_str a = tk_vocab_token(&bpe->vocab, left), b = tk_vocab_token(&bpe->vocab, right);

    return tk_bpe_seam(bpe, tk_char(a.s + tk_char_start(a.s, a.n)), tk_char(b.s));
}

typedef struct tk_spelling { // of the word in hand
    const tk_bpe *bpe;
    tk_bpe_work *work;
    tk_ids *out;
    bool cut;     // into runs
    bool pending; // an unknown symbol is yet to be added
} tk_spelling;

static void add_symbol(tk_spelling *word, int32_t id)
{
    tk_ids *run = &word->work->symbols;

    if (word->cut && run->n > 0 && !joins(word->bpe, run->v[run->n - 1], id))
        end_run(word->bpe, word->work, word->out);
    tk_ids_add(run, id);
}

static bool add_bytes(tk_spelling *word, tk_str s)
{
    const int32_t *byte_id = word->bpe->byte_id;

    for (size_t i = 0; i < s.n; i++) {
        if (byte_id[(unsigned char)s.s[i]] < 0)
            return false;
    }
    for (size_t i = 0; i < s.n; i++)
        add_symbol(word, byte_id[(unsigned char)s.s[i]]);
    return true;
}

// One character: its own id, or those of its bytes, or the unknown token, or nothing. As in
// `tokenizers`, an unknown token waits until the next known character, so bytes overtake it.
static void spell(tk_spelling *word, int32_t id, tk_str s)
{
    const tk_bpe *bpe = word->bpe;

    if (id >= 0) {
        if (word->pending)
            add_symbol(word, bpe->unk);
        word->pending = false;
        add_symbol(word, id);
        return;
    }
    if (bpe->byte_fallback && add_bytes(word, s))
        return;
    if (bpe->unk == TK_NO_UNK)
        return;
    if (bpe->unk < 0)
        word->work->unknown = true;
    else if (word->pending && !bpe->fuse_unk)
        add_symbol(word, bpe->unk);
    word->pending = bpe->unk >= 0;
}

// A character with what the model puts around it.
static void spell_affixed(tk_spelling *word, tk_str s, bool first, bool last)
{
    tk_text *text = &word->work->letters;

    text->n = 0;
    if (!first)
        tk_text_add(text, word->bpe->prefix.s, word->bpe->prefix.n);
    tk_text_add(text, s.s, s.n);
    if (last)
        tk_text_add(text, word->bpe->suffix.s, word->bpe->suffix.n);
    if (text->failed)
        return;
    const tk_str whole = { text->s, text->n };
    spell(word, tk_vocab_find(&word->bpe->vocab, whole), whole);
}

static void spell_bytes(tk_spelling *word, tk_str s)
{
    const tk_bpe *bpe = word->bpe;

    for (size_t i = 0; i < s.n; i++) {
        const unsigned char byte = (unsigned char)s.s[i];
        const bool affixed = (bpe->prefix.n && i > 0) || (bpe->suffix.n && i + 1 == s.n);
        if (!affixed && bpe->letter_id[byte] >= 0) {
            spell(word, bpe->letter_id[byte], (tk_str){ NULL, 0 });
            continue;
        }
        char letter[4];
        const tk_str unit = { letter, tk_char_put(letter, tk_letter(byte)) };
        if (affixed)
            spell_affixed(word, unit, i == 0, i + 1 == s.n);
        else
            spell(word, -1, unit);
    }
}

static void spell_chars(tk_spelling *word, tk_str s)
{
    const tk_bpe *bpe = word->bpe;

    for (size_t i = 0, n; i < s.n; i += n) {
        n = tk_char_length(s.s[i]);
        const tk_str unit = { s.s + i, n };
        if ((bpe->prefix.n && i > 0) || (bpe->suffix.n && i + n == s.n))
            spell_affixed(word, unit, i == 0, i + n == s.n);
        else
            spell(word,
                  n == 1 ? bpe->ascii_id[(unsigned char)*unit.s] : tk_vocab_find(&bpe->vocab, unit),
                  unit);
    }
}

// The id of a whole word, −1: none.
static int32_t whole(const tk_bpe *bpe, tk_bpe_work *work, tk_str word, bool bytes)
{
    if (!bytes)
        return tk_vocab_find(&bpe->vocab, word);
    work->letters.n = 0;
    tk_text_add_letters(&work->letters, word.s, word.n);
    return tk_vocab_find(&bpe->vocab, tk_text_str(&work->letters));
}

void tk_bpe_encode(const tk_bpe *bpe, tk_bpe_work *work, tk_str word, bool bytes, tk_ids *out)
{
    if (word.n == 0)
        return;
    const int32_t id = bpe->ignore_merges ? whole(bpe, work, word, bytes) : -1;
    if (id >= 0) {
        tk_ids_add(out, id);
        return;
    }
    tk_spelling spelling = { bpe, work, out, bpe->seams && word.n > CUT_FROM, false };
    if (bytes)
        spell_bytes(&spelling, word);
    else
        spell_chars(&spelling, word);
    if (spelling.pending)
        add_symbol(&spelling, bpe->unk);
    end_run(bpe, work, out);
    if (work->symbols.failed || work->letters.failed)
        work->failed = true;
}
