// The binary interface as it stands in version 1.1, on 64-bit machines: what may never move. A
// field that is appended needs a new line here; a line that fails means that plugins built before
// would break.
#include <cull/cull.h>

#include "offsets.h"

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "written for 64 bits");
_Static_assert(CULL_MAGIC == 0x6c6c7563u, "the magic has changed");
_Static_assert(CULL_ABI_MAJOR == 1, "these are the offsets of major version 1");
_Static_assert(CULL_BACKEND == 0 && CULL_DATA == 1 && CULL_CRITERION == 2 && CULL_STRATEGY == 3 &&
                   CULL_METRIC == 4,
               "kinds have changed");

AT(cull_plugin, size, 0);
AT(cull_plugin, kind, 4);
AT(cull_plugin, name, 8);
AT(cull_plugin, version, 16);
AT(cull_plugin, brief, 24);
AT(cull_plugin, vtable, 32);
AT(cull_plugin, doc, 40);
AT(cull_plugin, cite, 48);
AT(cull_plugin, settings_size, 56);
AT(cull_plugin, n_params, 64);
AT(cull_plugin, param_size, 72);
AT(cull_plugin, params, 80);
SIZE(cull_plugin, 88);

AT(cull_module, magic, 0);
AT(cull_module, size, 4);
AT(cull_module, abi, 8);
AT(cull_module, name, 16);
AT(cull_module, version, 24);
AT(cull_module, license, 32);
AT(cull_module, plugins, 40);
SIZE(cull_module, 48);

AT(cull_texts, n, 0);
AT(cull_texts, at, 8);
FIXED(cull_texts, 16);

AT(cull_ints, n, 0);
AT(cull_ints, at, 8);
FIXED(cull_ints, 16);

AT(cull_param, name, 0);
AT(cull_param, doc, 8);
AT(cull_param, unit, 16);
AT(cull_param, type, 24);
AT(cull_param, flags, 28);
AT(cull_param, offset, 32);
AT(cull_param, lo, 40);
AT(cull_param, hi, 48);
AT(cull_param, def, 56);
AT(cull_param, def_text, 64);
AT(cull_param, choices, 72);
SIZE(cull_param, 80);

AT(cull_matrix_id, layer, 0);
AT(cull_matrix_id, part, 4);
AT(cull_matrix_id, expert, 8);
FIXED(cull_matrix_id, 12);

AT(cull_layer_facts, size, 0);
AT(cull_layer_facts, E, 8);
AT(cull_layer_facts, K, 16);
AT(cull_layer_facts, F, 24);
AT(cull_layer_facts, n_group, 32);
AT(cull_layer_facts, topk_group, 40);
AT(cull_layer_facts, renormalise, 48);
AT(cull_layer_facts, gate_on_input, 49);
AT(cull_layer_facts, has_side, 50);
AT(cull_layer_facts, parts, 56);
AT(cull_layer_facts, window, 64);
AT(cull_layer_facts, kv_width, 72);
AT(cull_layer_facts, bytes, 80);
AT(cull_layer_facts, expert_params, 88);
AT(cull_layer_facts, other_params, 96);
AT(cull_layer_facts, side_F, 104);
AT(cull_layer_facts, channel_params, 112);
AT(cull_layer_facts, side_channel_params, 120);
AT(cull_layer_facts, state_width, 128);
AT(cull_layer_facts, attend_width, 136);
AT(cull_layer_facts, expert_width, 144);
SIZE(cull_layer_facts, 152);

AT(cull_model_facts, size, 0);
AT(cull_model_facts, arch, 8);
AT(cull_model_facts, dtype, 16);
AT(cull_model_facts, source, 24);
AT(cull_model_facts, fingerprint, 32);
AT(cull_model_facts, L, 40);
AT(cull_model_facts, D, 48);
AT(cull_model_facts, V, 56);
AT(cull_model_facts, max_positions, 64);
AT(cull_model_facts, rope_switch, 72);
AT(cull_model_facts, logit_scale, 80);
AT(cull_model_facts, params_total, 88);
AT(cull_model_facts, params_expert, 96);
AT(cull_model_facts, params_active, 104);
AT(cull_model_facts, bytes, 112);
AT(cull_model_facts, bos, 120);
AT(cull_model_facts, eos, 124);
AT(cull_model_facts, adds_bos, 128);
AT(cull_model_facts, exports, 136);
AT(cull_model_facts, stop, 144);
AT(cull_model_facts, n_stop, 152);
AT(cull_model_facts, max_new, 160);
AT(cull_model_facts, repetition_penalty, 168);
AT(cull_model_facts, no_answers, 176);
AT(cull_model_facts, one_width, 184);
AT(cull_model_facts, logit_cap, 192);
SIZE(cull_model_facts, 200);

