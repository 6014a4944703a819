# Folders that earlier versions wrote stay readable.
if(TARGET cull)
  foreach(version c1a9a52)
    add_test(NAME results-of-${version} COMMAND ${CMAKE_CURRENT_LIST_DIR}/older.sh $<TARGET_FILE:cull> ${version}
      ${CMAKE_BINARY_DIR}/tests/results-of-${version})
  endforeach()
endif()
