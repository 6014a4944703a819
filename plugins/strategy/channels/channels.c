// Channels: the hidden units of experts with the lowest scores go.
#include <cull/cull.h>

#include "common/prune/channel_cut.h"

static const cull_param params[] = { CHANNEL_CUT_PARAMS(false) };

static const cull_strategy channels = CHANNEL_CUT_STRATEGY;

CULL_PLUGIN(
    STRATEGY, channels, "1.0", "the channels of experts with the lowest scores go",
    .doc =
        "A channel is one hidden unit of an expert: a row of gate, a row of up, a column of down. "
        "One that goes is zero in all three, biases included, and its parameters count as "
        "removed, so that a sparsity means the same as for experts, within one "
        "channel.\n\nwidths: free takes the lowest channels of each layer (allocation layer, or "
        "the counts of another method with like) or of the whole model (global); experts keep "
        "what the ranking leaves them, which may be nothing, and a checkpoint has zeros in their "
        "place: no FLOPs are saved. widths: equal takes the lowest of each expert, as many of all "
        "in a layer; where all layers keep the same, the exported checkpoint is narrower in the "
        "stock layout and faster. It is refused where config.json has one key for the width of "
        "routed and shared experts, and allocation global, which knows no widths.\n\nWith "
        "propagate: pruned each layer is decided on what the cuts of the layers before it let "
        "through. Ties go to the lower layer, expert and channel. Behind a stage that zeroed "
        "weights a channel counts whole, though less of it is left: less goes than was asked, "
        "never more, and the log says how much.\n\nCost: a sort; with bias, the "
        "means of all channels.",
    .cite = "The common step of FLAP, CAMERA-P and other structured pruning of experts' width.",
    CULL_SETTINGS(params, struct channel_cut_settings));
