// Tasks put to a model: their requests, and what the answers are worth.
//
// scoring_prepare writes the requests of all documents in order and keeps the tasks beside them as
// the requests' state; scoring_report reports values and per-document columns:
//
// clang-format off
//   CHOICE    acc, acc_norm, acc_bytes (or acc, perplexity for one continuation);
//             loglik(doc, choice), greedy, cont_tokens, len_chars, len_bytes, gold, pred
//   ROLLING   word_perplexity, byte_perplexity, bits_per_byte; loglik(doc), words, bytes
//   GENERATE  exact_match of each filter; exact_match(doc, filter), text, extracted(doc, filter), target
// clang-format on
//
// With several tasks the groups given, and for acc, acc_norm, acc_bytes and exact_match "pooled"
// (over all documents) and "macro" (mean over tasks), are reported too.
#ifndef COMMON_SCORING_H
#define COMMON_SCORING_H

#include "common/lm_eval/lm_protocol.h"
#include "common/lm_eval/task.h"

cull_status scoring_prepare(cull_ctx *, const lm_encoder *, const task_list *, cull_requests *out);
cull_status scoring_report(cull_ctx *, const cull_requests *, const cull_answer *answers,
                           cull_report *out);
// A document as lm-eval's samples have it, for cull_metric.document.
cull_status scoring_document(cull_ctx *, const cull_requests *, const char *task, size_t doc,
                             cull_document *out);

#endif
