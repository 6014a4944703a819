// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) and its stretched forms.
//
// `rot` channels of a head, from `first` on, are rotated in pairs: channel j with j + rot/2, or,
// interleaved, 2j with 2j + 1, by the angle position × freq[j]; what is rotated is also multiplied
// by `scale`.
//
// clang-format off
//   default       freq[j] = θ^(−2j/rot)
//   dynamic       the same, for no path is longer than max_position_embeddings; with alpha, θ is
//                 multiplied by alpha^(rot / (rot − 2)) from the beginning
//   proportional  only the first channels' share turns, with the frequencies that all would have
//   linear        … / factor
//   llama3        long waves / factor, short ones kept, a ramp between (Llama 3.1)
//   yarn          a ramp over j between freq and freq / factor (Peng et al. 2023,
//                 arXiv:2309.00071, section 3.2)
//   longrope      freq[j] / short_factor[j], or long_factor[j] for paths beyond the original
//                 length (Ding et al. 2024, arXiv:2402.13753)
// clang-format on
//
// Frequencies are computed in float32, operation by operation as transformers does, because an
// error of one unit in the last place of a frequency grows with the position.
#ifndef HF_ROPE_H
#define HF_ROPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cull/cull.h>

struct hf_config;

typedef struct hf_rope {
    size_t first, rot; // rotated channels of a head
    bool interleaved;
    const float *freq;        // (rot/2)
    const float *freq_beyond; // (rot/2) for paths longer than `switch_at`
    float scale, scale_beyond;
    size_t switch_at;   // 0: never
    bool anew;          // an answer that comes there has the keys before it rotated anew
    double yarn_mscale; // MLA: the softmax scale is multiplied by its square
    size_t original;    // positions before any stretching
    double beta;        // of queries' temperature, llama_4_scaling_beta; 0: none
    bool asked;         // its original is what was said, where the type would not have asked
} hf_rope;

// Read rope_parameters, or rope_theta and rope_scaling, for heads of `width` channels. Layers may
// have rope_parameters by their type; `local`: of those that see a window.
cull_status hf_rope_read(struct hf_config *, cull_model *, size_t width, bool local, hf_rope *);

// Of families that came after rope_scaling and do not look at it: refuse it where it says
// something, and rope_parameters that is null or lacks the numbers "a|b".
cull_status hf_rope_no_older(struct hf_config *, const char *needs);

// A table of cos and sin for n positions: out (n, rot): rot/2 cosines, then rot/2 sines, both ×
// scale.
void hf_rope_table(const hf_rope *, bool beyond, size_t n, const int32_t *pos, float *out);
// Rotate one head in place by one row (rot) of the table; x: (width).
void hf_rope_rotate(const hf_rope *, const float *row, float *x);

#endif
