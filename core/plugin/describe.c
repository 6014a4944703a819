// `cull describe`: a plugin's prose and settings, from its own table.
#include "plugin/describe.h"

#include <string.h>

#include <cull/cull.h>

#include "plugin/kind.h"
#include "plugin/settings.h"

enum { WIDTH = 80 };

// ---- prose ----

// One paragraph, n bytes, folded at WIDTH columns and indented.
static void fold(cull_buf *out, const char *text, size_t n, size_t indent)
{
    size_t column = 0;

    for (size_t i = 0; i < n;) {
        const size_t gap = strspn(text + i, " ");
        i += gap < n - i ? gap : n - i;
        size_t length = strcspn(text + i, " \n");
        length = length < n - i ? length : n - i;
        const size_t wide = cull_utf8_length(text + i, length);
        if (column && column + 1 + wide > WIDTH) {
            cull_buf_puts(out, "\n");
            column = 0;
        }
        if (!column)
            cull_buf_printf(out, "%*s", (int)indent, "");
        cull_buf_puts(out, column ? " " : "");
        cull_buf_add(out, text + i, length);
        column += column ? 1 + wide : indent + wide;
        i += length;
    }
    cull_buf_puts(out, "\n");
}

// Lines end paragraphs. BibTeX (from '@' to the end) stays as it is.
static void put_prose(cull_buf *out, const char *text, size_t indent, bool markdown)
{
    bool verbatim = false;

    while (*text) {
        const size_t n = strcspn(text, "\n");
        const bool begins = !verbatim && *text == '@';
        verbatim = verbatim || begins;
        if (begins && markdown)
            cull_buf_puts(out, "\n```bibtex\n");
        if (verbatim || markdown)
            cull_buf_printf(out, "%*s%.*s\n", markdown || !n ? 0 : (int)indent, "", (int)n, text);
        else if (n)
            fold(out, text, n, indent);
        else
            cull_buf_puts(out, "\n");
        text += n + (text[n] == '\n');
    }
    if (verbatim && markdown)
        cull_buf_puts(out, "```\n");
}

// ---- settings ----

static const char *type_word(cull_type type)
{
    static const char *const words[] = {
        [CULL_BOOL] = "true or false",
        [CULL_INT] = "integer",
        [CULL_REAL] = "number",
        [CULL_TEXT] = "text",
        [CULL_PATH] = "path",
        [CULL_CHOICE] = "word",
        [CULL_TEXTS] = "list of texts",
        [CULL_PATHS] = "files (globs)",
        [CULL_INTS] = "list of integers",
    };

    return words[type];
}

static void put_bounds(cull_buf *out, const cull_param *p)
{
    const bool below = p->lo > CULL_ANY_LO, above = p->hi < CULL_ANY_HI;

    if (p->type != CULL_INT && p->type != CULL_REAL)
        return;
    if (below && above)
        cull_buf_printf(out, " in [%.15g, %.15g]", p->lo, p->hi);
    else if (below)
        cull_buf_printf(out, ", at least %.15g", p->lo);
    else if (above)
        cull_buf_printf(out, ", at most %.15g", p->hi);
}

static void put_type(cull_buf *out, const cull_param *p)
{
    if (p->type == CULL_CHOICE)
        for (const char *const *word = p->choices; *word; word++)
            cull_buf_printf(out, "%s%s", word == p->choices ? "" : " | ", *word);
    else
        cull_buf_puts(out, type_word(p->type));
    put_bounds(out, p);
    if (p->unit && *p->unit)
        cull_buf_printf(out, " (%s)", p->unit);
}

// Can it stand in a line without quotes?
static bool is_plain(const char *text)
{
    const char *c = text;

    while ((unsigned char)*c > ' ' && *c != 0x7f)
        c++;
    return c > text && !*c;
}

static void put_default(cull_buf *out, const cull_param *p, const void *defaults)
{
    if (p->flags & CULL_REQUIRED)
        cull_buf_puts(out, "required");
    else if (cull_setting_is_list(p))
        cull_buf_puts(out, "none");
    else if (p->type == CULL_TEXT && p->def_text && !is_plain(p->def_text))
        cull_buf_json(out, p->def_text, strlen(p->def_text));
    else
        cull_setting_show(p, defaults, out);
}

// In a cell of a Markdown table a bar would begin the next one.
static void put_cell(cull_buf *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            cull_buf_puts(out, "\\|");
        else
            cull_buf_add(out, *text == '\n' ? " " : text, 1);
}

static void put_row_markdown(cull_buf *out, const cull_param *p, const void *defaults)
{
    cull_buf type = CULL_BUF_INIT;

    put_type(&type, p);
    cull_buf_printf(out, "| `%s` | ", p->name);
    put_cell(out, type.s ? type.s : "");
    cull_buf_puts(out, " | ");
    put_default(out, p, defaults);
    cull_buf_puts(out, " | ");
    put_cell(out, p->doc);
    cull_buf_puts(out, " |\n");
    out->failed = out->failed || type.failed;
    cull_buf_release(&type);
}

static void put_row(cull_buf *out, const cull_param *p, const void *defaults)
{
    cull_buf_printf(out, "  %-16s ", p->name);
    put_type(out, p);
    cull_buf_puts(out, p->flags & CULL_REQUIRED ? "; " : "; default ");
    put_default(out, p, defaults);
    cull_buf_puts(out, "\n");
    fold(out, p->doc, strlen(p->doc), 19);
}

