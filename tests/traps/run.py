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
HEADING = "Traps decided otherwise"


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


def decided_otherwise():
    """{id: reason} of the section of docs/conventions.md: lines "| ID | decision | reason |"."""
    text = (ROOT / "docs" / "conventions.md").read_text()
    section = re.search(rf"^## {HEADING}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    rows = re.findall(r"^\| *`?([A-Z]{2}\d+)`? *\| *(.*?) *\|$", section.group(1), re.M) if section else []
    return dict(rows)


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


def report(traps, answers, decisions):
    """Prints what is not plain success; the record of the run, and the ids that failed undecided."""
    record, bad = {"run": 0, "passed": 0, "skipped": [], "failed": [], "parts_skipped": []}, []
    for trap, parts in zip(traps, answers):
        state, reason = judge(parts)
        entry, listed = {"id": trap["id"], "reason": reason}, trap["id"] in decisions
        record["run"] += state != "skipped"
        if state == "passed":
            record["passed"] += 1
            record["parts_skipped"] += [{"id": trap["id"], "reason": f"{p['what']}: {p['reason']}"} for p in parts if p["state"] == "skipped"]
            if listed:
                print(f"{trap['id']} passes, though {HEADING!r} lists it")
            continue
        record[state].append(entry)
        if state == "failed" and not listed:
            bad.append(trap["id"])
        print(f"{trap['id']} {state}{' (decided otherwise)' if listed else ''}: {trap['title'][:80]}\n    {reason}")
    return record, bad


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
    record, bad = report(traps, run_all(traps, options), decided_otherwise())
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    print(f"traps: {record['run']} run, {record['passed']} passed, {len(record['failed'])} failed ({len(bad)} undecided), "
          f"{len(record['skipped'])} skipped; in {len(record['parts_skipped'])} passed ones a part was not checked")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
