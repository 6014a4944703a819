target_link_libraries(${module} PRIVATE cull_common PkgConfig::YAML)
target_include_directories(${module} PRIVATE ${entry})

# The tasks that come with Cull lie beside the plugin, in the build as where it is installed.
file(GLOB tasks CONFIGURE_DEPENDS ${entry}/published/*.yaml)
foreach(task ${tasks})
  get_filename_component(task_file ${task} NAME)
  configure_file(${task} ${CMAKE_BINARY_DIR}/plugins/tasks/${task_file} COPYONLY)
endforeach()
set_property(GLOBAL APPEND PROPERTY CULL_TASKS ${tasks})
