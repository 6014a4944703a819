target_link_libraries(${program} PRIVATE cull_test_support)
add_dependencies(${program} backend-hf)
