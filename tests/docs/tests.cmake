add_test(NAME docs COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs/docs.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
add_test(NAME docs-pages COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/pages.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
add_test(NAME docs-commands COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/commands.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
set_tests_properties(docs-pages docs-commands PROPERTIES TIMEOUT 300)
