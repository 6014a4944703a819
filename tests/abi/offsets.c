// The binary interface as it stands in version 0.1, on 64-bit machines: what may never move. A
// field that is appended needs a new line here; a line that fails means that plugins built before
// would break.
#include <cull/cull.h>
#include <cull/ext/cut_file.h>
#include <cull/ext/safetensors.h>

#define AT(T, field, offset)                                                                       \
    _Static_assert(offsetof(T, field) == (offset), #T "." #field " has moved")
#define SIZE(T, size) _Static_assert(sizeof(T) >= (size), #T " has shrunk")

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "written for 64 bits");
_Static_assert(CULL_MAGIC == 0x6c6c7563u, "the magic has changed");
_Static_assert(CULL_BACKEND == 0 && CULL_DATA == 1 && CULL_CRITERION == 2 && CULL_STRATEGY == 3 &&
                   CULL_METRIC == 4,
               "kinds have changed");

AT(cull_module, magic, 0);
AT(cull_module, size, 4);
AT(cull_module, abi, 8);
AT(cull_module, name, 16);
AT(cull_module, version, 24);
AT(cull_module, license, 32);
AT(cull_module, plugins, 40);
SIZE(cull_module, 48);

AT(cull_plugin, size, 0);
AT(cull_plugin, kind, 4);
AT(cull_plugin, name, 8);
AT(cull_plugin, version, 16);
AT(cull_plugin, brief, 24);
AT(cull_plugin, doc, 32);
AT(cull_plugin, cite, 40);
AT(cull_plugin, settings_size, 48);
AT(cull_plugin, n_params, 56);
AT(cull_plugin, param_size, 64);
AT(cull_plugin, params, 72);
AT(cull_plugin, vtable, 80);
SIZE(cull_plugin, 88);

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

AT(cull_ctx, size, 0);
AT(cull_ctx, host, 8);
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

AT(cull_criterion, size, 0);
AT(cull_criterion, form, 4);
AT(cull_criterion, needs, 8);
AT(cull_criterion, flags, 12);
AT(cull_criterion, needs_for, 16);
AT(cull_criterion, score, 24);
AT(cull_criterion, score_weights, 32);
AT(cull_criterion, observer, 40);
AT(cull_criterion, form_for, 48);
AT(cull_observer, size, 0);
AT(cull_observer, doubles, 8);
AT(cull_observer, add_rows, 16);
AT(cull_observer, add_expert, 24);
AT(cull_observer, merge, 32);

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

AT(cull_data, size, 0);
AT(cull_data, random, 8);
AT(cull_data, load, 16);
AT(cull_metric, size, 0);
AT(cull_metric, prepare, 8);
AT(cull_metric, score, 16);
AT(cull_metric, document, 24);
AT(cull_metric, check, 32);
AT(cull_backend, size, 0);
AT(cull_backend, open, 8);
AT(cull_backend, notes, 128);

AT(cull_model_facts, size, 0);
AT(cull_model_facts, arch, 8);
AT(cull_model_facts, fingerprint, 32);
AT(cull_model_facts, L, 40);
AT(cull_model_facts, logit_scale, 80);
AT(cull_model_facts, eos, 124);
AT(cull_model_facts, exports, 136);
AT(cull_model_facts, stop, 144);
AT(cull_model_facts, n_stop, 152);
AT(cull_model_facts, max_new, 160);
AT(cull_model_facts, repetition_penalty, 168);
AT(cull_model_facts, no_answers, 176);
AT(cull_model_facts, one_width, 184);
AT(cull_text, size, 0);
AT(cull_text, bos, 4);
AT(cull_text, encode, 24);
AT(cull_text, decode, 32);
AT(cull_text, core, 40);
AT(cull_text, max_new, 48);

AT(cull_view, size, 0);
AT(cull_view, model, 8);
AT(cull_view, layer, 16);
AT(cull_view, stats, 24);
AT(cull_view, before, 32);
AT(cull_view, weights, 40);
AT(cull_scores, size, 0);
AT(cull_scores, form, 4);
AT(cull_scores, layer, 16);
AT(cull_scores, expert, 24);
AT(cull_scores, pair, 32);
AT(cull_scores, subset, 40);
AT(cull_scores, channel, 56);
AT(cull_scores, side, 64);
AT(cull_budget, size, 0);
AT(cull_budget, remove, 16);
AT(cull_budget, params, 48);
AT(cull_budget, total_params, 56);
AT(cull_cut, size, 0);
AT(cull_cut, layer, 24);
AT(cull_cut, overlay, 40);
AT(cull_layer_cut, E, 0);
AT(cull_layer_cut, action, 8);
AT(cull_layer_cut, target, 16);
AT(cull_layer_cut, constant, 24);
AT(cull_tensor, data, 0);
AT(cull_tensor, dtype, 8);
AT(cull_tensor, shape, 24);
AT(cull_safetensors_ext, size, 0);
AT(cull_cut_file_ext, size, 0);
