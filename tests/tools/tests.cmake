# tools/ is Python; the interpreter is CULL_TEST_PYTHON or python3, and the test is skipped without one.
add_test(NAME tools COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/record/python.sh ${CMAKE_CURRENT_LIST_DIR}/test_tools.py
  ${PROJECT_SOURCE_DIR} $<TARGET_FILE:cull>)
set_tests_properties(tools PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

add_test(NAME tools-study COMMAND ${CMAKE_CURRENT_LIST_DIR}/study.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:cull>)
set_tests_properties(tools-study PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
