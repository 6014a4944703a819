// Large numbers as people read them.
#ifndef CULL_BASE_AMOUNT_H
#define CULL_BASE_AMOUNT_H

#include <stddef.h>

// Into buf, which is returned: "976", "53.0 k", "1.1 G".
const char *cull_amount_text(double n, char *buf, size_t size);

// "976 B", "53.0 kB".
const char *cull_bytes_text(double n, char *buf, size_t size);

#endif
