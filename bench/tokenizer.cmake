target_link_libraries(${program} PRIVATE hf_tokenizer cull_test_support)
