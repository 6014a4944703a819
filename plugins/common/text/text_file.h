// Files of running text: their documents, and rows of token ids of a fixed length.
//
// A plain file is one document, or each of its lines that is not blank; a .jsonl or .json file (.gz
// too) holds a document a line, in one field of an object.
#ifndef COMMON_TEXT_FILE_H
#define COMMON_TEXT_FILE_H

#include <cull/cull.h>

#include "common/python/python_text.h"

enum text_documents { TEXT_FILE, TEXT_LINE };
enum text_bos { TEXT_BOS_ROW, TEXT_BOS_ONCE, TEXT_BOS_NONE };

static const char *const text_documents_names[] = { "file", "line", NULL };
static const char *const text_bos_names[] = { "row", "once", "none", NULL };

typedef struct text_reading {
    enum text_documents documents;
    const char *field; // of a jsonl object
    const char *join;  // TEXT_FILE: what stands between the documents of a jsonl file
    size_t first;      // documents of a file; 0: all
} text_reading;

typedef struct text_file {
    const char *path, *name; // name: without folder and ending
    size_t n;
    const span *document;       // (n) valid UTF-8
    const char **chat_template; // (n) of jsonl lines that say so in "template", else NULL; or NULL
} text_file;

// "dir/facts.heldout.txt" → "facts.heldout"
cull_status text_file_name(cull_ctx *, const char *path, const char **out);
// All files; two of one name are refused.
cull_status text_files_read(cull_ctx *, cull_texts paths, const text_reading *, text_file **out);

// Rows of `length` ids each, consecutive and disjoint; a document's last partial row is dropped.
//   TEXT_BOS_ROW   BOS and the next length − 1 ids of the text, which is encoded once as a whole
//   TEXT_BOS_ONCE  the text is encoded once, with the special tokens that the tokenizer adds
//   TEXT_BOS_NONE  without any
typedef struct text_rows {
    size_t n, length;
    const int32_t *ids;   // (n, length)
    const size_t *within; // (n) ordinal of the document that a row is of
    size_t tokens;        // ids that the documents have in all
} text_rows;

cull_status text_rows_make(cull_ctx *, const cull_text *, const text_file *, size_t length,
                           enum text_bos, text_rows *out);

#endif
