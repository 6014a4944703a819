// The optional services, as offsets.c has the rest.
#include <cull/ext/cut_file.h>
#include <cull/ext/math.h>
#include <cull/ext/safetensors.h>
#include <cull/ext/variant.h>

#include "offsets.h"

AT(cull_cut_ids, size, 0);
AT(cull_cut_ids, model, 4);
AT(cull_cut_ids, calibration, 37);
SIZE(cull_cut_ids, 72);

AT(cull_cut_file_ext, size, 0);
AT(cull_cut_file_ext, load, 8);
AT(cull_cut_file_ext, ids, 16);
SIZE(cull_cut_file_ext, 24);

AT(cull_entry, size, 0);
AT(cull_entry, name, 8);
AT(cull_entry, dtype, 16);
AT(cull_entry, rank, 24);
AT(cull_entry, shape, 32);
SIZE(cull_entry, 96);

AT(cull_pair, key, 0);
AT(cull_pair, value, 8);
FIXED(cull_pair, 16);

AT(cull_safetensors_ext, size, 0);
AT(cull_safetensors_ext, open, 8);
AT(cull_safetensors_ext, close, 16);
AT(cull_safetensors_ext, count, 24);
AT(cull_safetensors_ext, at, 32);
AT(cull_safetensors_ext, find, 40);
AT(cull_safetensors_ext, metadata, 48);
AT(cull_safetensors_ext, prefetch, 56);
AT(cull_safetensors_ext, release, 64);
AT(cull_safetensors_ext, fingerprint, 72);
AT(cull_safetensors_ext, create, 80);
AT(cull_safetensors_ext, put, 88);
AT(cull_safetensors_ext, finish, 96);
AT(cull_safetensors_ext, abandon, 104);
SIZE(cull_safetensors_ext, 112);

AT(cull_variant_ext, size, 0);
AT(cull_variant_ext, changed, 8);
AT(cull_variant_ext, rows, 16);
AT(cull_variant_ext, narrow, 24);
AT(cull_variant_ext, bias_changed, 32);
AT(cull_variant_ext, bias, 40);
AT(cull_variant_ext, keeps, 48);
SIZE(cull_variant_ext, 56);

AT(cull_math_ext, size, 0);
AT(cull_math_ext, gemm_f32, 8);
AT(cull_math_ext, gemm_f64, 16);
AT(cull_math_ext, syrk_f64, 24);
AT(cull_math_ext, cholesky_f64, 32);
AT(cull_math_ext, cholesky_inverse_f64, 40);
AT(cull_math_ext, solve_upper_f64, 48);
AT(cull_math_ext, svd_f64_work, 56);
AT(cull_math_ext, svd_f64, 64);
AT(cull_math_ext, eigen_f64_work, 72);
AT(cull_math_ext, eigen_f64, 80);
SIZE(cull_math_ext, 88);
