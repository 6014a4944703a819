# Several ranks, where this Cull was built with MPI.
if(TARGET cull_mpi)
  add_executable(test-ranks-meet ${CMAKE_CURRENT_LIST_DIR}/meet.c)
  target_link_libraries(test-ranks-meet PRIVATE cull_core)
  add_dependencies(test-ranks-meet cull_mpi)
  add_test(NAME ranks-meet COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/meet.sh)
  set_tests_properties(ranks-meet PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 ENVIRONMENT
    "MEET=$<TARGET_FILE:test-ranks-meet>;SOURCE=${PROJECT_SOURCE_DIR}")
endif()
