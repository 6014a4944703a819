# Several ranks, where this Cull was built with MPI.
if(TARGET cull_mpi)
  add_executable(test-ranks-meet ${CMAKE_CURRENT_LIST_DIR}/meet.c)
  target_link_libraries(test-ranks-meet PRIVATE cull_core)
  add_dependencies(test-ranks-meet cull_mpi)
  add_test(NAME ranks-meet COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/meet.sh)
  set_tests_properties(ranks-meet PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 ENVIRONMENT
    "MEET=$<TARGET_FILE:test-ranks-meet>;SOURCE=${PROJECT_SOURCE_DIR}")
endif()
if(TARGET cull_mpi AND TARGET cull)
  add_executable(test-ranks-same-tensors ${CMAKE_CURRENT_LIST_DIR}/same_tensors.c)
  target_include_directories(test-ranks-same-tensors SYSTEM PRIVATE ${HDF5_INCLUDE_DIRS})
  target_link_libraries(test-ranks-same-tensors PRIVATE ${HDF5_LIBRARIES})
  add_test(NAME flow-ranks COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/same.sh)
  cull_add_plugin(strategy portions ${CMAKE_CURRENT_LIST_DIR}/plugins/portions.c)
  set_target_properties(strategy-portions PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/ranks)
  add_test(NAME flow-ranks-experts COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/experts.sh)
  add_test(NAME flow-ranks-killed COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/killed.sh)
  add_test(NAME flow-ranks-shipped COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/shipped.sh)
  add_test(NAME flow-ranks-planned COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/planned.sh)
  set_tests_properties(flow-ranks flow-ranks-experts flow-ranks-killed flow-ranks-shipped flow-ranks-planned PROPERTIES
    TIMEOUT 1800 COST 300 SKIP_RETURN_CODE 77 ENVIRONMENT
    "CULL=$<TARGET_FILE:cull>;SAME=$<TARGET_FILE:test-ranks-same-tensors>;SOURCE=${PROJECT_SOURCE_DIR};PORTIONS=$<TARGET_FILE:strategy-portions>")
endif()
