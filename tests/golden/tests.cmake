target_link_libraries(test-golden-tokenizer PRIVATE hf_tokenizer)
