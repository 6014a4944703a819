// An architecture as a table of facts over shared pieces.
//
// A file arch/<name>.c holds one constant hf_arch: which keys of config.json give its numbers, what
// its tensors are called, and which of the pieces it is made of. Nothing is computed there; what a
// table cannot say stands in `adjust`, a few lines. To add an architecture, write its file and name
// it in arch.c.
//
// Names of tensors are relative to "model.layers.N." and lack ".weight" and ".bias"; '*' is the
// expert's number; "a|b" means a, or b where a checkpoint has no a (published names come first).
#ifndef HF_ARCH_H
#define HF_ARCH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include <cull/cull.h>

struct hf_config;

// A number of config.json. Without a key it is the constant `def`; a key that is absent gives
// `def`, and with NAN it must be there. "a|b": the first key that is there, aliases first, as the
// reference's class sets them last.
typedef struct hf_num {
    const char *key;
    double def;
} hf_num;
#define HF_NEEDS(k)                                                                                \
    {                                                                                              \
        (k), NAN                                                                                   \
    }
#define HF_KEY(k, d)                                                                               \
    {                                                                                              \
        (k), (d)                                                                                   \
    }
#define HF_CONSTANT(d)                                                                             \
    {                                                                                              \
        NULL, (d)                                                                                  \
    }

enum hf_norm_kind {
    HF_RMS,   // x / rms(x) · w
    HF_LAYER, // (x − mean) / std · w + b
};

enum hf_attention_kind {
    HF_GQA,
    HF_MLA, // latent attention, DeepSeek-V2 section 2.1
};

enum hf_qk_norm {
    HF_QK_PLAIN,
    HF_QK_WHOLE, // RMS norm over all heads together
    HF_QK_HEAD,  // RMS norm of each head
};

enum hf_windows { // which layers have the sliding window
    HF_WINDOW_NONE,
    HF_WINDOW_ALL,
    HF_WINDOW_TYPES, // those that layer_types calls sliding_attention; without it every other, from
                     // the first
};

enum hf_act {
    HF_SILU,    // silu(g) · u
    HF_CLAMPED, // gpt-oss: g ≤ c, |u| ≤ c; g · sigmoid(a g) · (u + 1)
};

enum hf_score { // how router logits become gates
    HF_SOFTMAX, // softmax over all experts, then the top k; renormalised it is softmax over the top
                // k
    HF_SIGMOID, // sigmoid of each, then the top k
    HF_SPARSEMIXER, // SparseMixer-v2 at inference, arXiv:2409.12136: two masked argmaxes
};

enum hf_group_score { // of group-limited routing
    HF_GROUP_TOP2,    // a group's score is the sum of its best two
    HF_GROUP_MAX,     // its best
};

typedef struct hf_router {
    enum hf_score score;
    const char *name;           // of the matrix (E, D)
    bool linear_bias;           // its linear layer has a bias
    const char *bias;           // a tensor that is added for the selection only; NULL: none
    hf_num renormalise;         // divide the k gates by their sum …
    hf_num floor;               // … which is at least this, …
    double add;                 // … plus this
    hf_num scale;               // multiplies the gates
    hf_num n_group, topk_group; // 0: no groups
    enum hf_group_score group_score;
    hf_num jitter; // SparseMixer's ε
} hf_router;

enum hf_expert_form {
    HF_EACH = 1, // a tensor per expert and projection
    HF_ROWS,     // gate_up (E, 2F, D): gate's rows, then up's; down (E, D, F)
    HF_COLUMNS,  // gate_up (E, D, 2F): gate and up by turns; down (E, F, D)
    HF_MXFP4, // gate_up (E, 2F, D): gate and up by turns; down (E, D, F); in blocks of 32 columns
};

typedef struct hf_glu_names {
    const char *gate, *up, *down; // fused forms: `gate` names both, `up` is NULL
} hf_glu_names;

