target_link_libraries(${module} PRIVATE cull_common)
target_include_directories(${module} PRIVATE ${entry})
