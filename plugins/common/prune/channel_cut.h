// Which channels go: what the strategies channels and flap share.
#ifndef COMMON_CHANNEL_CUT_H
#define COMMON_CHANNEL_CUT_H

#include <cull/strategy.h>

enum widths { WIDTHS_FREE, WIDTHS_EQUAL };

struct channel_cut_settings {
    int64_t widths;   // enum widths
    int64_t least;    // channels that a module keeps at least
    int64_t multiple; // channels go in runs of so many neighbours
    bool bias, shared, dense;
};

extern const char *const channel_cut_widths[]; // the words of enum widths

// The settings' table, but for their defaults.
#define CHANNEL_CUT_PARAMS(default_bias)                                                           \
    CULL_P_CHOICE(struct channel_cut_settings, widths, WIDTHS_FREE, channel_cut_widths,            \
                  "free: each expert keeps what the ranking leaves it, and the rest are zeros; "   \
                  "equal: all experts of a layer keep the same number, so that a stock "           \
                  "checkpoint is narrower and faster"),                                            \
        CULL_P_INT(struct channel_cut_settings, least, 0, 0, CULL_ANY_HI,                          \
                   "fewest channels that an expert keeps (equal: 1 at least)"),                    \
        CULL_P_INT(struct channel_cut_settings, multiple, 1, 1, 65536,                             \
                   "channels go in runs of so many neighbours, ranked by their sum, so that "      \
                   "widths stay multiples of it: 32 keeps MXFP4's blocks whole, 128 those of "     \
                   "FP8"),                                                                         \
        CULL_P_BOOL(struct channel_cut_settings, bias, (default_bias),                             \
                    "what the channels that go contribute on average is added to the output of "   \
                    "their expert, before its gate"),                                              \
        CULL_P_BOOL(struct channel_cut_settings, shared, false,                                    \
                    "shared experts give up channels too, and are in the budget"),                 \
        CULL_P_BOOL(struct channel_cut_settings, dense, false,                                     \
                    "dense feed-forward parts give up channels too, and are in the budget")

// The callbacks of a cull_strategy whose settings are a struct channel_cut_settings.
cull_status channel_cut_select(cull_ctx *, const void *settings, const cull_view *,
                               const cull_scores *, const cull_budget *, size_t layer,
                               cull_cut *out);
cull_status channel_cut_fits(cull_ctx *, const void *settings, const cull_view *,
                             const cull_budget *, cull_cut *out);
uint64_t channel_cut_parts_for(const void *settings);
uint32_t channel_cut_needs_for(const void *settings);

#define CHANNEL_CUT_STRATEGY                                                                       \
    {                                                                                              \
        .size = sizeof(cull_strategy), .accepts = CULL_FORM_CHANNEL, .emits = CULL_EMITS_CHANNELS, \
        .needs = CULL_STAT_ROUTING | CULL_STAT_CHANNEL_MOMENTS, .flags = CULL_EITHER_WAY,          \
        .needs_for = channel_cut_needs_for, .select = channel_cut_select,                          \
        .fits = channel_cut_fits, .parts_for = channel_cut_parts_for                               \
    }

#endif
