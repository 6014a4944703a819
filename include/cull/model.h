// The model's shape, in one alphabet:
//
//   L layers   E routed experts of a layer (0: a dense layer)   K experts routed per token
//   N tokens   D model width   F expert width   V vocabulary
//
// E, K and F may differ by layer, so everything per expert is ragged: an array of L pointers.
#ifndef CULL_MODEL_H
#define CULL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The parts of a model that hold numbers. Every matrix (and the bias that goes with it) has the id
// (layer, part, expert). X(name, word)
#define CULL_PARTS(X)                                                                              \
    X(EMBED, "embed")                                                                              \
    X(HEAD, "head")                                                                                \
    X(Q, "q")                                                                                      \
    X(K, "k")                                                                                      \
    X(V, "v")                                                                                      \
    X(O, "o")                                                                                      \
    X(Q_A, "q_a")                                                                                  \
    X(Q_B, "q_b")                                                                                  \
    X(KV_A, "kv_a")                                                                                \
    X(KV_B, "kv_b")                                                                                \
    X(ROUTER, "router")                                                                            \
    X(GATE, "gate")               /* of a routed expert */                                         \
    X(UP, "up")                   /* of a routed expert */                                         \
    X(DOWN, "down")               /* of a routed expert */                                         \
    X(SHARED_GATE, "shared_gate") /* shared experts, run for every token */                        \
    X(SHARED_UP, "shared_up")                                                                      \
    X(SHARED_DOWN, "shared_down")                                                                  \
    X(SHARED_ROUTER, "shared_router") /* the shared expert's own sigmoid gate */                   \
    X(DENSE_GATE, "dense_gate")       /* a dense or parallel feed-forward part */                  \
    X(DENSE_UP, "dense_up")                                                                        \
    X(DENSE_DOWN, "dense_down")                                                                    \
    X(MIX_IN, "mix_in")       /* recurrent and convolutional layers: what enters, all in one */    \
    X(MIX_Z, "mix_z")         /* … the gate of what leaves */                                      \
    X(MIX_BA, "mix_ba")       /* … β and decay in one */                                           \
    X(MIX_B, "mix_b")         /* … β */                                                            \
    X(MIX_A, "mix_a")         /* … the decay */                                                    \
    X(MIX_A_IN, "mix_a_in")   /* … through a narrow middle */                                      \
    X(MIX_A_OUT, "mix_a_out")                                                                      \
    X(MIX_Z_IN, "mix_z_in")                                                                        \
    X(MIX_Z_OUT, "mix_z_out")                                                                      \
    X(MIX_OUT, "mix_out")     /* … what leaves */                                                  \
    X(CONV, "conv")           /* filters (channels, taps) of causal convolutions */                \
    X(CONV_K, "conv_k")       /* … where q, k and v have one each */                               \
    X(CONV_V, "conv_v")                                                                            \
    X(LATENT_IN, "latent_in") /* into the narrower space of the routed experts, and back */        \
    X(LATENT_OUT, "latent_out")                                                                    \
    X(O_GATE, "o_gate")       /* its sigmoid multiplies the input of o */

typedef enum cull_part {
#define CULL_PART_ENUM(name, word) CULL_PART_##name,
    CULL_PARTS(CULL_PART_ENUM)
#undef CULL_PART_ENUM
        CULL_N_PARTS
} cull_part;

// The word of a part, "?" for what is none; the same in files and messages.
static inline const char *cull_part_word(uint32_t part)
{
    static const char *const words[] = {
#define CULL_PART_WORD(name, word) word,
        CULL_PARTS(CULL_PART_WORD)
#undef CULL_PART_WORD
    };

    return part < CULL_N_PARTS ? words[part] : "?";
}

enum { CULL_MOST_PARTS = 64 }; // that there will ever be: cull_layer_facts.parts has a bit for each

#define CULL_NONE UINT32_MAX // no layer (embed, head), or no expert

typedef struct cull_matrix_id { // fixed
    uint32_t layer;
    uint32_t part; // cull_part
    uint32_t expert;
} cull_matrix_id;

