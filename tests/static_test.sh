#!/bin/sh
# libgradus.a serves programs in C and C++, by pkg-config --static and by find_package(gradus COMPONENTS static), and shows the C interface alone:
# static_test.sh CMAKE BUILD CC CXX ROOT
set -eu
LC_ALL=C; export LC_ALL
cmake=$1 build=$2 cc=$3 cxx=$4 root=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "static: $*"; exit 1; }
"$cmake" --install "$build" --prefix "$work/usr" --component dev > "$work/log"
library=$(find "$work/usr" -name libgradus.a)
[ -n "$library" ] || fail "there is no libgradus.a; the build has GRADUS_STATIC off"

# Lines of nm in, names in sight of the host's linker out.
global() { awk 'NF == 3 && $2 ~ /[A-Zuvwi]/ { print $3 }'; }
planted='0 T gradus_add
0 t helper
0 V _ZTIN6gradus5ErrorE
0 W _ZN6gradus3addEv
0 u _ZN6gradus4kMaxE
                 U malloc'
[ "$(echo "$planted" | global | wc -l)" = 4 ] || fail "the check of names is wrong"
nm "$library" | global | sort > "$work/names"
sed -n 's/^ *\(gradus_[a-z0-9_]*\);$/\1/p' "$root/capi/gradus.map" | sort > "$work/promised"
diff "$work/promised" "$work/names" > "$work/difference" ||
  { head -n 20 "$work/difference"; fail "the global names are not those of capi/gradus.map"; }
[ "$(wc -l < "$work/names")" -gt 500 ] || fail "only $(wc -l < "$work/names") names are global"

# By pkg-config; the name of the archive, or -static, says which of the two libraries is meant.
flags() { PKG_CONFIG_PATH=$(dirname "$library")/pkgconfig pkg-config --static --cflags --libs gradus | sed 's/-lgradus/-l:libgradus.a/'; }
cp "$root/debian/tests/smoke.c" "$root/debian/tests/smoke.cpp" "$work"
# shellcheck disable=SC2046
"$cc" -std=c99 "$work/smoke.c" -o "$work/smoke_c" $(flags) || fail "the flags of pkg-config do not link a C program"
# shellcheck disable=SC2046
"$cxx" -std=c++17 "$work/smoke.cpp" -o "$work/smoke_cpp" $(flags) || fail "the flags of pkg-config do not link a C++ program"

# By find_package, in a project of C alone, and in one of C++ alone.
project() {                                    # project LANGUAGE EXTENSION STANDARD
  mkdir -p "$work/$1"
  cat > "$work/$1/CMakeLists.txt" << TEXT
cmake_minimum_required(VERSION 3.25)
project(smoke $1)
find_package(gradus 0.1 REQUIRED COMPONENTS static)
add_executable(smoke ../smoke.$2)
target_compile_features(smoke PRIVATE $3)
target_link_libraries(smoke PRIVATE gradus::gradus_static)
TEXT
  "$cmake" -G Ninja -S "$work/$1" -B "$work/$1/build" "-DCMAKE_PREFIX_PATH=$work/usr" "-DCMAKE_C_COMPILER=$cc" "-DCMAKE_CXX_COMPILER=$cxx" \
    > "$work/log" 2>&1 || { cat "$work/log"; fail "find_package fails in a project of $1"; }
  "$cmake" --build "$work/$1/build" > "$work/log" 2>&1 || { cat "$work/log"; fail "a project of $1 does not build"; }
}
project C c c_std_99
project CXX cpp cxx_std_17

for program in smoke_c smoke_cpp C/build/smoke CXX/build/smoke; do
  "$work/$program" > "$work/out" || { cat "$work/out"; fail "$program fails"; }
  if readelf -dW "$work/$program" | grep -q 'NEEDED.*libgradus'; then fail "$program uses the shared library"; fi
done
echo "static: $(wc -l < "$work/names") global names, all of the C interface; programs in C and C++ run"
