# cull_add_plugin(KIND NAME SOURCE...): a plugin as a module <KIND>-<NAME>.so that exports one symbol.
function(cull_add_plugin kind name)
  set(module ${kind}-${name})
  add_library(${module} MODULE ${ARGN})
  set_target_properties(${module} PROPERTIES PREFIX "" SUFFIX ".so" C_STANDARD 17 C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden)
  target_link_libraries(${module} PRIVATE cull::abi)
  if(NOT CULL_SANITIZE)
    target_link_options(${module} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
