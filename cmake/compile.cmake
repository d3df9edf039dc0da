# How every target here is compiled: gradus_compile(target).

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(GRADUS_CCACHE ccache)
  if(GRADUS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${GRADUS_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${GRADUS_CCACHE})
  endif()
endif()

function(gradus_compile target)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE
    # A product and a sum stay two roundings: the same bits on every target.
    -ffp-contract=off
    -Wall -Wextra -Wshadow -Wconversion -Wcast-qual -Wvla
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
    $<$<BOOL:${GRADUS_WERROR}>:-Werror>
    # -O3 makes the kernels larger, not faster; line tables are enough for a backtrace and a tenth of full information.
    $<$<CONFIG:Release,RelWithDebInfo>:-O2> $<$<CONFIG:RelWithDebInfo>:-g1>)
  if(GRADUS_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${GRADUS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${GRADUS_SANITIZE})
  endif()
  if(GRADUS_COVERAGE)
    target_compile_options(${target} PRIVATE --coverage -fprofile-update=atomic)
    target_link_options(${target} PRIVATE --coverage)
  endif()
endfunction()
