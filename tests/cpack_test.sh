#!/bin/sh
# What cpack makes serves a program, wherever it is unpacked: cpack_test.sh CMAKE BUILD CC VERSION GENERATOR...
# TGZ is unpacked anywhere; of a DEB and an RPM, which belong under /usr, the files are taken out. A generator without its tools is left out.
set -eu
cmake=$1 build=$2 cc=$3 version=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "cpack: $*"; exit 1; }
cpack=$(dirname "$(command -v "$cmake")")/cpack

cat > "$work/first.c" << 'TEXT'
#include <gradus/gradus.h>
#include <stdio.h>
int main(void) { return puts(gradus_version_string()) < 0; }
TEXT
cat > "$work/CMakeLists.txt" << TEXT
cmake_minimum_required(VERSION 3.25)
project(first C)
find_package(gradus $version REQUIRED)
add_executable(first first.c)
target_link_libraries(first PRIVATE gradus::gradus)
TEXT

unpack() {                                     # unpack PACKAGE FOLDER
  case $1 in
    *.tar.gz) tar -xzf "$1" -C "$2" ;;
    *.deb) dpkg-deb -x "$1" "$2" ;;
    *.rpm) rpm2archive "$1" && tar -xzf "$1.tgz" -C "$2" ;;
  esac
}
check() {                                      # check PREFIX SYSROOT: a program by pkg-config, and one by find_package
  pc=$(dirname "$(find "$1" -name gradus.pc)")
  [ -f "$pc/gradus.pc" ] || fail "$generator: there is no gradus.pc"
  if grep -rlF -e "$build" -e _CPack_Packages "$1" --include='*.pc' --include='*.cmake'; then fail "$generator: these files name the build tree"; fi
  # shellcheck disable=SC2046
  "$cc" -std=c99 "$work/first.c" -o "$work/program" \
    $(PKG_CONFIG_SYSROOT_DIR=$2 PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_PATH=$pc pkg-config --cflags --libs gradus)
  found=$(LD_LIBRARY_PATH=$(dirname "$pc") "$work/program")
  [ "$found" = "$version" ] || fail "$generator: by pkg-config the program prints '$found'"
  rm -rf "$work/build"
  { "$cmake" -G Ninja -S "$work" -B "$work/build" "-DCMAKE_PREFIX_PATH=$1" "-DCMAKE_C_COMPILER=$cc" && "$cmake" --build "$work/build"; } \
    > "$work/log" 2>&1 || { cat "$work/log"; fail "$generator: find_package does not serve"; }
  found=$("$work/build/first")
  [ "$found" = "$version" ] || fail "$generator: by find_package the program prints '$found'"
  [ "$(find "$1/share/doc" -name copyright | wc -l)" = 2 ] || fail "$generator: a package lacks its licence"
}

done=
for generator in "$@"; do
  case $generator in
    TGZ) tools=tar ending=tar.gz ;;
    DEB) tools="dpkg-deb dpkg-shlibdeps" ending=deb ;;
    RPM) tools="rpmbuild rpm2archive" ending=rpm ;;
  esac
  missing=
  for tool in $tools; do command -v "$tool" > /dev/null || missing=$tool; done
  [ -z "$missing" ] || { echo "cpack: no $generator, there is no $missing"; continue; }
  "$cpack" --config "$build/CPackConfig.cmake" -G "$generator" -B "$work/$generator" > "$work/log" 2>&1 ||
    { cat "$work/log"; fail "$generator fails"; }
  # A folder that no file in the package can know of.
  mkdir -p "$work/away/$generator"
  for package in "$work/$generator"/*."$ending"; do unpack "$package" "$work/away/$generator"; done
  [ "$(find "$work/$generator" -maxdepth 1 -name "*.$ending" | wc -l)" = 2 ] || fail "$generator: not one package for each component"
  if [ "$generator" = TGZ ]; then check "$work/away/TGZ" ""; else check "$work/away/$generator/usr" "$work/away/$generator"; fi
  done="$done $generator"
done
echo "cpack:$done hold two packages each, and programs by pkg-config and find_package run with them"
