// The letters by which byte-level vocabularies write bytes.
#include "letters.h"

// Bytes 0x00–0x20, 0x7f–0xa0 and 0xad are not printable: 33 + 34 + 1 letters from U+0100 on.
uint32_t tk_letter(unsigned char byte)
{
    if (byte <= 0x20)
        return 0x100u + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x100u + 33 + (byte - 0x7fu);
    return byte == 0xad ? 0x100u + 67 : byte;
}

int tk_letter_byte(uint32_t code)
{
    if (code < 0x100)
        return tk_letter((unsigned char)code) == code ? (int)code : -1;
    if (code < 0x100 + 33)
        return (int)code - 0x100;
    if (code < 0x100 + 67)
        return (int)code - 0x100 - 33 + 0x7f;
    return code == 0x100 + 67 ? 0xad : -1;
}

void tk_text_add_letters(tk_text *text, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char letter[4];
        tk_text_add(text, letter, tk_char_put(letter, tk_letter((unsigned char)s[i])));
    }
}
