file(GLOB tortures CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/torture/torture_*.c)
foreach(file ${tortures})
  get_filename_component(name ${file} NAME_WE)
  string(REPLACE "_" "-" name ${name})
  add_executable(${name} ${file} ${CMAKE_CURRENT_SOURCE_DIR}/torture/torture.c)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE cull_core)
  target_compile_definitions(${name} PRIVATE CULL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
endforeach()

# The whole program, its libraries included, without memory. Sanitizers bring an allocator of their own.
if(TARGET cull AND NOT CULL_SANITIZE)
  add_library(failing-malloc MODULE ${CMAKE_CURRENT_SOURCE_DIR}/torture/failing_malloc.c)
  add_test(NAME torture-allocations COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/torture/allocations.sh
    $<TARGET_FILE:cull> $<TARGET_FILE:failing-malloc> ${PROJECT_SOURCE_DIR})
  set_tests_properties(torture-allocations PROPERTIES TIMEOUT 1800 COST 600) # begins first
endif()
