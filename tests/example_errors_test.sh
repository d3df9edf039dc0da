#!/bin/sh
# What an example says of a wrong command line, missing data and a file that is no checkpoint: example_errors_test.sh PROGRAM...
# (a program of examples/ that takes a data set). Status 77 stands for missing data, which other tests count as skipped.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
expect() {                                     # expect STATUS TEXT ARGUMENTS...: the program ends so, and says that
  status=$1 part=$2
  shift 2
  found=0
  "$@" > "$work/log" 2>&1 || found=$?
  if [ "$found" = "$status" ] && grep -q -e "$part" "$work/log"; then return; fi
  echo "example_errors: status $found, not $status with '$part': $*"
  cat "$work/log"
  faults=$((faults + 1))
}
expect 77 "examples/data.py" "$@" --data "$work/none"
expect 2 "--epochs" "$@" --epochs 0
expect 2 "--epochs" "$@" --epochs many
expect 2 "--wrong" "$@" --wrong 1
expect 2 "--seed" "$@" --seed
expect 0 "--resume" "$@" --help
expect 1 "there is no such file" "$@" --quick --resume "$work/none"
[ "$faults" = 0 ]
