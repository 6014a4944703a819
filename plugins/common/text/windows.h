// Disjoint windows of text files, or rows of ids, each scored on all but its first id: what
// `perplexity` and `divergence` measure.
#ifndef COMMON_WINDOWS_H
#define COMMON_WINDOWS_H

#include "common/text/text_file.h"

// As text_documents, or rows of token ids, each a window.
enum { WINDOWS_IDS = TEXT_LINE + 1, WINDOWS_LENGTH = 2048 };
static const char *const windows_documents_names[] = { "file", "line", "ids", NULL };

typedef struct windows_of {
    const char *name; // the task
    size_t first, n;  // its requests
} windows_of;

typedef struct windows {    // a cull_requests' state
    size_t n, seqlen;       // seqlen: of the longest
    const windows_of *file; // (n)
    const char *bos;        // word of the policy, for the record
    char hash[65];          // of all ids
} windows;

typedef struct windows_wanted {
    cull_texts files;
    bool ids; // the files hold rows of ids
    text_reading reading;
    size_t seqlen, rows_per_file;
    enum text_bos bos;
    uint32_t wants;
} windows_wanted;

// Refuses what would have no effect: rows of ids are windows as they are.
cull_status windows_check(cull_ctx *, const windows_wanted *);
cull_status windows_prepare(cull_ctx *, const cull_text *, const windows_wanted *,
                            cull_requests *out);
cull_status windows_attributes(cull_ctx *, const windows *, const char *task, cull_report *out);

// The settings that go with it, rows of a settings table for struct S.
#define WINDOWS_PARAMS(S)                                                                          \
    CULL_P_PATHS(S, files, CULL_REQUIRED,                                                          \
                 "text files or globs, one task each: .txt, or .jsonl with a text a line; with "   \
                 "documents: ids .jsonl or .npy as the data reader ids has them"),                 \
        { .name = "length",                                                                        \
          .doc = "token ids in a window",                                                          \
          .type = CULL_INT,                                                                        \
          .offset = CULL_FIELD(S, seqlen, int64_t),                                                \
          .lo = 2,                                                                                 \
          .hi = 1 << 20,                                                                           \
          .def = WINDOWS_LENGTH },                                                                 \
        CULL_P_INT(S, seqlen, WINDOWS_LENGTH, 2, 1 << 20, "the same, by the papers' name"),        \
        CULL_P_INT(S, rows_per_file, 0, 0, 1 << 30,                                                \
                   "windows of each file, from the first on; 0: all; fewer is an error"),          \
        CULL_P_CHOICE(                                                                             \
            S, bos, TEXT_BOS_ROW, text_bos_names,                                                  \
            "BOS in front of each window (and one id of text less), once in front of the "         \
            "text as the tokenizer adds it, or nowhere"),                                          \
        CULL_P_CHOICE(S, documents, TEXT_FILE, windows_documents_names,                            \
                      "what a document is: a file, or each line; no window crosses two; ids: "     \
                      "each row of token ids is a window as it is, of any length, with its BOS"),  \
        CULL_P_TEXT(S, field, "text", 0, "the field of a jsonl line that holds the text"),         \
        CULL_P_TEXT(S, join, "\n\n", 0,                                                            \
                    "what stands between the texts of a jsonl file that is one document"),         \
        CULL_P_INT(S, first, 0, 0, 1 << 30, "documents read of each file; 0: all")

#define WINDOWS_WANTED(set, asked)                                                                 \
    {                                                                                              \
        .files = (set)->files, .ids = (set)->documents == WINDOWS_IDS,                             \
        .reading = { .documents = (enum text_documents)(set)->documents,                           \
                     .field = (set)->field,                                                        \
                     .join = (set)->join,                                                          \
                     .first = (size_t)(set)->first },                                              \
        .seqlen = (size_t)(set)->seqlen, .rows_per_file = (size_t)(set)->rows_per_file,            \
        .bos = (enum text_bos)(set)->bos, .wants = (asked)                                         \
    }

#endif
