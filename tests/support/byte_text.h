// A tokenizer for tests of metrics and data readers: a token a byte, id = 2 + byte; BOS is 0, EOS
// is 1. BOS decodes to "<s>", EOS to "</s>"; as text they are bytes like any other.
#ifndef CULL_TESTS_BYTE_TEXT_H
#define CULL_TESTS_BYTE_TEXT_H

#include <cull/cull.h>

cull_text byte_text(size_t max_positions); // encode with CULL_SPECIAL puts BOS in front

#endif
