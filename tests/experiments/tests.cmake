# Every experiment that comes with Cull can be planned: it reads, binds and fits.
file(GLOB experiments CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/experiments/*.yaml)
foreach(experiment ${experiments})
  get_filename_component(name ${experiment} NAME_WE)
  add_test(NAME experiments-plan-${name} COMMAND cull plan ${experiment})
endforeach()
