#!/bin/sh
# What examples without data say of checkpoints that they can't use, in one line that names the file: example_checkpoints_test.sh NEWTON_CG PINN, the
# commands of two of them ("python3 examples/pinn.py" is one argument). --data is accepted, and not read.
set -u
newton=$1 pinn=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
expect() {                                     # expect STATUS TEXT COMMAND ARGUMENTS...: the program ends so, in one line that says that
  status=$1 part=$2 command=$3
  shift 3
  found=0
  $command --quick "$@" > /dev/null 2> "$work/log" || found=$?                   # a command may be several words
  if [ "$found" = "$status" ] && grep -q -e "$part" "$work/log" && { [ "$status" = 0 ] || [ "$(wc -l < "$work/log")" = 1 ]; }; then return; fi
  echo "example_checkpoints: status $found, not $status with '$part': $command $*"
  cat "$work/log"
  faults=$((faults + 1))
}
$newton --quick --stop 1 --save "$work/newton" > /dev/null 2>&1
$newton --stop 1 --save "$work/large" > /dev/null 2>&1
[ -s "$work/newton" ] && [ -s "$work/large" ] || { echo "example_checkpoints: nothing was saved"; exit 1; }
head -c 200 "$work/newton" > "$work/cut"
seq 1000 > "$work/junk"
: > "$work/empty"
sed 's/"program"/"pragram"/' "$work/newton" > "$work/nameless"
sed 's/curves\.value/curves.volue/' "$work/newton" > "$work/renamed"
expect 0 "" "$newton" --resume "$work/newton"
for file in cut junk empty large renamed; do expect 1 "--resume $work/$file: " "$newton" --resume "$work/$file"; done
expect 1 "--resume $work/nameless: none of the examples that train wrote it" "$newton" --resume "$work/nameless"
expect 1 "--resume $work/newton: newton_cg wrote it" "$pinn" --resume "$work/newton"
expect 1 "--save $work/none/file: there is no folder $work/none" "$pinn" --save "$work/none/file"
expect 1 "--svg $work/none/file: there is no folder $work/none" "$pinn" --svg "$work/none/file"
for program in "$newton" "$pinn"; do expect 0 "data/folder is not read: no data is needed" "$program" --data data/folder; done
[ "$faults" = 0 ]
