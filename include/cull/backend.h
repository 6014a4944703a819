// A backend opens checkpoints and describes a layer's pieces; the core runs them.
//
// Routing, dispatch, statistics, overlays, precision and cuts exist once, in the core. A piece never
// multiplies by a matrix itself: it calls pass->engine->linear with the matrix's id, which applies the
// variant's overlay, unpacks the stored type, feeds the statistics and picks the precision. Rows are
// float32, row-major, width D unless stated; n rows belong to one stream (one history of cuts).
//
// The visit of layer l, in order:
//
//   layer_begin(l)
//   attend(l)    h → r, side, x     r: residual entering the MoE sub-layer; side: what runs beside the
//                                   routed experts; x: input of router and experts
//   route(l)     x → index, gate, logits, p
//   expert(l,e)  rows of x → y
//   after(l)     r, side, Σ g y → h
//   layer_end(l)
//
// Every piece is called from any thread, and several at once for disjoint rows.
// In a dense layer (E = 0) route and expert are not called, and `side` holds the whole feed-forward part.
#ifndef CULL_BACKEND_H
#define CULL_BACKEND_H

#include <cull/cut.h>
#include <cull/tensor.h>

typedef struct cull_model cull_model; // the backend's own
typedef struct cull_pass cull_pass;

// Attention of the stream's rows over their segments' paths. Positions, causality, ancestors and the K/V
// store are the core's; what the backend fixes is here.
typedef struct cull_attention {
    uint32_t size;
    size_t H, KV;        // query heads, key/value heads; H % KV == 0
    size_t qk_width;     // width of a head's query and key
    size_t v_width;      // of its value
    float scale;         // multiplies q·k
    size_t window;       // a row sees the `window` positions up to its own; 0: all
    size_t chunk;        // a row sees only positions of its own chunk; 0: all
    const float *sinks;  // (H) an extra logit per head that takes part in the softmax only; or NULL
} cull_attention;

// A state that runs along the stream's paths beside K/V: S (k_width, v_width) of each of H heads, 0 before
// a path's first row. At each row
//
//   S ← diag(exp g) S;   S ← S + k (β (v − Sᵀk))ᵀ  (without β: S + k vᵀ);   out = Sᵀ q
//
// a gated delta net (arXiv:2412.06464); with a decay per channel Kimi's delta attention (arXiv:2510.26692);
// without β the selective scan of Mamba2 (arXiv:2405.21060).
typedef struct cull_recurrence {
    uint32_t size;
    size_t H, KH;     // heads of v and S; of q and k: head h has those of h / (H / KH)
    size_t k_width, v_width;
    bool per_channel; // g is (n, H, k_width), else (n, H)
    size_t state_at;  // where S stands among the layer's facts.state_width floats
} cull_recurrence;

// A causal convolution of each channel along the stream's paths, over zeros before a path's first row:
//
//   out[c] = bias[c] + Σ_j filter[c][j] x[c] of (taps − 1 − j) rows before;   then silu, if so
typedef struct cull_convolution {
    uint32_t size;
    cull_matrix_id filter; // the matrix (channels, taps), with its bias
    size_t channels, taps;
    bool silu;
    size_t state_at; // of the last inputs, as above
} cull_convolution;

enum { // what of a state is kept together
    CULL_STATE_COLS = 32,      // columns of an S
    CULL_STATE_CHANNELS = 256, // of a convolution
};

// Floats of a block of columns: S, and the decays since it was last scaled, as doubles.
static inline size_t cull_state_floats(size_t k_width, size_t decays)
{
    return k_width * CULL_STATE_COLS + 2 * decays;
}

// Floats of what is kept at a path's end, for facts.state_width.
static inline size_t cull_recurrence_floats(const cull_recurrence *r)
{
    const size_t blocks = (r->v_width + CULL_STATE_COLS - 1) / CULL_STATE_COLS;

    return r->H * blocks * cull_state_floats(r->k_width, r->per_channel ? r->k_width : 1);
}

static inline size_t cull_convolution_floats(const cull_convolution *c)
{
    const size_t blocks = (c->channels + CULL_STATE_CHANNELS - 1) / CULL_STATE_CHANNELS;

    return blocks * CULL_STATE_CHANNELS * (c->taps - 1);
}

typedef struct cull_engine { // the core's services to pieces
    uint32_t size;
    // y = x Wᵀ + b for n rows; x: (n, cols) with row stride ldx, y: (n, rows) with row stride ldy. [any]
    cull_status (*linear)(cull_pass *, cull_matrix_id, size_t n, const float *x, size_t ldx, float *y,
                          size_t ldy);
    // q (n, H, qk_width), k (n, KV, qk_width), v (n, KV, v_width) → out (n, H, v_width). In attend only.
    cull_status (*attention)(cull_pass *, const cull_attention *, const float *q, const float *k,
                             const float *v, float *out);
    // Floats that die when the piece returns (not zeroed); NULL when there are none: return CULL_ENOMEM.
    float *(*scratch)(cull_pass *, size_t n);
    // Run fn(arg, first, count) over blocks of n rows, on the pool or in place.
    void (*rows)(cull_pass *, size_t n, void (*fn)(void *arg, size_t first, size_t count),
                 void *arg);
    // q, k (n, KH, k_width), v (n, H, v_width), g (n, H) or (n, H, k_width), at most 0, beta (n, H) or NULL
    // → out (n, H, v_width). In attend only.
    cull_status (*recur)(cull_pass *, const cull_recurrence *, const float *q, const float *k,
                         const float *v, const float *g, const float *beta, float *out);
    // x (n, channels) → out (n, channels), which is not x. In attend only.
    cull_status (*convolve)(cull_pass *, const cull_convolution *, const float *x, float *out);
} cull_engine;

