// A mix of calibration data: parts and their shares.
//
//   calibrate: { mix: [ { text: { … }, share: 0.3 }, { ids: { … }, share: 0.7 } ], tokens: 500000 }
#include "plugin/mix.h"

#include <math.h>
#include <string.h>

#include "plugin/settings.h"
#include "spec/reader.h"

struct share {
    double share;
};

static const cull_param share_param =
    CULL_P_REAL(struct share, share, 0, 0.0, 1.0, "of the mix's tokens");

static const cull_param tokens_param =
    CULL_P_INT(cull_mix, tokens, 0, 1, CULL_ANY_HI, "of the whole mix");

// A part is a reader with its settings, and `share` beside it.
static bool read_part(cull_reader *r, const cull_node *node, cull_mix_part *out)
{
    const cull_node *share = node->kind == CULL_MAP ? cull_node_get(node, "share") : NULL;

    if (!share || node->n != 2) {
        cull_problem_add(r->problems, node->place,
                         "mix: a part is a reader and its share, as { text: { … }, share: 0.3 }");
        return false;
    }
    const size_t at = node->item[0] == share ? 1 : 0;
    cull_node reader = { .kind = CULL_MAP, .place = node->place, .n = 1 };
    reader.item = &node->item[at];
    reader.key = &node->key[at];
    struct share given = { 0 };
    cull_use use;
    if (!cull_read_use(r, CULL_DATA, &reader, NULL, &use, NULL) ||
        !cull_bind_value(&r->binder, "mix.share", &share_param, share, &given))
        return false;
    if (given.share <= 0)
        cull_problem_add(r->problems, share->place, "mix: a share of 0 is no part");
    *out = (cull_mix_part){ use.plugin, use.settings, given.share };
    return true;
}

// [{"share":0.3,"text":{…}},…]
static const char *parts_json(cull_reader *r, const cull_mix *mix)
{
    cull_buf text = CULL_BUF_INIT;

    for (size_t i = 0; i < mix->n; i++) {
        cull_buf_printf(&text, "%s{\"share\":%.17g,", i ? "," : "[", mix->part[i].share);
        cull_buf_json(&text, mix->part[i].plugin->name, strlen(mix->part[i].plugin->name));
        cull_buf_puts(&text, ":");
        cull_settings_json(mix->part[i].plugin, mix->part[i].settings, &text);
        cull_buf_puts(&text, "}");
    }
    cull_buf_puts(&text, "]");
    const char *kept =
        text.failed ? NULL : cull_arena_copy(cull_context_of(r->ctx)->alloc, text.s, text.n);
    cull_buf_release(&text);
    r->problems->lost |= !kept;
    return kept;
}

static bool read_parts(cull_reader *r, const cull_node *node, cull_mix *mix)
{
    cull_elements list;

    cull_elements_of(node, &list);
    cull_mix_part *part = cull_take(r->ctx, list.n + 1, sizeof *part);
    double sum = 0;
    bool good = part != NULL;
    r->problems->lost |= !part;
    for (size_t i = 0; part && i < list.n; i++) {
        good = read_part(r, list.at[i], &part[i]) && good;
        sum += part[i].share;
    }
    if (good && fabs(sum - 1) > 1e-6)
        cull_problem_add(r->problems, node->place, "mix: the shares are %.6g together, not 1", sum);
    mix->n = list.n;
    mix->part = part;
    return good && list.n > 0;
}

bool cull_read_mix(cull_reader *r, const cull_node *node, cull_use *out)
{
    static const char *const known[] = { "mix", "tokens", "dense_rows", NULL };
    const cull_node *tokens = cull_node_get(node, "tokens");
    cull_mix *mix = cull_take(r->ctx, 1, sizeof *mix);

    if (!mix) {
        r->problems->lost = true;
        return false;
    }
    for (size_t i = 0; i < node->n; i++)
        cull_unknown_key(r, "a mix", node->key[i], known);
    if (tokens && !cull_bind_value(&r->binder, "mix.tokens", &tokens_param, tokens, mix))
        return false;
    if (!read_parts(r, cull_node_get(node, "mix"), mix))
        return false;
    mix->of = parts_json(r, mix);
    *out = (cull_use){ cull_node_key(node, "mix")->place, &cull_mix_plugin, mix };
    return mix->of != NULL;
}
