# Checkpoints with other shapes and options, made by transformers where that is installed.
add_test(NAME golden-more-architectures COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/more_architectures.sh
  $<TARGET_FILE:test-golden-architectures> ${CMAKE_CURRENT_SOURCE_DIR}/support/make_checkpoints.py)
set_tests_properties(golden-more-architectures PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
target_link_libraries(test-golden-tokenizer PRIVATE hf_tokenizer)
