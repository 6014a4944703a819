// Pre-tokenizers: a text into words.
#include "split.h"
#include "letters.h"

#include <stdlib.h>

void tk_words_release(tk_words *words)
{
    free(words->span.v);
    free(words->spare.v);
    tk_text_free(&words->text[0]);
    tk_text_free(&words->text[1]);
}

typedef struct tk_pieces { // of one word
    tk_spans *out;
    size_t base;    // of the word in the text
    size_t first;   // the word's first piece in out
    bool was_match; // the piece before
} tk_pieces;

// The next piece of a word, which is a match of the pattern or what stands between two matches.
static void piece(tk_pieces *pieces, tk_behaviour behaviour, size_t start, size_t end, bool match)
{
    const bool was_match = pieces->was_match;
    const bool joins = (behaviour == TK_CONTIGUOUS && match == was_match) ||
                       (behaviour == TK_MERGED_WITH_PREVIOUS && match && !was_match) ||
                       (behaviour == TK_MERGED_WITH_NEXT && !match && was_match);
    tk_spans *out = pieces->out;

    pieces->was_match = match;
    if (behaviour == TK_REMOVED && match)
        return;
    if (joins && out->n > pieces->first)
        out->v[out->n - 1].end = pieces->base + end;
    else
        tk_spans_add(out, pieces->base + start, pieces->base + end);
}

static void drop_empty(tk_spans *spans, size_t from)
{
    size_t n = from;

    for (size_t i = from; i < spans->n; i++) {
        if (spans->v[i].end > spans->v[i].start)
            spans->v[n++] = spans->v[i];
    }
    spans->n = n;
}

static void split_word(const tk_step *step, tk_matcher *matcher, const tk_words *words,
                       tk_span word, tk_spans *out)
{
    const tk_str s = { words->s + word.start, word.end - word.start };
    tk_pieces pieces = { .out = out, .base = word.start, .first = out->n };
    tk_search search = tk_search_begin(step->pattern, matcher, s);
    tk_span match;
    size_t from = 0;

    while (tk_search_next(&search, &match)) {
        if (from != match.start)
            piece(&pieces, step->behaviour, from, match.start, step->invert);
        piece(&pieces, step->behaviour, match.start, match.end, !step->invert);
        from = match.end;
    }
    if (from != s.n)
        piece(&pieces, step->behaviour, from, s.n, step->invert);
    drop_empty(out, pieces.first);
}

static void split_all(const tk_step *step, tk_matcher *matcher, tk_words *words)
{
    tk_spans *out = &words->spare;

    out->n = 0;
    for (size_t i = 0; i < words->span.n; i++)
        split_word(step, matcher, words, words->span.v[i], out);
    const tk_spans old = words->span;
    words->span = *out;
    words->spare = old;
}

static void put(const tk_step *step, tk_str s, tk_text *out)
{
    if (step->kind == TK_LETTERS) {
        tk_text_add_letters(out, s.s, s.n);
        return;
    }
    size_t from = 0;
    for (size_t at; (at = tk_find(s, from, tk_cstr(" "))) != SIZE_MAX; from = at + 1) {
        tk_text_add(out, s.s + from, at - from);
        tk_text_add(out, step->mark.s, step->mark.n);
    }
    tk_text_add(out, s.s + from, s.n - from);
}

static bool lacks_mark(const tk_step *step, tk_str word, bool first)
{
    if (step->kind != TK_MARK || step->scheme == TK_NEVER || (step->scheme == TK_FIRST && !first))
        return false;
    return *word.s != ' ' && // which becomes a mark
           !(word.n >= step->mark.n && tk_equal((tk_str){ word.s, step->mark.n }, step->mark));
}

// Rewrite every word into the buffer that they do not stand in. They keep their order and lie one
// behind the other afterwards.
static void rewrite(const tk_step *step, tk_words *words)
{
    words->in = !words->in;
    tk_text *out = &words->text[words->in];
    size_t head = 0;
    out->n = 0;
    for (size_t i = 0; i < words->span.n; i++) {
        tk_span *span = &words->span.v[i];
        const tk_str word = { words->s + span->start, span->end - span->start };
        const size_t before = words->head > span->start ? words->head - span->start : 0;
        const size_t in_head = before < word.n ? before : word.n;
        const size_t start = out->n;
        if (lacks_mark(step, word, in_head > 0))
            tk_text_add(out, step->mark.s, step->mark.n);
        put(step, (tk_str){ word.s, in_head }, out);
        if (in_head > 0)
            head = out->n;
        put(step, (tk_str){ word.s + in_head, word.n - in_head }, out);
        *span = (tk_span){ start, out->n };
    }
    words->head = head;
    words->s = out->s;
}

void tk_split(const tk_steps *steps, tk_matcher *matcher, tk_str segment, size_t head,
              tk_words *words)
{
    const tk_step letters = { .kind = TK_LETTERS };

    words->s = segment.s;
    words->letters = false;
    words->head = head;
    words->span.n = 0;
    if (segment.n > 0)
        tk_spans_add(&words->span, 0, segment.n);
    for (size_t i = 0; i < steps->n && words->span.n > 0 && !words->failed; i++) {
        const tk_step *step = &steps->step[i];
        if (words->letters) // they are written out only when a later step looks at them
            rewrite(&letters, words);
        words->letters = step->kind == TK_LETTERS;
        if (step->kind == TK_SPLIT)
            split_all(step, matcher, words);
        else if (step->kind == TK_MARK)
            rewrite(step, words);
        words->failed = words->span.failed || words->spare.failed || words->text[0].failed ||
                        words->text[1].failed;
    }
}
