# Tests that look below the vtables of a plugin.
target_include_directories(test-golden-stage_two PRIVATE ${PROJECT_SOURCE_DIR}/plugins)
target_sources(test-golden-stage_two PRIVATE ${PROJECT_SOURCE_DIR}/plugins/strategy/unstructured/unstructured.c
  ${PROJECT_SOURCE_DIR}/plugins/strategy/unstructured/owl.c
  ${PROJECT_SOURCE_DIR}/plugins/strategy/unstructured/each_matrix.c)

# Checkpoints with other shapes and options, made by transformers where that is installed.
add_test(NAME golden-more-architectures COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/more_architectures.sh
  $<TARGET_FILE:test-golden-architectures> ${CMAKE_CURRENT_SOURCE_DIR}/support/make_checkpoints.py)
set_tests_properties(golden-more-architectures PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)
target_link_libraries(test-golden-tokenizer PRIVATE hf_tokenizer)

# Exports of every architecture, loaded by transformers.
add_test(NAME golden-exports COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_exports.py $<TARGET_FILE:cull> ${CMAKE_CURRENT_LIST_DIR}/architectures)
set_tests_properties(golden-exports PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)

# Random texts and ids, beside the library that made the golden ones.
add_test(NAME golden-more-tokenizers COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" \"$4\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_tokenizers.py $<TARGET_FILE:cull> ${CMAKE_CURRENT_LIST_DIR}/tokenizers
  ${PROJECT_SOURCE_DIR}/models/tinyworld-mixtral)
set_tests_properties(golden-more-tokenizers PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)

# Files whose every part is drawn, beside it. More by hand: check_made_tokenizers.py CULL FIRST COUNT
add_test(NAME golden-made-tokenizers COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_made_tokenizers.py $<TARGET_FILE:cull>)
set_tests_properties(golden-made-tokenizers PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# Random documents put to lm-evaluation-harness and to Cull, where the former is installed.
add_test(NAME golden-lm-eval COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" 1 3" sh
  ${CMAKE_CURRENT_LIST_DIR}/against_lm_eval.py $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR}/models/tinyworld-mixtral)
set_tests_properties(golden-lm-eval PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)

# Every key of every family's configuration set to other values, beside transformers: a sample. All of it, or what
# CULL_TEST_SWEEP names ("--part 1/4 kimi_linear"), takes its time: CULL_TEST_SWEEP="--part 1/1".
add_test(NAME golden-config-sweep COMMAND sh -c
  "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \${CULL_TEST_SWEEP:---part 7/80}" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/sweep_config.py $<TARGET_FILE:cull>)
set_tests_properties(golden-config-sweep PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 3600)

