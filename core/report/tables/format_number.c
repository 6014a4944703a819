// Numbers as tables show them.
#include "report/tables/format_number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER = 96 };

// Without the sign of a zero.
static void bare_zero(char *text)
{
    if ((*text == '-' || *text == '+') && text[strspn(text, "-+0.")] == '\0')
        memmove(text, text + 1, strlen(text));
}

void cull_show_signed(char *to, size_t room, double x, int digits)
{
    snprintf(to, room, "%+.*f", digits, x);
    bare_zero(to);
}

void cull_show_share(char *to, size_t room, double share)
{
    char number[NUMBER];

    snprintf(number, sizeof number, "%.1f", 100 * share);
    bare_zero(number);
    snprintf(to, room, "%s%s", isfinite(share) ? number : "", isfinite(share) ? " %" : "");
}

void cull_show_number(char *to, size_t room, double x, enum cull_law law)
{
    const double size = fabs(x);

    if (isnan(x))
        snprintf(to, room, "–");
    else if (law == CULL_LAW_EXP && size >= 1e5)
        snprintf(to, room, "%.2e", x);
    else
        snprintf(to, room, "%.*f",
                 size >= 1000          ? 1
                 : size >= 100         ? 2
                 : law == CULL_LAW_EXP ? 3
                                       : 4,
                 x);
    bare_zero(to);
}

void cull_show_value(char *to, size_t room, const cull_estimate *e, enum cull_law law)
{
    char value[NUMBER], error[NUMBER];

    cull_show_number(value, sizeof value, e->value, law);
    cull_show_number(error, sizeof error, e->error, law);
    if (isnan(e->value) || isnan(e->error))
        snprintf(to, room, "%s", value);
    else
        snprintf(to, room, "%s ±%s", value, error);
}

void cull_show_sd(char *to, size_t room, const cull_estimate *e, enum cull_law law)
{
    char sd[NUMBER];

    cull_show_number(sd, sizeof sd, e->sd, law);
    snprintf(to, room, "%s", isnan(e->sd) ? "" : sd);
}

void cull_show_difference(char *to, size_t room, const cull_difference *d, enum cull_law law)
{
    const bool ratio = law == CULL_LAW_EXP;
    const double value = ratio ? 100 * expm1(d->value) : d->value;
    const double low = ratio ? 100 * expm1(d->low) : d->low;
    const double high = ratio ? 100 * expm1(d->high) : d->high;
    const int digits = !ratio ? 4 : fabs(value) < 100 ? 1 : 0;
    const char *unit = ratio ? " %" : "";
    char shown[3][NUMBER];

    cull_show_signed(shown[0], NUMBER, value, digits);
    cull_show_signed(shown[1], NUMBER, low, digits);
    cull_show_signed(shown[2], NUMBER, high, digits);
    if (isnan(value))
        snprintf(to, room, "–");
    else if (isnan(low) || isnan(high))
        snprintf(to, room, "%s%s", shown[0], unit);
    else
        snprintf(to, room, "%s%s [%s, %s]", shown[0], unit, shown[1], shown[2]);
}

void cull_show_p(char *to, size_t room, double p)
{
    if (isnan(p))
        snprintf(to, room, "–");
    else if (p < 0.0001)
        snprintf(to, room, "<0.0001");
    else
        snprintf(to, room, "%.4f", p);
}

void cull_put_difference(cull_table *t, size_t column, const cull_difference *d, enum cull_law law)
{
    const double parts[] = { d->value, d->low, d->high };

    for (size_t i = 0; i < 3; i++)
        cull_table_real(t, column + i, law == CULL_LAW_EXP ? expm1(parts[i]) : parts[i]);
    cull_table_real(t, column + 3, d->p);
}
