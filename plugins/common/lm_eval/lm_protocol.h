// How lm-evaluation-harness turns texts into token ids, by named version.
//
// clang-format off
//   lm-eval-0.4.13  the tokenizer decides on BOS; a text that spells BOS gets no second one; the
//                   prefix of an empty context is BOS, else EOS; a continuation that begins with it
//                   lends it
//   lm-eval-0.4.7   no BOS unless asked for; the prefix is BOS, else EOS
//   lm-eval-0.4.0   no BOS unless asked for; the prefix is EOS
// clang-format on
//
// (lm_eval/api/model.py TemplateLM, lm_eval/models/huggingface.py HFLM.tok_encode.)
#ifndef COMMON_LM_PROTOCOL_H
#define COMMON_LM_PROTOCOL_H

#include <cull/cull.h>

#include "common/python/python_text.h"

enum lm_version { LM_EVAL_0_4_13, LM_EVAL_0_4_7, LM_EVAL_0_4_0 };
enum lm_bos { LM_BOS_PROTOCOL, LM_BOS_ADD, LM_BOS_NONE };

static const char *const lm_versions[] = { "lm-eval-0.4.13", "lm-eval-0.4.7", "lm-eval-0.4.0",
                                           NULL };
static const char *const lm_boses[] = { "protocol", "add", "none", NULL };

// The settings that go with it, rows of a settings table for struct S.
#define LM_PROTOCOL_PARAMS(S)                                                                      \
    CULL_P_CHOICE(S, protocol, LM_EVAL_0_4_13, lm_versions,                                        \
                  "whose rules for BOS and for the prefix of an empty context hold"),              \
        CULL_P_CHOICE(S, bos, LM_BOS_PROTOCOL, lm_boses,                                           \
                      "BOS in front of every context: as the protocol has it, always, or never"),  \
    {                                                                                              \
        .name = "length",                                                                          \
        .doc = "longest input; what is longer loses ids on the left; 0: the model's positions",    \
        .unit = "tokens", .type = CULL_INT, .offset = CULL_FIELD(S, length, int64_t), .lo = 0,     \
        .hi = 16777216                                                                             \
    }

typedef struct lm_encoder {
    const cull_text *text;
    enum lm_version version;
    enum lm_bos bos;
    size_t length;    // L, the longest input
    int32_t prefix;   // −1: the tokenizer has neither BOS nor EOS
    span prefix_text; // what it decodes to
    span eos_text;    // empty where there is no EOS
} lm_encoder;

// Refuses a length beyond the model's positions.
cull_status lm_encoder_init(cull_ctx *, const cull_text *, int64_t protocol, int64_t bos,
                            int64_t length, lm_encoder *out);

cull_status lm_encode(cull_ctx *, const lm_encoder *, span text, int32_t **ids, size_t *n);

// The n requests of a document's pairs (n); contexts that are the same memory are encoded once.
// `place` goes in front of complaints: nothing to score, or more to score than L. *truncated
// becomes true where a context lost ids.
cull_status lm_score_pairs(cull_ctx *, const lm_encoder *, const char *place, size_t n,
                           const span *context, const span *continuation, cull_request *out,
                           bool *truncated);

// Rolling windows of a text: L targets a window, one token of context, more for the last. *out in
// alloc.
cull_status lm_score_rolling(cull_ctx *, const lm_encoder *, const char *place, span text,
                             size_t *n, cull_request **out);

// Greedy continuation of a context that keeps its last L − max_new ids (*truncated: it had more);
// EOS's text is one more stop. Where the model says how long an answer is, that is its length, for
// so it is when transformers makes lm-eval's answers.
cull_status lm_generate(cull_ctx *, const lm_encoder *, const char *place, span context,
                        size_t max_new, size_t n_until, const char *const *until, cull_request *out,
                        bool *truncated);

#endif
