# compare and report as a user runs them, on the results that tests/record made.
if(TARGET cull)
  add_test(NAME report-compare-command
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/compare.sh $<TARGET_FILE:cull> ${CMAKE_BINARY_DIR}/made-results)
  add_test(NAME report-page
    COMMAND ${PROJECT_SOURCE_DIR}/tests/record/python.sh ${CMAKE_CURRENT_LIST_DIR}/check_page.py
      $<TARGET_FILE:cull> ${CMAKE_BINARY_DIR}/made-results ${CMAKE_BINARY_DIR}/made-report)
  add_test(NAME report-facets
    COMMAND ${PROJECT_SOURCE_DIR}/tests/record/python.sh ${CMAKE_CURRENT_LIST_DIR}/check_facets.py
      $<TARGET_FILE:cull> ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/made-facets)
  set_tests_properties(report-facets PROPERTIES SKIP_RETURN_CODE 77)
  set_tests_properties(report-compare-command report-page PROPERTIES FIXTURES_REQUIRED made_results
    SKIP_RETURN_CODE 77)
endif()
