// A metric asks a model something and makes numbers of the answers.
//
// prepare() is called once per model and yields requests; the core computes the answers of all variants in
// shared passes; score() is called once per variant. What a metric wants per item it writes as columns, so
// that comparisons can be paired.
#ifndef CULL_METRIC_H
#define CULL_METRIC_H

#include <cull/text.h>

enum { // cull_request.wants
    CULL_WANT_GREEDY = 1u, // is every target the arg-max?
    CULL_WANT_TOKENS = 2u, // the log-probability of each target
    CULL_WANT_KL = 4u,     // KL(dense ‖ variant) at each scored row, summed
    CULL_WANT_TOP1 = 8u,   // number of scored rows where dense and variant agree on the arg-max
    CULL_WANT_OVERLAP = 16u, // Σ min(p_dense, p) at each scored row, summed
};

// SCORE: the last `scored` of the n ids are targets, each predicted from all ids before it; the ids are
// fed as they are (BOS and truncation are the metric's affair), n − 1 ≤ the model's positions.
// GENERATE: greedy continuation of the n ids until one of the model's ids that end an answer, a stop string
// in the last ids decoded with special tokens, or max_new ids.
typedef struct cull_request {
    uint32_t size; // sizeof(cull_request), in every one
    uint32_t kind; // 0 SCORE, 1 GENERATE
    uint32_t wants;
    const int32_t *ids;
    size_t n, scored;
    size_t max_new;
    size_t n_until;
    const char *const *until;
} cull_request;

enum { CULL_SCORE = 0, CULL_GENERATE = 1 };

typedef struct cull_requests {
    uint32_t size;
    size_t n;
    cull_request *at; // (n), host->alloc
    void *state;      // the metric's own, host->alloc, read-only in score()
    const char *key;  // (optional) what beside the requests and settings determines score()'s numbers,
                      // in any form: right answers, filters; part of the evaluation's identity
} cull_requests;

typedef struct cull_answer {
    uint32_t size;
    double ll;             // Σ log-probability of the targets, nats
    bool greedy;
    const float *token_ll; // (scored)
    double kl;
    size_t top1;
    const int32_t *ids; // GENERATE: the new ids, the stop included
    size_t n;
    const char *text;   // decoded, special tokens skipped, cut at the first of each stop
    size_t text_len;
    uint32_t ended; // GENERATE: CULL_ENDED_*
    double overlap;
} cull_answer;

// How an answer came to its end: at an id that ends answers, at a stop string, or because it had max_new
// ids, so that the model might have gone on.
enum { CULL_ENDED_ID = 1, CULL_ENDED_STOP = 2, CULL_ENDED_LENGTH = 3 };

static inline const cull_answer *cull_answer_at(const cull_answer *answers, size_t i)
{
    return (const cull_answer *)((const char *)answers + i * answers->size);
}

typedef struct cull_value { // a row of the tidy table
    uint32_t size;
    const char *task, *metric, *filter; // filter: "none" where there is none
    double value, stderr_;              // stderr_: NaN where it is not defined
    size_t n;                           // items behind it
    int higher_is_better;
} cull_value;

// A per-item array of one task, e.g. loglik(doc, choice). The first dimension is always the item. So that
// comparisons can be paired without knowing the metric, these names mean the same everywhere:
//   a value's own metric   (acc, exact_match, kl, …) the item's outcome; the value is its mean; (doc, filter)
//                          where the values carry filters, in the order in which they were reported
//   nll, tokens            a window's Σ −log p and its targets: perplexity = exp(Σ nll / Σ tokens)
//   loglik, words, bytes   of a rolling document: word_perplexity = exp(−Σ loglik / Σ words), …
//   gold, pred             the right and the chosen answer; cluster, doc_hash: texts
typedef struct cull_column {
    uint32_t size;
    const char *task, *name, *unit, *doc;
    const char *dims[3]; // names of the dimensions, NULL-terminated
    size_t shape[3];
    char type; // 'd' double, 'i' int64_t, 'b' uint8_t, 's' const char *
    const void *data;
} cull_column;

typedef struct cull_report { // [call]
    uint32_t size;
    cull_status (*value)(cull_ctx *, struct cull_report *, const cull_value *);
    cull_status (*column)(cull_ctx *, struct cull_report *, const cull_column *);
    cull_status (*attribute)(cull_ctx *, struct cull_report *, const char *task, const char *name,
                             const char *text);
    void *core;
} cull_report;

// A document as lm-evaluation-harness logs it before it is answered.
typedef struct cull_document {
    uint32_t size;
    const char *json;       // {"doc_id", "doc", "target", "arguments", "doc_hash", "prompt_hash", …}
    const char *method;     // loglikelihood, loglikelihood_rolling or generate_until
    size_t n;               // calls of it
    const char *const *key; // (n) what lm-eval's response cache files each call under
} cull_document;

typedef struct cull_metric {
    uint32_t size;
    cull_status (*prepare)(cull_ctx *, const void *settings, const cull_text *, cull_requests *out);
    // answers: one for each request, see cull_answer_at
    cull_status (*score)(cull_ctx *, const void *settings, const cull_requests *,
                         const cull_answer *answers, cull_report *out);
    // (optional) Document `doc` of a task: row `doc` of the task's columns.
    cull_status (*document)(cull_ctx *, const cull_requests *, const char *task, size_t doc,
                            cull_document *out);
    // (optional) Fails where settings cannot be meant, beyond what their table says: patterns that are none,
    // two that exclude each other. Called while an experiment is read, before any model or file is opened.
    cull_status (*check)(cull_ctx *, const void *settings);
} cull_metric;

#endif
