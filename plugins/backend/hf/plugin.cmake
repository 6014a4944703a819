# All folders here include each other as "arch.h", "tokenizer/…".
target_include_directories(${module} PRIVATE ${entry})
target_link_libraries(${module} PRIVATE PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::XXHASH)
