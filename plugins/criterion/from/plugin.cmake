target_link_libraries(${module} PRIVATE cull_common PkgConfig::JANSSON)
