"""The public headers keep to the dialect that every binding tool reads: abi_lint.py INCLUDE CC

No enum, struct or bool by value, no variadics, no data objects, no bit-fields, no unnamed parameters, only fixed-width types;
structs that may grow begin with struct_size; every enumerator has a value and every name the prefix; no parameter or field is a
keyword of a common language; a function that returns a status takes the context first and outputs last, and says "since".
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    from pycparser import c_ast, c_parser
except ImportError:                            # the system's interpreter may have it, where another one comes first
    for folder in os.defpath.split(os.pathsep) if not os.environ.get("ABI_LINT_AGAIN") else []:
        other = os.path.join(folder, "python3")
        if os.access(other, os.X_OK):
            os.execve(other, [other, *sys.argv], {**os.environ, "ABI_LINT_AGAIN": "1"})
    print("abi_lint: no pycparser here (Debian: python3-pycparser), skipped")
    sys.exit(77)

SCALARS = {"int32_t": "int", "int64_t": "long", "uint8_t": "unsigned char", "uint32_t": "unsigned", "uint64_t": "unsigned long",
           "size_t": "unsigned long"}
ALLOWED = {*SCALARS, "void", "char", "float", "double"}
FROZEN = {"gradus_value", "gradus_call", "gradus_edge", "gradus_setting"}   # the first never grows, the others travel with their size
NO_CONTEXT = {"gradus_context_create", "gradus_tensor_describe", "gradus_node_describe", "gradus_op_describe",
              "gradus_op_describe_argument", "gradus_registry_json"}
KEYWORDS = set("""as async await base begin bool break case catch chan char class const continue def default defer delete do
double dyn elif else end enum event except extern false final float fn for foreach from func function global goto if impl implicit
import in include inline int interface internal is lambda let local lock long loop match mod module move mut namespace native new nil
not null object of open operator or out override package params pass private protected pub public raise range readonly ref register
return self sealed short signed sizeof static string struct super switch template then this throw to trait true try type typedef
typeof union unsafe unsigned until use using val var virtual void volatile when where while with yield""".split())


class Lint:
    def __init__(self, tree, own):
        self.faults, self.functions, self.typedefs = [], 0, {}
        for node in tree.ext:
            if isinstance(node, c_ast.Typedef):
                self.typedefs[node.name] = node.type
        for node in tree.ext:
            if not (isinstance(node, c_ast.Typedef) and node.name in own):
                self.top(node)

    def note(self, where, what):
        self.faults.append(f"{where}: {what}")

    def resolve(self, t):
        while isinstance(t, c_ast.TypeDecl) and isinstance(t.type, c_ast.IdentifierType):
            name = t.type.names[0]
            if len(t.type.names) != 1 or name in ALLOWED or name not in self.typedefs:
                break
            t = self.typedefs[name]
        return t

    def scalar(self, t, where, in_struct=False):
        t = self.resolve(t)
        if isinstance(t, (c_ast.PtrDecl, c_ast.ArrayDecl)):
            return
        inner = t.type
        if isinstance(inner, c_ast.Enum):
            self.note(where, "enum type")
        elif isinstance(inner, (c_ast.Struct, c_ast.Union)):
            if not in_struct:
                self.note(where, "struct or union by value")
        elif len(inner.names) != 1 or inner.names[0] not in ALLOWED:
            self.note(where, "not a fixed-width type: " + " ".join(inner.names))
        elif in_struct and inner.names[0] == "size_t":
            self.note(where, "size_t in a struct")

    def function(self, f, where):
        if isinstance(f.type, c_ast.TypeDecl):
            self.scalar(f.type, where + " (result)")
        if f.args is None:
            return self.note(where, "no prototype")
        for p in f.args.params:
            if isinstance(p, c_ast.EllipsisParam):
                self.note(where, "variadic")
                continue
            if isinstance(p.type, c_ast.TypeDecl) and getattr(p.type.type, "names", None) == ["void"]:
                continue
            if not getattr(p, "name", None):
                self.note(where, "a parameter without a name")
                continue
            if p.name in KEYWORDS:
                self.note(where, f"parameter {p.name} is a keyword somewhere")
            if isinstance(p.type, c_ast.TypeDecl):
                self.scalar(p.type, f"{where} parameter {p.name}")
            elif isinstance(p.type, c_ast.PtrDecl) and isinstance(p.type.type, c_ast.FuncDecl):
                self.note(where, f"parameter {p.name}: a callback needs a typedef")
            elif isinstance(p.type, c_ast.ArrayDecl):
                self.note(where, f"parameter {p.name}: an array")

    def convention(self, f, where):
        """Context first, outputs last."""
        returns = getattr(getattr(f.type, "type", None), "names", [""])[0]
        if returns != "gradus_status" or where in NO_CONTEXT:
            return
        params = f.args.params if f.args else []
        first = params[0].type if params else None
        names = getattr(getattr(getattr(first, "type", None), "type", None), "names", [""])
        if names[0] != "gradus_context":
            self.note(where, "a status without a context first")
        # An output is a pointer to a pointer to a handle that is not an array of inputs (which is const inside).
        seen = False
        for p in params[1:]:
            t = p.type
            out = (isinstance(t, c_ast.PtrDecl) and isinstance(t.type, c_ast.PtrDecl) and "const" not in t.type.quals)
            counts = p.name in ("capacity", "count", "length", "output_nr")
            if seen and not out and not counts:
                self.note(where, f"{p.name} stands behind an output")
            seen = seen or out

    def struct(self, s, where):
        if isinstance(s, c_ast.Struct) and where not in FROZEN and s.decls[0].name != "struct_size":
            self.note(where, "a struct that may grow begins with struct_size")
        for f in s.decls:
            if f.name is None:
                self.note(where, "an anonymous member")
                continue
            if f.name in KEYWORDS:
                self.note(where, f"field {f.name} is a keyword somewhere")
            if f.bitsize is not None:
                self.note(where, f"{f.name}: a bit-field")
            if isinstance(f.type, c_ast.ArrayDecl) and f.type.dim is None:
                self.note(where, f"{f.name}: a flexible array")
            if isinstance(f.type, c_ast.TypeDecl):
                self.scalar(f.type, f"{where}.{f.name}", in_struct=True)
            if isinstance(f.type, c_ast.PtrDecl) and isinstance(f.type.type, c_ast.FuncDecl):
                self.note(where, f"{f.name}: a callback needs a typedef")

    def top(self, node):
        where = getattr(node, "name", None) or "?"
        if isinstance(node, c_ast.FuncDef):
            return self.note(node.decl.name, "a function body")
        t = getattr(node, "type", None)
        if isinstance(node, c_ast.Decl) and isinstance(t, c_ast.FuncDecl):
            self.functions += 1
            self.prefix(where, where)
            self.function(t, where)
            return self.convention(t, where)
        if isinstance(node, c_ast.Decl) and node.name and not isinstance(t, (c_ast.Struct, c_ast.Union, c_ast.Enum)):
            self.note(where, "a data object")
        if isinstance(node, c_ast.Typedef):
            self.prefix(where, where)
            if isinstance(t, c_ast.PtrDecl) and isinstance(t.type, c_ast.FuncDecl):
                self.function(t.type, where)
            elif isinstance(t, c_ast.PtrDecl):
                self.note(where, "a typedef that hides a pointer")
        while isinstance(t, c_ast.TypeDecl):
            t = t.type
        if isinstance(t, (c_ast.Struct, c_ast.Union)) and t.decls:
            self.struct(t, t.name or where)
        if isinstance(t, c_ast.Enum):
            if t.name:
                self.note(where, "an enum with a tag")
            for e in t.values.enumerators if t.values else ():
                self.prefix(e.name, e.name)
                if e.value is None:
                    self.note(e.name, "an enumerator without a value")

    def prefix(self, name, where):
        if not name.lower().startswith("gradus_"):
            self.note(where, "outside the prefix")


def without_attributes(text):
    out, at = [], 0
    for match in re.finditer(r"__attribute__\s*\(", text):
        if match.start() < at:
            continue
        out.append(text[at:match.start()])
        at, depth = match.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
    return "".join(out) + text[at:]


def lint(source, include, cc):
    """The faults of a C text, and the number of functions in it."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source)
        file.flush()
        done = subprocess.run([cc, "-std=c99", "-E", "-I", str(include), file.name], capture_output=True, text=True, check=True)
    keep, lines = False, []
    for line in done.stdout.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            keep = marker.group(1) == file.name or marker.group(1).startswith(str(include))
        elif keep and not line.startswith("#"):
            lines.append(line)
    head = "".join(f"typedef {c} {name};\n" for name, c in SCALARS.items())
    checked = Lint(c_parser.CParser().parse(head + without_attributes("\n".join(lines))), set(SCALARS))
    return checked.faults, checked.functions