AT(cull_scratch_mark, at, 0);
FIXED(cull_scratch_mark, 16);

AT(cull_host, size, 0);
AT(cull_host, abi, 4);
AT(cull_host, alloc, 8);
AT(cull_host, scratch, 16);
AT(cull_host, rng, 24);
AT(cull_host, uniform, 32);
AT(cull_host, below, 40);
AT(cull_host, log, 48);
AT(cull_host, fail, 56);
AT(cull_host, progress, 64);
AT(cull_host, parallel, 72);
AT(cull_host, read_file, 80);
AT(cull_host, overlay, 88);
AT(cull_host, extension, 96);
AT(cull_host, mark, 104);
AT(cull_host, rewind, 112);
SIZE(cull_host, 120);

AT(struct cull_ctx, size, 0);
AT(struct cull_ctx, host, 8);
AT(struct cull_ctx, core, 16);
SIZE(struct cull_ctx, 24);

AT(cull_dense_sample, size, 0);
AT(cull_dense_sample, N, 8);
AT(cull_dense_sample, logits, 16);
AT(cull_dense_sample, gram, 24);
AT(cull_dense_sample, gate, 32);
AT(cull_dense_sample, weight, 40);
AT(cull_dense_sample, group, 48);
AT(cull_dense_sample, cross, 56);
AT(cull_dense_sample, offset, 64);
AT(cull_dense_sample, channels, 72);
SIZE(cull_dense_sample, 80);

AT(cull_layer_stats, size, 0);
AT(cull_layer_stats, E, 8);
AT(cull_layer_stats, D, 16);
AT(cull_layer_stats, F, 24);
AT(cull_layer_stats, tokens, 32);
AT(cull_layer_stats, count, 40);
AT(cull_layer_stats, gate_sum, 48);
AT(cull_layer_stats, gate_sq, 56);
AT(cull_layer_stats, prob_sum, 64);
AT(cull_layer_stats, coact, 72);
AT(cull_layer_stats, norm_sum, 80);
AT(cull_layer_stats, norm_sq, 88);
AT(cull_layer_stats, gate_norm, 96);
AT(cull_layer_stats, norm_max, 104);
AT(cull_layer_stats, max_signed, 112);
AT(cull_layer_stats, max_abs, 120);
AT(cull_layer_stats, mean, 128);
AT(cull_layer_stats, var, 136);
AT(cull_layer_stats, mean_gate, 144);
AT(cull_layer_stats, easy_ep, 152);
AT(cull_layer_stats, logit_gram, 160);
AT(cull_layer_stats, sigmoid_gram, 168);
AT(cull_layer_stats, x_sq, 176);
AT(cull_layer_stats, u_sq, 184);
AT(cull_layer_stats, part_sq, 192);
AT(cull_layer_stats, x_hessian, 704);
AT(cull_layer_stats, u_hessian, 712);
AT(cull_layer_stats, dense, 720);
AT(cull_layer_stats, dense_mean, 728);
AT(cull_layer_stats, moe_cos, 736);
AT(cull_layer_stats, ratio_median, 744);
AT(cull_layer_stats, u_mean, 752);
AT(cull_layer_stats, u_var, 760);
AT(cull_layer_stats, gx_sq, 768);
AT(cull_layer_stats, gu_sq, 776);
AT(cull_layer_stats, gu_peak, 784);
AT(cull_layer_stats, side_F, 792);
AT(cull_layer_stats, side_mean, 800);
AT(cull_layer_stats, side_var, 808);
AT(cull_layer_stats, side_gu_sq, 816);
AT(cull_layer_stats, side_gu_peak, 824);
AT(cull_layer_stats, prob_norm, 832);
AT(cull_layer_stats, dense_gated, 840);
SIZE(cull_layer_stats, 848);

AT(cull_stats, size, 0);
AT(cull_stats, groups, 4);
AT(cull_stats, L, 8);
AT(cull_stats, tokens, 16);
AT(cull_stats, layer, 24);
AT(cull_stats, cos_sum, 32);
AT(cull_stats, angle_sum, 40);
SIZE(cull_stats, 48);

