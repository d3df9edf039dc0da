#!/bin/sh
# Runs the example of one language, as run.sh LANGUAGE; ends with 77 where the language is not installed. The library is GRADUS_LIBRARY, or
# that of the newest build tree; what a compiler makes goes to GRADUS_BINDINGS_OUT, or a folder that is removed again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
language=${1:?run.sh LANGUAGE}
GRADUS_LIBRARY=${GRADUS_LIBRARY:-$(ls -t "$here"/../build/*/capi/libgradus.so 2> /dev/null | head -n 1)}
[ -e "$GRADUS_LIBRARY" ] || { echo "run.sh: no library; build it, or set GRADUS_LIBRARY" >&2; exit 1; }
GRADUS_INCLUDE=${GRADUS_INCLUDE:-$here/../include}
folder=$(cd "$(dirname "$GRADUS_LIBRARY")" && pwd)
GRADUS_LIBRARY=$folder/$(basename "$GRADUS_LIBRARY")
export GRADUS_LIBRARY GRADUS_INCLUDE LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
cd "$here/$language"

missing() { echo "skipped: $language needs $*"; exit 77; }
tool() { command -v "$1" > /dev/null || missing "$2"; }                        # tool PROGRAM PACKAGE
place() {                                                                      # out: where compiled things go
  out=${GRADUS_BINDINGS_OUT:-}
  [ -n "$out" ] || { out=$(mktemp -d); temporary=$out; trap 'rm -rf "$temporary"' EXIT; }
  out=$out/$language
  mkdir -p "$out"
}

case $language in
  c)
    tool "${CC:-cc}" gcc
    place
    for program in host costs; do
      "${CC:-cc}" -std=c99 -O2 -Wall -Wextra -I "$GRADUS_INCLUDE" "$program.c" "$GRADUS_LIBRARY" -lm -o "$out/$program"
      "$out/$program"
    done ;;
  cpp)
    tool "${CXX:-c++}" g++
    place
    "${CXX:-c++}" -std=c++17 -O2 -Wall -Wextra -I "$GRADUS_INCLUDE" xor.cpp "$GRADUS_LIBRARY" -o "$out/xor"
    "$out/xor" ;;
  luajit) tool luajit luajit; luajit xor.lua ;;
  ruby) tool ruby ruby; ruby xor.rb ;;
  perl)
    tool perl perl
    perl -MFFI::Platypus -e 1 2> /dev/null || missing libffi-platypus-perl
    perl xor.pl ;;
  fortran)
    tool gfortran gfortran
    place
    gfortran -O2 -std=f2018 -Wall -Wno-unused-dummy-argument -ffree-line-length-none -J "$out" \
      gradus_c.f90 gradus_core.f90 gradus_operations.f90 gradus.f90 xor.f90 "$GRADUS_LIBRARY" -o "$out/xor"
    "$out/xor" ;;
  rust)
    tool rustc rustc
    place
    for program in generate xor; do
      GRADUS_OPS=$out/ops.rs rustc --edition 2021 -O -L native="$folder" "$program.rs" -o "$out/$program"
      [ "$program" = xor ] || "$out/generate" > "$out/ops.rs"
    done
    "$out/xor" ;;
  go)
    tool go golang-go
    place
    export CGO_CFLAGS="-O2 -I$GRADUS_INCLUDE" CGO_LDFLAGS="-L$folder" GOCACHE="${GOCACHE:-$out/cache}" GOFLAGS=-mod=mod GOTOOLCHAIN=local
    go build -o "$out/xor" ./xor
    "$out/xor" ;;
  java)
    tool javac default-jdk-headless
    jna=${JNA_JAR:-/usr/share/java/jna.jar}
    [ -e "$jna" ] || missing libjna-java
    place
    javac -Xlint:all,-serial -cp "$jna" -d "$out" ./*.java
    java -cp "$jna:$out" Xor ;;
  ocaml)
    tool ocamlfind "ocaml-findlib ocaml-nox"
    ocamlfind query ctypes.foreign > /dev/null 2>&1 || missing libctypes-ocaml-dev
    place
    cp ./*.ml "$out"
    (cd "$out" && ocamlfind ocamlopt -thread -package ctypes.foreign -linkpkg gradus_c.ml gradus.ml xor.ml -o xor)
    "$out/xor" ;;
  r)
    tool Rscript r-base-core
    tool "${CC:-cc}" gcc
    place
    # shellcheck disable=SC2046
    "${CC:-cc}" -shared -fPIC -O2 -Wall -Wextra $(R CMD config --cppflags) -I "$GRADUS_INCLUDE" ./*.c "$GRADUS_LIBRARY" -o "$out/shim.so"
    GRADUS_R_SHIM=$out/shim.so Rscript --vanilla xor.R ;;
  *) echo "run.sh: no language $language" >&2; exit 2 ;;
esac
