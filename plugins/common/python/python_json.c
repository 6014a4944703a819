// JSON as Python's json.dumps writes it.
#include "common/python/python_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/python/python_text.h"

static void put_text(FILE *out, span text)
{
    static const char escaped[] = "\"\\\n\r\t\f\b", letter[] = "\"\\nrtfb";
    size_t used;

    fputc('"', out);
    for (size_t i = 0; i < text.n; i += used) {
        const int32_t c = span_char(text, i, &used); // jansson's texts are valid
        const char *known = c > 0 && c < 128 ? strchr(escaped, c) : NULL;
        if (known)
            fprintf(out, "\\%c", letter[known - escaped]);
        else if (c >= ' ' && c <= '~')
            fputc(c, out);
        else if (c < 0x10000)
            fprintf(out, "\\u%04x", (unsigned)c);
        else
            fprintf(out, "\\u%04x\\u%04x", 0xD800 + (unsigned)((c - 0x10000) >> 10),
                    0xDC00 + (unsigned)((c - 0x10000) & 0x3FF));
    }
    fputc('"', out);
}

// repr(float): the shortest digits that read back, an exponent below 1e-4 and from 1e16 on.
static void put_real(FILE *out, double x)
{
    char text[40];
    int digits = 1;

    do
        snprintf(text, sizeof text, "%.*e", digits - 1, x);
    while (strtod(text, NULL) != x && ++digits <= 17);
    const long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (x != 0 && (exponent < -4 || exponent >= 16)) {
        snprintf(text, sizeof text, "%.*e", digits - 1, x);
        fputs(text, out);
        return;
    }
    snprintf(text, sizeof text, "%.*f", digits - 1 > exponent ? digits - 1 - (int)exponent : 1, x);
    fputs(text, out);
}

static void put_members(FILE *out, const json_t *value)
{
    const char *key, *between = "";
    const json_t *member;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        fputs(between, out);
        put_text(out, span_of(key));
        fputs(": ", out);
        py_json(out, member);
        between = ", ";
    }
}

void py_json(FILE *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        fputc('{', out);
        put_members(out, value);
        fputc('}', out);
        break;
    case JSON_ARRAY:
        fputc('[', out);
        for (size_t i = 0; i < json_array_size(value); i++) {
            fputs(i ? ", " : "", out);
            py_json(out, json_array_get(value, i));
        }
        fputc(']', out);
        break;
    case JSON_STRING:
        put_text(out, (span){ json_string_value(value), json_string_length(value) });
        break;
    case JSON_INTEGER:
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        put_real(out, json_real_value(value));
        break;
    default:
        fputs(json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null", out);
    }
}
