// An open checkpoint: its numbers, its tensors, and each layer's weights where they are stored.
//
// Invariants: after open, every pointer is valid until close, and every matrix has the shape that
// the numbers say. Matrices stay as stored, in the mapping; vectors are widened to float32. A model
// never changes after open, so that any number of threads may use it.
#ifndef HF_MODEL_H
#define HF_MODEL_H

#include "arch.h"
#include "rope.h"
#include "weights/tensors.h"

struct hf_tokenizer;

enum { HF_MOST_GROUPS = 256 };

typedef struct hf_norm { // of vectors n wide
    const float *w, *b;  // (n); w NULL: without a weight; b: LayerNorm's, else NULL
    size_t n;            // 0: no norm
    bool centred;        // the mean is taken away first
    float eps;
} hf_norm;

typedef struct hf_heads { // attention as the layers of one type have it
    size_t H, KV, qk, v;  // query heads, key heads; widths of a key and of a value
    float scale;          // multiplies q·k
    bool k_is_v, sinks;
    hf_rope rope;
} hf_heads;

typedef struct hf_mixer_shape { // of recurrent layers
    size_t H, KH, k_width, v_width, taps;
    bool conv_bias, bias;
    float dt_least, dt_most; // Mamba2: bounds of a time step
} hf_mixer_shape;

enum hf_mix { HF_MIX_ATTENTION, HF_MIX_RECURRENT, HF_MIX_NOTHING };

typedef struct hf_mixer_layer { // a recurrent layer's own
    cull_convolution conv[3];   // of all, or of q, k and v
    cull_recurrence state;
    const float *rate;    // (H) exp A_log: how fast a head forgets
    const float *dt_bias; // (H), or (H, k_width)
    const float *skip;    // (H) Mamba2's D
    hf_norm norm;         // of n channels, …
    size_t norm_width;    // … whose weights repeat after so many
} hf_mixer_layer;

typedef struct hf_layer {
    cull_layer_facts facts;
    enum hf_mix mix;      // what turns rows to each other
    bool alone;           // nothing follows it: no feed-forward part
    hf_mixer_layer mixer; // HF_MIX_RECURRENT
    bool parallel;        // Arctic's dense part beside attention's residual
    size_t side_F;        // width of the shared, dense or parallel part; 0: none
    cull_part side;       // its gate matrix; up and down follow
    bool local;           // sees a window or a chunk; its heads may be others
    bool rotates;         // queries and keys are rotated
    size_t K;             // experts a token of a list, before any cut's; 0: the model's
    bool chooses;         // what is attended to, by an indexer
    bool tempered;        // queries are multiplied by a temperature that grows with the position
    const hf_heads *heads;
    hf_norm attention_norm, attention_after, ffn_norm, ffn_after, parallel_norm;
    hf_norm side_after, experts_after;
    hf_norm q_norm, k_norm, v_norm;  // GQA
    hf_norm q_a_norm, kv_norm;       // MLA
    const float *sinks;              // (H) or NULL
    const float *bias;               // (E) the router's correction, or NULL
    const float *router_scale;       // (D) multiplies the router's input, or NULL
    const float *expert_scale;       // (D) multiplies the experts' input, or NULL
    const float *gate_scale;         // (E) multiplies the gates, or NULL
    float out_scale;                 // multiplies the block's output
    float sum_scale;                 // multiplies the sum of experts and side
    cull_matrix part[CULL_N_PARTS];  // rows 0: absent
    cull_matrix *expert;             // (E, 3): gate, up, down; NULL in a dense layer
    const uint8_t *constant;         // (E) 1: a constant in an expert's place; NULL: none
    size_t n_stored;                 // experts that have matrices
    size_t *group_end;               // (n_group) of each the end, where they differ; NULL: equal
    size_t first_tensor, end_tensor; // in the files' order of names
} hf_layer;

