"""Parsers of foreign languages read gradus_cdef.h, and a program in each computes: parsers_test.py CDEF LIBRARY INCLUDE CLANG

cffi, LuaJIT and clang's layouts, those of them that are here; the others are named.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

LUA = """
local ffi = require 'ffi'
ffi.cdef(io.open(arg[1]):read('*a'))
local lib = ffi.load(arg[2])
local ctx = ffi.new('gradus_context *[1]')
assert(lib.gradus_context_create(nil, ctx) == 0)
local x, y = ffi.new('gradus_tensor *[1]'), ffi.new('gradus_tensor *[1]')
local shape, data, out = ffi.new('int64_t[1]', 2), ffi.new('double[2]', 1, 2), ffi.new('double[2]')
assert(lib.gradus_tensor_copy_in(ctx[0], lib.GRADUS_F64, 1, shape, nil, data, 16, x) == lib.GRADUS_OK)
assert(lib.gradus_mul(ctx[0], x[0], x[0], y) == lib.GRADUS_OK)
assert(lib.gradus_tensor_copy_out(ctx[0], y[0], 0, out, 16) == 0 and out[0] == 1 and out[1] == 4)
assert(lib.gradus_mul(ctx[0], x[0], nil, y) == lib.GRADUS_E_NULL)
local e = ffi.new('gradus_error', {struct_size = ffi.sizeof('gradus_error')})
lib.gradus_context_error(ctx[0], e)
assert(ffi.string(e.message):find('other'))
lib.gradus_release(x[0]); lib.gradus_release(ctx[0])
"""
CFFI = """
import sys, cffi
ffi = cffi.FFI()
ffi.cdef(open(sys.argv[1]).read())
lib = ffi.dlopen(sys.argv[2])
ctx, x, y = ffi.new("gradus_context **"), ffi.new("gradus_tensor **"), ffi.new("gradus_tensor **")
assert lib.gradus_context_create(ffi.NULL, ctx) == 0
data, out, seen = ffi.new("double[2]", [1, 2]), ffi.new("double[2]"), []
assert lib.gradus_tensor_copy_in(ctx[0], lib.GRADUS_F64, 1, ffi.new("int64_t[1]", [2]), ffi.NULL, data, 16, x) == lib.GRADUS_OK
assert lib.gradus_mul(ctx[0], x[0], x[0], y) == 0 and lib.gradus_tensor_copy_out(ctx[0], y[0], 0, out, 16) == 0 and list(out) == [1, 4]
@ffi.callback("gradus_destroy_fn")
def gone(user): seen.append(int(ffi.cast("intptr_t", user)))
options = ffi.new("gradus_context_options *", {"struct_size": ffi.sizeof("gradus_context_options"), "flags": lib.GRADUS_CTX_POLLED_DESTROY})
polled, w, ran = ffi.new("gradus_context **"), ffi.new("gradus_tensor **"), ffi.new("uint64_t *")
assert lib.gradus_context_create(options, polled) == 0
assert lib.gradus_tensor_wrap(polled[0], lib.GRADUS_F64, 1, ffi.new("int64_t[1]", [2]), ffi.NULL, data, 16, 0, gone, ffi.cast("void *", 42), w) == 0
lib.gradus_release(w[0])
assert seen == [] and lib.gradus_context_poll(polled[0], ran) == 0 and seen == [42] and ran[0] == 1
for handle in (x[0], y[0], ctx[0], polled[0]): lib.gradus_release(handle)
"""


def run(name, command, text, *arguments):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([*command, file.name, *arguments], capture_output=True, text=True)
    if done.returncode:
        print(f"parsers: {name} fails: {done.stdout[-800:]}{done.stderr[-800:]}")
    return done.returncode == 0


def cffi_python():
    for folder in os.get_exec_path():
        python = os.path.join(folder, "python3")
        if os.access(python, os.X_OK) and subprocess.run([python, "-c", "import cffi"], capture_output=True).returncode == 0:
            return python
    return None


def layouts(clang, include):
    """A5 and A10: no hidden padding on any target, and the same layouts under -fshort-enums."""
    text = open(os.path.join(include, "gradus", "gradus_cdef.h"), encoding="utf-8").read()
    structs = re.findall(r"typedef struct (\w+)\{", text)
    planted = subprocess.run([clang, "-Wpadded", "-Werror", "-fsyntax-only", "-xc", "-"], input="struct s { int a; long long b; }; int size[sizeof(struct s)];", text=True, capture_output=True)
    if planted.returncode == 0:
        print("parsers: the check of padding finds nothing")
        return False
    source = '#include <gradus/gradus.h>\n' + "".join(f"int size_of_{s}[sizeof({s})];\n" for s in structs)
    ok, dumps = len(structs) > 10, set()
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source)
        file.flush()
        for target in ("x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu", "i386-linux-gnu", "armv7-linux-gnueabihf", "wasm32-unknown-unknown",
                       "x86_64-pc-windows-msvc"):
            flags = [clang, f"--target={target}", "-ffreestanding", "-nostdlibinc", "-std=c11", f"-I{include}", "-DGRADUS_API=", "-fsyntax-only", file.name]
            done = subprocess.run([*flags, "-Wpadded", "-Werror"], capture_output=True, text=True)
            if done.returncode:
                print(f"parsers: {target}: {done.stderr[:1200]}")
                ok = False
        for extra in ([], ["-fshort-enums"]):
            done = subprocess.run([clang, "-std=c11", f"-I{include}", "-fsyntax-only", "-Xclang", "-fdump-record-layouts", *extra, file.name],
                                  capture_output=True, text=True)
            dumps.add("".join(line for line in done.stdout.splitlines(True) if re.search(r"\|", line)))
        if len(dumps) != 1 or len(dumps.pop()) < 1000:
            print("parsers: -fshort-enums changes a layout")
            ok = False
    return ok


def main():
    cdef, library, include, clang = sys.argv[1:]
    ok, ran, missing = True, [], []
    luajit, python = shutil.which("luajit"), cffi_python()
    for name, there, test in (("LuaJIT", luajit, lambda: run("LuaJIT", [luajit], LUA, cdef, library)),
                              ("cffi", python, lambda: run("cffi", [python], CFFI, cdef, library)),
                              ("clang", shutil.which(clang), lambda: layouts(clang, include))):
        (ran if there else missing).append(name)
        if there:
            ok = test() and ok
    print(f"parsers: {', '.join(ran)} ran; not here: {', '.join(missing) or 'none'}")
    sys.exit(77 if not ran else not ok)


main()
