// The cut as a file of its own: a recipe from which a variant can be rebuilt, evaluated or exported
// without calibrating again.
//
// A safetensors file. __metadata__: cull ("cut/1" to "cut/3", see cut_names.h), L, D, store, model
// and calibration (32 hex digits each, where known), and whatever else the writer notes. Tensors, l
// a layer with experts:
//
// clang-format off
//   layer.<l>.action      U8  (E)           cull_action of every expert
//   layer.<l>.target      I32 (E)           who serves; itself but for ALIAS
//   layer.<l>.kept        I32 (n)           the experts with action BASE, ascending
//   layer.<l>.novice      store (n, D)      constants of the NOVICE experts, ascending; where there are any
//   skip_layer, skip_moe  U8  (L)           1: passed over; where any is
//   k                     I32 (L)           experts per token, 0: the model's; where any is set
//   skip_ratio, top_p     F64 (L)           where any is set
//   <place>.mask          U8  (rows, bytes) bits, least significant first, 1 = kept
//   <place>.matrix        store (rows, cols)
//   <place>.channels      U8  (1, bytes)    bits of a module's channels, 1 = kept; place: its matrix down
//   <place>.bias          store (1, rows)   what is added to the output of that matrix
//   <place>.mask-packed, .matrix-packed
//                         U8  (n)           the same, where it is smaller so (packed.h)
// clang-format on
//
// <place> is layer.<l>.expert.<e>.<part>, layer.<l>.<part>, or <part>, with the words of model.h. A
// mask, or a row of channels, has 8 × bytes columns, or, where that is no multiple of 8,
// __metadata__'s "<place>.cols". In a file made by hand, either of action and kept is enough for a
// layer (an expert that is not kept is dropped), target may be left out, and a layer that is not
// mentioned stays as it is.
#ifndef CULL_CUT_CUT_FILE_H
#define CULL_CUT_CUT_FILE_H

#include <cull/cull.h>
#include <cull/ext/cut_file.h>

#include "base/context.h"

typedef struct cull_cut_note { // one more entry of __metadata__
    const char *name, *text;
} cull_cut_note;

typedef struct cull_cut_about {
    const char *model, *calibration; // hex keys; NULL: not said
    cull_dtype store;                // F32, BF16 or F16: type of novices and rewritten matrices
    size_t n_notes;
    const cull_cut_note *notes; // for readers: method, sparsity, …
} cull_cut_about;

// The word of an experiment's `store` setting as a dtype: "f32", "bf16", "f16", or "model" with the
// model's own dtype, F32 where the model has another. CULL_EINVAL for any other word.
cull_status cull_cut_store(cull_ctx *, const char *word, const char *model_dtype,
                           cull_dtype *out) CULL_MUST_CHECK;

// Round what the cut computes with (novices, rewritten matrices, output biases) to the numbers that
// `store` holds, so that the variant that is evaluated is the one that is stored. F32: nothing
// changes.
void cull_cut_round(cull_cut *cut, cull_dtype store);

// A file under the name of its content, "<seal>.safetensors" in `dir`: the same cut, with the same
// ids, store and notes, is the same file, and one that is there is not written again.
typedef struct cull_cut_name {
    char text[48];
} cull_cut_name;
cull_status cull_cut_keep(cull_ctx *, const cull_cut *cut, const cull_cut_about *about,
                          const char *dir, cull_cut_name *out) CULL_MUST_CHECK;

// Atomic: a temporary name, fsync, rename. Several masks of one matrix, and channels of one module,
// are stored as their intersection, biases as their sum, of several rewritten matrices the last.
cull_status cull_cut_save(cull_ctx *, const cull_cut *cut, const cull_cut_about *about,
                          const char *path) CULL_MUST_CHECK;

// As the service's: see ext/cut_file.h. Everything is checked: shapes against the cut's, actions,
// targets (an alias is served by a BASE expert of its layer), finite numbers, unknown tensors.
cull_status cull_cut_load(cull_ctx *, const char *path, cull_cut *cut) CULL_MUST_CHECK;
cull_status cull_cut_read_ids(cull_ctx *, const char *path, cull_cut_ids *out) CULL_MUST_CHECK;

extern const cull_cut_file_ext cull_cut_file_service; // for the context's extension()

#endif
