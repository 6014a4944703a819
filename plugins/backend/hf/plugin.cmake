# All folders here include each other as "arch.h", "tokenizer/…".
target_include_directories(${module} PRIVATE ${entry})
target_link_libraries(${module} PRIVATE PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::XXHASH)

# The tokenizer by itself, for its tests, fuzz targets and benchmark.
file(GLOB_RECURSE tokenizer CONFIGURE_DEPENDS ${entry}/tokenizer/*.c)
add_library(hf_tokenizer STATIC EXCLUDE_FROM_ALL ${tokenizer})
target_include_directories(hf_tokenizer PUBLIC ${entry} ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(hf_tokenizer PUBLIC cull::abi PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::XXHASH)

# And the whole backend, for its fuzz target.
file(GLOB_RECURSE backend CONFIGURE_DEPENDS ${entry}/*.c)
list(REMOVE_ITEM backend ${tokenizer})
add_library(hf_backend STATIC EXCLUDE_FROM_ALL ${backend})
target_link_libraries(hf_backend PUBLIC hf_tokenizer m)

# The code that exports of Cull's own layout carry.
cull_embed(${entry}/save/modeling_cull.py hf_modeling_py ${module} hf_backend)
