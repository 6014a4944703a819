# Modules for the loader's tests: tests/modules/<fault>.so in the build folder, one for each way in which a
# plugin can be wrong, and two that are fine.
function(cull_test_module file)
  add_library(module-${file} MODULE ${CMAKE_CURRENT_SOURCE_DIR}/support/modules/module.c)
  set_target_properties(module-${file} PROPERTIES PREFIX "" OUTPUT_NAME ${file} SUFFIX ".so"
    C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/modules)
  target_link_libraries(module-${file} PRIVATE cull::abi)
  target_compile_definitions(module-${file} PRIVATE ${ARGN})
  add_dependencies(test-unit-plugin-registry module-${file})
endfunction()

foreach(fault FINE OTHER_MAGIC OTHER_MAJOR OLD_ABI SHORT_MODULE NO_PLUGINS SHORT_PLUGIN UNKNOWN_KIND
    BAD_NAME NO_VERSION NO_VTABLE NO_CALLBACK FIELD_OUTSIDE DEFAULT_OUTSIDE SAME_SETTING NEWER)
  cull_test_module(${fault} MODULE_FAULT=${fault})
endforeach()
cull_test_module(NO_SYMBOL MODULE_FAULT=FINE MODULE_WITHOUT_SYMBOL)
cull_test_module(criterion-sample MODULE_FAULT=FINE)
cull_test_module(criterion-other MODULE_FAULT=FINE MODULE_NAME="another")
cull_test_module(criterion-reap MODULE_FAULT=FINE MODULE_NAME="reap")
add_dependencies(test-unit-plugin-registry criterion-reap criterion-mone strategy-lowest)
