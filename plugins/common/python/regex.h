// Regular expressions as Python's re has them, by PCRE2: UTF-8, Unicode classes, lines end in \n.
// \s is str.isspace; python_pattern.c says what else is translated.
#ifndef COMMON_REGEX_H
#define COMMON_REGEX_H

#include "common/python/python_text.h"

typedef struct regex regex;

// `place` says where the pattern comes from. Free what was made. CULL_EFORMAT: not a pattern.
cull_status regex_new(cull_ctx *, const char *place, const char *pattern, regex **out);
void regex_free(regex *);
// Is it a pattern? As regex_new.
cull_status regex_check(cull_ctx *, const char *place, const char *pattern);

// re.findall(text)[select] as lm-evaluation-harness uses it: of a match with several groups the
// first that is not empty, with one group that group, else all of the match. select < 0 counts from
// the end. *found says whether there is one; *out borrows from text.
cull_status regex_find(cull_ctx *, const regex *, span text, int64_t select, bool *found,
                       span *out);

// re.sub(pattern, replacement, text) in alloc memory; \1 … are written $1 … in `replacement`.
cull_status regex_replace(cull_ctx *, const regex *, span text, const char *replacement, span *out);

#endif
