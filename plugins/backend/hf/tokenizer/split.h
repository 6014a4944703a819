// Pre-tokenization: a segment of text becomes words, by steps that split each word or rewrite its
// text.
//
// All pre-tokenizers of a tokenizer.json are compositions of three steps, so a Sequence is a flat
// list.
#ifndef HF_TOKENIZER_SPLIT_H
#define HF_TOKENIZER_SPLIT_H

#include "pattern/pattern.h"

typedef enum tk_behaviour { // what becomes of a match when a word is split
    TK_REMOVED,
    TK_ISOLATED,
    TK_MERGED_WITH_PREVIOUS,
    TK_MERGED_WITH_NEXT,
    TK_CONTIGUOUS, // neighbouring matches are one piece
} tk_behaviour;

typedef enum tk_scheme { TK_ALWAYS, TK_FIRST, TK_NEVER } tk_scheme;

typedef struct tk_step {
    enum { TK_SPLIT, TK_MARK, TK_LETTERS } kind;
    // TK_SPLIT
    const tk_pattern *pattern;
    tk_behaviour behaviour;
    bool invert; // what does not match counts as the match
    // TK_MARK: every blank becomes `mark`, and a word that does not begin with it gets one in
    // front: always, never, or only the word at the text's very beginning
    tk_str mark;
    tk_scheme scheme;
    // TK_LETTERS: every byte becomes its byte-level letter
} tk_step;

enum { TK_MOST_STEPS = 64 };

typedef struct tk_steps {
    tk_step step[TK_MOST_STEPS];
    size_t n;
} tk_steps;

// Of a Metaspace.
cull_status tk_get_scheme(const tk_node *node, tk_scheme *out);

// null: no step at all.
cull_status tk_steps_read(const tk_node *node, tk_pattern **list, tk_steps *steps);

// A segment's words. Zero to begin with; released once.
typedef struct tk_words {
    const char *s; // the text that spans point into: the segment itself, or one of `text`
    tk_spans span, spare;
    tk_text text[2];
    int in; // the buffer that was last written to
    size_t
        head; // so many bytes of s stem from the whole text's first character, or stand before it
    bool letters; // each byte of s stands for its byte-level letter
    bool failed;
} tk_words;

// head: so many bytes of the segment stem from the whole text's first character; 0 where it begins
// later.
void tk_split(const tk_steps *steps, tk_matcher *matcher, tk_str segment, size_t head,
              tk_words *words);
void tk_words_release(tk_words *words);

#endif
