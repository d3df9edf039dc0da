"""Runs the traps: short programs that numeric libraries got wrong, each with its right result. See README.md beside this file.

run.py [--file F] [--id ID ...] [--lib PATH] [--json OUT] [--jobs N] [--full]
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SKIPPED = 77                                                                # what ctest takes for "not run"
PATIENCE, PATIENCE_FULL = 60, 3600                                          # seconds for one trap
DECISIONS = ROOT / "docs" / "conventions.md", "Traps decided otherwise"     # lines "| ID | decision | reason |"
SKIPS = HERE / "README.md", "Traps that may be skipped"                     # lines "| ID | what | where |"


def skip(why):
    print("traps: skipped: " + why)
    sys.exit(SKIPPED)


def find_numpy():
    """The first Python of the path that has numpy (a few traps exchange arrays with it), else this one."""
    for python in [sys.executable, *(os.path.join(folder, "python3") for folder in os.get_exec_path())]:
        if os.access(python, os.X_OK) and not subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode:
            return python
    return sys.executable


def parse_options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--file", type=pathlib.Path, default=ROOT.parent / "shared" / "traps.jsonl")
    p.add_argument("--id", action="append", help="a trap; may be repeated")
    p.add_argument("--lib", type=pathlib.Path, help="the library; without it the package looks for one")
    p.add_argument("--json", type=pathlib.Path, help="where the record of the run goes")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    p.add_argument("--full", action="store_true", help="the counts that the traps name instead of those for every day")
    return p.parse_args()


def listed_in(path, heading):
    """{id: reason} of the table of a section."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", path.read_text(), re.M | re.S)
    if not section:
        sys.exit(f"traps: {path.name} has no section {heading!r}")
    return dict(re.findall(r"^\| *`?([A-Z]{2}\d+)`? *\| *(\S.*?) *\|$", section.group(1), re.M))


def run_one(python, trap, options, environment):
    """The answers of the child that runs a trap: [{"what", "state": passed | failed | skipped, "reason"}]."""
    patience = PATIENCE_FULL if options.full else PATIENCE
    child = subprocess.Popen([python, str(HERE / "one.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=environment, cwd=HERE)
    try:
        out, errors = child.communicate(json.dumps(trap), timeout=patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return [{"what": "run", "state": "failed", "reason": f"no end after {patience} seconds"}]
    if child.returncode < 0:
        return [{"what": "run", "state": "failed", "reason": "crash: " + signal.Signals(-child.returncode).name}]
    try:
        return json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        return [{"what": "run", "state": "failed", "reason": f"exit {child.returncode}: {errors.strip()[-600:]}"}]


def judge(answers):
    """One word and reason for a trap. A failed part fails it; it is skipped only if no part of it ran."""
    for state in ("failed", "passed", "skipped"):
        found = [a for a in answers if a["state"] == state]
        if found:
            return state, "; ".join(f"{a['what']}: {a['reason']}" for a in found if a["reason"])
    return "failed", "nothing was checked"


def run_all(traps, options):
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "bindings" / "python"), PYTHONDONTWRITEBYTECODE="1")
    if options.lib:
        environment["GRADUS_LIBRARY"] = str(options.lib.resolve())
    if options.full:
        environment["GRADUS_TRAPS_FULL"] = "1"
    python = find_numpy()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(lambda trap: run_one(python, trap, options, environment), traps))


def report(traps, answers, decisions, may_skip):
    """Prints what is not plain success; the record of the run, and what makes it fail, one line each."""
    record, faults = {"run": 0, "passed": 0, "skipped": [], "failed": [], "parts_skipped": []}, []
    for trap, parts in zip(traps, answers):
        name, (state, reason) = trap["id"], judge(parts)
        record["run"] += state != "skipped"
        if state == "passed":
            record["passed"] += 1
            record["parts_skipped"] += [{"id": name, "reason": f"{p['what']}: {p['reason']}"} for p in parts if p["state"] == "skipped"]
            if name in decisions:
                faults.append(f"{name} passes, though {DECISIONS[1]!r} lists it")
        else:
            record[state].append({"id": name, "reason": reason})
            print(f"{name} {state}{' (decided otherwise)' if name in decisions else ''}: {trap['title'][:80]}\n    {reason}")
        if state == "failed" and name not in decisions:
            faults.append(f"{name} fails undecided")
        if name not in may_skip:
            faults += [f"{name} is skipped, and {SKIPS[1]!r} does not list it: {p['reason']}" for p in parts if p["state"] == "skipped"]
    return record, faults


def main():
    options = parse_options()
    if not options.file.is_file():
        skip(f"no file {options.file}")
    traps = [json.loads(line) for line in options.file.read_text().splitlines() if line.strip()]
    if options.id:
        unknown = set(options.id) - {t["id"] for t in traps}
        if unknown:
            sys.exit(f"traps: no such trap: {', '.join(sorted(unknown))}")
        traps = [t for t in traps if t["id"] in options.id]
    decisions, may_skip = listed_in(*DECISIONS), listed_in(*SKIPS)
    record, faults = report(traps, run_all(traps, options), decisions, may_skip)
    if not options.id:
        faults += [f"{name} is listed, and no such trap is there" for name in sorted({*decisions, *may_skip} - {t["id"] for t in traps})]
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    print(f"traps: {record['run']} run, {record['passed']} passed, {len(record['failed'])} failed, "
          f"{len(record['skipped'])} skipped; in {len(record['parts_skipped'])} passed ones a part was not checked")
    for fault in faults:
        print("traps: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
