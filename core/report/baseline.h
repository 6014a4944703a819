// What a cell is compared to: the dense model, or another method.
//
// A baseline is a method's name, a value of an axis ("allocation=layer": every cell stands beside
// the same method's with that value), NULL or "dense" the uncut model. A cell's baseline is that
// method's cell of the same model, sparsity and axes; where a method has no sparsity or no value of
// an axis (dense, a rule at run time), its one cell stands beside all. In frames whose cells are
// trials the one with the same seed is taken, if the method has seeds.
#ifndef CULL_REPORT_BASELINE_H
#define CULL_REPORT_BASELINE_H

#include "results/frame.h"

// The cell that `cell` is compared to, SIZE_MAX: none, or it is the baseline itself.
size_t cull_baseline_of(const cull_frame *frame, size_t cell, const char *baseline);

// Are two cells of one model set against each other: another method at the same sparsity and
// allocation?
bool cull_are_rivals(const cull_frame *frame, size_t a, size_t b);

// The axis that it is a value of; SIZE_MAX: none.
size_t cull_baseline_axis(const cull_frame *frame, const char *baseline);

// Is there such a method or value? CULL_EUSAGE, with the nearest one, where there is not.
cull_status cull_baseline_check(cull_ctx *ctx, const cull_frame *frame,
                                const char *baseline) CULL_MUST_CHECK;

// The baseline that the experiments of all folders name (experiment.json), where its trials are
// among the frame's; NULL: dense.
const char *cull_noted_baseline(cull_ctx *ctx, const cull_frame *frame);

#endif
