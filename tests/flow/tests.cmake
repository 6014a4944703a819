# Whole runs of the program on an embedded model.
if(TARGET cull)
  cull_add_plugin(criterion faulty ${CMAKE_CURRENT_LIST_DIR}/plugins/faulty.c)
  cull_add_plugin(metric border ${CMAKE_CURRENT_LIST_DIR}/plugins/border.c)
  set_target_properties(criterion-faulty metric-border PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/flow)
  add_executable(large-cut ${CMAKE_CURRENT_LIST_DIR}/large_cut.c)
  target_link_libraries(large-cut PRIVATE cull_core cull_test_support PkgConfig::CMOCKA)
  foreach(name again answers axes base border bos channels company configs decides eval export exported_config families faulty inputs keep killed left_out memory mixes no_weights not_finite own_layout passes precision published reports search search_killed share silent space staged)
    add_test(NAME flow-${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/${name}.sh)
    set_tests_properties(flow-${name} PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77 ENVIRONMENT
      "CULL=$<TARGET_FILE:cull>;SOURCE=${PROJECT_SOURCE_DIR};BINARY=${PROJECT_BINARY_DIR};SANITIZED=$<BOOL:${CULL_SANITIZE}>;LARGE_CUT=$<TARGET_FILE:large-cut>")
  endforeach()
endif()

# A file system that lacks calls, as the program sees it. Sanitizers want to be the first that is loaded.
if(TARGET cull AND NOT CULL_SANITIZE)
  add_library(lacking-calls MODULE ${CMAKE_CURRENT_LIST_DIR}/lacking_calls.c)
  add_test(NAME flow-lacking COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/lacking.sh)
  set_tests_properties(flow-lacking PROPERTIES TIMEOUT 1800 ENVIRONMENT
    "CULL=$<TARGET_FILE:cull>;LACKING=$<TARGET_FILE:lacking-calls>;SOURCE=${PROJECT_SOURCE_DIR}")
  add_library(dying-calls MODULE ${CMAKE_CURRENT_LIST_DIR}/dying_calls.c)
  add_test(NAME flow-dying COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/dying.sh)
  set_tests_properties(flow-dying PROPERTIES TIMEOUT 1800 ENVIRONMENT
    "CULL=$<TARGET_FILE:cull>;DYING=$<TARGET_FILE:dying-calls>;SOURCE=${PROJECT_SOURCE_DIR}")
endif()
