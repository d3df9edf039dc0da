#!/bin/sh
# An example in C++ and its twin in Python print the same and write the same checkpoint: twins_test.sh PROGRAM PYTHON SCRIPT ARGUMENTS... They draw the
# same random numbers and run the same operations, so all digits agree; each goes on from the other's checkpoint. Ends with 77 where the programs do,
# for want of their data.
set -eu
program=$1 python=$2 script=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() {                                        # run TWIN ARGUMENTS...: prints what it prints
  twin=$1
  shift
  status=0
  if [ "$twin" = cpp ]; then
    "$program" --quick "$@" 2> "$work/log" || status=$?
  else
    "$python" "$script" --quick "$@" 2> "$work/log" || status=$?
  fi
  [ "$status" = 0 ] || { cat "$work/log" >&2; exit "$status"; }
}
for twin in cpp py; do run $twin --save "$work/$twin.safetensors" "$@" > "$work/$twin"; done
cat "$work/cpp"
[ -s "$work/cpp" ] || { echo "twins: nothing is printed"; exit 1; }
diff "$work/cpp" "$work/py"
cmp "$work/cpp.safetensors" "$work/py.safetensors"

"$program" --quick --stop 1 --save "$work/first" "$@" > /dev/null 2>&1 || [ $? = 1 ]                       # 1: one epoch may be too few to learn
for twin in cpp py; do
  run $twin --resume "$work/first" --save "$work/second" "$@" > "$work/$twin"
  cmp "$work/cpp.safetensors" "$work/second"
done
diff "$work/cpp" "$work/py"
