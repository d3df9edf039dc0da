"""Every test that docs/abi.md names is there, and runs with the labels that it names: table.py ROOT BUILD CTEST"""
import json
import pathlib
import re
import subprocess
import sys

LABELS = {"abi", "ffi", "robust"}


def main():
    root, build, ctest = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    listed = json.loads(subprocess.run([ctest, "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True, check=True).stdout)
    labels = {t["name"]: set(next((p["value"] for p in t["properties"] if p["name"] == "LABELS"), ())) for t in listed["tests"]}
    rows = re.findall(r"^\| ([A-D]\d+) \|.*\| (.*) \|$", (root / "docs/abi.md").read_text(encoding="utf-8"), re.M)
    faults = []
    for check, text in rows:
        tests = [n for n in re.findall(r"`([a-z0-9_]+)`", text) if n in labels]
        if not tests and "no test:" not in text:
            faults.append(f"{check}: no test of ctest")
        faults += [f"{check}: {n} has none of the labels {sorted(LABELS)}" for n in tests if not labels[n] & LABELS]
    print("\n".join(faults) or f"table: {len(rows)} checks")
    sys.exit(1 if faults or len(rows) < 40 else 0)


main()
