// A criterion in C++20: the SDK's macros are for both languages.
#include <cull/cull.h>

namespace
{

struct settings {
    double power;
    int64_t of;
    cull_ints layers;
};

const char *const words[] = { "gates", "tokens", nullptr };

const cull_param params[] = {
    CULL_P_REAL(settings, power, 1.0, 0.0, 4.0, "exponent of what is counted"),
    CULL_P_CHOICE(settings, of, 0, words, "what is counted"),
    CULL_P_INTS(settings, layers, 0, "ignored; a list has to compile too"),
};

cull_status score(cull_ctx *ctx, const void *, const cull_view *view, size_t, cull_scores *out)
{
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_stats *s = cull_stats_layer(view->stats, l);
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            out->expert[l][e] = s->gate_sum[e];
    }
    return CULL_HAS(ctx->host, rewind) ? CULL_OK : CULL_EPLUGIN;
}

const cull_criterion plus = {
    .size = sizeof(cull_criterion),
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING,
    .score = score,
};

} // namespace

CULL_PLUGIN(CRITERION, plus, "1.0", "the sum of an expert's gates, in C++",
            .doc = "As `gate`, to show that a plugin may be C++.", .cite = "A test of the SDK.",
            CULL_SETTINGS(params, settings));