typedef struct hf_shape { // the numbers of config.json, in the alphabet of model.h
    size_t L, D, V;
    size_t q_rank, kv_rank; // MLA: latent widths; q_rank 0: none
    size_t nope, rope;      // MLA: of a head's key, what is not rotated and what is
    size_t E, K, F, dense_F, shared_F;
    size_t second_F; // width of a second set of experts
    size_t W;        // width of the space in which experts work: D, or less
    bool latent;     // it is a space of their own, also where it is as wide
    hf_mixer_shape mix;
    double eps;
    enum hf_norm_kind norm;
    enum hf_score score;
    bool K_listed; // config.json has a K for each layer
    bool tied, head_bias, qkv_bias, o_bias, qk_norm, ffn_bias, router_bias, renormalise, parallel;
    bool shared_mean;
    bool shared_as_dense; // shared_F is dense_F, as there is no other
    float clip;           // INFINITY: none
    float v_scale;        // multiplies values
    // Queries at position p are multiplied by 1 + temper log(1 + ⌊(p + temper_from) /
    // temper_span⌋).
    float temper, temper_from, temper_span;
    size_t window, chunk; // of local layers; 0: none
    size_t exact;         // positions up to which sparse attention is dense; 0: all
    float embed_scale, residual_scale;
    size_t n_group, topk_group; // 1, 1: no groups
    float floor, gate_scale, jitter;
    float act_limit, act_alpha;    // HF_CLAMPED
    cull_dtype dtype;              // of config.json, where there are no weights
    size_t block_rows, block_cols; // of FP8 scales; 0: config.json speaks of none
    bool mxfp4;
    size_t mtp; // layers that stand after the L
} hf_shape;

struct cull_model {
    const hf_arch *arch;
    hf_shape s;
    hf_heads heads[2]; // of full layers and of local ones
    hf_files files;
    const char *base;         // of the names: "model.", or what a wrapper puts before "layers.0."
    const char *head;         // "lm_head"
    bool wrapped;             // it is the language model of a wrapper
    const char *transformers; // the class of transformers that it is loaded with; NULL: none
    hf_layer *layer;          // (L)
    cull_matrix *ends;        // (2): embedding, head
    hf_norm final_norm;
    cull_model_facts facts;
    struct hf_tokenizer *tokenizer; // NULL: not opened
    size_t n_notes;
    const char **note;
};

// Where a matrix is described, or NULL where the model can have none; rows 0: it has none.
cull_matrix *hf_matrix_place(const cull_model *, cull_matrix_id);

// Has the expert matrices, or is it a constant?
static inline bool hf_is_stored(const hf_layer *layer, size_t e)
{
    return !layer->constant || !layer->constant[e];
}

// Experts that a stock router wants of each group, also where there is one.
static inline size_t hf_least_of_group(const hf_arch *arch)
{
    return arch->router.n_group.key && arch->router.group_score == HF_GROUP_TOP2 ? 2 : 1;
}

// Experts [hf_group_begin(g), hf_group_begin(g + 1)) of layer l are its group g.
static inline size_t hf_group_begin(const cull_model *m, size_t l, size_t g)
{
    const hf_layer *layer = &m->layer[l];

    if (layer->group_end)
        return g ? layer->group_end[g - 1] : 0;
    return g * (layer->facts.E / m->s.n_group);
}

// Add a note for `cull inspect`. A lack of memory loses it.
void hf_note(cull_ctx *, cull_model *, const char *fmt, ...) CULL_PRINTF(3, 4);
// A copy of a text in the context's alloc memory, or NULL with a report.
char *hf_text(cull_ctx *, const char *fmt, ...) CULL_PRINTF(2, 3);

// ---- open.c ----
// Open a folder, or a model of the local Hub cache by its id, and close it; NULL is fine.
cull_status hf_open_folder(cull_ctx *, const char *folder, uint32_t what, cull_model **out);
void hf_close(cull_model *);

// ---- its stages, in order ----
struct hf_config;
// config/shape.c: config.json → s, facts; and what it calls.
cull_status hf_shape_read(struct hf_config *, cull_model *);
// config/heads.c: config.json → attention of all layers; the rest after arch->adjust.
cull_status hf_heads_read(struct hf_config *, cull_model *);
void hf_heads_finish(struct hf_config *, cull_model *);
// config/mixers.c: config.json → recurrent layers: how many layers there are, numbers, which.
size_t hf_layer_count(struct hf_config *, const hf_arch *);
void hf_mixer_read(struct hf_config *, const hf_mixer *, hf_mixer_shape *);
cull_status hf_mixer_layers(struct hf_config *, cull_model *);
cull_status hf_mixer_check(struct hf_config *, const cull_model *);
// config/quantization.c: config.json → how stored weights are quantised.
cull_status hf_quantization_read(struct hf_config *, cull_model *);
// config/layer_overrides.c: what differs by layer.
cull_status hf_differ_read(struct hf_config *, cull_model *);
// weights/bind.c: tensors → layers.
cull_status hf_bind(cull_ctx *, cull_model *);
// facts.c
cull_status hf_facts_finish(cull_ctx *, cull_model *, const char *config_path);
// config/generation.c: what ends and bends answers → facts.
cull_status hf_generation_read(cull_ctx *, cull_model *, const char *config_path);

#endif
