# All folders here include each other as "arch.h", "tokenizer/…".
target_include_directories(${module} PRIVATE ${entry})
target_link_libraries(${module} PRIVATE PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::XXHASH)

# The tokenizer by itself, for its tests, fuzz targets and benchmark.
file(GLOB_RECURSE tokenizer CONFIGURE_DEPENDS ${entry}/tokenizer/*.c)
add_library(hf_tokenizer STATIC EXCLUDE_FROM_ALL ${tokenizer})
target_include_directories(hf_tokenizer PUBLIC ${entry})
target_link_libraries(hf_tokenizer PUBLIC cull::abi PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC)

# And the whole backend, for its fuzz target.
file(GLOB_RECURSE backend CONFIGURE_DEPENDS ${entry}/*.c)
list(REMOVE_ITEM backend ${tokenizer})
add_library(hf_backend STATIC EXCLUDE_FROM_ALL ${backend})
target_link_libraries(hf_backend PUBLIC hf_tokenizer PkgConfig::XXHASH m)

# The code that exports of Cull's own layout carry, as bytes.
set(modeling ${entry}/save/modeling_cull.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${modeling})
file(READ ${modeling} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/modeling_cull.c @ONLY CONTENT [[
#include <stddef.h>
extern const unsigned char hf_modeling_py[];
extern const size_t hf_modeling_py_size;
const unsigned char hf_modeling_py[] = { @bytes@ };
const size_t hf_modeling_py_size = sizeof hf_modeling_py;
]])
target_sources(${module} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/modeling_cull.c)
target_sources(hf_backend PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/modeling_cull.c)
