// The pre-tokenizers of a tokenizer.json as steps.
#include "split.h"

#include <string.h>

// Pre-tokenizers that are one split by a fixed pattern, with the properties that Rust's library
// (Unicode 17), its crate regex (\w: Alphabetic, M, Nd, Pc, Join_Control) and its crate
// unicode_categories (Unicode 7) give to characters.
#define NUMBER "[\\p{N}\\x{11DE0}-\\x{11DE9}\\x{16FF4}-\\x{16FF6}]"
#define WORD   "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}"
#define GPT2   "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define NEW_PUNCTUATION                                                                            \
    "\\x{61D}\\x{9FD}\\x{A76}\\x{C77}\\x{C84}\\x{1B4E}-\\x{1B4F}\\x{1B7D}-\\x{1B7F}"               \
    "\\x{2E43}-\\x{2E4F}\\x{2E52}-\\x{2E5D}\\x{10D6E}\\x{10EAD}\\x{10F55}-\\x{10F59}"              \
    "\\x{10F86}-\\x{10F89}\\x{113D4}-\\x{113D5}\\x{113D7}-\\x{113D8}\\x{1144B}-\\x{1144F}"         \
    "\\x{1145A}-\\x{1145B}\\x{1145D}\\x{11660}-\\x{1166C}\\x{116B9}\\x{1183B}"                     \
    "\\x{11944}-\\x{11946}\\x{119E2}\\x{11A3F}-\\x{11A46}\\x{11A9A}-\\x{11A9C}"                    \
    "\\x{11A9E}-\\x{11AA2}\\x{11B00}-\\x{11B09}\\x{11BE1}\\x{11C41}-\\x{11C45}"                    \
    "\\x{11C70}-\\x{11C71}\\x{11EF7}-\\x{11EF8}\\x{11F43}-\\x{11F4F}\\x{11FFF}"                    \
    "\\x{12FF1}-\\x{12FF2}\\x{16D6D}-\\x{16D6F}\\x{16E97}-\\x{16E9A}\\x{16FE2}\\x{1E5FF}"          \
    "\\x{1E95E}-\\x{1E95F}"
#define PUNCTUATION "[[!-/:-@\\[-`{-~\\p{P}\\x{166D}\\x{111C9}]&&[^" NEW_PUNCTUATION "]]"

static cull_status add_step(const tk_node *node, tk_step step, tk_steps *steps)
{
    if (steps->n == TK_MOST_STEPS)
        return tk_wrong(node, CULL_ENOTSUP, "more than %d steps", TK_MOST_STEPS);
    steps->step[steps->n++] = step;
    return CULL_OK;
}

static cull_status add_split(const tk_node *node, const char *regex, tk_behaviour behaviour,
                             bool invert, tk_pattern **list, tk_steps *steps)
{
    tk_step step = { .kind = TK_SPLIT, .behaviour = behaviour, .invert = invert };

    CULL_TRY(tk_pattern_regex(node, tk_cstr(regex), list, &step.pattern));
    return add_step(node, step, steps);
}

static cull_status get_behaviour(const tk_node *node, tk_behaviour *out)
{
    static const char *const words[] = { "Removed",        "Isolated",   "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous", NULL };
    size_t word = 0;

    CULL_TRY(tk_get_word(node, words, &word));
    *out = (tk_behaviour)word;
    return CULL_OK;
}

static cull_status read_split(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    const tk_node pattern = tk_field(node, "pattern"), behaviour = tk_field(node, "behavior");
    const tk_node invert = tk_field(node, "invert");
    tk_step step = { .kind = TK_SPLIT };

    CULL_TRY(tk_pattern_read(&pattern, list, &step.pattern));
    CULL_TRY(get_behaviour(&behaviour, &step.behaviour));
    CULL_TRY(tk_get_bool(&invert, false, &step.invert));
    return add_step(node, step, steps);
}

static cull_status read_byte_level(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    const tk_node prefix = tk_field(node, "add_prefix_space"),
                  use_regex = tk_field(node, "use_regex");
    bool space, regex;

    CULL_TRY(tk_get_bool(&prefix, true, &space));
    CULL_TRY(tk_get_bool(&use_regex, true, &regex));
    const tk_step mark = { .kind = TK_MARK, .mark = tk_cstr(" "), .scheme = TK_ALWAYS };
    if (space)
        CULL_TRY(add_step(node, mark, steps));
    if (regex)
        CULL_TRY(add_split(node, GPT2, TK_ISOLATED, false, list, steps));
    return add_step(node, (tk_step){ .kind = TK_LETTERS }, steps);
}

