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
    HF_RMS,     // x / rms(x) · w
    HF_RMS_ONE, // x / rms(x) · (1 + w)
    HF_LAYER,   // (x − mean) / std · w + b
    HF_CENTRED, // the same without b
};

// Names of a block's norms, before and after its parts; NULL: there is none.
typedef struct hf_norm_names {
    const char *attention, *attention_after;
    const char *ffn, *ffn_after;         // after: of the sum of experts and what runs beside them
    const char *side_after;              // of what runs beside the experts alone, …
    const char *experts, *experts_after; // … and of the experts alone (ffn is then the other's)
} hf_norm_names;

enum hf_attention_kind {
    HF_GQA,
    HF_MLA, // latent attention, DeepSeek-V2 section 2.1
};

enum hf_qk_norm {
    HF_QK_PLAIN,
    HF_QK_WHOLE, // RMS norm over all heads together
    HF_QK_HEAD,  // RMS norm of each head
    HF_QK_BARE,  // the same without a weight, in rotated layers alone
};

enum hf_local { // which layers are local: see a sliding window, or a chunk
    HF_LOCAL_NONE,
    HF_LOCAL_ALL,
    // Those that layer_types calls so; without it, of layers l = 0, 1, …:
    HF_LOCAL_EVEN,    // even l below n
    HF_LOCAL_FROM,    // l from n on
    HF_LOCAL_BUT_NTH, // all but every n-th
};

enum hf_rotates { // which layers are rotated
    HF_ROTATE_ALL,
    HF_ROTATE_LOCAL, // the local ones, or all where there is no window
    HF_ROTATE_NONE,
    HF_ROTATE_SAID, // all where position_embedding_type is "rope", else none
    HF_ROTATE_LIST, // no_rope_layers has 1; without it all but every no_rope_layer_interval-th
};

enum hf_sinks { HF_SINKS_NONE, HF_SINKS_ALL, HF_SINKS_LOCAL };

enum hf_act {
    HF_SILU,    // silu(g) · u
    HF_CLAMPED, // gpt-oss: g ≤ c, |u| ≤ c; g · sigmoid(a g) · (u + 1)
    HF_GELU,    // gelu(g) · u, by its tanh form
    HF_RELU2,   // relu(u)², without a gate
};

// Heads of one type of layer where they differ; a key NULL: as the others'.
typedef struct hf_head_keys {
    hf_num H, KV, qk, v, theta;
    size_t KV_times; // there are so many times the others' key heads; 0: 1
} hf_head_keys;

enum hf_score { // how router logits become gates
    HF_SOFTMAX, // softmax over all experts, then the top k; renormalised it is softmax over the top
                // k
    HF_SIGMOID, // sigmoid of each, then the top k
    HF_TOP_SIGMOID, // the top k logits, then their sigmoids
    HF_SPARSEMIXER, // SparseMixer-v2 at inference, arXiv:2409.12136: two masked argmaxes
};

enum hf_group_score { // of group-limited routing
    HF_GROUP_TOP2,    // a group's score is the sum of its best two
    HF_GROUP_MAX,     // its best
};

typedef struct hf_router {
    enum hf_score score;
    const char *name;           // of the matrix (E, D), …
    const char *turned;         // … or where it is stored as (D, E); NULL: never
    bool linear_bias;           // its linear layer has a bias
    const char *bias;           // a tensor that is added for the selection only; NULL: none
    hf_num bias_on;             // key NULL: always, where there is one
    const char *input_scale;    // a vector (D) that with 1/√D multiplies its input; NULL: none
    const char *gate_scale;     // a vector (E) that multiplies the gates; NULL: none
    bool bias_is_parameter;     // the reference counts it among its parameters
    hf_num renormalise;         // divide the k gates by their sum …
    hf_num floor;               // … which is at least this, …
    double add;                 // … plus this
    bool alone_as_is;           // … but not where a token has one expert
    hf_num scale;               // multiplies the gates
    hf_num n_group, topk_group; // 0: no groups
    enum hf_group_score group_score;
    hf_num jitter; // SparseMixer's ε
} hf_router;

enum hf_expert_form {
    HF_EACH = 1, // a tensor per expert and projection
    HF_ROWS,     // gate_up (E, 2F, D): gate's rows, then up's; down (E, D, F)
    HF_COLUMNS,  // gate_up (E, D, 2F): gate and up by turns; down (E, F, D)
    HF_HALVES,   // gate_up (E, D, 2F): gate's columns, then up's; down (E, F, D)
    HF_MXFP4, // gate_up (E, 2F, D): gate and up by turns; down (E, D, F); in blocks of 32 columns
};

typedef struct hf_glu_names {
    const char *gate, *up, *down; // of all experts in one: `gate` names both, `up` is NULL;
                                  // HF_RELU2: there is no gate
    const char *pair; // gate's rows, then up's, where a checkpoint has them in one; NULL: never
} hf_glu_names;

