"""docs/autograd_tests.md against the tests in this folder.

table.py        checks: every row names a file that has the test, or says why there is none; every test that carries a name of the table
                is in it; no name is missing. Exit status 1 with the offending lines.
table.py fill   writes the file's name into each row whose test exists, or has moved.
"""
import ast
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE.parents[1] / "docs" / "autograd_tests.md"
ROW = re.compile(r"\| (Test\w+) \| (\w+) \| (.+?) \|")
COUNTS = {"TestAutograd": 327, "TestAutogradForwardModeBatchedGrad": 5, "TestAutogradForwardMode": 29, "TestAutogradDeviceType": 55,
          "TestAllowMutationOnSaved": 12, "TestAutogradInferenceMode": 19, "TestMultithreadAutograd": 12, "TestNestedCheckpoint": 8,
          "TestSelectiveActivationCheckpoint": 10, "TestAutogradMultipleDispatch": 9, "TestAutogradFunctional": 54, "TestAutogradComplex": 2,
          "TestAutogradLogging": 1}


def functions_of(tree):
    """Every function of a file by name, and every method as self.NAME."""
    methods = [m for item in tree.body if isinstance(item, ast.ClassDef) for m in item.body if isinstance(m, ast.FunctionDef)]
    others = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n not in methods]
    return {n.name: n for n in others} | {"self." + m.name: m for m in methods}


def asserts(function, local, seen=()):
    """Whether a function has an assertion, or calls one of `local` that has one."""
    for n in ast.walk(function):
        if isinstance(n, ast.Assert):
            return True
        if isinstance(n, ast.Call):
            name = ast.unparse(n.func)
            if name.startswith("self.assert"):
                return True
            if name in local and name not in seen and asserts(local[name], local, (*seen, name)):
                return True
    return False


def tests_of(path):
    """(unittest class, name without test_) of each test of a file that can fail: it asserts something, and is not skipped."""
    tree = ast.parse(path.read_text())
    local = functions_of(ast.parse((HERE / "support.py").read_text())) | functions_of(tree)
    for item in tree.body:
        if isinstance(item, ast.ClassDef):
            for method in item.body:
                if isinstance(method, ast.FunctionDef) and method.name.startswith("test_"):
                    if asserts(method, local) and not any("skip" in ast.dump(d) for d in method.decorator_list):
                        yield item.name, method.name[5:]


def fits(group, test_class, name, repeated):
    """A name that several of PyTorch's classes have belongs to the one that the unittest class is called after."""
    return name not in repeated or test_class == group


def main(fill):
    lines = TABLE.read_text().splitlines()
    rows = [(i, *match.groups()) for i, line in enumerate(lines) if (match := ROW.match(line))]
    names = [name for _, _, name, _ in rows]
    repeated = {name for name in names if names.count(name) > 1}
    files = {path.name: list(tests_of(path)) for path in sorted(HERE.glob("test_*.py"))}
    problems = []
    for group, count in COUNTS.items():
        found = sum(row[1] == group for row in rows)
        if found != count:
            problems.append(f"{group}: {found} rows, not {count}")
    if len({(row[1], row[2]) for row in rows}) != len(rows):
        problems.append("a row is there twice")
    for i, group, name, state in rows:
        where = [file for file, tests in files.items() if any(n == name and fits(group, c, name, repeated) for c, n in tests)]
        if fill and where and state not in where:
            lines[i], state = f"| {group} | {name} | {where[0]} |", where[0]
        if state.endswith(".py") and state not in where:
            problems.append(f"{group}.{name}: {state} has no such test")
        elif not state.endswith(".py") and where:
            problems.append(f"{group}.{name}: '{state}', but {where[0]} has it")
        elif not state.endswith(".py") and not re.fullmatch(r"no: .+|pending(: .+)?", state):
            problems.append(f"{group}.{name}: neither a file, nor 'no: reason', nor 'pending'")
    if fill:
        TABLE.write_text("\n".join(lines) + "\n")
    done = sum(ROW.match(lines[i])[3].endswith(".py") for i, *_ in rows)
    refused = sum(ROW.match(lines[i])[3].startswith("no:") for i, *_ in rows)
    print(f"{len(rows)} behaviours: {done} tested, {refused} do not apply, {len(rows) - done - refused} pending")
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["fill"]))
