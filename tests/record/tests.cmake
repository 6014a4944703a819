# A results folder that nobody's experiment made, and what reads it.
add_executable(make-results ${CMAKE_CURRENT_LIST_DIR}/make_results.c)
target_link_libraries(make-results PRIVATE cull_core cull_test_support PkgConfig::CMOCKA)
target_compile_definitions(make-results PRIVATE CULL_BINARY_DIR="${PROJECT_BINARY_DIR}")

add_test(NAME record-made COMMAND make-results ${CMAKE_BINARY_DIR}/made-results)
set_tests_properties(record-made PROPERTIES FIXTURES_SETUP made_results)
add_test(NAME record-python
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/python.sh ${CMAKE_CURRENT_LIST_DIR}/read_results.py
    ${CMAKE_BINARY_DIR}/made-results ${PROJECT_SOURCE_DIR}/results/README.md)
set_tests_properties(record-python PROPERTIES FIXTURES_REQUIRED made_results SKIP_RETURN_CODE 77)

# The Python package on the same folder, and a run through it.
add_test(NAME record-python-package
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/python.sh ${PROJECT_SOURCE_DIR}/python/tests/test_cull.py
    ${CMAKE_BINARY_DIR}/made-results $<TARGET_FILE:cull> ${CMAKE_CURRENT_LIST_DIR}/python_package.yaml)
set_tests_properties(record-python-package PROPERTIES FIXTURES_REQUIRED made_results SKIP_RETURN_CODE 77)
