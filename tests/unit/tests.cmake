target_link_libraries(test-unit-tokenizer-refusals PRIVATE hf_tokenizer)

# What rows' bits depend on is held with every kernel of oneDNN's that the processor can run.
foreach(isa SSE41 AVX2 AVX512_CORE)
  foreach(name math-gemm engine-grouping engine-precision)
    add_test(NAME unit-${name}-${isa} COMMAND test-unit-${name})
    set_tests_properties(unit-${name}-${isa} PROPERTIES ENVIRONMENT ONEDNN_MAX_CPU_ISA=${isa})
  endforeach()
endforeach()
# OpenBLAS's, where the environment names them.
foreach(core PRESCOTT HASWELL SKYLAKEX ZEN)
  add_test(NAME unit-math-blas-${core} COMMAND test-unit-math-blas)
  set_tests_properties(unit-math-blas-${core} PROPERTIES ENVIRONMENT OPENBLAS_CORETYPE=${core})
endforeach()
