#!/bin/sh
# What the generator writes is what the tree holds: drift_test.sh GENERATOR ROOT
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" "$2" "$work" > "$work/log"
faults=0 files=0
for file in $(cd "$work" && find capi docs include -type f | sort); do
  files=$((files + 1))
  cmp -s "$work/$file" "$2/$file" && continue
  faults=$((faults + 1))
  echo "drift: $file is not what the op records say: run ninja -C build/dev generate"
  diff "$2/$file" "$work/$file" | head -n 8 || true
done
[ "$files" -ge 8 ] || { echo "drift: the generator wrote only $files files"; exit 1; }
echo "drift: $files generated files, $faults faults"
[ "$faults" = 0 ]
