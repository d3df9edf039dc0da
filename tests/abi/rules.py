"""The rules of the C convention that need more than the text of a header: rules.py API

Context first, outputs last; of every pointer the direction, owner, nullability and length; no parameter or field that is a keyword
somewhere; of every function a purpose, a level and its statuses.
"""
import copy
import json
import re
import sys

KEYWORDS = set("""abstract alignas and as asm assert async auto await base begin bool boolean break byte case catch char class comptime
const continue crate debugger decimal def default defer del delegate delete do double dyn elif else elseif end enum errdefer event except
exec explicit export extends extern external fallthrough false final finally fixed float fn for foreach friend from func function global
go goto if impl implements implicit import in include inherit initializer inline inout instanceof int interface internal is lambda let
library local lock long loop macro match method mod module move mut mutable namespace native new nil nonlocal nonrec not null object of
open operator or orelse out override package params pass private protected pub public raise range readonly rec ref register repeat
return sealed select self sig signed sizeof static string struct super switch template test then this throw throws to trait transient
true try type typedef typeid typename typeof union unless unsafe unsigned until use using val var virtual void volatile when where while
with yield""".split())
NO_CONTEXT = {"gradus_context_create", "gradus_tensor_describe", "gradus_node_describe", "gradus_op_describe", "gradus_op_describe_argument",
              "gradus_registry_json"}
DIRECTIONS, OWNERS = {"in", "out", "inout"}, {"borrow", "own", "static", "taken on success"}


def base(t):
    return re.sub(r"\b(const|struct)\b|[* ]", "", t)


def of_parameters(f):
    """Faults of one function's or callback's parameters."""
    names = [p["name"] for p in f["parameters"]]
    seen = None
    for p in f["parameters"]:
        where = f"{f['name']}({p['name']})"
        if p["name"] in KEYWORDS:
            yield f"{where}: a keyword somewhere"
        if "*" not in p["type"] and not p["type"].endswith("_fn"):
            if seen and p["name"] not in ("capacity", "result_capacity"):
                yield f"{where}: stands behind the output {seen}"
            continue
        if p.get("direction") not in DIRECTIONS or p.get("ownership") not in OWNERS or p.get("nullable") is None or not p.get("length"):
            yield f"{where}: direction, ownership, nullability or length is missing"
            continue
        if p["length"] not in ("one", *names):
            yield f"{where}: its length is {p['length']}, which is no parameter"
        if p["type"].startswith("const") and p["type"].count("*") == 1 and p["direction"] != "in":
            yield f"{where}: written though const"
        if p["ownership"] == "own" and (p["direction"] != "out" or p["type"].count("*") != 2):
            yield f"{where}: only handles are given"
        handles = p["direction"] == "out" and p["type"].count("*") == 2
        if seen and p["direction"] == "in":
            yield f"{where}: stands behind the output {seen}"
        seen = seen or (p["name"] if handles else None)
    if "user" in names and f.get("kind") == "callback" and names[0] != "user":
        yield f"{f['name']}: user is not the first of a callback"
    if "destroy" in names and "user" not in names:
        yield f"{f['name']}: destroy without user"


def of_function(f):
    yield from of_parameters(f)
    returns, parameters = f["returns"]["type"], f["parameters"]
    if returns == "gradus_status" and f["name"] not in NO_CONTEXT and (not parameters or base(parameters[0]["type"]) != "gradus_context"):
        yield f"{f['name']}: a status without a context first"
    if returns not in ("gradus_status", "void") and any(p.get("direction") == "out" for p in parameters):
        yield f"{f['name']}: returns a value and has outputs too"
    if not f["level"]:
        yield f"{f['name']}: since which level?"
    if len(f["doc"].split()) < 3:
        yield f"{f['name']}: what is it for?"
    if returns == "gradus_status" and not f.get("statuses"):
        yield f"{f['name']}: which statuses?"


def of_type(t):
    if t["kind"] == "callback":
        yield from of_parameters(t)
    for field in t.get("fields", ()):
        if field["name"] in KEYWORDS:
            yield f"{t['name']}.{field['name']}: a keyword somewhere"


def faults(api):
    found = [x for f in api["functions"] for x in of_function(f)] + [x for t in api["types"] for x in of_type(t)]
    names = [x["name"] for x in api["functions"] + api["types"]]
    found += [f"{n}: declared twice" for n in set(names) if names.count(n) > 1]
    return found + [f"{n}: a name outside of the rule" for n in names if not re.fullmatch(r"gradus_[a-z0-9_]+", n)]


PLANTED = [  # what happens to gradus_add
    lambda f: f["parameters"].insert(0, f["parameters"].pop()), lambda f: f["parameters"][1].pop("nullable"), lambda f: f["parameters"].pop(0),
    lambda f: f["parameters"][1].update(name="self"), lambda f: f["parameters"][1].update(length="count"), lambda f: f.update(doc=""),
    lambda f: f.update(level=None), lambda f: f.update(statuses=[]), lambda f: f.update(name="gradus_Add"),
    lambda f: f["parameters"][1].update(ownership="own"), lambda f: f["parameters"][1].update(direction="out"),
]


def main():
    api = json.load(open(sys.argv[1], encoding="utf-8"))
    add = next(f for f in api["functions"] if f["name"] == "gradus_add")
    for number, change in enumerate(PLANTED):
        broken = copy.deepcopy(add)
        change(broken)
        if not faults({"functions": [broken], "types": []}):
            sys.exit(f"rules: planted fault {number} is not found")
    found = faults(api)
    for fault in found[:40]:
        print(fault)
    print(f"rules: {len(api['functions'])} functions, {len(api['types'])} types, {len(found)} faults")
    sys.exit(1 if found or len(api["functions"]) < 100 else 0)


main()