AT(cull_subset_loss, eval, 0);
AT(cull_subset_loss, self, 8);
FIXED(cull_subset_loss, 16);

AT(cull_scores, size, 0);
AT(cull_scores, form, 4);
AT(cull_scores, L, 8);
AT(cull_scores, layer, 16);
AT(cull_scores, expert, 24);
AT(cull_scores, pair, 32);
AT(cull_scores, subset, 40);
AT(cull_scores, channel, 56);
AT(cull_scores, side, 64);
SIZE(cull_scores, 72);

AT(cull_overlay, size, 0);
AT(cull_overlay, kind, 4);
AT(cull_overlay, where, 8);
AT(cull_overlay, rows, 24);
AT(cull_overlay, cols, 32);
AT(cull_overlay, data, 40);
SIZE(cull_overlay, 48);

AT(cull_layer_cut, size, 0);
AT(cull_layer_cut, E, 8);
AT(cull_layer_cut, action, 16);
AT(cull_layer_cut, target, 24);
AT(cull_layer_cut, constant, 32);
AT(cull_layer_cut, skip_layer, 40);
AT(cull_layer_cut, skip_moe, 41);
AT(cull_layer_cut, k, 48);
AT(cull_layer_cut, skip_ratio, 56);
AT(cull_layer_cut, top_p, 64);
SIZE(cull_layer_cut, 72);

AT(cull_cut, size, 0);
AT(cull_cut, L, 8);
AT(cull_cut, D, 16);
AT(cull_cut, layer, 24);
AT(cull_cut, n_overlays, 32);
AT(cull_cut, overlay, 40);
SIZE(cull_cut, 48);

AT(cull_view, size, 0);
AT(cull_view, model, 8);
AT(cull_view, layer, 16);
AT(cull_view, stats, 24);
AT(cull_view, before, 32);
AT(cull_view, weights, 40);
AT(cull_view, core, 48);
AT(cull_view, experts, 56);
AT(cull_view, n_experts, 64);
SIZE(cull_view, 72);

AT(cull_budget, size, 0);
AT(cull_budget, scope, 4);
AT(cull_budget, sparsity, 8);
AT(cull_budget, remove, 16);
AT(cull_budget, total, 24);
AT(cull_budget, least, 32);
AT(cull_budget, frozen, 40);
AT(cull_budget, params, 48);
AT(cull_budget, total_params, 56);
SIZE(cull_budget, 64);

AT(cull_tensor, data, 0);
AT(cull_tensor, dtype, 8);
AT(cull_tensor, rank, 16);
AT(cull_tensor, shape, 24);
AT(cull_tensor, bytes, 88);
FIXED(cull_tensor, 96);

AT(cull_matrix, size, 0);
AT(cull_matrix, rows, 8);
AT(cull_matrix, cols, 16);
AT(cull_matrix, data, 24);
AT(cull_matrix, dtype, 32);
AT(cull_matrix, row_stride, 40);
AT(cull_matrix, col_stride, 48);
AT(cull_matrix, scale, 56);
AT(cull_matrix, scale_dtype, 64);
AT(cull_matrix, block_rows, 72);
AT(cull_matrix, block_cols, 80);
AT(cull_matrix, scale_stride, 88);
AT(cull_matrix, bias, 96);
AT(cull_matrix, bias_dtype, 104);
AT(cull_matrix, bias_stride, 112);
SIZE(cull_matrix, 120);

AT(cull_attention, size, 0);
AT(cull_attention, H, 8);
AT(cull_attention, KV, 16);
AT(cull_attention, qk_width, 24);
AT(cull_attention, v_width, 32);
AT(cull_attention, scale, 40);
AT(cull_attention, window, 48);
AT(cull_attention, chunk, 56);
AT(cull_attention, sinks, 64);
SIZE(cull_attention, 72);

AT(cull_recurrence, size, 0);
AT(cull_recurrence, H, 8);
AT(cull_recurrence, KH, 16);
AT(cull_recurrence, k_width, 24);
AT(cull_recurrence, v_width, 32);
AT(cull_recurrence, per_channel, 40);
AT(cull_recurrence, state_at, 48);
SIZE(cull_recurrence, 56);

AT(cull_convolution, size, 0);
AT(cull_convolution, filter, 4);
AT(cull_convolution, channels, 16);
AT(cull_convolution, taps, 24);
AT(cull_convolution, silu, 32);
AT(cull_convolution, state_at, 40);
SIZE(cull_convolution, 48);

