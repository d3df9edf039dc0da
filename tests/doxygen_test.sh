#!/bin/sh
# Doxygen finds every public name documented: doxygen_test.sh ROOT
set -eu
command -v doxygen > /dev/null || { echo "doxygen: skipped, it is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$1"
run() { { cat docs/Doxyfile; printf '%s\n' "OUTPUT_DIRECTORY = $work" "GENERATE_HTML = NO" "GENERATE_XML = YES" "XML_PROGRAMLISTING = NO" "$@"; } | doxygen - 2>&1; }
run > "$work/log"
if [ -s "$work/log" ]; then
  cat "$work/log"
  exit 1
fi
# It saw all of them.
sed -n 's/^ *\(gradus_[A-Za-z0-9_]*\);$/\1/p' capi/gradus.map | sort > "$work/exported"
grep -ho '<name>gradus_[A-Za-z0-9_]*</name>' "$work"/xml/*_8h.xml | sed 's/<[^>]*>//g' | sort -u > "$work/seen"
if comm -23 "$work/exported" "$work/seen" | grep .; then
  echo "doxygen: it did not see these functions"
  exit 1
fi
# And it would say so: a declaration that no comment reaches.
mkdir "$work/gradus"
printf '/* probe.h - a header. */\n\nvoid gradus_probe(void);\n' > "$work/gradus/probe.h"
run "INPUT = $work/gradus" | grep -q 'gradus_probe.*not documented' || { echo "doxygen: it does not see what has no comment"; exit 1; }
echo "doxygen: $(wc -l < "$work/exported") functions and all other public names are documented"
