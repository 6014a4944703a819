target_link_libraries(${module} PRIVATE PkgConfig::OPENBLAS)