AT(cull_engine, size, 0);
AT(cull_engine, linear, 8);
AT(cull_engine, attention, 16);
AT(cull_engine, scratch, 24);
AT(cull_engine, rows, 32);
AT(cull_engine, recur, 40);
AT(cull_engine, convolve, 48);
SIZE(cull_engine, 56);

AT(struct cull_pass, size, 0);
AT(struct cull_pass, engine, 8);
AT(struct cull_pass, ctx, 16);
AT(struct cull_pass, beyond_switch, 24);
AT(struct cull_pass, core, 32);
SIZE(struct cull_pass, 40);

AT(cull_rule, size, 0);
AT(cull_rule, allowed, 8);
AT(cull_rule, k, 16);
AT(cull_rule, skip_ratio, 24);
AT(cull_rule, top_p, 32);
SIZE(cull_rule, 40);

AT(cull_routed, size, 0);
AT(cull_routed, index, 8);
AT(cull_routed, gate, 16);
AT(cull_routed, logits, 24);
AT(cull_routed, p, 32);
SIZE(cull_routed, 40);

AT(cull_save, size, 0);
AT(cull_save, folder, 8);
AT(cull_save, dequantise, 16);
AT(cull_save, shard_bytes, 24);
SIZE(cull_save, 32);

AT(cull_backend, size, 0);
AT(cull_backend, open, 8);
AT(cull_backend, close, 16);
AT(cull_backend, facts, 24);
AT(cull_backend, layer_facts, 32);
AT(cull_backend, matrix, 40);
AT(cull_backend, prefetch, 48);
AT(cull_backend, release, 56);
AT(cull_backend, embed, 64);
AT(cull_backend, attend, 72);
AT(cull_backend, route, 80);
AT(cull_backend, expert, 88);
AT(cull_backend, after, 96);
AT(cull_backend, norm, 104);
AT(cull_backend, encode, 112);
AT(cull_backend, decode, 120);
AT(cull_backend, notes, 128);
AT(cull_backend, save, 136);
AT(cull_backend, enter, 144);
AT(cull_backend, leave, 152);
SIZE(cull_backend, 160);

AT(cull_routed_rows, size, 0);
AT(cull_routed_rows, layer, 8);
AT(cull_routed_rows, n, 16);
AT(cull_routed_rows, D, 24);
AT(cull_routed_rows, E, 32);
AT(cull_routed_rows, K, 40);
AT(cull_routed_rows, x, 48);
AT(cull_routed_rows, r, 56);
AT(cull_routed_rows, moe, 64);
AT(cull_routed_rows, logits, 72);
AT(cull_routed_rows, p, 80);
AT(cull_routed_rows, index, 88);
AT(cull_routed_rows, gate, 96);
SIZE(cull_routed_rows, 104);

AT(cull_expert_rows, size, 0);
AT(cull_expert_rows, layer, 8);
AT(cull_expert_rows, expert, 16);
AT(cull_expert_rows, n, 24);
AT(cull_expert_rows, D, 32);
AT(cull_expert_rows, x, 40);
AT(cull_expert_rows, gate, 48);
AT(cull_expert_rows, y, 56);
SIZE(cull_expert_rows, 64);

AT(cull_observer, size, 0);
AT(cull_observer, doubles, 8);
AT(cull_observer, add_rows, 16);
AT(cull_observer, add_expert, 24);
AT(cull_observer, merge, 32);
SIZE(cull_observer, 40);

AT(cull_criterion, size, 0);
AT(cull_criterion, form, 4);
AT(cull_criterion, needs, 8);
AT(cull_criterion, flags, 12);
AT(cull_criterion, needs_for, 16);
AT(cull_criterion, score, 24);
AT(cull_criterion, score_weights, 32);
AT(cull_criterion, observer, 40);
AT(cull_criterion, form_for, 48);
AT(cull_criterion, fits, 56);
SIZE(cull_criterion, 64);

AT(cull_observed_ext, size, 0);
AT(cull_observed_ext, layer, 8);
SIZE(cull_observed_ext, 16);

