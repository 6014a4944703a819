// The layers and experts of a trial's file.
#include <math.h>
#include <string.h>

#include "cut/cut.h"
#include "cut/cut_size.h"
#include "record/trial_groups.h"

// The layers that have experts, and how many they have at most.
typedef struct moe {
    const cull_trial *trial;
    size_t n, E;    // layers, experts of the widest
    int32_t *layer; // (n) decoder indices
} moe;

static moe moe_of(cull_h5 *file, const cull_trial *trial)
{
    moe m = { .trial = trial, .layer = cull_h5_scratch(file, trial->model->L, sizeof *m.layer) };

    for (size_t l = 0; m.layer && l < trial->model->L; l++) {
        if (trial->layer[l]->E == 0)
            continue;
        m.layer[m.n++] = (int32_t)l;
        m.E = trial->layer[l]->E > m.E ? trial->layer[l]->E : m.E;
    }
    return m;
}

static size_t experts_of(const moe *m, size_t i)
{
    return m->trial->layer[m->layer[i]]->E;
}

static const cull_layer_cut *cut_of(const moe *m, size_t i)
{
    return m->trial->cut ? &m->trial->cut->layer[m->layer[i]] : NULL;
}

// ---- per expert ----

static void put_flags(cull_h5 *file, const moe *m)
{
    uint8_t *kept = cull_h5_scratch(file, m->n * m->E, 1);
    uint8_t *action = cull_h5_scratch(file, m->n * m->E, 1);
    int32_t *group = cull_h5_scratch(file, m->n * m->E, sizeof *group);

    if (!kept || !action || !group)
        return;

    memset(kept, 255, m->n * m->E);
    memset(action, 255, m->n * m->E);
    memset(group, 255, m->n * m->E * sizeof *group); // −1
    for (size_t i = 0; i < m->n; i++)
        for (size_t e = 0; e < experts_of(m, i); e++) {
            const cull_layer_cut *cut = cut_of(m, i);
            const size_t at = i * m->E + e;
            action[at] = cut ? cut->action[e] : CULL_ACTION_BASE;
            kept[at] = action[at] == CULL_ACTION_BASE;
            group[at] = (int32_t)(cut ? cut->target[e] : e);
        }
    cull_h5_array a = { "kept",         'b',  2,    { "layer", "expert" },
                        { m->n, m->E }, kept, NULL, "does the expert stay as it is",
                        "removed kept" };
    cull_h5_put(file, "/experts", &a);
    a.name = "action";
    a.data = action;
    a.doc = "what becomes of the expert's slot";
    a.meanings = "base drop zero novice alias";
    cull_h5_put(file, "/experts", &a);
    cull_h5_put(file, "/experts",
                &(cull_h5_array){ "group",
                                  'n',
                                  2,
                                  { "layer", "expert" },
                                  { m->n, m->E },
                                  group,
                                  NULL,
                                  "the expert that serves the slot",
                                  NULL });
}

// The weights of an expert that masks and channels zero.
static uint64_t zeroed(const moe *m, size_t l, size_t e)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    const size_t F = m->trial->layer[l]->F, D = m->trial->model->D;
    uint64_t gone = 0;

    for (size_t p = 0; p < 3; p++) {
        const bool down = parts[p] == CULL_PART_DOWN;
        if (m->trial->layer[l]->parts >> parts[p] & 1)
            gone += F * D - cull_kept_weights(m->trial->cut, cull_at_expert(l, parts[p], e),
                                              down ? D : F, down ? F : D);
    }
    return gone;
}

static void put_density(cull_h5 *file, const moe *m)
{
    const cull_cut *cut = m->trial->cut;
    double *density =
        cut && cut->n_overlays ? cull_h5_scratch(file, m->n * m->E, sizeof *density) : NULL;

    if (!density)
        return;

    for (size_t i = 0; i < m->n * m->E; i++)
        density[i] = NAN;
    for (size_t i = 0; i < m->n; i++) {
        const size_t l = (size_t)m->layer[i];
        for (size_t e = 0; e < experts_of(m, i); e++) {
            const uint64_t gone = zeroed(m, l, e);
            density[i * m->E + e] =
                cut->layer[l].action[e] == CULL_ACTION_BASE && m->trial->layer[l]->expert_params
                    ? 1 - (double)gone / (double)m->trial->layer[l]->expert_params
                    : 0;
        }
        cull_cut_leave(cut, l);
    }
    cull_h5_put(file, "/experts",
                &(cull_h5_array){ "density",
                                  'd',
                                  2,
                                  { "layer", "expert" },
                                  { m->n, m->E },
                                  density,
                                  NULL,
                                  "fraction of the expert's weights that is kept",
                                  NULL });
}

