// Amounts in thousands, millions and so on.
#include "base/amount.h"

#include <stdio.h>

const char *cull_amount_text(double n, char *buf, size_t size)
{
    static const char *const units[] = { "", " k", " M", " G", " T", " P" };
    size_t u = 0;

    for (; n >= 1000 && u < 5; u++)
        n /= 1000;
    snprintf(buf, size, u ? "%.1f%s" : "%.0f%s", n, units[u]);
    return buf;
}

const char *cull_bytes_text(double n, char *buf, size_t size)
{
    char amount[24];

    snprintf(buf, size, "%s%sB", cull_amount_text(n, amount, sizeof amount), n < 1000 ? " " : "");
    return buf;
}