typedef struct hf_expert_layout {
    enum hf_expert_form form; // 0: no more
    hf_glu_names name;
} hf_expert_layout;

// A key of config.json that is not read.
typedef struct hf_key {
    const char *key;     // "a|b": each of them
    const char *neutral; // values, as JSON, that change nothing: "1|null"; HF_ANY: all do
    const char *why;     // why another value is left out, with a warning; NULL: it is refused
} hf_key;
#define HF_ANY "*" // the reference's forward pass does not look at the key

// Tensors that are left out, with a warning that says why.
typedef struct hf_left {
    const char *name; // in a layer the part after "model.layers.N.", else all; "…*": what begins so
    const char *why;
} hf_left;

typedef struct hf_arch {
    const char *model_type, *also; // also: other words for the same, "a|b"

    // ---- the block
    double eps, theta; // where config.json has none
    bool tied;         // head tied to the embedding, where config.json does not say
    enum hf_norm_kind norm;
    hf_num embed_scale, residual_scale, logit_divisor; // key NULL and 0: 1
    hf_num head_bias;

    // ---- attention
    enum hf_attention_kind attention;
    hf_num head_dim;         // 0: D / H
    size_t kv_heads;         // where config.json has no num_key_value_heads; 0: as many as H
    hf_num qkv_bias, o_bias; // latent attention: qkv_bias is that of q_a and kv_a
    enum hf_qk_norm qk_norm;
    hf_num qk_norm_on;      // key NULL: always
    hf_num clip;            // q, k, v are clamped to ±clip; key NULL: not at all
    hf_num attention_scale; // key NULL: 1/√width
    bool sinks;             // self_attn.sinks (H)
    enum hf_windows windows;
    size_t window;             // their width where config.json does not say; 0: none
    const char *window_switch; // a key that must be true for windows to count; NULL: none
    const char *window_layers; // HF_WINDOW_TYPES: only the first so many by default; NULL: all

    // ---- rotary embedding
    hf_num interleaved;     // pairs (2j, 2j + 1) instead of (j, j + half)
    hf_num partial;         // share of the head that is rotated; key NULL: all of it
    const char *rotary_dim; // an older key that gives it in channels
    bool own_mscale;        // longrope as Phi has it, see rope.h
    bool yarn_default;      // without any scaling in config.json: gpt-oss's yarn

    // ---- mixture of experts
    hf_num E, K, F;
    hf_num dense_F;
    // Layer l has experts when first ≤ l ≤ last, (l + 1) % step = 0 and it is not in the list
    // `except`.
    hf_num first_moe, last_moe, moe_step; // last −1: all; step 0: 1
    const char *except;
    enum hf_act act;
    hf_router router;
    hf_expert_layout experts[4];
    bool expert_bias;
    hf_num shared_n; // shared experts, each F wide; 0: none
    hf_num shared_F; // or their width as such
    hf_glu_names shared;
    const char *shared_gate; // a sigmoid gate over the shared expert (1, D); NULL: none
    hf_glu_names dense;
    hf_num ffn_bias;       // of dense and shared parts
    hf_glu_names parallel; // Arctic: a dense part beside attention's residual; gate NULL: none

    // ---- what else a checkpoint may hold, see lists.h
    const hf_key *keys;     // of config.json, ended by { 0 }; NULL: only those of all families
    const hf_left *tensors; // ended by { 0 }; NULL: only those of all families
    const char *mtp;        // the key that counts multi-token-prediction layers
    cull_status (*adjust)(struct hf_config *, cull_model *); // what a table cannot say; may be NULL

    // ---- what Cull's own layout needs, see layer_overrides.c
    const char *transformers; // its class; NULL: transformers has none
    const char *constants;    // their tensor; NULL: HF_CONSTANTS_NAME
} hf_arch;

// By the word in model_type, or NULL; all of them, NULL-terminated.
const hf_arch *hf_arch_find(const char *model_type);
extern const hf_arch *const hf_archs[];

#endif