// Channels that each expert keeps, where some are gone.
static void put_widths(cull_h5 *file, const moe *m)
{
    const cull_cut *cut = m->trial->cut;
    bool any = false;

    for (size_t i = 0; cut && i < cut->n_overlays; i++)
        any |= cut->overlay[i].kind == CULL_CHANNELS;
    int32_t *width = any ? cull_h5_scratch(file, m->n * m->E, sizeof *width) : NULL;
    if (!width)
        return;

    memset(width, 255, m->n * m->E * sizeof *width); // −1
    for (size_t i = 0; i < m->n; i++)
        for (size_t e = 0; e < experts_of(m, i); e++) {
            const size_t l = (size_t)m->layer[i];
            const bool stands = cut->layer[l].action[e] == CULL_ACTION_BASE;
            const cull_matrix_id down = cull_at_expert(l, CULL_PART_DOWN, e);
            width[i * m->E + e] =
                stands ? (int32_t)cull_kept_channels(cut, down, m->trial->layer[l]->F) : 0;
        }
    cull_h5_put(file, "/experts",
                &(cull_h5_array){ "channels_kept",
                                  'n',
                                  2,
                                  { "layer", "expert" },
                                  { m->n, m->E },
                                  width,
                                  NULL,
                                  "channels that the expert keeps",
                                  NULL });
}

// ---- statistics ----

static double mean_variance(const cull_layer_stats *s, size_t e)
{
    double sum = 0;

    for (size_t d = 0; s->var && d < s->D; d++)
        sum += s->var[e * s->D + d];
    return s->var && s->D ? sum / (double)s->D : NAN;
}

// One statistic of expert e; NaN where it was not gathered.
static double statistic(const cull_layer_stats *s, size_t which, size_t e)
{
    const double count = s->count ? s->count[e] : NAN;

    switch (which) {
    case 0:
        return s->gate_sum ? s->gate_sum[e] : NAN;
    case 1:
        return s->norm_sum ? s->norm_sum[e] / count : NAN;
    case 2:
        return s->gate_norm ? s->gate_norm[e] / count : NAN;
    default:
        return mean_variance(s, e);
    }
}

static void put_tokens(cull_h5 *file, const moe *m)
{
    uint64_t *tokens = cull_h5_scratch(file, m->n * m->E, sizeof *tokens);

    if (!tokens)
        return;
    for (size_t i = 0; i < m->n; i++) {
        const double *count = m->trial->stats->layer[m->layer[i]].count;
        if (!count)
            return;
        for (size_t e = 0; e < m->E; e++)
            tokens[i * m->E + e] = e < experts_of(m, i) ? (uint64_t)count[e] : UINT64_MAX;
    }
    cull_h5_put(file, "/experts",
                &(cull_h5_array){ "tokens",
                                  'u',
                                  2,
                                  { "layer", "expert" },
                                  { m->n, m->E },
                                  tokens,
                                  "token",
                                  "calibration tokens routed to the expert",
                                  NULL });
}

static void put_statistics(cull_h5 *file, const moe *m)
{
    static const struct {
        const char *name, *doc;
    } known[] = {
        { "gate_sum", "sum of gates over routed tokens" },
        { "out_norm_mean", "mean norm of the expert's output over routed tokens" },
        { "gate_norm_mean", "mean of gate times norm of the output over routed tokens" },
        { "out_var", "variance of the expert's output, mean over channels" },
    };

    if (!m->trial->stats)
        return;

    put_tokens(file, m);
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        double *values = cull_h5_scratch(file, m->n * m->E, sizeof *values);
        bool any = false;
        for (size_t i = 0; values && i < m->n * m->E; i++) {
            const size_t l = i / m->E, e = i % m->E;
            values[i] =
                e < experts_of(m, l) ? statistic(&m->trial->stats->layer[m->layer[l]], k, e) : NAN;
            any |= !isnan(values[i]);
        }
        if (any)
            cull_h5_put(file, "/experts",
                        &(cull_h5_array){ known[k].name,
                                          'd',
                                          2,
                                          { "layer", "expert" },
                                          { m->n, m->E },
                                          values,
                                          NULL,
                                          known[k].doc,
                                          NULL });
    }
}

