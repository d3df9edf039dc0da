"""What a run says: tables, the JSON record, the list of overloads that pass, and the deviations that are meant."""
import fnmatch
import json
import pathlib
import re

ORDER = ("forward", "gradient", "second-order", "in-place", "out", "promotion", "error")


class Deviations:
    """deviations.md: rows of ops | kinds | samples | reason. Samples: *, numbers, ranges, or patterns of 'kind:tag:dtype'."""

    def __init__(self, path):
        self.rows = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 4 and cells[0] != "ops" and not set(cells[0]) <= set("-: "):
                self.rows.append([c.replace("`", "").replace(",", " ").split() for c in cells[:3]])
        self.idle = list(self.rows)                                         # those that have covered nothing yet

    def cover(self, failure):
        output = re.match(r"output (\d+): \d+ of", failure["message"])
        kinds = {"*", failure["kind"], failure["kind"] + ":" + (output[1] if output else "")}
        rows = [row for row in self.rows if any(fnmatch.fnmatchcase(failure["op"], op) for op in row[0]) and kinds & set(row[1]) and
                any(self.matches(s, failure) for s in row[2])]
        self.idle = [row for row in self.idle if row not in rows]
        return bool(rows)

    @staticmethod
    def matches(pattern, failure):
        bounds = re.fullmatch(r"(\d+)(?:-(\d+))?", pattern)
        if bounds:
            return int(bounds[1]) <= failure["sample"] <= int(bounds[2] or bounds[1])
        return fnmatch.fnmatchcase(failure["id"].split(":", 1)[1], pattern)


class Summary:
    def __init__(self, answers, index, deviations):
        self.kinds, self.families, self.failures, self.meant, self.missing = {}, {}, [], [], {}
        self.tried, self.failed = {}, {}
        for entry in index:
            self.families.setdefault(entry["family"], {"ops": 0, "ops_served": 0, "run": 0, "passed": 0, "skipped": 0})["ops"] += 1
        for a in answers:
            self.add(a, deviations)

    def add(self, answer, deviations):
        family = self.families[answer["family"]]
        meant = [f for f in answer["failures"] if deviations.cover(f)]
        self.meant += meant
        self.failures += [f for f in answer["failures"] if f not in meant]
        for kind, tally in answer["kinds"].items():
            all_of_kind = self.kinds.setdefault(kind, {"run": 0, "passed": 0, "skipped": 0, "deviating": 0})
            for what, n in tally.items():
                all_of_kind[what] += n
                family[what] += n
        for f in meant:
            self.kinds[f["kind"]]["deviating"] += 1
        family["ops_served"] += any(t["run"] for kind, t in answer["kinds"].items() if kind != "error")
        for overload, (tried, _) in answer["overloads"].items():
            self.tried[overload] = self.tried.get(overload, 0) + tried
        for f in answer["failures"]:
            if f not in meant:
                for overload in f["overloads"]:
                    self.failed[overload] = self.failed.get(overload, 0) + 1
        for overload, n in answer["missing"].items():
            self.missing[overload] = self.missing.get(overload, 0) + n

    def passing(self):
        return sorted(short(o) for o in self.tried if o not in self.failed)

    def record(self, overloads, all_overloads):
        served = [o for o in all_overloads if overloads.plan(o)]
        return {"overloads": {"served": len(served), "tried": len(self.tried), "passing": len(self.passing()), "all": len(all_overloads)},
                "kinds": {k: self.kinds[k] for k in ORDER if k in self.kinds}, "families": self.families,
                "failures": sorted(self.failures, key=lambda f: (f["op"], f["sample"])), "deviations": len(self.meant),
                "not_served": {short(o): n for o, n in sorted(self.missing.items())}}


def short(overload):
    return overload.removeprefix("aten::").removesuffix(".default")


def print_tables(record):
    line = "%-16s %11s %9s %9s %9s"
    print(line % ("family", "ops served", "run", "passed", "skipped"))
    for name, f in record["families"].items():
        print(line % (name, "%d/%d" % (f["ops_served"], f["ops"]), f["run"], f["passed"], f["skipped"]))
    print("\n%-16s %11s %9s %9s %9s" % ("kind", "run", "passed", "deviating", "skipped"))
    for name, k in record["kinds"].items():
        print("%-16s %11d %9d %9d %9d" % (name, k["run"], k["passed"], k["deviating"], k["skipped"]))
    o = record["overloads"]
    print("\noverloads: %d of %d served, %d of them tried, %d pass completely; %d samples deviate on purpose\n" % (
        o["served"], o["all"], o["tried"], o["passing"], record["deviations"]))


def print_failures(record, every):
    """One line per op and kind, or per sample."""
    groups = {}
    for f in record["failures"]:
        groups.setdefault((f["op"], f["kind"]), []).append(f)
    for (op, kind), group in groups.items():
        for f in group if every else group[:1]:
            print("FAIL %s %s %s: %s" % (kind, f["id"], "" if every else "(%d samples)" % len(group), f["message"]))


def read_list(path):
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [l for l in lines if l and not l.startswith("#")]


def check_served(path, summary, overloads, whole):
    """Overloads of the list that no longer pass, one line each."""
    faults = []
    for name in read_list(path):
        full = "aten::" + (name if "." in name else name + ".default")
        if full not in overloads.full_names:
            faults.append("%s: not in the schemas of the data" % name)
        elif overloads.plan(full) is None:
            faults.append("%s: no longer served" % name)
        elif full in summary.failed:
            faults.append("%s: %d samples fail" % (name, summary.failed[full]))
        elif whole and full not in summary.tried:
            faults.append("%s: no sample was run" % name)
    return faults


def update_served(path, summary):
    """Adds what passes now; an entry that fails stays, and is named."""
    before, now = set(read_list(path)), set(summary.passing())
    head = "# ATen overloads whose samples all pass, deviations.md apart. It only grows: run.py --update adds.\n"
    path.write_text(head + "\n".join(sorted(before | now)) + "\n", encoding="utf-8")
    for name in sorted(before - now):
        print("kept, but it does not pass: %s" % name)
    print("served.txt: %d overloads, %d of them new" % (len(before | now), len(now - before)))


def write_json(path, record):
    pathlib.Path(path).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
