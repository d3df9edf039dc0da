#!/bin/sh
# An example in C++ and its twin in Python print the same: twins_test.sh PROGRAM PYTHON SCRIPT ARGUMENTS... They draw the same random numbers and run
# the same operations, so all digits agree. Ends with 77 where the programs do, for want of their data.
set -eu
program=$1 python=$2 script=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for twin in cpp py; do
  status=0
  if [ $twin = cpp ]; then
    "$program" --quick "$@" > "$work/$twin" 2> "$work/log" || status=$?
  else
    "$python" "$script" --quick "$@" > "$work/$twin" 2> "$work/log" || status=$?
  fi
  [ "$status" = 0 ] || { cat "$work/log"; exit "$status"; }
done
cat "$work/cpp"
[ -s "$work/cpp" ] || { echo "twins: nothing is printed"; exit 1; }
diff "$work/cpp" "$work/py"
