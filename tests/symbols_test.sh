#!/bin/sh
# What the built library shows to the loader: symbols_test.sh LIBRARY ABI INCLUDE CC
# Exported names against the headers, undefined names that a guest in a host process has no use for, SONAME, and the loader's flags.
set -u
LC_ALL=C; export LC_ALL
library=$1 abi=$2 include=$3 cc=$4 faults=0
say() { echo "symbols: $*"; faults=$((faults + 1)); }

# Lines of nm -D in, offending names out.
foreign_exports() { awk '{ print $NF }' | sed 's/@.*//' | grep -vE '^(gradus_[a-z0-9_]+|GRADUS_1\.[0-9]+)$'; }
declared() { tr '\n' ' ' | grep -oE '\bgradus_[a-z0-9_]+ *\( *[^ *]' | sed 's/ *(.*//' | sort -u; }
cxx_exports() { grep -E ' [uVvWwi] |std::|::'; }
# Ends the process, prints, reads the environment, changes the process's state, or runs code at its end or its start.
rude_imports() {
  awk '{ print $NF }' | sed 's/@.*//' | grep -xE \
'_?exit|_Exit|quick_exit|abort|__assert_fail|raise|kill|system|popen|fork|'\
'_*v?f?printf(_chk)?|f?puts|putchar|perror|psignal|warnx?|errx?|syslog|stdout|stderr|_ZSt4c(out|err|log)|_ZNSt8ios_base4InitC1Ev|'\
'signal|sigaction|setlocale|uselocale|fesetround|feenableexcept|s?rand|chdir|umask|'\
'(secure_)?getenv|setenv|putenv|unsetenv|atexit|on_exit|__cxa_atexit|__cxa_thread_atexit(_impl)?|'\
'omp_.*|GOMP_.*|openblas_set_num_threads'
}

# The filters find what is planted, and let the ordinary pass.
planted='0 T gradus_add@@GRADUS_1.0
0 A GRADUS_1.0
0 T helper
0 W _ZN6gradus3addEv'
[ "$(echo "$planted" | foreign_exports | wc -l)" = 2 ] || say "the check of exports is wrong"
[ "$(echo "$planted" | cxx_exports | wc -l)" = 1 ] || say "the check for C++ exports is wrong"
planted='U malloc@GLIBC_2.2.5
U snprintf@GLIBC_2.2.5
U vsnprintf@GLIBC_2.2.5
U fwrite@GLIBC_2.2.5
U printf@GLIBC_2.2.5
U __vfprintf_chk@GLIBC_2.3
U stderr@GLIBC_2.2.5
U getenv@GLIBC_2.2.5
U __cxa_atexit@GLIBC_2.2.5
U __cxa_thread_atexit@CXXABI_1.3.7'
[ "$(echo "$planted" | rude_imports | wc -l)" = 6 ] || say "the check of imports is wrong"
planted='typedef void (*gradus_free_fn)(void *user, gradus_tensor *t); gradus_status gradus_add
(gradus_context *ctx, gradus_free_fn f); int gradus_rank(const gradus_tensor *t); struct s { gradus_status (*call)(int); };'
[ "$(echo "$planted" | declared | tr '\n' ' ')" = "gradus_add gradus_rank " ] || say "the reading of headers is wrong"

exports=$(nm -D --defined-only "$library") || exit 1
echo "$exports" | grep -q ' T gradus_version@@GRADUS_1\.0$' || say "gradus_version@@GRADUS_1.0 is not exported"
for name in $(echo "$exports" | foreign_exports); do say "exported: $name"; done
for name in $(echo "$exports" | awk '$2 != "T" && $2 != "A" { print $3 }'); do say "exported, but no function: $name"; done
for name in $(nm -DC --defined-only "$library" | cxx_exports | awk '{ print $NF }'); do say "C++ or weak symbol exported: $name"; done
for name in $(nm -D --undefined-only "$library" | rude_imports); do say "used: $name"; done

lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT
for header in "$include"/gradus/*.h; do [ -f "$header" ] && echo "#include \"$header\""; done |
  "$cc" -E -P -I"$include" -x c - | declared > "$lists/declared"
echo "$exports" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort > "$lists/exported"
for name in $(comm -23 "$lists/declared" "$lists/exported"); do say "declared, not exported: $name"; done
for name in $(comm -13 "$lists/declared" "$lists/exported"); do say "exported, not declared: $name"; done

dynamic=$(readelf -dW "$library") segments=$(readelf -lW "$library")
echo "$dynamic" | grep -q "SONAME.*\[libgradus\.so\.$abi\]" || say "SONAME is not libgradus.so.$abi"
for flag in NODELETE NOW; do
  echo "$dynamic" | grep 'FLAGS_1' | grep -qw "$flag" || say "$flag is not set"
done
for entry in TEXTREL RPATH RUNPATH; do
  echo "$dynamic" | grep -qw "$entry" && say "$entry is set"
done
echo "$segments" | grep -q GNU_RELRO || say "no RELRO segment"
echo "$segments" | grep 'GNU_STACK' | grep -q 'RW ' || say "no GNU_STACK, or an executable one"
for name in $(echo "$dynamic" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'); do
  case $name in
    libc.so.*|libm.so.*|libgcc_s.so.*|libstdc++.so.*|ld-linux*|libhwy.so.*|libz.so.*) ;;
    *) say "needs $name" ;;
  esac
done

echo "symbols: $(echo "$exports" | grep -c ' T ') functions exported, $faults faults"
[ "$faults" = 0 ]