typedef struct hf_expert_layout {
    enum hf_expert_form form; // 0: no more
    hf_glu_names name;
} hf_expert_layout;

enum hf_mixer_kind { // what recurrent layers have in attention's place, see mixer.c
    HF_MIXER_NONE,
    HF_MIXER_CONV,  // LFM2's gated short convolution
    HF_MIXER_DELTA, // gated delta net
    HF_MIXER_KDA,   // Kimi's, with a decay per channel
    HF_MIXER_MAMBA2,
};

enum hf_mixer_gate { // z, which multiplies what a state yields
    HF_GATE_SILU,    // norm, then silu(z)
    HF_GATE_SIGMOID, // norm, then sigmoid(z)
    HF_GATE_FIRST,   // silu(z), then norm
};

// Names are those of matrices or vectors; what a kind does not have is NULL. Which layers are
// recurrent is said by the list `types` of config.json; without it all are but every `attends`-th.
typedef struct hf_mixer {
    enum hf_mixer_kind kind;
    const char *types;
    hf_num attends; // 0: none attends
    hf_num H, KH;   // heads of v and of q and k; HF_MIXER_CONV: none
    hf_num k_width, v_width, taps;
    hf_num conv_bias, bias; // of the filters; of what enters and leaves
    const char *limits;     // of Mamba2's time steps, the least and the greatest; NULL: none, …
    hf_num least_step;      // … or the least alone
    const char *in, *ba;    // what enters in one: q, k, v (and z); β and decay
    const char *z, *b, *a;  // or apart: z, β, decay
    const char *q, *k, *v, *a_in, *a_out, *z_in, *z_out;
    const char *conv, *conv_k, *conv_v; // `conv` of all, or of q alone
    const char *rate, *dt_bias, *skip;  // A_log; Mamba2's D
    const char *norm;
    enum hf_mixer_gate gate;
    bool grouped;  // the norm is over the heads that share q and k together, with a weight for each
    cull_part out; // the part of what leaves …
    const char *out_name;
    bool single; // a block has one part: the layer types say which (also "moe", "mlp")
} hf_mixer;

// A key of config.json that is not read.
typedef struct hf_key {
    const char *key; // "a|b": each of them
    // Values, as JSON, that change nothing: "1|null", or "1.0|null" where it may be a real number;
    // HF_ANY: all do.
    const char *neutral;
    const char *why; // why another value of their kind is left out, with a warning; NULL: it is
                     // refused, as values of another kind are
} hf_key;
#define HF_ANY "*" // the reference's forward pass does not look at the key, …
// … but its class at what it holds, if not null:
#define HF_ANY_NUMBER  "*a number"
#define HF_ANY_INTEGER "*an integer"
#define HF_ANY_WORDS   "*a list of texts"

enum hf_kept { // what an export keeps of a tensor that is left out
    HF_KEPT_NOT,
    HF_KEPT,
    HF_KEPT_ROWS,    // a row for each expert that it keeps, …
    HF_KEPT_COLUMNS, // … or a column
};

// Tensors that are left out, with a warning that says why.
typedef struct hf_left {
    const char *name; // in a layer the part after "model.layers.N.", else all; "…*": what begins so
    const char *why;
    enum hf_kept kept;
} hf_left;

