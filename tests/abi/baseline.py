"""What programs of released levels rely on: baseline.py check|refresh ROOT LIBRARY CC

capi/baseline holds the exported prototypes, constants, layouts of structs, symbols with their version nodes and op schemas of the level that
is out (level 1 as of now: nothing is released yet). check compares the tree with them: everything is still there and means the same, and
structs and schemas have grown at their ends alone. refresh writes them anew, at a release, or when level 1 changes before its release.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FACTS = ("written", "keyword_only", "list", "type")
FLAGS = ("in_place", "view", "random")


def layouts(api, root, cc):
    """One line per struct and field, in order: "gradus_counts 80 growable", "gradus_counts.contexts 8 8 uint64_t"."""
    lines = ["#include <stddef.h>", "#include <stdio.h>", "#include <gradus/gradus.h>", "int main(void) {"]
    for t in api["types"]:
        if t["kind"] not in ("struct", "union"):
            continue
        name = ("union " if t["kind"] == "union" else "") + t["name"]
        growth = "growable" if t["growable"] else "frozen"
        lines.append(f'  printf("{t["name"]} %d {growth}\\n", (int)sizeof({name}));')
        for f in t["fields"]:
            lines.append(f'  printf("{t["name"]}.{f["name"]} %d %d {f["type"]}\\n", (int)offsetof({name}, {f["name"]}), '
                         f'(int)sizeof((({name} *)0)->{f["name"]}));')
    with tempfile.TemporaryDirectory() as work:
        source, program = pathlib.Path(work, "layout.c"), pathlib.Path(work, "layout")
        source.write_text("\n".join([*lines, "  return 0;", "}"]) + "\n", encoding="utf-8")
        subprocess.run([cc, "-std=c99", f"-I{root}/include", str(source), "-o", str(program)], check=True)
        return subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines()


def schemas(root):
    ops = json.loads((root / "capi/registry.json").read_text(encoding="utf-8"))["ops"]
    return [json.dumps({"name": op["name"], **{k: op[k] for k in FLAGS}, "results": [[r["type"], r["list"]] for r in op["results"]],
                        "arguments": [{"name": a["name"], **{k: a[k] for k in FACTS}, **({"default": a["default"]} if "default" in a else {})}
                                      for a in op["arguments"]]}) for op in ops]


def symbols(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return sorted(line.split()[-1].replace("@@", "@") for line in out.splitlines() if " T " in line)


def types(root, prototypes):
    """The declarations that the prototypes need, as C: what abidiff.py compiles."""
    text = (root / "include/gradus/gradus_cdef.h").read_text(encoding="utf-8").partition("*/")[2]
    return [line for line in text.splitlines() if line and line not in prototypes and not line.startswith("enum{")]


def current(root, library, cc):
    api = json.loads((root / "gradus_api.json").read_text(encoding="utf-8"))
    read = lambda name: (root / name).read_text(encoding="utf-8").splitlines()
    return {"prototypes": read("capi/abi.txt"), "constants": read("capi/constants.txt"), "layouts": layouts(api, root, cc),
            "symbols": symbols(library), "schemas": schemas(root)}


def struct_faults(old, new):
    """Structs may grow at their ends, behind struct_size; the others may not change at all."""
    here = dict(line.split(" ", 1) for line in new)
    grown = lambda name, size: int(here[name].split()[0]) >= int(size)
    last = {}                                  # struct -> the end of its fields in the baseline
    for line in old:
        name, rest = line.split(" ", 1)
        if "." not in name:
            size, growth = rest.split()
            if name not in here or not (here[name] == rest or (growth == "growable" and here[name].endswith("growable") and grown(name, size))):
                yield f"{name}: was {rest}, is {here.get(name, 'gone')}"
            continue
        if here.get(name) != rest:
            yield f"{name}: was {rest}, is {here.get(name, 'gone')}"
        offset, size, _ = rest.split(" ", 2)
        struct = name.split(".")[0]
        last[struct] = max(last.get(struct, 0), int(offset) + int(size))
    for name in sorted(set(here) - {line.split(" ", 1)[0] for line in old}):
        struct = name.split(".")[0]
        if "." in name and struct in last and int(here[name].split()[0]) < last[struct]:
            yield f"{name}: a new field that is not at the end"


def schema_faults(old, new):
    here = {op["name"]: op for op in map(json.loads, new)}
    for was in map(json.loads, old):
        name, now = was["name"], here.get(was["name"])
        if not now:
            yield f"{name}: the operation is gone"
            continue
        if any(now[k] != was[k] for k in (*FLAGS, "results")):
            yield f"{name}: other results or properties"
        if now["arguments"][:len(was["arguments"])] != was["arguments"]:
            yield f"{name}: the arguments were {was['arguments']}, are {now['arguments']}"
        for a in now["arguments"][len(was["arguments"]):]:
            if "default" not in a:
                yield f"{name}: the new argument {a['name']} has no default"


def faults(old, new):
    for part in ("prototypes", "constants", "symbols"):
        there = set(new[part])
        yield from (f"{part}: gone or changed: {line}" for line in old[part] if line not in there)
    yield from struct_faults(old["layouts"], new["layouts"])
    yield from schema_faults(old["schemas"], new["schemas"])


def replaced(old, part, what, by):
    """A tree in which one line is another."""
    lines = [re.sub(what, by, line, count=1) for line in old[part]]
    assert lines != old[part], (part, what)
    return {**old, part: [line for text in lines for line in text.splitlines() if line]}


def planted(now):
    """Name and tree of each change that must be found, and those that must not."""
    frozen, first = r"^(gradus_value) 24 frozen", now["schemas"][0]
    op = json.loads(first)
    more = lambda **a: {**now, "schemas": [json.dumps({**op, "arguments": op["arguments"] + [{**op["arguments"][0], "name": "extra", **a}]}), *now["schemas"][1:]]}
    bad = {
        "function removed": replaced(now, "prototypes", r"^gradus_status gradus_add\(.*", ""),
        "parameter widened": replaced(now, "prototypes", r"(gradus_sum\(.*)int32_t", r"\1int64_t"),
        "parameter inserted": replaced(now, "prototypes", r"(gradus_exp\(gradus_context \*ctx,)", r"\1 int32_t mode,"),
        "constants renumbered": replaced(now, "constants", r"^(GRADUS_E_SHAPE) \d+", r"\1 4711"),
        "another node": replaced(now, "symbols", r"^(gradus_add)@GRADUS_1.0", r"\1@GRADUS_1.1"),
        "frozen struct enlarged": replaced(now, "layouts", frozen, r"\1 32 frozen"),
        "field in the middle": replaced(now, "layouts", r"^(gradus_counts.tensors) 16", r"gradus_counts.extra 16 8 uint64_t\n\1 24"),
        "field retyped": replaced(now, "layouts", r"^(gradus_counts.tensors \d+ \d+) uint64_t", r"\1 int64_t"),
        "operation gone": {**now, "schemas": now["schemas"][1:]},
        "argument without default": more(),
        "argument in front": {**now, "schemas": [json.dumps({**op, "arguments": [{**op["arguments"][0], "name": "extra", "default": 0}, *op["arguments"]]}),
                                                 *now["schemas"][1:]]},
    }
    good = {
        "function added": {**now, "prototypes": now["prototypes"] + ["void gradus_new(void);"], "symbols": now["symbols"] + ["gradus_new@GRADUS_1.1"]},
        "growable struct grown": replaced(now, "layouts", r"^(gradus_counts) (\d+) growable", r"\1 1000 growable"),
        "optional argument added": more(default=0),
        "operation added": {**now, "schemas": now["schemas"] + [json.dumps({**op, "name": "new"})]},
    }
    return bad, good


def main():
    command, root, library, cc = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    now, folder = current(root, library, cc), root / "capi/baseline"
    if command == "refresh":
        folder.mkdir(exist_ok=True)
        for part, lines in now.items():
            (folder / f"{part}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "types.h").write_text("\n".join(types(root, set(now["prototypes"]))) + "\n", encoding="utf-8")
        return print(f"baseline: {sum(map(len, now.values()))} lines written")
    bad, good = planted(now)
    for name, tree in bad.items():
        if not list(faults(now, tree)):
            sys.exit(f"baseline: the check does not find: {name}")
    for name, tree in good.items():
        if found := list(faults(now, tree)):
            sys.exit(f"baseline: the check refuses: {name}: {found[:3]}")
    old = {part: (folder / f"{part}.txt").read_text(encoding="utf-8").splitlines() for part in now}
    found = list(faults(old, now))
    for fault in found[:40]:
        print(fault)
    print(f"baseline: {', '.join(f'{len(old[p])} {p}' for p in old)}; {len(found)} faults, {len(bad)} planted ones found")
    sys.exit(1 if found else 0)


main()
