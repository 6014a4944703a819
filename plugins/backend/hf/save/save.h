// Writing a variant as a checkpoint of its own.
//
// export_plan.c decides what becomes of layers and experts, and refuses what the format cannot say;
// slots.c says what that puts into a slot. tensor_list.c lists the tensors to be written, each with
// where it comes from. write_tensors.c writes them, bytes as they are wherever nothing changes
// them. config_edit.c edits config.json as text (json_text.c), so that all else stays as it was,
// and layer_lists.c what it says of layers one by one. channels.c makes parts narrower, or zero.
// cull_layout.c writes what Cull's own layout adds, where no published one will do.
#ifndef HF_SAVE_H
#define HF_SAVE_H

#include <cull/ext/variant.h>

#include "model.h"

enum { HF_PADDING = -1 }; // a slot that no expert stands behind, and that is never chosen

typedef struct hf_out { // a tensor to be written
    const hf_tensor *from;
    const char *name;
    cull_dtype dtype;
    size_t rank, shape[CULL_MAX_RANK];
    size_t bytes;
    size_t layer; // of the model; CULL_NONE: none
    int32_t slot; // HF_MATRIX and its like of one expert: its new number; else −1
} hf_out;

typedef enum hf_kind { HF_ROUTED, HF_SHARED, HF_DENSE, HF_N_KINDS } hf_kind; // of modules

typedef struct hf_width { // of all modules of a kind: as stored, as written, and config.json's key
    size_t from, to;
    const char *key; // NULL: it follows from others
    bool present;
} hf_width;

typedef struct hf_sieve { // lets bytes of one slice of a tensor through
    const uint8_t *kept;  // (n) by place on the axis of channels; NULL: all pass
    size_t n, inner;      // places, and the bytes of one
    bool zero, nibbles;   // what goes becomes zeros in its place; two places a byte
    size_t at;            // bytes so far
} hf_sieve;

typedef struct hf_saving {
    cull_ctx *ctx;
    const cull_model *m;
    const cull_cut *cut;
    const cull_save *how;
    const cull_variant_ext *variant;
    // ---- export_plan.c
    size_t *new_layer; // (L) its number, SIZE_MAX: gone
    size_t L, E, K;    // of what is written; E: of the layer with most experts
    size_t *rows, *k;  // (L) slots, a router's row each, and experts a token; 0 in a dense layer
    int32_t *
        *slot; // [l] → (rows) the expert behind each slot, or HF_PADDING; NULL in a dense layer
    bool own;  // Cull's own layout: layers differ, and slots without matrices are constants
    // ---- channels.c
    hf_width width[HF_N_KINDS];
    // ---- tensor_list.c
    size_t n, n_wide; // n_wide: dequantised matrices that BF16 would round
    hf_out *out;      // (n)
} hf_saving;

static inline size_t hf_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

cull_status hf_save_plan(hf_saving *);
cull_status hf_save_list(hf_saving *);
cull_status hf_save_tensors(hf_saving *);
cull_status hf_save_config(hf_saving *);
cull_status hf_save_rest(hf_saving *); // tokenizer and other files

// ---- channels.c ----
cull_status hf_save_widths(hf_saving *); // after the plan of experts
void hf_save_narrow(const hf_saving *, hf_out *);
// For the slice of `out` that holds matrix `where`; lives in scratch memory.
cull_status hf_save_sieve(hf_saving *, const hf_out *, cull_matrix_id where, hf_sieve *);
size_t hf_sieve_pass(hf_sieve *, const unsigned char *from, size_t n, unsigned char *to);

// ---- layer_lists.c: config.json's text, of a model with fewer layers, or NULL ----
char *hf_save_layer_lists(hf_saving *, char *text);

// ---- cull_layout.c: Cull's own layout ----
#define HF_OWN_FILE   "modeling_cull.py"
#define HF_OWN_MODULE "modeling_cull"
#define HF_OWN_CLASS  "{\"AutoModelForCausalLM\": \"" HF_OWN_MODULE ".Model\"}"
char *hf_own_layers(hf_saving *); // the value of "cull_layers", or NULL
cull_status hf_save_modeling(hf_saving *);

// ---- slots.c ----
// What the slot contributes: the expert whose matrices it has, or −1: nothing, or a constant.
int32_t hf_slot_content(const hf_saving *, size_t l, int32_t slot);
// The constant (D) of a slot without matrices; NULL: nothing.
const float *hf_slot_constant(const hf_saving *, size_t l, int32_t slot);
// Has the slot matrices in what is written? How many have?
bool hf_slot_stored(const hf_saving *, size_t l, int32_t slot);
size_t hf_slots_stored(const hf_saving *, size_t l);
bool hf_is_quantised(cull_dtype);
// other_files.c: a new file.
cull_status hf_write_file(cull_ctx *, const char *path, const char *bytes, size_t n);

// What a checkpoint of this model can say of a variant: a line, or NULL.
const char *hf_exports(cull_ctx *, const cull_model *);

// The backend's save.
cull_status hf_save(cull_ctx *, const cull_model *, const cull_cut *, const cull_save *);
cull_status hf_saved_bytes(cull_ctx *, const cull_model *, const cull_cut *, uint64_t *bytes);

#endif
