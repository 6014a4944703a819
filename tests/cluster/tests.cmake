# docs/cluster.md on a Slurm of its own, where that is installed.
if(TARGET cull_mpi AND TARGET cull)
  add_test(NAME flow-slurm COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/slurm.sh)
  set_tests_properties(flow-slurm PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 RUN_SERIAL ON ENVIRONMENT
    "CULL=$<TARGET_FILE:cull>;SOURCE=${PROJECT_SOURCE_DIR}")
endif()
