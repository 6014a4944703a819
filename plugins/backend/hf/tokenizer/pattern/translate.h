// Translating Oniguruma's syntax into PCRE2's: what the parts of the translator share.
//
// `tokenizers` runs its patterns with Oniguruma (Unicode 16). The pattern is parsed and written
// anew for PCRE2 with UTF, UCP and MULTILINE, construct by construct; one that is not known is
// refused by name. Not followed: case-insensitive matches of one character against several (ß, ss).
#ifndef HF_TOKENIZER_TRANSLATE_H
#define HF_TOKENIZER_TRANSLATE_H

#include "scan.h"

// After a backslash: a character written by its number or letter. *found is false, and nothing is
// taken, when something else stands there.
cull_status tk_scan_escape(tk_scan *scan, uint32_t *code, bool *found);
// After a backslash: a set of characters, as what stands between [ and ] of a class. *set is NULL,
// and nothing is taken, when something else stands there.
cull_status tk_scan_set(tk_scan *scan, bool in_class, tk_text *set, bool *found, bool *negated);
// At the [ of a class: appended to out as something that matches one character.
cull_status tk_scan_class(tk_scan *scan, tk_text *out);

// A property's set, by name as in \p{name} or [:name:]; false: there is no such property.
bool tk_property(tk_str name, tk_text *set);

#endif
