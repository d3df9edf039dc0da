#!/bin/sh
# A training that stops after an epoch and goes on from its checkpoint ends with the same bytes as one that ran through:
# resume_test.sh WORK PROGRAM ARGUMENTS... (a program of examples/). Ends with 77 where the program does, for want of its data.
set -eu
work=$1
shift
rm -rf "$work"
mkdir -p "$work"
status=0
"$@" --quick --save "$work/whole.safetensors" > "$work/whole.txt" 2> "$work/log" || status=$?
[ "$status" = 0 ] || { cat "$work/log"; exit "$status"; }
"$@" --quick --stop 1 --save "$work/parts.safetensors" > /dev/null 2>> "$work/log" || [ $? = 1 ]          # 1: one epoch may be too few to learn
cmp -s "$work/whole.safetensors" "$work/parts.safetensors" && { echo "resume: --stop 1 ran to the end"; exit 1; }
"$@" --quick --resume "$work/parts.safetensors" --save "$work/parts.safetensors" > "$work/parts.txt" 2>> "$work/log"
cmp "$work/whole.safetensors" "$work/parts.safetensors"
cmp "$work/whole.txt" "$work/parts.txt"
