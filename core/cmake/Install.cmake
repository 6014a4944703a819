# cmake --install: the program, its plugins, and the SDK (headers, CMake package, pkg-config file).
include(CMakePackageConfigHelpers)

set(CULL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/cull)
set(CULL_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/cull/plugins)

install(TARGETS cull RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
get_property(modules GLOBAL PROPERTY CULL_PLUGINS)
if(modules)
  install(TARGETS ${modules} LIBRARY DESTINATION ${CULL_PLUGIN_DIR})
endif()

get_property(tasks GLOBAL PROPERTY CULL_TASKS)
install(FILES ${tasks} DESTINATION ${CULL_PLUGIN_DIR}/tasks)

if(TARGET cull_mpi)
  install(TARGETS cull_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/cull)
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/cull DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set_target_properties(cull_abi PROPERTIES EXPORT_NAME abi)
install(TARGETS cull_abi EXPORT cull-targets)
install(EXPORT cull-targets NAMESPACE cull:: DESTINATION ${CULL_CMAKE_DIR})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/cull-config.cmake.in ${PROJECT_BINARY_DIR}/cull-config.cmake
  INSTALL_DESTINATION ${CULL_CMAKE_DIR} PATH_VARS CULL_PLUGIN_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cull-config-version.cmake COMPATIBILITY SameMinorVersion
  ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/cull-config.cmake ${PROJECT_BINARY_DIR}/cull-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/CullPlugin.cmake DESTINATION ${CULL_CMAKE_DIR})

file(RELATIVE_PATH CULL_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_CURRENT_LIST_DIR}/cull.pc.in ${PROJECT_BINARY_DIR}/cull.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cull.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)


# What is read: manual pages made from --help, pages, completions, and experiments that run as they stand.
if(TARGET cull)
  install(CODE "
    execute_process(COMMAND \"${PROJECT_SOURCE_DIR}/docs/make-man.sh\" \"$<TARGET_FILE:cull>\"
      \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man1\" RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR \"the manual pages cannot be made\")
    endif()")
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/results/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME results.md)
install(FILES ${PROJECT_SOURCE_DIR}/share/completions/cull.bash RENAME cull
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${PROJECT_SOURCE_DIR}/share/completions/_cull DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/plugins/template DESTINATION ${CMAKE_INSTALL_DATADIR}/cull/plugins)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/experiments ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/cull)
