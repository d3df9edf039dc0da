"""Fails on every include that goes up a floor, and on those that a floor's own rule forbids. See src/README.md."""
import pathlib
import re
import sys
import tempfile

FLOORS = {"base": 1, "tensor": 2, "kernels": 3, "dispatch": 4, "graph": 5, "ops": 6,
          "autograd": 7, "io": 7, "optim": 7, "profile": 7, "capi": 8, "gradus": 8}     # gradus: the public headers
KERNELS_SEE = {"tensor/dtype.h", "tensor/layout.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
SOURCES = {".h", ".hpp", ".c", ".cc", ".cpp"}


def fault(room, target):
    """What is wrong with a file of this room including this target, or None."""
    there = target.split("/")[0]
    if there not in FLOORS:
        return None
    if room == "gradus":
        return None if there == "gradus" else "a public header stands alone"
    if FLOORS[there] > FLOORS[room]:
        return f"{room} is floor {FLOORS[room]}, {there} is floor {FLOORS[there]}"
    if room == "kernels" and there == "tensor" and target not in KERNELS_SEE:
        return "kernels see of tensor only " + " and ".join(sorted(KERNELS_SEE))
    if room != "kernels" and there == "kernels" and target.endswith("-inl.h"):
        return "an -inl.h is compiled once per instruction set, inside kernels only"
    return None


def check(root):
    """(faults as (path, line number, text, reason), number of includes that were looked at)"""
    faults, seen = [], 0
    for base, prefix in ((root / "src", ""), (root / "capi", "capi"), (root / "include" / "gradus", "gradus")):
        for path in sorted(p for p in base.rglob("*") if p.suffix in SOURCES):
            inside = pathlib.PurePosixPath(prefix, path.relative_to(base).as_posix())   # as others include it
            room = inside.parts[0]
            where = path.relative_to(root).as_posix()
            if room not in FLOORS:
                faults.append((where, 0, "", "stands on no floor"))
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                seen += 1
                target = match.group(1)
                near = path.parent / target                            # "file.h" or "../room/file.h" beside the file
                if target.split("/")[0] not in FLOORS and near.is_file():
                    target = (pathlib.PurePosixPath(prefix) / near.resolve().relative_to(base.resolve()).as_posix()).as_posix()
                reason = fault(room, target)
                if reason:
                    faults.append((where, number, line.strip(), reason))
    return faults, seen


PLANTED = {  # path: lines; those marked "bad" have to be found, the others not
    "src/base/a.h": ['#include <vector>', '#include "tensor/dtype.h"  // bad', '#  include <capi/x.h> // bad'],
    "src/tensor/b.h": ['#include "base/a.h"', '#include "kernels/c.h" // bad', '#include "../ops/f.h" // bad'],
    "src/kernels/c.h": ['#include "tensor/layout.h"', '#include "tensor/tensor.h" // bad', '#include "c-inl.h"'],
    "src/kernels/c-inl.h": ['#include "hwy/highway.h"', '#include "dispatch/d.h" // bad'],
    "src/dispatch/d.h": ['#include "kernels/c.h"', '#include "kernels/c-inl.h" // bad', '#include "graph/e.h" // bad'],
    "src/graph/e.h": ['#include "dispatch/d.h"', '#include "ops/f.h" // bad'],
    "src/ops/f.h": ['#include "graph/e.h"', '#include "autograd/g.h" // bad', '#include "io/h.h" // bad'],
    "src/autograd/g.h": ['#include "ops/f.h"', '#include "optim/i.h"', '#include "gradus/gradus.h" // bad'],
    "src/attic/z.h": [''],
    "capi/j.cpp": ['#include "gradus/gradus.h"', '#include "autograd/g.h"', '#include "base/a.h"'],
    "include/gradus/gradus.h": ['#include <stdint.h>', '#include "gradus/k.h"', '#include "base/a.h" // bad'],
}


def check_the_check():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, lines in PLANTED.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = {(path, number) for path, number, _, _ in check(root)[0]}
    wanted = {(name, number) for name, lines in PLANTED.items() for number, line in enumerate(lines, 1) if "bad" in line}
    wanted.add(("src/attic/z.h", 0))
    if found != wanted:
        sys.exit(f"floors: the check itself is wrong: missed {sorted(wanted - found)}, invented {sorted(found - wanted)}")


def main():
    check_the_check()
    faults, seen = check(pathlib.Path(sys.argv[1]))
    for path, number, line, reason in faults:
        print(f"{path}:{number}: {line}: {reason}")
    if not seen:
        sys.exit("floors: no includes found")
    print(f"floors: {seen} includes, {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
