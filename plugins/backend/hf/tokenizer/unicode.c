// Unicode as the reference tokenizers know it.
#include "unicode.h"

#include <stddef.h>
#include <utf8proc.h>

typedef struct range {
    uint32_t first, last;
} range;

// What came after Unicode 9 and is a mark or has a decomposition (all forms), or composes.
static const range normal_after_9[] = {
    { 0x7fd, 0x7fd },     { 0x898, 0x89f },     { 0x8ca, 0x8d3 },     { 0x9fe, 0x9fe },
    { 0xc3c, 0xc3c },     { 0xd3b, 0xd3c },     { 0xeba, 0xeba },     { 0x1715, 0x1715 },
    { 0x1abf, 0x1ace },   { 0x1df6, 0x1dfa },   { 0x32ff, 0x32ff },   { 0xa7f2, 0xa7f4 },
    { 0xa82c, 0xa82c },   { 0xab69, 0xab69 },   { 0x10781, 0x10785 }, { 0x10787, 0x107b0 },
    { 0x107b2, 0x107ba }, { 0x10d24, 0x10d27 }, { 0x10eab, 0x10eac }, { 0x10efd, 0x10eff },
    { 0x10f46, 0x10f50 }, { 0x10f82, 0x10f85 }, { 0x11070, 0x11070 }, { 0x1133b, 0x1133b },
    { 0x1145e, 0x1145e }, { 0x11839, 0x1183a }, { 0x11930, 0x11930 }, { 0x11935, 0x11935 },
    { 0x11938, 0x11938 }, { 0x1193d, 0x1193e }, { 0x11943, 0x11943 }, { 0x119e0, 0x119e0 },
    { 0x11a34, 0x11a34 }, { 0x11a47, 0x11a47 }, { 0x11a99, 0x11a99 }, { 0x11d42, 0x11d42 },
    { 0x11d44, 0x11d45 }, { 0x11d97, 0x11d97 }, { 0x11f41, 0x11f42 }, { 0x16ff0, 0x16ff1 },
    { 0x1e030, 0x1e06d }, { 0x1e08f, 0x1e08f }, { 0x1e130, 0x1e136 }, { 0x1e2ae, 0x1e2ae },
    { 0x1e2ec, 0x1e2ef }, { 0x1e4ec, 0x1e4ef }, { 0x1f16c, 0x1f16c }, { 0x1fbf0, 0x1fbf9 },
};

