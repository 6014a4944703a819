// FLAP: the channels that vary least go, and their mean stays.
#include <cull/cull.h>

#include "common/prune/channel_cut.h"

static const cull_param params[] = { CHANNEL_CUT_PARAMS(true) };

static const cull_strategy flap = CHANNEL_CUT_STRATEGY;

CULL_PLUGIN(
    STRATEGY, flap, "1.0", "channels go, and their mean contribution becomes an output bias",
    .doc =
        "Strategy channels with bias: true, under its paper's name: b = sum over the channels that "
        "go of down_:c times the mean of u_c over the tokens routed to the expert is added to the "
        "expert's output before its gate. The D numbers of b count as kept. An expert that lost "
        "all its channels yields b alone, as MoNE's novice; one without tokens has no b. bias: "
        "false leaves it out. MoNE's table ranks all experts of the model together: criterion flap "
        "with allocation global.\n"
        "\n"
        "Stock layouts have no such bias but where experts have biases of their own: an export "
        "refuses, or leaves it out with a sentence (--drop-bias).\n"
        "\n"
        "Cost: means and variances of all channels, and a sort.",
    .cite = "An, Zhao, Yu, Tang, Wang: Fluctuation-based Adaptive Structured Pruning for Large "
            "Language Models. AAAI 2024. arXiv:2312.11983. For experts: the baseline of Zhang et "
            "al., MoNE (arXiv:2507.00390).",
    CULL_SETTINGS(params, struct channel_cut_settings));
