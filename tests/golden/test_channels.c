// Cuts of channels, as numpy made them, evaluated by the engine: held-out perplexities are numpy's
// (tests/golden/methods/make_channels.py).
#include <stdio.h>

#include "support/test.h"
#include "support/variants.h"

static cull_cut *golden_cut(variants *v, const char *name)
{
    const size_t E = v->world->layer[0].E, F = v->world->layer[0].F, D = TINYWORLD_D;
    cull_cut *cut = tinyworld_cut(v->world);
    char kept_name[64], bias_name[64];

    snprintf(kept_name, sizeof kept_name, "%s.kept", name);
    snprintf(bias_name, sizeof bias_name, "%s.bias", name);
    const uint8_t *kept = golden_u8(v->eval, kept_name, 3, (size_t[]){ TINYWORLD_L, E, F });
    const double *bias = golden_has(v->eval, bias_name)
                             ? golden_f64(v->eval, bias_name, 3, (size_t[]){ TINYWORLD_L, E, D })
                             : NULL;
    for (size_t i = 0; i < TINYWORLD_L * E; i++) {
        const cull_matrix_id down = cull_at_expert(i / E, CULL_PART_DOWN, i % E);
        uint8_t *bits = cull_cut_overlay(fake_ctx(v->host), cut, down, CULL_CHANNELS, 1, F);
        float *b = cull_cut_overlay(fake_ctx(v->host), cut, down, CULL_BIAS, 1, D);

        assert_true(bits && b);
        for (size_t c = 0; c < F; c++)
            bits[c / 8] = (uint8_t)(bits[c / 8] | kept[i * F + c] << (c % 8));
        for (size_t d = 0; bias && d < D; d++)
            b[d] = (float)bias[i * D + d];
    }
    return cut;
}

static void select_channels(variants *v)
{
    static const char *const names[] = { "flap-25",       "flap-50",        "flap-plain-25",
                                         "flap-plain-50", "wanda-equal-25", "wanda-equal-50",
                                         "camera-25",     "camera-50" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        variants_add(v, names[i], golden_cut(v, names[i]), CULL_ACTION_BASE);
}

int main(void)
{
    return variants_main(&(variants_plan){
        .name = "channels",
        .file = "channels",
        .groups = CULL_STAT_ROUTING,
        .select = select_channels,
        .n = 8,
    });
}