AT(cull_strategy, size, 0);
AT(cull_strategy, accepts, 4);
AT(cull_strategy, emits, 8);
AT(cull_strategy, needs, 12);
AT(cull_strategy, flags, 16);
AT(cull_strategy, needs_for, 24);
AT(cull_strategy, emits_for, 32);
AT(cull_strategy, select, 40);
AT(cull_strategy, spread, 48);
AT(cull_strategy, fits, 56);
AT(cull_strategy, rewrites, 64);
AT(cull_strategy, parts_for, 72);
AT(cull_strategy, picks_for, 80);
AT(cull_strategy, work, 88);
SIZE(cull_strategy, 96);

AT(cull_work, size, 0);
AT(cull_work, left, 8);
AT(cull_work, remove, 16);
AT(cull_work, tokens, 24);
AT(cull_work, dense, 32);
AT(cull_work, products, 40);
AT(cull_work, alone, 48);
AT(cull_work, steps, 56);
SIZE(cull_work, 64);

AT(cull_weight_scores_ext, size, 0);
AT(cull_weight_scores_ext, of, 8);
SIZE(cull_weight_scores_ext, 16);

AT(cull_sequence, size, 0);
AT(cull_sequence, ids, 8);
AT(cull_sequence, n, 16);
AT(cull_sequence, source, 24);
AT(cull_sequence, ordinal, 32);
AT(cull_sequence, chat_template, 40);
SIZE(cull_sequence, 48);

AT(cull_sequences, size, 0);
AT(cull_sequences, n, 8);
AT(cull_sequences, at, 16);
SIZE(cull_sequences, 24);

AT(cull_data, size, 0);
AT(cull_data, random, 8);
AT(cull_data, load, 16);
SIZE(cull_data, 24);

AT(cull_text, size, 0);
AT(cull_text, bos, 4);
AT(cull_text, eos, 8);
AT(cull_text, adds_bos, 12);
AT(cull_text, max_positions, 16);
AT(cull_text, encode, 24);
AT(cull_text, decode, 32);
AT(cull_text, core, 40);
AT(cull_text, max_new, 48);
SIZE(cull_text, 56);

AT(cull_request, size, 0);
AT(cull_request, kind, 4);
AT(cull_request, wants, 8);
AT(cull_request, ids, 16);
AT(cull_request, n, 24);
AT(cull_request, scored, 32);
AT(cull_request, max_new, 40);
AT(cull_request, n_until, 48);
AT(cull_request, until, 56);
SIZE(cull_request, 64);

AT(cull_requests, size, 0);
AT(cull_requests, n, 8);
AT(cull_requests, at, 16);
AT(cull_requests, state, 24);
AT(cull_requests, key, 32);
SIZE(cull_requests, 40);

AT(cull_answer, size, 0);
AT(cull_answer, ll, 8);
AT(cull_answer, greedy, 16);
AT(cull_answer, token_ll, 24);
AT(cull_answer, kl, 32);
AT(cull_answer, top1, 40);
AT(cull_answer, ids, 48);
AT(cull_answer, n, 56);
AT(cull_answer, text, 64);
AT(cull_answer, text_len, 72);
AT(cull_answer, ended, 80);
AT(cull_answer, overlap, 88);
SIZE(cull_answer, 96);

AT(cull_value, size, 0);
AT(cull_value, task, 8);
AT(cull_value, metric, 16);
AT(cull_value, filter, 24);
AT(cull_value, value, 32);
AT(cull_value, stderr_, 40);
AT(cull_value, n, 48);
AT(cull_value, higher_is_better, 56);
SIZE(cull_value, 64);

AT(cull_column, size, 0);
AT(cull_column, task, 8);
AT(cull_column, name, 16);
AT(cull_column, unit, 24);
AT(cull_column, doc, 32);
AT(cull_column, dims, 40);
AT(cull_column, shape, 64);
AT(cull_column, type, 88);
AT(cull_column, data, 96);
SIZE(cull_column, 104);

AT(cull_report, size, 0);
AT(cull_report, value, 8);
AT(cull_report, column, 16);
AT(cull_report, attribute, 24);
AT(cull_report, core, 32);
SIZE(cull_report, 40);

AT(cull_document, size, 0);
AT(cull_document, json, 8);
AT(cull_document, method, 16);
AT(cull_document, n, 24);
AT(cull_document, key, 32);
SIZE(cull_document, 40);

AT(cull_metric, size, 0);
AT(cull_metric, prepare, 8);
AT(cull_metric, score, 16);
AT(cull_metric, document, 24);
AT(cull_metric, check, 32);
SIZE(cull_metric, 40);