struct cull_pass {
    uint32_t size;
    const cull_engine *engine;
    cull_ctx *ctx;
    bool beyond_switch; // the rows' paths are longer than facts.rope_switch; never mixed in one call
    void *core;
};

// What a variant says to a layer's router.
typedef struct cull_rule {
    uint32_t size;
    const uint8_t *allowed; // (E) 0: dropped, masked inside the selection rule; NULL: all
    size_t k;               // experts per token; 0: the model's
    double skip_ratio;      // see cut.h
    double top_p;           // see cut.h
} cull_rule;

typedef struct cull_routed {
    uint32_t size;
    int32_t *index; // (n, K) best first, −1 where fewer than K are chosen
    float *gate;    // (n, K) the coefficients really used, 0 where index is −1
    float *logits;  // (n, E) the router's linear output, before softmax, sigmoid or correction
    float *p;       // (n, E) unbiased probabilities (softmax or sigmoid), over all E; NULL: not wanted
} cull_routed;

enum { // open
    CULL_OPEN_TOKENIZER = 1u, // enough to encode and decode
    CULL_OPEN_WEIGHTS = 2u,
    CULL_OPEN_SHAPES = 4u, // with WEIGHTS: they may be missing, and facts say so; such a model cannot run
};

typedef struct cull_save { // how a variant is to be written as a checkpoint
    uint32_t size;
    const char *folder;   // exists, empty
    bool dequantise;      // FP8 and MXFP4 become BF16
    uint64_t shard_bytes; // of tensors in one file, at most (a tensor is never split)
    bool drop_bias;       // output biases that the format cannot say are left out, with a warning
} cull_save;

typedef struct cull_backend {
    uint32_t size;

    // [call] Everything that can be wrong with a checkpoint is found here, before a layer runs: shapes,
    // offsets, missing or unknown options. The model lives until close.
    cull_status (*open)(cull_ctx *, const void *settings, uint32_t what, cull_model **out);
    void (*close)(cull_model *);
    const cull_model_facts *(*facts)(const cull_model *);                 // [any]
    const cull_layer_facts *(*layer_facts)(const cull_model *, size_t l); // [any]

    // [any] Where matrix `where` is stored. CULL_ENOTSUP, reported, where there is none.
    cull_status (*matrix)(cull_ctx *, const cull_model *, cull_matrix_id, cull_matrix *out);

    // [any] Ask the system for layer l's pages soon; let them go. (optional)
    void (*prefetch)(const cull_model *, size_t l);
    void (*release)(const cull_model *, size_t l);

    cull_status (*embed)(cull_pass *, const cull_model *, size_t n, const int32_t *ids, float *h);
    // pos: (n) the rows' positions. side is NULL where facts say has_side is false. h is read only.
    cull_status (*attend)(cull_pass *, const cull_model *, size_t l, size_t n, const int32_t *pos,
                          const float *h, float *r, float *side, float *x);
    cull_status (*route)(cull_pass *, const cull_model *, size_t l, size_t n, const float *x,
                         const cull_rule *, const cull_routed *out);
    cull_status (*expert)(cull_pass *, const cull_model *, size_t l, size_t e, size_t n,
                          const float *x, float *y);
    // moe: (n, D) Σ g y, or NULL when the sub-layer is skipped or absent. h may be r, or moe.
    cull_status (*after)(cull_pass *, const cull_model *, size_t l, size_t n, const float *r,
                         const float *side, const float *moe, float *h);
    cull_status (*norm)(cull_pass *, const cull_model *, size_t n, const float *h, float *hn);
    // The head is the matrix (CULL_NONE, HEAD); the core multiplies and facts.logit_scale scales.

    // [any] As cull_text's.
    cull_status (*encode)(cull_ctx *, const cull_model *, const char *text, size_t len,
                          uint32_t flags, int32_t **ids, size_t *n);
    cull_status (*decode)(cull_ctx *, const cull_model *, const int32_t *ids, size_t n,
                          uint32_t flags, char **text, size_t *len);
    // [call] (optional) Notes about the checkpoint for `cull inspect`: "MTP layer 61 is left out".
    size_t (*notes)(const cull_model *, const char *const **texts);
    // [call] (optional) Write the variant as a complete checkpoint of the same kind: what it computes when it is
    // opened is what the variant computes. CULL_ENOTSUP, with the reason, where the format cannot say it.
    cull_status (*save)(cull_ctx *, const cull_model *, const cull_cut *, const cull_save *);

    // Only where facts.expert_width says that experts work in a space of their own, W: x (n, D) → what expert() reads,
    // and Σ g y of what it writes → (n, D), in place of which `after` gets it. Rows of that space are D wide as
    // well: W numbers, then zeros. The router's x stays as it is.
    cull_status (*enter)(cull_pass *, const cull_model *, size_t l, size_t n, const float *x, float *z);
    cull_status (*leave)(cull_pass *, const cull_model *, size_t l, size_t n, const float *z, float *moe);

    // [any] Let the pages of all weights go, also of what stands outside the layers: a pass is over. (optional)
    void (*release_all)(const cull_model *);

    // [call] (optional) Bytes of the weights that save would write, without options. Nothing is written.
    // CULL_ENOTSUP, with the reason, where save would refuse.
    cull_status (*saved_bytes)(cull_ctx *, const cull_model *, const cull_cut *, uint64_t *bytes);
} cull_backend;

#endif
