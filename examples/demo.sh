#!/bin/sh
# Runs the tour: demo.sh PROGRAMS, where PROGRAMS is the folder of the built examples. Pictures go to out/.
set -eu
programs=$(cd "${1:-build/dev/examples}" && pwd)
cd "$(dirname "$0")/.."
root=$(pwd)
data=$root/../shared/data
mkdir -p out

run() {                                        # run TITLE PROGRAM ARGUMENTS...
  title=$1 program=$programs/$2
  shift 2
  if [ ! -x "$program" ]; then
    echo "demo: $program is not built" >&2
    exit 1
  fi
  printf '\n---- %s\n' "$title"
  (cd out && "$program" "$@")
}

run "The tutorial in C (examples/tutorial.c)" tutorial_c
run "The tutorial in C++ (examples/tutorial.cpp)" tutorial_cpp
if [ -f "$data/optdigits.tra" ]; then
  run "A network learns to read handwritten digits (examples/train_digits)" train_digits "$data"
else
  run "A network learns to write (examples/train_text)" train_text --text "$root"
fi

printf '\n---- Pictures\n'
pictures=$(find out -name '*.svg' | sort)
if [ -z "$pictures" ]; then
  echo "demo: no picture was written to out/" >&2
  exit 1
fi
for picture in $pictures; do echo "$root/$picture"; done
