// Properties of characters as Rust's standard library and its crate regex see them.
#ifndef HF_TOKENIZER_UNICODE_H
#define HF_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool tk_is_space(uint32_t code); // White_Space
bool tk_is_word(uint32_t code);  // \w: Alphabetic, M, Nd, Pc, Join_Control

#endif
