// export: a trial's cut → a checkpoint of its own, or the lists of what it keeps.
//
// A checkpoint is written into a temporary folder beside its place, opened again by the backend
// that wrote it, and renamed: it is there whole, or not at all.
#ifndef CULL_FLOW_EXPORT_H
#define CULL_FLOW_EXPORT_H

#include "plan/cost/memory.h"
#include "plan/inputs.h"

typedef struct cull_recipe { // what a trial was
    const char *model;       // where it was opened
    const char *fingerprint; // of the model; "" where it was not said
    const char *cut;         // the cut's file
} cull_recipe;

// Of a trial's .h5 file, whose cut stands beside it in cuts/, or of a cut's .safetensors file
// itself, which names no model: `model` is then the caller's, or NULL. Alloc arena.
cull_status cull_recipe_read(cull_ctx *ctx, const char *path, cull_recipe *out) CULL_MUST_CHECK;

// The recipe's cut for an opened model; refused where the model is another than the recipe's.
cull_status cull_recipe_cut(cull_ctx *ctx, const cull_recipe *recipe,
                            const cull_prepared_model *prepared, cull_cut **out) CULL_MUST_CHECK;

typedef struct cull_export_options {
    const char *folder; // must not exist
    bool dequantise;
    bool drop_bias;       // output biases that the format cannot say are left out
    uint64_t shard_bytes; // 0: 5 GB
} cull_export_options;

// What writing needs: the largest layer, and what is resident of the cut; `verify`: and for
// cull_export_verify.
cull_memory_need cull_export_need(cull_ctx *ctx, const cull_prepared_model *prepared,
                                  const cull_cut *cut, const cull_export_options *options,
                                  bool verify);

// The model's context gets the service that backends write with.
cull_status cull_export_checkpoint(cull_ctx *ctx, cull_prepared_model *prepared,
                                   const cull_cut *cut,
                                   const cull_export_options *options) CULL_MUST_CHECK;

// Bytes of the weights of the checkpoint that the export would be, without options, of the model as
// it is for a NULL cut; 0: it would be refused, or the backend cannot say.
cull_status cull_export_bytes(cull_ctx *ctx, const cull_prepared_model *prepared,
                              const cull_cut *cut, uint64_t *bytes) CULL_MUST_CHECK;

// ---- export_lists.c: what was decided, for other programs ----

// A line of JSON for each layer with experts: {"layer": 0, "kept": [0, 3, …]}, the experts in the
// order that they have in an exported checkpoint.
cull_status cull_export_lists(cull_ctx *ctx, const cull_prepared_model *prepared,
                              const cull_cut *cut, const char *path) CULL_MUST_CHECK;

// One JSON object: version, model, and of each layer with experts how many there are and which are
// masked. CULL_ENOTSUP: the cut does more than drop experts.
cull_status cull_export_mask(cull_ctx *ctx, const cull_prepared_model *prepared,
                             const cull_cut *cut, const char *path) CULL_MUST_CHECK;

// A line of JSON for each layer with experts: {"layer": 0, "experts": [7, 2, …], "scores": […]},
// all of them, the one that goes last in front. `trial`: its .h5 file. CULL_EINVAL: it has no
// scores of experts.
cull_status cull_export_ranking(cull_ctx *ctx, const char *trial, const char *path) CULL_MUST_CHECK;

// Is the checkpoint in `written` the variant of `prepared`? Both compute the logits of token ids
// that are drawn; *worst is their largest difference, as a share of the largest logit.
cull_status cull_export_verify(cull_ctx *ctx, const cull_prepared_model *prepared,
                               const cull_cut *cut, const cull_prepared_model *written,
                               const cull_engine_options *engine, double *worst) CULL_MUST_CHECK;

#endif
