// Patterns of Python's re in PCRE2's words, where both would take them and mean different things.
#ifndef COMMON_PYTHON_PATTERN_H
#define COMMON_PYTHON_PATTERN_H

#include <stddef.h>

// Writes up to a NUL that is not counted, or only counts if `out` is NULL; ends early, between two
// items, once `most` bytes are written. *used: bytes written. Returns the bytes of `pattern` read.
size_t python_pattern(const char *pattern, size_t most, char *out, size_t *used);

#endif
