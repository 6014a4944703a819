// Rows of token ids that somebody else has made.
#ifndef COMMON_TEXT_ID_ROWS_H
#define COMMON_TEXT_ID_ROWS_H

#include <cull/cull.h>

// Of .jsonl with [ID, …] or {"ids": [ID, …]} a line, or of .npy of two dimensions, int32 or int64.
// An object may also have an "attention_mask", whose zeros take their ids out, and say in
// "template" the hash of the chat template that it was rendered through.
// The rows in the file's order; they live as alloc memory. CULL_EFORMAT, with file and line:
// something is no token id, which is in [0, 2³¹); whether a model has it is not looked at.
cull_status id_rows_read(cull_ctx *, const char *path, cull_sequences *out);

#endif
