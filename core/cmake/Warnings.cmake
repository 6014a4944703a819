# The warnings and sanitizers of everything that is built here.
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wundef -fno-math-errno -fno-trapping-math)
# Tables leave out the last fields of a row where they are nothing; clang would have each of them written.
add_compile_options($<$<C_COMPILER_ID:Clang>:-Wno-missing-field-initializers>)
add_compile_definitions(_POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
if(CULL_WERROR)
  add_compile_options(-Werror)
endif()
if(CULL_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(CULL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # coverage of everything a target calls
endif()
