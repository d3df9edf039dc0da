#!/bin/sh
# What the generators write is what the tree holds: drift_test.sh GENERATOR PYTHON ROOT
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" "$3" "$work" > "$work/log"
"$2" "$3/capi/api.py" "$3" "$work" >> "$work/log"
faults=0 files=0
for file in $(cd "$work" && find . -type f ! -name log | sort); do
  files=$((files + 1))
  cmp -s "$work/$file" "$3/$file" && continue
  faults=$((faults + 1))
  echo "drift: $file is not what the op records say: run ninja -C build/dev generate"
  diff "$3/$file" "$work/$file" | head -n 8 || true
done
[ "$files" -ge 12 ] || { echo "drift: the generators wrote only $files files"; exit 1; }
echo "drift: $files generated files, $faults faults"
[ "$faults" = 0 ]
