#!/bin/sh
# Programs and libraries of different levels: loader_test.sh LIBRARY ROOT CC
# A program of a later level stops at load, with the missing version node in the message; one of this level finds its nodes; Debian's
# symbols file is that of the library.
set -eu
library=$(readlink -f "$1") root=$2 cc=$3 faults=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "loader: $*"; faults=$((faults + 1)); }

# The library of a later level, by which the program is linked, and this one, by which it runs.
mkdir "$work/later" "$work/now"
cat > "$work/later.c" << 'TEXT'
int gradus_api_level(void);
int gradus_of_the_next_level(void);
int gradus_api_level(void) { return 2; }
int gradus_of_the_next_level(void) { return 0; }
TEXT
echo 'GRADUS_1.0 { global: gradus_api_level; local: *; }; GRADUS_1.1 { global: gradus_of_the_next_level; } GRADUS_1.0;' > "$work/later.map"
"$cc" -shared -fPIC "$work/later.c" -Wl,--version-script="$work/later.map" -Wl,-soname,libgradus.so.1 -o "$work/later/libgradus.so.1"
ln -s "$library" "$work/now/libgradus.so.1"
cat > "$work/new.c" << 'TEXT'
int gradus_of_the_next_level(void);
int main(void) { return gradus_of_the_next_level(); }
TEXT
cat > "$work/old.c" << 'TEXT'
unsigned gradus_api_level(void);
int main(void) { return gradus_api_level() < 1; }
TEXT
"$cc" "$work/new.c" -o "$work/new" "$work/later/libgradus.so.1"
"$cc" "$work/old.c" -o "$work/old" "$work/now/libgradus.so.1"
LD_LIBRARY_PATH=$work/later "$work/new" || say "the newer program does not run with the newer library"
LD_LIBRARY_PATH=$work/now "$work/new" > "$work/log" 2>&1 && say "a program of a later level runs"
grep -q 'GRADUS_1\.1' "$work/log" || say "the loader does not name the missing node: $(cat "$work/log")"
LD_LIBRARY_PATH=$work/now "$work/old" || say "the program does not run with the library that it was linked with"
LD_LIBRARY_PATH=$work/later "$work/old" || say "the program does not run with a newer library"

if command -v dpkg-gensymbols > /dev/null; then
  mkdir -p "$work/debian/libgradus1/usr/lib"
  printf 'Source: gradus\n\nPackage: libgradus1\nArchitecture: any\n' > "$work/debian/control"
  cp "$library" "$work/debian/libgradus1/usr/lib/libgradus.so.1"
  gensymbols() { (cd "$work" && dpkg-gensymbols -plibgradus1 -v9 -c4 -Pdebian/libgradus1 "-I$1" "-O$work/out" -edebian/libgradus1/usr/lib/libgradus.so.1 > log 2>&1); }
  gensymbols "$root/debian/libgradus1.symbols" || { say "debian/libgradus1.symbols is not that of the library"; head -n 20 "$work/log"; }
  grep -v gradus_add@ "$root/debian/libgradus1.symbols" > "$work/fewer"
  gensymbols "$work/fewer" && say "the check of the symbols file misses a new symbol"
  { cat "$root/debian/libgradus1.symbols"; echo " gradus_lost@GRADUS_1.0 0.1.0"; } > "$work/more"
  gensymbols "$work/more" && say "the check of the symbols file misses a lost symbol"
else
  echo "loader: no dpkg-gensymbols here, the symbols file is not compared"
fi
echo "loader: $faults faults"
[ "$faults" = 0 ]