// Is the part a filter, which convolves instead of multiplying? Sums over inputs have none of it.
static inline bool cull_part_is_filter(cull_part part)
{
    return part >= CULL_PART_CONV && part <= CULL_PART_CONV_V;
}

static inline cull_matrix_id cull_at(size_t layer, cull_part part)
{
    const cull_matrix_id where = { (uint32_t)layer, (uint32_t)part, CULL_NONE };

    return where;
}

static inline cull_matrix_id cull_at_expert(size_t layer, cull_part part, size_t expert)
{
    const cull_matrix_id where = { (uint32_t)layer, (uint32_t)part, (uint32_t)expert };

    return where;
}

// What is known of one layer without touching its weights.
typedef struct cull_layer_facts {
    uint32_t size;
    size_t E, K, F;
    size_t n_group, topk_group; // group-limited routing; 1, 1 where there is none
    bool renormalise;           // the gates of a token's K experts are divided by their sum
    bool gate_on_input;         // the gate multiplies an expert's input, not its output
    bool has_side;              // something runs beside the routed experts
    uint64_t parts;             // bit p: part p is present
    size_t window;              // sliding attention window, 0: full
    size_t kv_width;            // floats of K and V together that one row leaves behind
    uint64_t bytes;             // of all stored weights of the layer
    uint64_t expert_params;     // weights and biases of one routed expert
    uint64_t other_params;      // all else in the layer
    size_t side_F;              // width of the shared or dense part; 0: there is none
    uint64_t channel_params;    // of one channel of a routed expert: its rows of gate and up, their biases, and its
                                // column of down
    uint64_t side_channel_params; // of one of the shared or dense part
    size_t state_width;  // floats that a path leaves behind at its end, beside K and V (backend.h)
    size_t attend_width; // floats of scratch that attend takes for a row; 0: as K and V suggest
    size_t expert_width; // of the space of their own in which experts work, at most D (backend.h); 0: the model's
    uint64_t expert_beside; // bytes of facts.bytes_beside that go with each routed expert that an export drops
} cull_layer_facts;

typedef struct cull_model_facts {
    uint32_t size;
    const char *arch;        // model_type
    const char *dtype;       // as stored, "bf16", …
    const char *source;      // where it was opened
    const char *fingerprint; // 32 hex digits of config, headers, sizes and sampled pages of its files
    size_t L, D, V;
    size_t max_positions;
    size_t rope_switch; // paths longer than this are rotated otherwise (longrope); 0: none
    double logit_scale; // logits are multiplied by it (1 but for Granite)
    uint64_t params_total, params_expert, params_active;
    uint64_t bytes; // of all stored weights
    int32_t bos, eos; // token ids, −1: none
    bool adds_bos;    // the tokenizer puts BOS in front by itself
    const char *exports; // what a checkpoint can say of a variant, for `cull inspect`; NULL: unknown
    // How the checkpoint wants its answers (CULL_GENERATE); zeroes are plain greedy decoding.
    const int32_t *stop; // (n_stop) ids that end one; NULL: eos does
    size_t n_stop;
    size_t max_new;            // of its ids, whatever a task says; 0: the task's
    double repetition_penalty; // divides the positive logits of ids that were there, prompt and answer, and
                               // multiplies the others; 0, 1: none
    const char *no_answers;    // why they cannot be made, in a sentence; NULL: they can
    // Why a checkpoint cannot say that all routed experts are narrower, in a sentence; NULL: it can.
    const char *one_width;
    double logit_cap; // logits z, after their scale, become cap tanh(z / cap); 0: they stay
    // Why there are no weights, in a sentence: the facts follow from the model's configuration alone; NULL: there are.
    const char *no_weights;
    bool anew_at_switch; // an answer that comes to rope_switch has the keys before it rotated anew; else they stay
    // Raised by the backend when it makes other numbers of the same files: what was computed then is not used again.
    uint32_t reading;
    uint64_t bytes_beside; // of what no computation reads, and a checkpoint of a variant keeps
    const char *decoding; // 32 hex digits of what ids become text by; NULL: not known, or there is no tokenizer
} cull_model_facts;

#endif
