# Which weights of a matrix go: common/choose.
target_link_libraries(${module} PRIVATE cull_common)
