#!/bin/sh
# examples/logistic_regression.c beside its errors: logistic_regression_test.sh PROGRAM. It learns, a resumed run ends with the bytes of one that ran
# through, whatever the ending of the file's name, and what is no checkpoint of its own is refused in one line.
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" --epochs 40 --save "$work/whole.st" --expect 50 > "$work/whole.txt" 2> "$work/log"
grep -q '/s  left [0-9]*:[0-9][0-9]  loss' "$work/log"
[ "$(grep -c epochs "$work/log")" = 10 ]
"$program" --epochs 15 --save "$work/parts" > /dev/null 2>&1
"$program" --epochs 40 --resume "$work/parts" --save "$work/parts" > "$work/parts.txt" 2> "$work/log"
grep -q 'epochs 25/25' "$work/log"
cmp "$work/whole.st" "$work/parts"
cmp "$work/whole.txt" "$work/parts.txt"
"$program" --epochs 1 > /dev/null 2>&1                                           # little is learned, and that is no failure
if "$program" --epochs 1 --expect 100 > /dev/null 2>&1; then echo "logistic_regression: --expect 100 is met after one epoch"; exit 1; fi

refused() {                                    # refused FILE: --resume ends with one line that names the file
  status=0
  "$program" --resume "$1" > /dev/null 2> "$work/log" || status=$?
  if [ "$status" != 1 ] || [ "$(wc -l < "$work/log")" != 1 ] || ! grep -q -e "--resume $1: " "$work/log"; then
    echo "logistic_regression: status $status: --resume $1"
    cat "$work/log"
    exit 1
  fi
}
head -c 300 "$work/whole.st" > "$work/cut"
head -c 5000 "$program" > "$work/junk"
: > "$work/empty"
for file in cut junk empty; do refused "$work/$file"; done
