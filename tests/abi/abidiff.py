"""abidiff between what programs of released levels were compiled with and the built library: abidiff.py ROOT LIBRARY CXX

An abidw file of the library is 2.7 MB, and 840 kB where private types are left out. The baseline is source instead: capi/baseline holds the types and
prototypes of the level that is out, which are compiled, with debug information, to a library without bodies; abidiff compares it with the real one.
That sees what headers cannot: the types that the compiler put into the library. Constants and schemas it does not see: baseline.py does.
Ends with 77 where abidiff is missing or the library has no debug information.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


class Shell:
    """The library of the baseline without its bodies, and comparisons with it."""

    def __init__(self, root, cxx, folder):
        read = lambda name: (root / "capi/baseline" / name).read_text(encoding="utf-8")
        self.types, self.prototypes, self.cxx, self.folder = read("types.h"), read("prototypes.txt"), cxx, folder
        self.built = {}                        # (types, prototypes) -> library
        nodes = {}
        for line in read("symbols.txt").split():
            name, node = line.split("@")
            nodes.setdefault(node, []).append(name)
        previous, self.map = "", ""
        for node in sorted(nodes, key=lambda n: [int(part) for part in n.split("_")[1].split(".")]):
            self.map += f"{node} {{ global: {' '.join(n + ';' for n in nodes[node])} {'' if previous else 'local: *;'} }} {previous};\n"
            previous = node
        self.growable = {line.split()[0] for line in read("layouts.txt").splitlines() if line.endswith(" growable")}

    def grown(self, types):
        """The types of the baseline, but for growable structs that have grown at their ends: those as they are now. (A suppression for abidiff
        would let a field that changed its type pass too.)"""
        now = {line.partition("{")[0]: line for line in types.splitlines()}
        lines = []
        for line in self.types.splitlines():
            fields, end, name = line.rpartition("}")
            later = now.get(line.partition("{")[0], "")
            lines.append(later if end and name.strip(" ;") in self.growable and later.startswith(fields) else line)
        return "\n".join(lines) + "\n"

    def build(self, types, prototypes):
        if (types, prototypes) in self.built:
            return self.built[types, prototypes]
        folder = self.folder / str(len(self.built))
        self.built[types, prototypes] = folder / "library.so"
        (folder / "include/gradus").mkdir(parents=True)
        (folder / "include/gradus/types.h").write_text("#include <stddef.h>\n#include <stdint.h>\n" + types, encoding="utf-8")
        (folder / "map").write_text(self.map, encoding="utf-8")
        bodies = re.sub(r";$", " { __builtin_unreachable(); }", prototypes, flags=re.M)
        (folder / "all.cpp").write_text('extern "C" {\n#include "include/gradus/types.h"\n' + bodies + "}\n", encoding="utf-8")
        subprocess.run([self.cxx, "-g", "-fPIC", "-shared", "-w", "-nostdlib", str(folder / "all.cpp"), "-o", str(folder / "library.so"),
                        f"-Wl,--version-script={folder}/map", "-Wl,-soname,libgradus.so.1"], check=True)
        return folder / "library.so"

    def differences(self, old, new):
        """What abidiff complains about; additions are none of it. Its status has bit 4 where something changed, 8 where that breaks."""
        run = subprocess.run(["abidiff", "--no-added-syms", str(old), str(new)], capture_output=True, text=True, check=False)
        if run.returncode & 3:
            sys.exit(f"abidiff: {run.stderr or run.stdout}")
        return run.stdout if run.returncode else ""


def replaced(text, what, by):
    result = re.sub(what, by, text, count=1, flags=re.M)
    assert result != text, what
    return result


def planted(types, prototypes):
    """Names and trees of libraries that would break programs of the baseline, and of such that would not."""
    bad = {
        "function removed": (types, replaced(prototypes, r"^gradus_status gradus_add\(.*\n", "")),
        "parameter widened": (types, replaced(prototypes, r"(gradus_sum\(.*)int32_t", r"\1int64_t")),
        "parameter inserted": (types, replaced(prototypes, r"(gradus_exp\(gradus_context \*ctx,)", r"\1 int32_t mode,")),
        "result retyped": (types, replaced(prototypes, r"^int64_t (gradus_dtype_size)", r"int32_t \1")),
        "field in the middle": (replaced(types, r"(gradus_counts\{.*)(uint64_t tensors;)", r"\1uint64_t extra; \2"), prototypes),
        "field retyped": (replaced(types, r"(gradus_counts\{.*)uint64_t tensors;", r"\1int64_t tensors;"), prototypes),
        "frozen struct enlarged": (replaced(types, r"(gradus_value\{.*uint64_t length;)", r"\1 uint64_t extra;"), prototypes),
        "callback changed": (replaced(types, r"(gradus_hook_fn\)\(void \*user,)", r"\1 int32_t kind,"), prototypes),
    }
    good = {
        "function added": (types, prototypes + "void gradus_of_the_next_level(void);\n"),
        "growable struct grown": (replaced(types, r"(gradus_counts\{[^}]*)", r"\1 uint64_t extra;"), prototypes),
    }
    return bad, good


def main():
    root, library, cxx = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if not shutil.which("abidiff"):
        print("abidiff: skipped, it is not installed (Debian: abigail-tools)")
        sys.exit(77)
    sections = subprocess.run(["readelf", "-SW", library], capture_output=True, text=True, check=True).stdout
    if ".debug_info" not in sections:
        print("abidiff: skipped, the library has no debug information")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        shell = Shell(root, cxx, pathlib.Path(name))
        few = "".join(re.findall(r"^.*\bgradus_(?:add|dtype_size|exp|invoke|live_counts|sum|tensor_add_hook)\(.*\n", shell.prototypes, flags=re.M))
        bad, good = planted(shell.types, few)
        for what, tree in [*bad.items(), *good.items()]:
            found = shell.differences(shell.build(shell.grown(tree[0]), few), shell.build(*tree))
            if bool(found) != (what in bad):
                sys.exit(f"abidiff: {'finds nothing in' if what in bad else 'refuses'} a library with: {what}\n{found}")
        now = (root / "include/gradus/gradus_cdef.h").read_text(encoding="utf-8")
        if not shell.differences(shell.build(bad["field retyped"][0], few), library):
            sys.exit("abidiff: the debug information of the library has no types, it needs -g2")
        found = shell.differences(shell.build(shell.grown(now), shell.prototypes), library)
        print(found + f"abidiff: {len(shell.prototypes.splitlines())} functions compared; {len(bad)} planted changes found, {len(good)} let pass")
        sys.exit(1 if found else 0)


main()