# Vocabularies of ranks, beside the package tiktoken. Ten megabytes of each by hand: check_tiktoken.py CULL 10 FILE…
add_test(NAME golden-tiktoken COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" 0.2" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_tiktoken.py $<TARGET_FILE:cull>)
set_tests_properties(golden-tiktoken PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# Parameters of config.json alone, beside transformers' models on the meta device.
add_test(NAME golden-counts COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_counts.py $<TARGET_FILE:cull>)
set_tests_properties(golden-counts PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# The same of configurations as they are published: the numbers that flow-published holds Cull to.
add_test(NAME golden-published COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_published.py ${CMAKE_CURRENT_LIST_DIR}/published)
set_tests_properties(golden-published PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# Files with the tensors of whole checkpoints as they are published, as long as those and sparse.
add_test(NAME golden-layouts COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_layouts.py $<TARGET_FILE:cull> ${CMAKE_CURRENT_LIST_DIR}/published)
set_tests_properties(golden-layouts PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# REAM, from calibration rows to an export, beside numpy, scipy and transformers.
add_test(NAME golden-ream COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" \"$4\"" sh
  ${CMAKE_CURRENT_LIST_DIR}/check_ream.py $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR}/models ${CMAKE_CURRENT_LIST_DIR}/methods)
set_tests_properties(golden-ream PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)

# Channels of quantised blocks and shared experts, in exports.
add_test(NAME golden-channel-exports COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_channels.py $<TARGET_FILE:cull> ${CMAKE_CURRENT_LIST_DIR}/architectures)
set_tests_properties(golden-channel-exports PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# Every action on FP8 and MXFP4, in exports: a sample. All families by hand: check_quantised.py CULL
add_test(NAME golden-quantised-exports COMMAND sh -c
  "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" mixtral-fused cohere2_moe-fused gpt_oss-mxfp4" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_quantised.py $<TARGET_FILE:cull>)
set_tests_properties(golden-quantised-exports PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)

# Answers of many prompts and variants that cross the switch of rope factors, beside transformers' generate().
add_test(NAME golden-longrope-variants COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_longrope.py $<TARGET_FILE:cull>)
set_tests_properties(golden-longrope-variants PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)

# k by sensitivity, from ids to the cut, beside transformers in float64.
add_test(NAME golden-sensitivity COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" \"$4\"" sh
  ${CMAKE_CURRENT_LIST_DIR}/check_sensitivity.py $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR}/models ${CMAKE_CURRENT_LIST_DIR}/methods)
set_tests_properties(golden-sensitivity PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# What holds whatever the weights are: a sample of texts and methods. All of them by hand: check_properties.py CULL MODELS
foreach(part order odd budgets active exports)
  add_test(NAME golden-properties-${part} COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" --sample \"$4\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/check_properties.py $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR}/models ${part})
  set_tests_properties(golden-properties-${part} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()

# Criteria and what is cut by them, beside numpy on rows that transformers puts through the model: a sample. All families
# by hand: check_formulas.py CULL GOLDEN MODELS [--sparsity S] [--seed N]
foreach(family gpt_oss gemma4 tinyworld-olmoe)
  add_test(NAME golden-formulas-${family} COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" \"$4\" \"$5\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/check_formulas.py $<TARGET_FILE:cull> ${CMAKE_CURRENT_LIST_DIR} ${PROJECT_SOURCE_DIR}/models
    ${family})
  set_tests_properties(golden-formulas-${family} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()

# Rules, divergence, mixes, budgets of bytes, searches and lists, beside numpy.
foreach(part rules overlap mix bytes search lists)
  add_test(NAME golden-rules-${part} COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" \"$4\" \"$5\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/check_rules.py $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR}/models ${CMAKE_CURRENT_LIST_DIR}/methods
    ${part})
  set_tests_properties(golden-rules-${part} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()

# Merges with other settings and rows, beside numpy and scipy: a sample. All settings by hand: check_merges.py CULL MODELS METHODS
add_test(NAME golden-merges-by-settings COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" \"$4\" --sample" sh
  ${CMAKE_CURRENT_LIST_DIR}/check_merges.py $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR}/models ${CMAKE_CURRENT_LIST_DIR}/methods)
set_tests_properties(golden-merges-by-settings PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)

# The same on other families, settings drawn at random, as far as what the merged model says: a sample. All families by
# hand: check_merge_families.py CULL [--count N] [--seed N]
foreach(name llama4-two nemotron-latent v3-halves)
  add_test(NAME golden-merges-${name} COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\" \"$3\" --count 10" sh
    ${CMAKE_CURRENT_LIST_DIR}/check_merge_families.py $<TARGET_FILE:cull> ${name})
  set_tests_properties(golden-merges-${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)
endforeach()

# Budgets of bytes beside the sizes of exports, in FP8 and MXFP4 and where a router has groups.
add_test(NAME golden-bytes-stored COMMAND sh -c "\"\${CULL_TEST_PYTHON:-python3}\" \"$1\" \"$2\"" sh
  ${CMAKE_CURRENT_SOURCE_DIR}/support/check_bytes.py $<TARGET_FILE:cull>)
set_tests_properties(golden-bytes-stored PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)
