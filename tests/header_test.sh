#!/bin/sh
# Every public header alone and twice, under each standard and the strictest warnings: header_test.sh INCLUDE CC CXX
set -u
include=$1 cc=$2 cxx=$3 faults=0 runs=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict="-pedantic-errors -Wall -Wextra -Wshadow -Wconversion -Wundef -Werror -fsyntax-only -I$include"
c_only="-Wstrict-prototypes -Wmissing-prototypes -Wc++-compat"

# try HEADER COMPILER FLAGS...: 0 when it compiles silently
try() {
  header=$1
  shift
  runs=$((runs + 1))
  case " $* " in *" -x c++ "*) source=$work/a.cpp ;; *) source=$work/a.c ;; esac
  printf '#include <%s>\n#include <%s>\nextern int after_the_header;\n' "$header" "$header" > "$source"
  "$@" "$source" > "$work/log" 2>&1
}
check() {
  try "$@" && return
  faults=$((faults + 1))
  echo "header: $1 fails under: $(shift && echo "$*" | sed "s|-I$include||")"
  head -n 5 "$work/log"
}

# shellcheck disable=SC2086
every_standard() {                             # every_standard CHECK HEADER
  for std in c99 c11 c17 c2x; do "$1" "$2" "$cc" -x c -std=$std $c_only $strict; done
  for std in c++98 c++11 c++17 c++20 c++2b; do "$1" "$2" "$cxx" -x c++ -std=$std $strict; done
}

# The check finds what is planted: a keyword of C++, an unguarded definition.
mkdir -p "$work/planted"
echo 'int gradus_f(int class);' > "$work/planted/keyword.h"
echo 'enum gradus_e { GRADUS_E };' > "$work/planted/guard.h"
for planted in "keyword c++20" "guard c99"; do
  name=${planted% *} std=${planted#* }
  case $std in c++*) compiler="$cxx -x c++" ;; *) compiler="$cc -x c" ;; esac
  # shellcheck disable=SC2086
  if try "$name.h" $compiler "-std=$std" $strict "-I$work/planted"; then
    echo "header: the check misses planted $name"
    faults=$((faults + 1))
  fi
done

command -v clang > /dev/null || echo "header: no clang here, -Weverything is skipped"
found=0
for path in "$include"/gradus/*.h; do
  [ -f "$path" ] || continue
  case $path in */gradus_cdef.h) continue ;; esac     # for other parsers
  found=$((found + 1))
  every_standard check "gradus/$(basename "$path")"
  if command -v clang > /dev/null; then
    # shellcheck disable=SC2086
    check "gradus/$(basename "$path")" clang -x c -std=c99 -Weverything -Wno-padded -Wno-unknown-warning-option $strict
  fi
done
for path in "$include"/gradus/*.hpp "$include"/gradus/*/*.hpp; do
  [ -f "$path" ] || continue
  # shellcheck disable=SC2086
  check "${path#"$include"/}" "$cxx" -x c++ -std=c++20 $strict
done
[ "$found" -gt 0 ] || { echo "header: no header found in $include/gradus"; faults=$((faults + 1)); }
echo "header: $found C headers, $runs compilations, $faults faults"
[ "$faults" = 0 ]
