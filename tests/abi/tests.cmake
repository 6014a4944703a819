add_test(NAME abi-headers COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/abi/headers.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
# Its static assertions are checked by compiling it.
add_library(abi-offsets OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/abi/offsets.c)
target_link_libraries(abi-offsets PRIVATE cull::abi)

add_test(NAME layering COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/abi/layering.sh ${PROJECT_SOURCE_DIR})
