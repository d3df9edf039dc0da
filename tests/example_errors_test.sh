#!/bin/sh
# What an example says of a wrong command line, missing and damaged data, and a file that is no checkpoint: example_errors_test.sh PROGRAM...
# (a program of examples/ that reads digits). Status 77 stands for missing data, which other tests count as skipped.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
expect() {                                     # expect STATUS TEXT ARGUMENTS...: the program ends so, says that, and shows no traceback and no nan
  status=$1 part=$2
  shift 2
  found=0
  "$@" > "$work/log" 2>&1 || found=$?
  if [ "$found" = "$status" ] && grep -q -e "$part" "$work/log" && ! grep -q -e Traceback -e nan "$work/log"; then return; fi
  echo "example_errors: status $found, not $status with '$part': $*"
  cat "$work/log"
  faults=$((faults + 1))
}
expect 77 "examples/data.py" "$@" --data "$work/none"
for wrong in 0 -5 many 1x 1000000001 99999999999999999999; do expect 2 "--epochs" "$@" --epochs $wrong; done
for wrong in -1 1025 99999999999999999999 two; do expect 2 "--threads" "$@" --threads $wrong; done
for wrong in -1 1.5 18446744073709551616; do expect 2 "--seed" "$@" --seed $wrong; done
expect 0 "--resume" "$@" --epochs 1000000000 --threads 1024 --seed 18446744073709551615 --help
expect 2 "--wrong" "$@" --wrong 1
expect 2 "--seed" "$@" --seed
expect 2 "--save" "$@" --save
expect 0 "--resume" "$@" --help
expect 1 "there is no such file" "$@" --resume "$work/none"
expect 1 "there is no folder $work/none" "$@" --data "$work/none" --save "$work/none/model"
expect 1 "is a folder" "$@" --data "$work/none" --save "$work"

mkdir "$work/data"
whole=$(printf '0,%.0s' $(seq 64))7
for line in 1,2,abc 1,2,3 "$whole,1" "17,$whole" "$(printf '0,%.0s' $(seq 64))10"; do
  printf '%s\n%s\n' "$whole" "$line" > "$work/data/optdigits.tra"
  cp "$work/data/optdigits.tra" "$work/data/optdigits.tes"
  expect 1 "optdigits.tra.*2" "$@" --data "$work/data"
done
[ "$faults" = 0 ]
