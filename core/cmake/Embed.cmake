# A text that the program carries: cull_embed(FILE NAME TARGET…) makes `const char NAME[]`, ended by a NUL, of FILE.
function(cull_embed file name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "(char)0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.c @ONLY CONTENT [[
extern const char @name@[];
const char @name@[] = { @bytes@ 0 };
]])
  foreach(target ${ARGN})
    target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.c)
  endforeach()
endfunction()
