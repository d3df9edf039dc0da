#!/bin/sh
# An installed library serves a C program, by pkg-config and by find_package: package_test.sh CMAKE BUILD CC VERSION
set -eu
cmake=$1 build=$2 cc=$3 version=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In two components, as distributions split them.
"$cmake" --install "$build" --prefix "$work/usr" --component runtime > "$work/log"
if find "$work/usr" ! -type d ! -name 'libgradus.so.*' | grep .; then
  echo "package: component runtime holds more than the library"
  exit 1
fi
"$cmake" --install "$build" --prefix "$work/usr" --component dev >> "$work/log"

cat > "$work/first.c" << 'TEXT'
#include <gradus/gradus.h>
#include <stdio.h>
int main(void) { return puts(gradus_version_string()) < 0; }
TEXT
pc=$(dirname "$(find "$work/usr" -name gradus.pc)")
# shellcheck disable=SC2046
"$cc" -std=c99 "$work/first.c" -o "$work/first" $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs "gradus = $version")
found=$(LD_LIBRARY_PATH=$(dirname "$pc") "$work/first")
[ "$found" = "$version" ] || { echo "package: by pkg-config the program prints '$found'"; exit 1; }

cat > "$work/CMakeLists.txt" << TEXT
cmake_minimum_required(VERSION 3.25)
project(first C)
find_package(gradus $version REQUIRED)
add_executable(first first.c)
target_link_libraries(first PRIVATE gradus::gradus)
TEXT
"$cmake" -G Ninja -S "$work" -B "$work/build" "-DCMAKE_PREFIX_PATH=$work/usr" "-DCMAKE_C_COMPILER=$cc" >> "$work/log"
"$cmake" --build "$work/build" >> "$work/log"
found=$("$work/build/first")
[ "$found" = "$version" ] || { echo "package: by find_package the program prints '$found'"; exit 1; }
echo "package: $(find "$work/usr" -type f | wc -l) files installed, both programs print $found"
