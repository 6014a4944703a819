// The byte-level alphabet of GPT-2: each byte as a printable character, so that any bytes are a
// string. Printable Latin-1 stands for itself, the others for U+0100 on, in order.
#ifndef HF_TOKENIZER_LETTERS_H
#define HF_TOKENIZER_LETTERS_H

#include "text.h"

uint32_t tk_letter(unsigned char byte);
int tk_letter_byte(uint32_t code); // the byte that a letter stands for, −1: not a letter
void tk_text_add_letters(tk_text *text, const char *s, size_t n); // the letters of n bytes

#endif
