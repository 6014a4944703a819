// The tensors of a checkpoint's safetensors files, by name.
//
// A folder holds model.safetensors, or model.safetensors.index.json with the shards that it lists;
// where both are, the first counts. Files that are not listed are not looked at. Invariants: names
// are unique over all files, sorted, and where an index is, it names exactly the right file for
// each tensor it lists.
#ifndef HF_TENSORS_H
#define HF_TENSORS_H

#include <cull/cull.h>
#include <cull/ext/safetensors.h>

enum hf_role { // what a used tensor is to the model; what `where` means
    HF_UNUSED,
    HF_VECTOR,       // a norm, sinks, a bias: belongs to no expert
    HF_MATRIX,       // the weight of matrix `where`
    HF_MATRIX_SCALE, // its FP8 scales
    HF_PAIR,         // the weights of matrix `where` and of the next part, one after the other
    HF_MATRIX_BIAS,  // its bias
    HF_STACK,        // all experts' matrices `where`, expert on axis 0 (GATE: of gate and up)
    HF_STACK_BLOCKS, // the same in MXFP4, …
    HF_STACK_SCALES, // … with its scales
    HF_STACK_BIAS,   // all experts' biases, expert on axis 0
    HF_ROUTER,       // the router's matrix, a row an expert
    HF_ROUTER_BIAS,  // its bias, or what is added for the selection: an entry an expert
    HF_GATE_SCALE,   // what multiplies the gates: an entry an expert
    HF_CONSTANTS,    // what stands in experts' places, a row each
    HF_BESIDE,       // no part of what is computed; an export keeps it
    HF_ENTRIES,      // what has an entry an expert along `axis`, and is not changed otherwise
    HF_SECOND,       // of expert `where` of a second set: no part of what is computed
};

typedef struct hf_tensor {
    const char *name;
    cull_tensor t;
    size_t file;
    enum hf_role role;
    cull_matrix_id where;
    size_t axis; // HF_ENTRIES
} hf_tensor;

typedef struct hf_files {
    const cull_safetensors_ext *st;
    size_t n;                // files open
    cull_safetensors **file; // (n)
    const char **name;       // (n) bare
    size_t n_tensors;
    hf_tensor *tensor;  // (n_tensors) by name
    size_t unlisted;    // tensors in the shards that the index does not list
    bool missing;       // there are no weights: tensors are as config.json wants them, without data
    const char *beside; // a file that an index beside model.safetensors names; NULL: none
} hf_files;

// Close what was opened, also after a failure.
// may_miss: without weights none is open, and `missing` says so.
cull_status hf_files_open(cull_ctx *, const char *folder, bool may_miss, hf_files *out);
void hf_files_close(hf_files *);

hf_tensor *hf_files_find(const hf_files *, const char *name); // NULL: none
// The range [first, end) of tensors whose names begin so.
void hf_files_range(const hf_files *, const char *prefix, size_t *first, size_t *end);
// Ask for the pages of the used tensors of a range soon, or let them go.
void hf_files_prefetch(const hf_files *, size_t first, size_t end);
void hf_files_release(const hf_files *, size_t first, size_t end);

#endif
