# libgradus.a: the objects of the shared library, linked into one whose only global symbols are those of the C interface, so that a program may
# have another fmt, or another build of some template, beside it. Needs GNU binutils.
set(static_object ${CMAKE_CURRENT_BINARY_DIR}/gradus_static.o)
set(static_flags)
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION OR CMAKE_CXX_FLAGS MATCHES "-flto")
  set(static_flags -flinker-output=nolto-rel)
endif()
add_custom_command(OUTPUT ${static_object}
  # Without groups: a program's copy of an inline function must not replace ours, which is local.
  COMMAND ${CMAKE_CXX_COMPILER} ${static_flags} -r -nostdlib -fuse-ld=bfd -Wl,--force-group-allocation -o ${static_object}.all
    $<TARGET_OBJECTS:gradus_core> $<TARGET_OBJECTS:gradus_capi>
  COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DOBJCOPY=${CMAKE_OBJCOPY} -DFROM=${static_object}.all -DTO=${static_object}
    -DSTRIP=$<IF:$<CONFIG:Debug>,,--strip-debug> -P ${PROJECT_SOURCE_DIR}/cmake/static_object.cmake
  DEPENDS $<TARGET_OBJECTS:gradus_core> $<TARGET_OBJECTS:gradus_capi> ${PROJECT_SOURCE_DIR}/cmake/static_object.cmake
  COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking the objects of libgradus.a into one")

add_library(gradus_static STATIC ${static_object})
set_source_files_properties(${static_object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
add_library(gradus::gradus_static ALIAS gradus_static)
set_target_properties(gradus_static PROPERTIES OUTPUT_NAME gradus LINKER_LANGUAGE C)       # a C program links it by the C compiler

# What the C compiler does not link by itself and C++ needs: stdc++ and m, or c++.
set(cxx_runtime ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(REMOVE_ITEM cxx_runtime ${CMAKE_C_IMPLICIT_LINK_LIBRARIES})
list(REMOVE_DUPLICATES cxx_runtime)
target_include_directories(gradus_static INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(gradus_static INTERFACE
  $<BUILD_INTERFACE:hwy::hwy> $<INSTALL_INTERFACE:gradus::hwy> ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS} ${cxx_runtime})
