add_test(NAME abi-headers COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/abi/headers.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
# Its static assertions are checked by compiling it.
add_library(abi-offsets OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/abi/offsets.c
  ${CMAKE_CURRENT_SOURCE_DIR}/abi/offsets_ext.c)
target_link_libraries(abi-offsets PRIVATE cull::abi)

add_test(NAME layering COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/abi/layering.sh ${PROJECT_SOURCE_DIR})

# Objects of core and of what plugins share, for the link-level graph (TARGET_OBJECTS: what is built now, not
# what an older build left).
foreach(library cull_core cull_common hf_tokenizer backend-hf strategy-unstructured)
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${library}.objects
    CONTENT "$<JOIN:$<TARGET_OBJECTS:${library}>,\n>\n")
  list(APPEND object_lists ${CMAKE_CURRENT_BINARY_DIR}/${library}.objects)
endforeach()
add_test(NAME circles COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/abi/circles.sh ${object_lists})