static void put_settings(cull_buf *out, const cull_plugin *plugin, const void *defaults,
                         bool markdown)
{
    cull_buf_puts(out, markdown ? "\n## Settings\n\n" : "\nSettings\n");
    if (!plugin->n_params)
        cull_buf_puts(out, markdown ? "None.\n" : "  none\n");
    else if (markdown)
        cull_buf_puts(out, "| setting | value | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < plugin->n_params; i++)
        (markdown ? put_row_markdown : put_row)(out, cull_setting_at(plugin, i), defaults);
}

// ---- what the vtable declares ----

typedef struct bit {
    uint32_t mask;
    const char *word, *text;
} bit;

static const bit stat_bits[] = {
#define STAT(name, letter, word, text) { CULL_STAT_##name, word, text },
    CULL_STAT_GROUPS(STAT)
#undef STAT
        { 0 },
};

static const bit form_bits[] = {
#define FORM(name, bits, words) { bits, NULL, words },
    CULL_FORMS(FORM)
#undef FORM
        { 0 },
};

static const bit emit_bits[] = {
    { 1u << CULL_ACTION_DROP, NULL, "drops experts" },
    { 1u << CULL_ACTION_ZERO, NULL, "zeroes experts" },
    { 1u << CULL_ACTION_NOVICE, NULL, "replaces experts by constants" },
    { 1u << CULL_ACTION_ALIAS, NULL, "lets experts serve for others" },
    { CULL_EMITS_MASK, NULL, "zeroes weights" },
    { CULL_EMITS_MATRIX, NULL, "rewrites matrices" },
    { CULL_EMITS_SKIP, NULL, "skips layers or their MoE part" },
    { CULL_EMITS_RULE, NULL, "changes the router's rule" },
    { CULL_EMITS_CHANNELS, NULL, "removes channels" },
    { 0 },
};

static void put_bits(cull_buf *out, const char *title, const bit *bits, uint32_t set, bool markdown)
{
    bool first = true;

    if (!set)
        return;
    cull_buf_printf(out, markdown ? "- %s: " : "%-9s ", title);
    for (; bits->mask; bits++) {
        if (!(set & bits->mask))
            continue;
        cull_buf_puts(out, first ? "" : markdown ? "; " : "\n          ");
        if (bits->word)
            cull_buf_printf(out, "%s (%s)", bits->word, bits->text);
        else
            cull_buf_puts(out, bits->text);
        first = false;
    }
    cull_buf_puts(out, "\n");
}

static void put_flag(cull_buf *out, const char *title, const char *text, bool markdown)
{
    cull_buf_printf(out, markdown ? "- %s: %s\n" : "%-9s %s\n", title, text);
}

static void put_declared(cull_buf *out, const cull_plugin *plugin, const void *defaults,
                         bool markdown)
{
    const cull_criterion *c = plugin->vtable;
    const cull_strategy *s = plugin->vtable;

    if (plugin->kind == CULL_CRITERION) {
        const uint32_t needs = c->needs_for ? c->needs_for(defaults) : c->needs;
        put_bits(out, "yields", form_bits, c->form_for ? c->form_for(defaults) : c->form, markdown);
        put_bits(out, "needs", stat_bits, needs, markdown);
        if (c->observer)
            put_flag(out, "observes", "a statistic of its own", markdown);
        if (c->flags & CULL_USES_SEED)
            put_flag(out, "draws on", "the seed", markdown);
    } else if (plugin->kind == CULL_STRATEGY) {
        put_bits(out, "takes", form_bits, s->accepts, markdown);
        put_bits(out, "emits", emit_bits, s->emits, markdown);
        put_bits(out, "needs", stat_bits, s->needs_for ? s->needs_for(defaults) : s->needs,
                 markdown);
        if (s->flags & CULL_USES_SEED)
            put_flag(out, "draws on", "the seed", markdown);
        if (s->flags & CULL_NO_BUDGET)
            put_flag(out, "budget",
                     s->picks_for && s->picks_for(defaults)
                         ? "of active parameters, unless its settings say what runs"
                         : "none: it takes no sparsity",
                     markdown);
        if (s->flags & CULL_BY_LAYER)
            put_flag(out, "decides", "layer by layer, inside the pass", markdown);
        if (s->flags & CULL_BY_EXPERT)
            put_flag(out, "ranks", "each decides about some of a layer's experts", markdown);
        if (s->flags & CULL_EITHER_WAY)
            put_flag(out, "decides", "all layers at once, or layer by layer where cuts propagate",
                     markdown);
        if (s->flags & CULL_LAYERS_APART)
            put_flag(out, "ranks",
                     "inside a pass each decides about some layers, unless cuts propagate",
                     markdown);
    }
}

cull_status cull_describe(cull_ctx *ctx, const cull_plugin *plugin, bool markdown, cull_buf *out)
{
    const char *kind = cull_kind_name(plugin->kind);
    void *defaults = NULL;

    CULL_TRY(cull_settings_new(ctx, plugin, &defaults));
    if (markdown)
        cull_buf_printf(out, "# %s `%s`\n\nVersion %s: %s\n\n", kind, plugin->name, plugin->version,
                        plugin->brief);
    else
        cull_buf_printf(out, "%s %s %s: %s\n\n", kind, plugin->name, plugin->version,
                        plugin->brief);
    if (plugin->doc)
        put_prose(out, plugin->doc, 0, markdown);
    if (plugin->kind == CULL_CRITERION || plugin->kind == CULL_STRATEGY)
        cull_buf_puts(out, "\n");
    put_declared(out, plugin, defaults, markdown);
    put_settings(out, plugin, defaults, markdown);
    if (plugin->cite && *plugin->cite) {
        cull_buf_puts(out, markdown ? "\n## Source\n\n" : "\nSource\n");
        put_prose(out, plugin->cite, 2, markdown);
    }
    return out->failed ? cull_no_memory(ctx) : CULL_OK;
}
