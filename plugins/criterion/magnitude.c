// Magnitude: small weights matter least.
#include <math.h>

#include <cull/cull.h>

static cull_status score_weights(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 cull_matrix_id where, size_t rows, size_t cols, const float *w,
                                 float *out)
{
    (void)ctx, (void)settings, (void)view, (void)where;
    for (size_t i = 0; i < rows * cols; i++)
        out[i] = fabsf(w[i]);
    return CULL_OK;
}

static const cull_criterion magnitude = {
    .size = sizeof magnitude,
    .form = CULL_FORM_WEIGHT,
    .score_weights = score_weights,
};

CULL_PLUGIN(
    CRITERION, magnitude, "1.0", "the absolute value of a weight",
    .doc = "The score of a weight is |w|; no calibration is needed. The classical baseline ranks "
           "all weights of a matrix together: strategy unstructured with group: tensor.\n\n"
           "Departures from the authors' code (Wanda's and OWL's baseline): exactly floor(N*s) "
           "weights go, ties leftmost first; 'w <= sorted[int(N*s)]' removes one more and all "
           "ties.",
    .cite = "Han, Pool, Tran, Dally: Learning both Weights and Connections for Efficient Neural "
            "Networks. NeurIPS 2015.");