// Scores of the criteria that score experts (or layers, by_layer), with their names as an axis.
static void put_scores(cull_h5 *file, const moe *m, bool by_layer)
{
    const size_t L = m->trial->model->L, rows = by_layer ? L : m->n, E = by_layer ? 1 : m->E;
    const size_t n = m->trial->n_scores;
    const char *group = by_layer ? "/layers" : "/experts";
    const char **names = cull_h5_scratch(file, n, sizeof *names);
    double *scores = cull_h5_scratch(file, n * rows * E, sizeof *scores);

    if (!names || !scores)
        return;

    size_t used = 0;
    for (size_t c = 0; c < n; c++) {
        const cull_expert_score *from = &m->trial->scores[c];
        if (by_layer ? !from->layer : !from->expert)
            continue;
        double *to = scores + used * rows * E;
        for (size_t i = 0; i < rows * E; i++) {
            const double *row = by_layer ? from->layer : from->expert[m->layer[i / E]];
            const size_t at = by_layer ? i : i % E;
            to[i] = row && (by_layer || at < experts_of(m, i / E)) ? row[at] : NAN;
        }
        names[used++] = from->criterion;
    }
    if (used == 0)
        return;
    cull_h5_put(file, group,
                &(cull_h5_array){
                    "criterion", 's', 1, { "criterion" }, { used }, names, NULL, NULL, NULL });
    cull_h5_put(file, group,
                &(cull_h5_array){ "score",
                                  'd',
                                  by_layer ? 2 : 3,
                                  { "criterion", "layer", "expert" },
                                  { used, rows, E },
                                  scores,
                                  NULL,
                                  "lowest goes first",
                                  NULL });
}

void cull_put_experts(cull_h5 *file, const cull_trial *trial)
{
    const moe m = moe_of(file, trial);
    int32_t *widths = cull_h5_scratch(file, 3 * m.n, sizeof *widths);

    cull_h5_group(file, "/experts");
    if (!widths || m.n == 0)
        return;

    cull_h5_put(file, "/experts",
                &(cull_h5_array){ "layer",
                                  'n',
                                  1,
                                  { "layer" },
                                  { m.n },
                                  m.layer,
                                  NULL,
                                  "index of the decoder layer",
                                  NULL });
    for (size_t i = 0; i < m.n; i++) {
        const cull_layer_facts *facts = trial->layer[m.layer[i]];
        widths[i] = (int32_t)facts->E;
        widths[m.n + i] = (int32_t)facts->K;
        widths[2 * m.n + i] = (int32_t)facts->F;
    }
    cull_h5_array a = { "n_experts",      'n', 1, { "layer" }, { m.n }, widths, NULL,
                        "routed experts", NULL };
    cull_h5_put(file, "/experts", &a);
    a = (cull_h5_array){ "n_active", 'n',          1,    { "layer" },
                         { m.n },    widths + m.n, NULL, "experts routed per token",
                         NULL };
    cull_h5_put(file, "/experts", &a);
    a = (cull_h5_array){
        "width", 'n', 1, { "layer" }, { m.n }, widths + 2 * m.n, NULL, "width of an expert", NULL
    };
    cull_h5_put(file, "/experts", &a);
    put_flags(file, &m);
    put_density(file, &m);
    put_widths(file, &m);
    put_statistics(file, &m);
    put_scores(file, &m, false);
}

// ---- per layer ----

static void put_layer_column(cull_h5 *file, const char *name, char type, size_t L, const void *data,
                             const char *doc, const char *meanings)
{
    cull_h5_put(file, "/layers",
                &(cull_h5_array){ name, type, 1, { "layer" }, { L }, data, NULL, doc, meanings });
}

void cull_put_layers(cull_h5 *file, const cull_trial *trial)
{
    const size_t L = trial->model->L;
    uint8_t *skip = cull_h5_scratch(file, 2 * L, 1);
    int32_t *counts = cull_h5_scratch(file, 2 * L, sizeof *counts);
    double *ratio = cull_h5_scratch(file, 2 * L, sizeof *ratio);

    cull_h5_group(file, "/layers");
    if (!skip || !counts || !ratio)
        return;

    for (size_t l = 0; l < L; l++) {
        const cull_layer_cut *cut = trial->cut ? &trial->cut->layer[l] : NULL;
        skip[l] = cut && cut->skip_layer;
        skip[L + l] = cut && cut->skip_moe;
        counts[l] = (int32_t)(cut && cut->k ? cut->k : trial->layer[l]->K);
        ratio[l] = cut ? cut->skip_ratio : 0;
        ratio[L + l] = cut ? cut->top_p : 0;
        for (size_t e = 0; e < trial->layer[l]->E; e++)
            counts[L + l] += !cut || cut->action[e] == CULL_ACTION_BASE;
    }
    put_layer_column(file, "skip_layer", 'b', L, skip, "is the whole layer passed over", "no yes");
    put_layer_column(file, "skip_moe", 'b', L, skip + L, "is its MoE sub-layer passed over",
                     "no yes");
    put_layer_column(file, "k", 'n', L, counts, "experts routed per token", NULL);
    put_layer_column(file, "n_kept", 'n', L, counts + L, "experts that stay as they are", NULL);
    put_layer_column(file, "skip_ratio", 'd', L, ratio,
                     "gates below this share of the first are dropped", NULL);
    put_layer_column(file, "top_p", 'd', L, ratio + L,
                     "picks end where their probabilities reach this; 0: they do not", NULL);
    const moe m = moe_of(file, trial);
    if (trial->n_scores)
        put_scores(file, &m, true);
}
