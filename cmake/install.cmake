# Component runtime: the library. Component dev: headers, linker name, CMake package, pkg-config file.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradus)

install(TARGETS gradus EXPORT gradusTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
install(DIRECTORY include/gradus DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN *.h PATTERN *.hpp)
install(FILES gradus_api.json DESTINATION ${CMAKE_INSTALL_DATADIR}/gradus COMPONENT dev)
install(FILES capi/registry.json DESTINATION ${CMAKE_INSTALL_DATADIR}/gradus COMPONENT dev)
install(EXPORT gradusTargets NAMESPACE gradus:: DESTINATION ${package_dir} COMPONENT dev)

configure_package_config_file(cmake/gradusConfig.cmake.in ${PROJECT_BINARY_DIR}/gradusConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradusConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradusConfig.cmake ${PROJECT_BINARY_DIR}/gradusConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT dev)

set(pc_private)
if(GRADUS_STATIC)
  install(TARGETS gradus_static EXPORT gradusStaticTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  install(EXPORT gradusStaticTargets NAMESPACE gradus:: DESTINATION ${package_dir} COMPONENT dev)
  set(pc_private "\nLibs.private:")
  foreach(library hwy z ${CMAKE_DL_LIBS} ${cxx_runtime})
    string(APPEND pc_private " -l${library}")
  endforeach()
  string(APPEND pc_private " ${CMAKE_THREAD_LIBS_INIT}")
  string(REGEX REPLACE " +$" "" pc_private "${pc_private}")
endif()

# The prefix is known only when cmake --install runs. In an archive made by cpack it is where the file lies.
cmake_path(APPEND pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")        # stays as it is where absolute
cmake_path(APPEND pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
set(pc_prefix @pc_prefix@)
configure_file(cmake/gradus.pc.in ${PROJECT_BINARY_DIR}/gradus.pc.in @ONLY)
file(RELATIVE_PATH pc_up /usr/${CMAKE_INSTALL_LIBDIR}/pkgconfig /usr)
string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
install(CODE "set(pc_prefix \"\${CMAKE_INSTALL_PREFIX}\")
if(pc_prefix MATCHES \"/_CPack_Packages/\")
  set(pc_prefix \"\\\${pcfiledir}/${pc_up}\")
endif()
configure_file(\"${PROJECT_BINARY_DIR}/gradus.pc.in\" \"${PROJECT_BINARY_DIR}/gradus.pc\" @ONLY)" COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/gradus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

# Manual pages, made from the headers.
find_package(Python3 3.9 COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
  set(man_dir ${PROJECT_BINARY_DIR}/man3)
  file(GLOB public_headers CONFIGURE_DEPENDS include/gradus/*.h)
  add_custom_command(OUTPUT ${man_dir}/gradus.3
    COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/cmake/manpages.py ${PROJECT_SOURCE_DIR}/include ${man_dir} ${PROJECT_VERSION}
    DEPENDS ${public_headers} cmake/manpages.py cmake/headers.py VERBATIM COMMENT "Writing the manual pages")
  add_custom_target(man ALL DEPENDS ${man_dir}/gradus.3)
  install(DIRECTORY ${man_dir} DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT dev)
endif()

if(PROJECT_IS_TOP_LEVEL)
  include(cmake/packages.cmake)
endif()
