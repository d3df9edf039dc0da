# What the library itself needs.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)                     # headers only; base/error.cpp alone compiles its code
find_package(ZLIB REQUIRED)                    # deflated npz files
find_package(nlohmann_json REQUIRED)           # headers only, seen by io/safetensors_header.cpp alone

# Highway, the SIMD layer under the kernels. Distributions differ in what they install with it.
find_package(hwy CONFIG QUIET)
if(NOT TARGET hwy::hwy)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
  add_library(hwy::hwy ALIAS PkgConfig::HWY)
endif()
