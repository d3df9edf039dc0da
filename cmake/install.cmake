# Component runtime: the library. Component dev: headers, linker name, CMake package, pkg-config file.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradus)

install(TARGETS gradus EXPORT gradusTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
install(DIRECTORY include/gradus DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN *.h PATTERN *.hpp)
install(FILES gradus_api.json DESTINATION ${CMAKE_INSTALL_DATADIR}/gradus COMPONENT dev)
install(EXPORT gradusTargets NAMESPACE gradus:: DESTINATION ${package_dir} COMPONENT dev)

configure_package_config_file(cmake/gradusConfig.cmake.in ${PROJECT_BINARY_DIR}/gradusConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradusConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradusConfig.cmake ${PROJECT_BINARY_DIR}/gradusConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT dev)

# The prefix is known only when cmake --install runs.
cmake_path(APPEND pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")        # stays as it is where absolute
cmake_path(APPEND pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
set(pc_prefix @pc_prefix@)
configure_file(cmake/gradus.pc.in ${PROJECT_BINARY_DIR}/gradus.pc.in @ONLY)
install(CODE "set(pc_prefix \"\${CMAKE_INSTALL_PREFIX}\")
configure_file(\"${PROJECT_BINARY_DIR}/gradus.pc.in\" \"${PROJECT_BINARY_DIR}/gradus.pc\" @ONLY)" COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/gradus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
