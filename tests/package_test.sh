#!/bin/sh
# An installed library serves a C program, by pkg-config and by find_package: package_test.sh CMAKE BUILD CC VERSION
set -eu
cmake=$1 build=$2 cc=$3 version=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "package: $*"; exit 1; }

# In two components, as distributions split them; then the prefix moves.
"$cmake" --install "$build" --prefix "$work/first" --component runtime > "$work/log"
if find "$work/first" ! -type d ! -name 'libgradus.so.*' | grep .; then fail "component runtime holds more than the library"; fi
"$cmake" --install "$build" --prefix "$work/first" --component dev >> "$work/log"
prefix=$work/moved
mv "$work/first" "$prefix"

cat > "$work/first.c" << 'TEXT'
#include <gradus/gradus.h>
#include <stdio.h>
int main(void) { return puts(gradus_version_string()) < 0; }
TEXT
pc=$(dirname "$(find "$prefix" -name gradus.pc)")
# shellcheck disable=SC2046
"$cc" -std=c99 "$work/first.c" -o "$work/program" \
  $(PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$prefix" --cflags --libs "gradus = $version")
found=$(LD_LIBRARY_PATH=$(dirname "$pc") "$work/program")
[ "$found" = "$version" ] || fail "by pkg-config the program prints '$found'"

configure() {                                  # configure WHAT...: a project that calls find_package(gradus WHAT...)
  cat > "$work/CMakeLists.txt" << TEXT
cmake_minimum_required(VERSION 3.25)
project(first C)
find_package(gradus $*)
if(gradus_FOUND)
  add_executable(first first.c)
  target_link_libraries(first PRIVATE gradus::gradus)
endif()
TEXT
  rm -rf "$work/build"
  "$cmake" -G Ninja -S "$work" -B "$work/build" "-DCMAKE_PREFIX_PATH=$prefix" "-DCMAKE_C_COMPILER=$cc" > "$work/log" 2>&1
}
for what in "$version REQUIRED" "0.1 REQUIRED COMPONENTS shared" "REQUIRED OPTIONAL_COMPONENTS static"; do
  # shellcheck disable=SC2086
  configure $what || { cat "$work/log"; fail "find_package(gradus $what) does not find it"; }
  "$cmake" --build "$work/build" >> "$work/log" || { cat "$work/log"; fail "find_package(gradus $what) does not build"; }
  found=$("$work/build/first")
  [ "$found" = "$version" ] || fail "by find_package(gradus $what) the program prints '$found'"
done
refused() {                                    # refused WHY WHAT...: find_package(gradus WHAT...) fails, and says why
  why=$1
  shift
  ! configure "$@" || fail "find_package(gradus $*) succeeds"
  tr -s ' \n' ' ' < "$work/log" | grep -q "$why" || { cat "$work/log"; fail "find_package(gradus $*) does not say '$why'"; }
}
refused 'compatible with requested version "1.0"' 1.0 REQUIRED
refused 'compatible with requested version "0.99"' 0.99 REQUIRED
refused "gradus has no component fortran here" REQUIRED COMPONENTS shared fortran
rm -f "$prefix"/lib*/cmake/gradus/gradusStaticTargets*.cmake "$prefix"/lib/*/cmake/gradus/gradusStaticTargets*.cmake
refused "It needs libgradus.a" REQUIRED COMPONENTS static
configure COMPONENTS static || fail "find_package without REQUIRED fails"
echo "package: $(find "$prefix" -type f | wc -l) files installed, the programs print $found, and four requests are refused"
