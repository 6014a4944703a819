// Properties of characters as `tokenizers` sees them: its normal forms and accents are those of
// Unicode 9, the rest is that of Rust's standard library.
#ifndef HF_TOKENIZER_UNICODE_H
#define HF_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool tk_is_space(uint32_t code); // White_Space
bool tk_is_word(uint32_t code);  // \w: Alphabetic, M, Nd, Pc, Join_Control

bool tk_is_mark(uint32_t code);   // an accent to be stripped
bool tk_is_newer(uint32_t code);  // the normal forms leave it alone, and nothing composes across it
uint32_t tk_lower(uint32_t code); // but for U+0130, which becomes two characters

// Is it one of the characters that came with Unicode 15 to 16, in one of these general categories?
// They are separated by blanks; a first letter stands for several.
bool tk_since_14(uint32_t code, const char *categories);

#endif
