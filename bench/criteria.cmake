target_link_libraries(${program} PRIVATE cull_test_support)
add_dependencies(${program} backend-hf criterion-random criterion-frequency criterion-gate criterion-variance
  criterion-mone criterion-reap criterion-ean criterion-easy-ep
  criterion-flap criterion-camera criterion-wanda)
