# Each experiment in cases/ is refused with exactly the text beside it.
if(TARGET cull)
  file(GLOB cases CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/cases/*.yaml)
  foreach(case ${cases})
    get_filename_component(name ${case} NAME_WE)
    add_test(NAME spec-${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/check.sh $<TARGET_FILE:cull> ${name})
  endforeach()
endif()