typedef struct hf_arch {
    const char *model_type, *also; // also: other words for the same, "a|b"
    uint32_t reading;              // see cull_model_facts; what some configurations say adds to it

    // ---- the block
    double eps, theta; // where config.json has none
    bool tied;         // head tied to the embedding, where config.json does not say
    bool never_tied;   // … or never, whatever it says
    enum hf_norm_kind norm;
    const char *eps_key;   // NULL: rms_norm_eps
    hf_norm_names norms;   // none at all: input_layernorm, post_attention_layernorm
    const char *last_norm; // NULL: norm
    const char *embedding; // NULL: embed_tokens
    bool one_norm;         // attention and feed-forward part read the one norm, side by side
    const char *out_scale; // a number (1) that multiplies a block's output; NULL: none
    hf_num embed_scale, residual_scale, logit_divisor; // key NULL and 0: 1
    hf_num logit_scale, softcap;                       // softcap: c tanh(logit / c); key NULL: none
    hf_num head_bias;

    // ---- attention
    enum hf_attention_kind attention;
    hf_num head_dim;          // 0: D / H
    size_t kv_heads;          // where config.json has no num_key_value_heads; 0: as many as H
    bool kv_null;             // … and of those with a number: as many as H where it is null
    hf_num value_dim;         // of a head; key NULL: as wide as keys
    hf_head_keys full, local; // what differs by type of layer
    bool per_layer;           // … and what per_layer_config says of it
    hf_num qkv_bias, o_bias;  // latent attention: qkv_bias is that of q_a and kv_a
    enum hf_qk_norm qk_norm;
    hf_num qk_norm_on;           // key NULL: always
    bool qk_norm_last;           // after the rotation
    const char *q_norm, *k_norm; // NULL: self_attn.q_norm, self_attn.k_norm
    bool v_norm;                 // RMS norm without a weight of each value head
    hf_num v_scale;              // multiplies values; key NULL: 1
    hf_num k_is_v; // full layers have no v_proj: values are keys before norm and rotation
    const char *q, *k, *v, *o; // NULL: self_attn.q_proj, …
    bool gated_query;          // q_proj has a gate of each head behind its query, as `gate` below
    const char *gate;          // a matrix whose sigmoid multiplies what heads yield; NULL: none
    hf_num clip;               // q, k, v are clamped to ±clip; key NULL: not at all
    hf_num attention_scale;    // key NULL: 1/√width
    enum hf_sinks sinks;       // an extra logit a head: self_attn.sinks (H)
    enum hf_local local_layers;
    hf_num local_n;            // the n of hf_local; no key and 0: L
    size_t window;             // their width where config.json does not say; 0: none
    const char *window_switch; // a key that must be true for windows to count; NULL: none
    bool chunked;              // attention_chunk_size, in place of windows
    const char *indexer;       // a matrix of what chooses in sparse attention
    bool own_types;            // layer_types has other words, which `adjust` reads or nobody
    const char *positions;     // NULL: max_position_embeddings
    hf_num exact;              // positions up to which sparse attention is dense; key NULL: all

    // ---- recurrent layers
    hf_mixer mixer; // kind 0: every layer attends

    // ---- rotary embedding
    enum hf_rotates rotates;
    hf_num interleaved;     // pairs (2j, 2j + 1) instead of (j, j + half)
    hf_num partial;         // share of the head that is rotated; key NULL: all of it
    const char *rotary_dim; // an older key that gives it in channels
    bool mrope;             // M-RoPE: sections of channels whose positions are one on text
    bool own_mscale;        // longrope as Phi has it, see rope.h
    bool by_type;           // rope_parameters has an object for each type of layer
    bool alpha;             // the dynamic type has Hunyuan's alpha
    bool yarn_default;      // without any scaling in config.json: gpt-oss's yarn

    // ---- mixture of experts
    hf_num E, K, F;
    bool K_lists; // K may be a list with a number for each layer
    hf_num dense_F;
    // Layer l has experts when mlp_layer_types, if it counts, calls it sparse; without it, when the
    // list `flags` has 1; else when first ≤ l ≤ last, (l + 1) % step = 0, it is in the list `only`
    // and not in the list `except`, where there are such.
    hf_num first_moe, last_moe, moe_step; // last −1: all; step 0: 1
    const char *except, *only, *flags;
    bool mlp_types;
    enum hf_act act, side_act;
    const char *act_words; // hidden_act may be "a|b"; NULL: silu|swish
    bool gate_on_input;    // the gate multiplies an expert's input, not its output
    hf_router router;
    hf_expert_layout experts[4];
    // There is a second set of as many experts, which no text reaches: one by one they are numbered
    // on from the first. F is a list then, of both widths.
    bool twofold;
    bool expert_bias; // of experts one by one
    bool stack_bias;  // of fused ones: gate_up_proj_bias, down_proj_bias; they may be in MXFP4
    hf_num latent;    // width of the space in which experts work; key NULL, or 0: the model's
    const char *latent_in, *latent_out; // the ways into it and back
    hf_num shared_n;                    // shared experts, each F wide; 0: none
    hf_num shared_F;                    // or their width as such
    bool shared_as_dense;               // where that comes to none they are as wide as dense layers
    hf_glu_names shared;
    const char *shared_gate; // a sigmoid gate over the shared expert (1, D); NULL: none
    bool shared_mean;        // half the sum of shared and routed experts
    hf_glu_names dense;
    hf_num ffn_bias;       // of dense and shared parts
    hf_glu_names parallel; // Arctic: a dense part beside attention's residual; gate NULL: none

    // ---- what else a checkpoint may hold, see lists.h
    const hf_key *keys;     // of config.json, ended by { 0 }; NULL: only those of all families
    const hf_left *tensors; // ended by { 0 }; NULL: only those of all families
    const char *mtp;        // the key that counts multi-token-prediction layers
    cull_status (*adjust)(struct hf_config *, cull_model *); // what a table cannot say; may be NULL

    // ---- what Cull's own layout needs, see layer_overrides.c
    const char *transformers; // its class of the model alone; NULL: transformers has none
    const char *constants;    // their tensor; NULL: HF_CONSTANTS_NAME
} hf_arch;

// What a model calls its embedding.
static inline const char *hf_embedding_name(const hf_arch *arch)
{
    return arch->embedding ? arch->embedding : "embed_tokens";
}

// By the word in model_type, or NULL; all of them, NULL-terminated.
const hf_arch *hf_arch_find(const char *model_type);
extern const hf_arch *const hf_archs[];

#endif
