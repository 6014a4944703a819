# LAPACK for the Cholesky factors; which weights of a matrix go: common/choose.
target_link_libraries(${module} PRIVATE PkgConfig::OPENBLAS cull_common)
