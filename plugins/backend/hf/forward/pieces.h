// The pieces of a layer, as include/cull/backend.h defines them.
#ifndef HF_PIECES_H
#define HF_PIECES_H

#include "model.h"

cull_status hf_embed(cull_pass *, const cull_model *, size_t n, const int32_t *ids, float *h);
cull_status hf_attend(cull_pass *, const cull_model *, size_t l, size_t n, const int32_t *pos,
                      const float *h, float *r, float *side, float *x);
cull_status hf_route(cull_pass *, const cull_model *, size_t l, size_t n, const float *x,
                     const cull_rule *, const cull_routed *out);
cull_status hf_expert(cull_pass *, const cull_model *, size_t l, size_t e, size_t n, const float *x,
                      float *y);
// The experts' own space, where it is another than the model's: what enters it, and what it yields.
cull_status hf_enter(cull_pass *, const cull_model *, size_t l, size_t n, const float *x, float *z);
cull_status hf_leave(cull_pass *, const cull_model *, size_t l, size_t n, const float *z, float *y);
cull_status hf_after(cull_pass *, const cull_model *, size_t l, size_t n, const float *r,
                     const float *side, const float *moe, float *h);
cull_status hf_last_norm(cull_pass *, const cull_model *, size_t n, const float *h, float *hn);

// Attention proper: hn (n, D), normed, → out (n, D), what o_proj yields.
cull_status hf_gqa(cull_pass *, const cull_model *, size_t l, size_t n, const int32_t *pos,
                   const float *hn, float *out);
cull_status hf_mla(cull_pass *, const cull_model *, size_t l, size_t n, const int32_t *pos,
                   const float *hn, float *out);

// What a recurrent layer has in its place, likewise.
cull_status hf_mix(cull_pass *, const cull_model *, size_t l, size_t n, const float *hn,
                   float *out);

// A gated feed-forward part: y = down(act(gate x, up x)). gate, up and down are ids of its
// matrices.
cull_status hf_glu(cull_pass *, const cull_model *, cull_matrix_id gate, size_t F, size_t n,
                   const float *x, float *y);

// x (n, D) × scale (D), column by column, in scratch memory; NULL: none.
float *hf_scale_columns(cull_pass *, size_t n, size_t D, const float *scale, const float *x);

// y = norm(x) of one row; y may be x.
void hf_norm_row(const hf_norm *, const float *x, float *y);
// y = norm(x) for n rows of norm->n entries each, with strides ldx and ldy; y may be x.
void hf_norm_rows(cull_pass *, const hf_norm *, size_t n, const float *x, size_t ldx, float *y,
                  size_t ldy);

// A table of cos and sin for the rows' positions, in scratch memory; NULL: none.
float *hf_rope_rows(cull_pass *, const hf_rope *, size_t n, const int32_t *pos);
// Rotate `heads` heads of `width` channels in each of n rows of stride ldx.
void hf_rotate_rows(cull_pass *, const hf_rope *, const float *table, size_t n, size_t heads,
                    size_t width, float *x, size_t ldx);

#endif