// Where Unicode 9 and 15 disagree on what is a mark.
static const range mark_differs[] = {
    { 0x7fd, 0x7fd },     { 0x898, 0x89f },     { 0x8ca, 0x8d3 },     { 0x9fe, 0x9fe },
    { 0xafa, 0xaff },     { 0xb55, 0xb55 },     { 0xc04, 0xc04 },     { 0xc3c, 0xc3c },
    { 0xcf3, 0xcf3 },     { 0xd00, 0xd00 },     { 0xd3b, 0xd3c },     { 0xd81, 0xd81 },
    { 0xeba, 0xeba },     { 0xece, 0xece },     { 0x1715, 0x1715 },   { 0x180f, 0x180f },
    { 0x1abf, 0x1ace },   { 0x1cf2, 0x1cf3 },   { 0x1cf7, 0x1cf7 },   { 0x1df6, 0x1dfa },
    { 0xa82c, 0xa82c },   { 0xa8ff, 0xa8ff },   { 0x10d24, 0x10d27 }, { 0x10eab, 0x10eac },
    { 0x10efd, 0x10eff }, { 0x10f46, 0x10f50 }, { 0x10f82, 0x10f85 }, { 0x11070, 0x11070 },
    { 0x11073, 0x11074 }, { 0x110c2, 0x110c2 }, { 0x11145, 0x11146 }, { 0x111c9, 0x111c9 },
    { 0x111ce, 0x111cf }, { 0x11241, 0x11241 }, { 0x1133b, 0x1133b }, { 0x1145e, 0x1145e },
    { 0x1182c, 0x1183a }, { 0x11930, 0x11935 }, { 0x11937, 0x11938 }, { 0x1193b, 0x1193e },
    { 0x11940, 0x11940 }, { 0x11942, 0x11943 }, { 0x119d1, 0x119d7 }, { 0x119da, 0x119e0 },
    { 0x119e4, 0x119e4 }, { 0x11a01, 0x11a0a }, { 0x11a33, 0x11a39 }, { 0x11a3b, 0x11a3e },
    { 0x11a47, 0x11a47 }, { 0x11a51, 0x11a5b }, { 0x11a8a, 0x11a99 }, { 0x11d31, 0x11d36 },
    { 0x11d3a, 0x11d3a }, { 0x11d3c, 0x11d3d }, { 0x11d3f, 0x11d45 }, { 0x11d47, 0x11d47 },
    { 0x11d8a, 0x11d8e }, { 0x11d90, 0x11d91 }, { 0x11d93, 0x11d97 }, { 0x11ef3, 0x11ef6 },
    { 0x11f00, 0x11f01 }, { 0x11f03, 0x11f03 }, { 0x11f34, 0x11f3a }, { 0x11f3e, 0x11f42 },
    { 0x13440, 0x13440 }, { 0x13447, 0x13455 }, { 0x16f4f, 0x16f4f }, { 0x16f7f, 0x16f87 },
    { 0x16fe4, 0x16fe4 }, { 0x16ff0, 0x16ff1 }, { 0x1cf00, 0x1cf2d }, { 0x1cf30, 0x1cf46 },
    { 0x1e08f, 0x1e08f }, { 0x1e130, 0x1e136 }, { 0x1e2ae, 0x1e2ae }, { 0x1e2ec, 0x1e2ef },
    { 0x1e4ec, 0x1e4ef },
};

// Capital letters that came after Unicode 15, or have got a small one since.
static const struct {
    uint32_t first, last;
    int32_t to_small;
} lower_after_15[] = {
    { 0x1c89, 0x1c89, 1 },    { 0xa7cb, 0xa7cb, -42343 }, { 0xa7cc, 0xa7cc, 1 },
    { 0xa7ce, 0xa7ce, 1 },    { 0xa7d2, 0xa7d2, 1 },      { 0xa7d4, 0xa7d4, 1 },
    { 0xa7da, 0xa7da, 1 },    { 0xa7dc, 0xa7dc, -42561 }, { 0x10d50, 0x10d65, 32 },
    { 0x16ea0, 0x16eb8, 27 },
};

static bool among(const range *ranges, size_t n, uint32_t code)
{
    size_t low = 0;

    while (low < n) {
        const size_t middle = low + (n - low) / 2;
        if (code > ranges[middle].last)
            low = middle + 1;
        else if (code < ranges[middle].first)
            n = middle;
        else
            return true;
    }
    return false;
}

bool tk_is_newer(uint32_t code)
{
    return among(normal_after_9, sizeof normal_after_9 / sizeof *normal_after_9, code);
}

bool tk_is_mark(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    const bool mark = category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
                      category == UTF8PROC_CATEGORY_ME;

    return mark != among(mark_differs, sizeof mark_differs / sizeof *mark_differs, code);
}

uint32_t tk_lower(uint32_t code)
{
    for (size_t i = 0; i < sizeof lower_after_15 / sizeof *lower_after_15; i++) {
        if (code >= lower_after_15[i].first && code <= lower_after_15[i].last)
            return code + (uint32_t)lower_after_15[i].to_small;
    }
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
}

bool tk_is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

// Alphabetic is L, Nl, and Other_Alphabetic, of which only enclosed letters are not M. utf8proc may
// be older than the crate regex (Unicode 16).
bool tk_is_word(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return tk_since_14(code, "L M Nd Pc") || code == 0x200c || code == 0x200d ||
               (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
               (code >= 0x1f150 && code <= 0x1f169) || (code >= 0x1f170 && code <= 0x1f189);
    }
}