static cull_status read_digits(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    const tk_node each = tk_field(node, "individual_digits");
    bool individual;

    CULL_TRY(tk_get_bool(&each, false, &individual));
    return add_split(node, NUMBER, individual ? TK_ISOLATED : TK_CONTIGUOUS, false, list, steps);
}

// Files from before prepend_scheme say add_prefix_space.
cull_status tk_get_scheme(const tk_node *node, tk_scheme *out)
{
    static const char *const words[] = { "always", "first", "never", NULL };
    const tk_node scheme = tk_field(node, "prepend_scheme"),
                  old = tk_field(node, "add_prefix_space");
    bool prefix;

    CULL_TRY(tk_get_bool(&old, true, &prefix));
    size_t word = prefix ? TK_ALWAYS : TK_NEVER;
    if (!tk_absent(&scheme))
        CULL_TRY(tk_get_word(&scheme, words, &word));
    *out = (tk_scheme)word;
    return CULL_OK;
}

static cull_status read_metaspace(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    const tk_node replacement = tk_field(node, "replacement"), split = tk_field(node, "split");
    tk_step mark = { .kind = TK_MARK };
    tk_step cut = { .kind = TK_SPLIT, .behaviour = TK_MERGED_WITH_NEXT };
    bool splits;

    CULL_TRY(tk_get_char(&replacement, &mark.mark));
    CULL_TRY(tk_get_scheme(node, &mark.scheme));
    CULL_TRY(tk_get_bool(&split, true, &splits));
    CULL_TRY(add_step(node, mark, steps));
    if (!splits)
        return CULL_OK;
    CULL_TRY(tk_pattern_literal(node, mark.mark, list, &cut.pattern));
    return add_step(node, cut, steps);
}

static cull_status read_whitespace(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    return add_split(node, "[" WORD "]+|[^" WORD "\\s]+", TK_REMOVED, true, list, steps);
}

static cull_status read_whitespace_split(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    return add_split(node, "\\s", TK_REMOVED, false, list, steps);
}

static cull_status read_punctuation(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    const tk_node behaviour = tk_field(node, "behavior");
    tk_behaviour what = TK_ISOLATED;

    if (!tk_absent(&behaviour))
        CULL_TRY(get_behaviour(&behaviour, &what));
    return add_split(node, PUNCTUATION, what, false, list, steps);
}

static cull_status read_one(const tk_node *node, tk_pattern **list, tk_steps *steps);

static cull_status read_sequence(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    const tk_node all = tk_field(node, "pretokenizers");
    size_t n = 0;

    CULL_TRY(tk_get_array(&all, &n));
    for (size_t i = 0; i < n; i++) {
        const tk_node item = tk_item(&all, i);
        CULL_TRY(read_one(&item, list, steps));
    }
    return CULL_OK;
}

static const struct {
    tk_kind kind;
    cull_status (*read)(const tk_node *, tk_pattern **, tk_steps *);
} kinds[] = {
    { { "ByteLevel", "type add_prefix_space trim_offsets use_regex" }, read_byte_level },
    { { "Digits", "type individual_digits" }, read_digits },
    { { "Metaspace", "type replacement prepend_scheme split add_prefix_space str_rep" },
      read_metaspace },
    { { "Punctuation", "type behavior" }, read_punctuation },
    { { "Sequence", "type pretokenizers" }, read_sequence },
    { { "Split", "type pattern behavior invert" }, read_split },
    { { "Whitespace", "type" }, read_whitespace },
    { { "WhitespaceSplit", "type" }, read_whitespace_split },
};

static cull_status read_one(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    size_t kind;

    CULL_TRY(tk_get_kind(node, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &kind));
    return kinds[kind].read(node, list, steps);
}

cull_status tk_steps_read(const tk_node *node, tk_pattern **list, tk_steps *steps)
{
    steps->n = 0;
    return tk_absent(node) ? CULL_OK : read_one(node, list, steps);
}
