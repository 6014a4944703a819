target_link_libraries(test-unit-tokenizer-refusals PRIVATE hf_tokenizer)