PLANTED = [  # each has exactly one fault
    "typedef enum gradus_e { GRADUS_E1 = 1 } gradus_e;", "enum { GRADUS_A };", "enum { OTHER_A = 1 };", "int32_t other_f(int32_t x);",
    "void gradus_f(int64_t n, ...);", "void gradus_f();", "void gradus_f(long n);", "void gradus_f(int32_t);", "void gradus_f(int32_t type);",
    "extern int32_t gradus_x;", "static void gradus_f(void) {}", "struct gradus_s { int32_t a; };", "typedef void *gradus_h;",
    "struct gradus_s { uint32_t struct_size; int32_t a : 3; };", "struct gradus_s { uint32_t struct_size; size_t n; };",
    "struct gradus_s { uint32_t struct_size; int32_t a[]; };", "void gradus_f(void (*call)(void *user));",
    "union gradus_u { int32_t a; }; void gradus_f(union gradus_u u);", "typedef int32_t gradus_status; gradus_status gradus_f(int32_t n);",
    "typedef int32_t gradus_status; typedef struct gradus_context gradus_context; typedef struct gradus_tensor gradus_tensor;"
    "gradus_status gradus_f(gradus_context *ctx, gradus_tensor **result, int32_t n);",
]
SOUND = ("typedef int32_t gradus_status; typedef struct gradus_context gradus_context; typedef struct gradus_tensor gradus_tensor;"
         "enum { GRADUS_A = 1 }; typedef void (*gradus_fn)(void *user);"
         "gradus_status gradus_f(gradus_context *ctx, gradus_tensor *const *many, size_t n, gradus_fn call, gradus_tensor **result);")


def main():
    include, cc = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    stdint = "#include <stddef.h>\n#include <stdint.h>\n"
    for text in PLANTED:
        found = lint(stdint + text + "\n", include, cc)[0]
        if len(found) != 1:
            sys.exit(f"abi_lint: the check itself is wrong on '{text}': {found}")
    if lint(stdint + SOUND + "\n", include, cc)[0]:
        sys.exit(f"abi_lint: the check finds faults where there are none: {lint(stdint + SOUND, include, cc)[0]}")

    faults, functions = lint("#include <gradus/gradus.h>\n", include, cc)
    undocumented = 0
    for header in sorted(include.glob("gradus/*.h")):
        text = header.read_text(encoding="utf-8")
        if "GRADUS_API " in text and text.count("since:1") == 0:
            faults.append(f"{header.name}: says nowhere since which level")
        comment = sum(len(c) for c in re.findall(r"/\*.*?\*/", text, re.S))
        if comment < len(text) / 4:
            undocumented += 1
            faults.append(f"{header.name}: {100 * comment // len(text)}% comments")
    for fault in faults[:40]:
        print(fault)
    print(f"abi_lint: {functions} functions, {len(faults)} faults")
    sys.exit(1 if faults or functions < 50 else 0)


main()
