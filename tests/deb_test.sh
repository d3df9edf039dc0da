#!/bin/sh
# Builds the Debian packages of a copy of the tree, unpacks them, and builds and runs the examples and debian/tests against them alone, by pkg-config
# and by find_package; then installs them in a fresh system, where root and debootstrap are: deb_test.sh ROOT WORK [0]. What is in WORK is kept: the
# packages, and objects for the next time. Ends with 77 where the tools are missing, or with 0 as third argument.
set -eu
[ "${3-1}" != 0 ] || { echo "deb: skipped, GRADUS_TEST_DEB is off"; exit 77; }
root=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
for tool in dpkg-buildpackage dh dh_python3 fakeroot; do
  command -v $tool > /dev/null || { echo "deb: skipped, there is no $tool"; exit 77; }
done
version=$(sed -n 's/^gradus (\([^)]*\)).*/\1/p' "$root/debian/changelog" | head -n 1)
tree=$work/gradus-$version prefix=$work/unpacked

# The tree as git knows it, or all of it outside a checkout.
mkdir -p "$tree"
find "$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -r {} +
(cd "$root" && { git ls-files -co --exclude-standard 2> /dev/null || find . -name build -prune -o -name .git -prune -o -type f -print; } |
  while read -r file; do [ ! -f "$file" ] || echo "$file"; done | tar -c -T -) | tar -x -C "$tree"
rm -f "$work"/*.deb "$work"/gradus_*.*
# debhelper changes HOME, where ccache looks for what it keeps.
if command -v ccache > /dev/null; then
  CCACHE_DIR=${CCACHE_DIR:-$(ccache --get-config cache_dir)}
  export CCACHE_DIR
fi
(cd "$tree" && DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-parallel=2}" dpkg-buildpackage -us -uc -F -nc) > "$work/build.log" 2>&1 ||
  { tail -n 40 "$work/build.log"; echo "deb: dpkg-buildpackage failed, see $work/build.log"; exit 1; }

if command -v lintian > /dev/null; then
  lintian --allow-root --fail-on error,warning --info "$work"/gradus_*.changes || { echo "deb: lintian has complaints"; exit 1; }
  echo "deb: lintian finds no errors and no warnings"
fi

rm -rf "$prefix"
for package in libgradus1 libgradus-dev libgradus-doc python3-gradus; do
  set -- "$work/${package}_$version"_*.deb
  [ -e "$1" ] || { echo "deb: there is no package $package"; exit 1; }
  dpkg -x "$1" "$prefix"
  echo "deb: $package: installed size $(dpkg-deb -f "$1" Installed-Size) kB"
done
size=$(dpkg-deb -f "$work/libgradus1_$version"_*.deb Installed-Size)
[ "$size" -le 8192 ] || { echo "deb: libgradus1 takes $size kB, more than 8 MB"; exit 1; }

folder=$(dirname "$(find "$prefix" -name libgradus.so)")
examples=$prefix/usr/share/doc/libgradus-dev/examples        # where debhelper puts those of a -doc package
export PKG_CONFIG_SYSROOT_DIR="$prefix" PKG_CONFIG_LIBDIR="$folder/pkgconfig" LD_LIBRARY_PATH="$folder"
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
unset GRADUS_LIBRARY PYTHONPATH
mkdir -p "$work/out"
cd "$work/out"
# shellcheck disable=SC2046
cc -std=c99 "$examples/tutorial.c" -o tutorial_c $(pkg-config --cflags --libs gradus) -lm
./tutorial_c > tutorial_c.txt

cat > CMakeLists.txt << 'TEXT'
cmake_minimum_required(VERSION 3.25)
project(consumer CXX)
find_package(gradus 0.1 REQUIRED)
add_executable(tutorial_cpp ${EXAMPLES}/tutorial.cpp)
target_compile_features(tutorial_cpp PRIVATE cxx_std_20)
target_link_libraries(tutorial_cpp PRIVATE gradus::gradus)
TEXT
cmake -G Ninja -S . -B consumer "-DCMAKE_PREFIX_PATH=$prefix/usr" \
  -DCMAKE_LIBRARY_ARCHITECTURE="$(basename "$folder")" "-DEXAMPLES=$examples" > cmake.log
cmake --build consumer >> cmake.log || { cat cmake.log; exit 1; }
consumer/tutorial_cpp > tutorial_cpp.txt

# debian/tests, as autopkgtest would run them.
smoke=$(sed -n 's/^Test-Command: sh //p' "$tree/debian/tests/control")
[ "$(echo "$smoke" | wc -l)" = 5 ] || { echo "deb: not five tests in debian/tests"; exit 1; }
echo "$smoke" | while read -r script program; do
  # A linker looks for what the library needs itself in the folder that the loader is told of, and for the rest where it always does.
  (cd "$tree" && export LIBRARY_PATH="$folder" CMAKE_PREFIX_PATH="$prefix/usr" GRADUS_TEST_PYTHON="$prefix/usr/lib/python3/dist-packages" &&
    sh "$script" "$program") > "smoke_$(basename "$script").txt" || { cat "smoke_$(basename "$script").txt"; echo "deb: $script fails"; exit 1; }
done
lines=$(cat tutorial_c.txt tutorial_cpp.txt | wc -l)
[ "$lines" -gt 20 ] || { echo "deb: the tutorials print only $lines lines"; exit 1; }

# A page of the manual for each header, and one under each function's name.
man3=$prefix/usr/share/man/man3
for page in gradus gradus_ops gradus_backward gradus_context_create; do
  [ -e "$man3/$page.3.gz" ] || [ -L "$man3/$page.3.gz" ] || { echo "deb: no manual page $page"; exit 1; }
done
echo "deb: libgradus1 takes $size kB; examples in C, C++ and Python run against the packages"

# Installed for real, where that is possible.
if command -v debootstrap > /dev/null && [ "$(id -u)" = 0 ]; then
  sh "$root/tests/deb_chroot_test.sh" "$work" "$version"
else
  echo "deb: not installed in a chroot, which needs root and debootstrap"
fi
