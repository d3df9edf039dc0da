"""Replays PyTorch's operator test data through the C functions of the library. See README.md beside this file.

run.py [--data DIR] [--lib PATH] [--op NAME] [--family NAME] [--kind KIND] [--json OUT] [--check] [--update] [-v]
"""
import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SKIPPED = 77                                                                # what ctest takes for "not run"
sys.dont_write_bytecode = True


def skip(why):
    print("conformance: skipped: " + why)
    sys.exit(SKIPPED)


def find_numpy():
    """Goes on in the first Python of the path that has numpy, if this one has none."""
    try:
        import numpy  # noqa: F401
        return
    except ImportError:
        pass
    for folder in os.get_exec_path():
        other = os.path.join(folder, "python3")
        if os.access(other, os.X_OK) and "GRADUS_CONFORMANCE_PYTHON" not in os.environ:
            if subprocess.run([other, "-c", "import numpy"], capture_output=True).returncode == 0:
                os.environ["GRADUS_CONFORMANCE_PYTHON"] = other
                os.execv(other, [other, *sys.argv])
    skip("no Python with numpy (Debian: python3-numpy)")


def parse_options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "conformance", help="the folder with conformance.py")
    p.add_argument("--lib", type=pathlib.Path, default=ROOT / "build" / "dev" / "capi" / "libgradus.so")
    p.add_argument("--op", action="append", help="an OpInfo entry, or its name; may be repeated")
    p.add_argument("--family", action="append")
    p.add_argument("--kind", action="append", choices=("fwd", "inplace", "out", "promo", "error"))
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--json", help="where the record of the run goes")
    p.add_argument("--check", action="store_true", help="fail if an overload of served.txt does not pass")
    p.add_argument("--update", action="store_true", help="add to served.txt what passes")
    p.add_argument("-v", "--verbose", action="store_true", help="one line per failing sample instead of one per op and kind")
    return p.parse_args()


def main():
    find_numpy()
    options = parse_options()
    if not (options.data / "conformance.py").is_file():
        skip("no data in %s" % options.data)
    sys.path[:0] = [str(HERE), str(options.data)]
    import conformance
    import results
    import workers
    from backend import Backend
    from library import Library
    from overloads import Overloads
    from replaying import replay_entry

    suite = conformance.Suite(str(options.data))
    overloads = Overloads(Library(str(options.lib)).registry(), suite.schemas)
    chosen = [i for i, e in enumerate(suite.index) if (not options.op or e["op"] in options.op or e["name"] in options.op) and
              (not options.family or e["family"] in options.family) and sum(e["counts"].values())]
    chosen.sort(key=lambda i: -sum(suite.index[i]["counts"].values()))

    def serve(pipe, progress):
        workers.limit_memory(8)
        library = Library(str(options.lib))
        library.open()
        backend = Backend(library, overloads)
        for task in iter(pipe.recv, None):
            pipe.send(replay_entry(conformance, suite, suite.index[task[0]], backend, options, progress, task[1]))

    deviations = results.Deviations(HERE / "deviations.md")
    summary = results.Summary(workers.run(serve, chosen, options.jobs), suite.index, deviations)
    record = summary.record(overloads, list(suite.schemas))
    results.print_failures(record, options.verbose)
    results.print_tables(record)
    if options.json:
        results.write_json(options.json, record)
    if options.update:
        results.update_served(HERE / "served.txt", summary)
    if not options.check:
        return 0
    whole = not (options.op or options.family or options.kind)
    faults = results.check_served(HERE / "served.txt", summary, overloads, whole)
    faults += ["deviations.md: no sample needs the row of %s, %s" % (" ".join(row[0]), " ".join(row[2])) for row in deviations.idle if whole]
    for fault in faults:
        print("conformance: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
