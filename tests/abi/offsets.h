// Where fields of the binary interface stand, and how large its structs are at least.
#ifndef CULL_TESTS_OFFSETS_H
#define CULL_TESTS_OFFSETS_H

#include <stddef.h>

#define AT(T, field, offset)                                                                       \
    _Static_assert(offsetof(T, field) == (offset), #T "." #field " has moved")
#define SIZE(T, size)  _Static_assert(sizeof(T) >= (size), #T " has shrunk")
#define FIXED(T, size) _Static_assert(sizeof(T) == (size), #T " is fixed")

#endif
