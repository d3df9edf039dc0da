"""The same models trained from the same first values in PyTorch and gradus, side by side.

    python3 benchmarks/peers/train.py                           all models with 1 and 2 threads: a table
    python3 benchmarks/peers/train.py gpt lstm --threads 1 --json out.json
    python3 benchmarks/peers/train.py --check                   few steps; fails unless the losses agree. A test runs it; 77: no PyTorch or no data

models.py says what is trained, worker.py is a side: one process for each library and number of threads. The sides take turns, a round of steps
each. With one thread the time of a step is processor time, which other programs on the machine hardly disturb; with more it is wall-clock time,
which is to be trusted on an idle machine only, or with --first.
Relative differences are those of the losses of the first 200 steps. Rounding differs between libraries and training amplifies it; so there stand
beside it how far PyTorch is from itself when it sums in another order (2 threads; each batch backwards; without oneDNN), and how far apart the
libraries are in double precision, where hardly anything is left if they compute the same function.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ("mlp", "cnn", "cnn_relu", "gpt", "gpt_sdpa", "lstm", "pinn")
COMPARED = 200                                  # steps whose losses are compared
BOUND = 1e-4                                    # and how far apart they may be
DOUBLE = 4                                      # of the compared steps one in so many is done in double precision
WARM = 5                                        # first steps, which are not timed
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=8589934592:glibc.malloc.hugetlb=1",
         "ATEN_CPU_CAPABILITY": "avx512"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    near = [folder / "shared" / "data" for folder in (ROOT.parent, ROOT.parent.parent)]
    data = str(next(filter(pathlib.Path.is_dir, near), near[0]))
    parser.add_argument("--data", default=data, help="folder of the data sets (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--rounds", type=int, default=5, help="into which the steps are divided (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="default: the model's own, 200 to 1180")
    parser.add_argument("--batch", type=int, help="default: the model's own, 32 to 256")
    parser.add_argument("--first", action="store_true", help="go before all other programs, threads on processors of their own (Linux, as root); "
                        "the others have to wait, so few steps please")
    parser.add_argument("--python", help="an interpreter that has torch and numpy; default: this one, or else Debian's")
    parser.add_argument("--peer-env", action="append", default=[], metavar="NAME=VALUE",
                        help="for PyTorch's processes alone, such as LD_LIBRARY_PATH with OpenBLAS's openmp flavour")
    parser.add_argument("--tuned", action="store_true", help="PyTorch with AVX-512 vectors and a heap that keeps its pages")
    parser.add_argument("--no-noise", action="store_true", help="leave out PyTorch beside itself and double precision")
    parser.add_argument("--json", metavar="OUT", help="write all figures there, with the loss of each step")
    parser.add_argument("--check", action="store_true", help="few steps, no times: only whether the losses agree")
    args = parser.parse_args()
    if args.check:
        args.steps, args.batch, args.rounds, args.no_noise = args.steps or 10, args.batch or 8, 1, True
        args.peer_env.insert(0, "OMP_WAIT_POLICY=PASSIVE")              # other tests run meanwhile: threads that spin would wait for each other
    unknown = [m for m in args.models if m not in MODELS]
    if unknown:
        parser.error(f"there is no model {unknown[0]}; there are {', '.join(MODELS)}")
    if args.rounds < 1 or (args.steps or WARM + args.rounds) < WARM + args.rounds:
        parser.error(f"--rounds of at least 1 and --steps of at least {WARM} more than that are wanted")
    args.models = args.models or list(MODELS)
    return args


def skip(why):
    print(f"train.py: {why}", file=sys.stderr)
    sys.exit(77)


def find_python(wanted):
    for python in [wanted] if wanted else [sys.executable, "/usr/bin/python3"]:
        probe = "import importlib.util as u, sys; sys.exit(not (u.find_spec('torch') and u.find_spec('numpy')))"
        if pathlib.Path(python).exists() and subprocess.run([python, "-c", probe], check=False).returncode == 0:
            return python
    return skip("no Python with torch and numpy was found; name one with --python")


def go_first():
    """A session of its own, which the scheduler serves before the other ones."""
    if os.getpid() != os.getsid(0):
        os.setsid()
    pathlib.Path("/proc/self/autogroup").write_text("-20", encoding="ascii")


def machine_used():
    """Processor seconds that the whole machine has spent so far."""
    try:
        with open("/proc/stat", encoding="ascii") as stat:
            user, nice, system, _idle, _wait, irq, soft = map(int, stat.readline().split()[1:8])
    except OSError:
        return 0.0
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


class Side:
    """A process that trains, and what it told."""

    living = []                                 # the processes of all sides

    def __init__(self, args, library, task, threads, *more):
        self.library, self.threads, self.loss, self.rounds = library, threads, [], []
        environment = {k: v for k, v in os.environ.items() if library == "gradus" or not k.startswith("OPENBLAS_")}
        environment.update({name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}, PYTHONDONTWRITEBYTECODE="1")
        if library == "torch":
            environment.update({"OMP_WAIT_POLICY": "ACTIVE"} if args.first else {})
            environment.update(TUNED if args.tuned else {}, **dict(pair.split("=", 1) for pair in args.peer_env))
        environment["PYTHONPATH"] = str(ROOT / "bindings" / "python")
        command = [args.interpreter, "-B", str(HERE / "worker.py"), library, task, "--data", args.data, "--threads", str(threads)]
        command += ["--batch", str(args.batch)] if args.batch else []
        self.process = subprocess.Popen([*command, *map(str, more)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        Side.living.append(self.process)
        self.about = self._answer()

    def _answer(self):
        """What it tells. Then it stands still until it is asked again: threads that wait for work may spin."""
        line = self.process.stdout.readline()
        self.process.send_signal(signal.SIGSTOP)
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, words):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return self._answer()

    def start(self, count, pin):
        """The first steps, which are not timed: they make threads and buffers."""
        self.loss += self.ask(f"train {count}")["loss"]
        if pin and self.threads > 1 and self.library == "gradus":       # PyTorch's keep theirs by spinning
            self.ask("pin")

    def train(self, count):
        used, start = machine_used(), time.perf_counter()
        told = self.ask(f"train {count}")
        took = time.perf_counter() - start
        self.loss += told["loss"]
        self.rounds.append({"others": max(machine_used() - used - told["used"], 0) / took, "wall": told["wall"], "processor": told["processor"]})

    def seconds(self):
        """The median time of a step."""
        return statistics.median(t for r in self.rounds for t in r["processor" if self.threads == 1 else "wall"])

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()
        Side.living.remove(self.process)

    @classmethod
    def end_all(cls):
        """Ends those that are left after a failure: one that stands still would stay, and keep the pipes of whoever runs this open."""
        for process in cls.living:
            process.kill()
        while cls.living:
            cls.living.pop().wait()


def run(args, library, task, threads, steps, *more):
    """A side that trains to its end by itself."""
    side = Side(args, library, task, threads, *more)
    side.start(WARM, False)
    side.train(steps - WARM)
    side.end()
    return side


def difference(a, b):
    """The largest relative difference of the losses of the compared steps."""
    return max(abs(x - y) / max(abs(x), abs(y), 1e-30) for x, y in list(zip(a.loss, b.loss))[:COMPARED])


def agreeing(a, b):
    """How many of the first steps have the same loss, within the bound."""
    return next((i for i, (x, y) in enumerate(zip(a.loss, b.loss)) if not abs(x - y) <= BOUND * max(abs(x), abs(y))), min(len(a.loss), COMPARED))


def foreach_of(args, task):
    """Which of PyTorch's two optimizers is the faster: one kernel for all parameters, or one for each."""
    return min((0, 1), key=lambda choice: run(args, "torch", task, args.threads[0], 15, "--foreach", choice).seconds())


def compare(args, task):
    """All figures of one model."""
    import models
    steps = args.steps or models.TASKS[task].steps
    foreach = 1 if args.check else foreach_of(args, task)
    settings = {"torch": ("--foreach", foreach), "gradus": ()}
    sides = [Side(args, library, task, threads, *settings[library]) for threads in args.threads for library in ("torch", "gradus")]
    for side in sides:
        side.start(WARM, args.first)
    ends = [WARM + (steps - WARM) * i // args.rounds for i in range(args.rounds + 1)]
    for count in (b - a for a, b in zip(ends, ends[1:])):
        for side in sides:
            side.train(count)
    digits = models.TASKS[task].data is models.Digits
    for side in sides:
        side.peak = side.ask("peak")["peak"]
        side.right = side.ask("test")["right"] if digits else None
        side.end()
    peers, ours = sides[::2], sides[1::2]
    found = {"model": task, "batch": args.batch or models.TASKS[task].batch, "steps": steps, "compared": models.TASKS[task].compared,
             "optimizer": models.TASKS[task].learns, "foreach": bool(foreach),
             "difference": difference(peers[0], ours[0]), "agreeing": agreeing(peers[0], ours[0]),
             "same bits": all(side.loss == ours[0].loss for side in ours),
             "torch": peers[0].about, "gradus": ours[0].about, "environment": args.peer_env + (["tuned"] if args.tuned else [])}
    if not args.no_noise:
        count = min(steps, COMPARED)
        others = [run(args, "torch", task, args.threads[0], count, order, *settings["torch"]) for order in ("--reverse", "--plain")]
        double = [run(args, library, task, args.threads[0], max(count // DOUBLE, 1), "--dtype", "float64", *settings[library])
                  for library in ("torch", "gradus")]
        found["double steps"] = len(double[0].loss)
        found["torch beside itself"] = max(difference(peers[0], other) for other in (*peers[1:], *others))
        found["difference in double"] = difference(*double)
        found["from double"] = {side.library: difference(side, double[0]) for side in sides[:2]}
    found["sides"] = [{"library": s.library, "threads": s.threads, "seconds": s.seconds(), "peak": s.peak,
                       "right": s.right, "loss": s.loss, "others": [r["others"] for r in s.rounds]} for s in sides]
    return found


def agree(found):
    """Whether the losses are as near as they can be: within the bound, or not much farther apart than PyTorch is from itself."""
    return found["agreeing"] >= min(found["steps"], found["compared"]) or found["difference"] < 3 * found.get("torch beside itself", 0)


def show(found, table):
    """Rows of the table, and what is to be said of the losses."""
    for peer, ours in zip(found["sides"][::2], found["sides"][1::2]) if table else ():
        rates = [found["batch"] / side["seconds"] for side in (ours, peer)]
        right = f" | {ours['right']:.1f} / {peer['right']:.1f} %" if ours["right"] is not None else " | "
        print(f"| {found['model']} | {ours['threads']} | {rates[0]:,.0f} | {rates[1]:,.0f} | {rates[0] / rates[1]:.2f} "
              f"| {ours['peak']:.0f} / {peer['peak']:.0f} ({ours['peak'] / peer['peak']:.2f}){right} |")
    notes = [f"{found['model']}: {found['steps']} steps of {found['optimizer']} (foreach={found['foreach']})",
             f"largest relative difference {found['difference']:.1e}"]
    if found["agreeing"] < min(found["steps"], COMPARED):
        notes += [f"the first {found['agreeing']} steps within {BOUND:.0e}"]
    if "from double" in found:
        far = found["from double"]
        notes += [f"PyTorch from itself {found['torch beside itself']:.1e}",
                  f"in double precision {found['difference in double']:.1e} over {found['double steps']} steps, "
                  f"from which gradus is {far['gradus']:.1e} and PyTorch {far['torch']:.1e}"]
    if len(found["sides"]) > 2:
        notes += [f"gradus has {'the same' if found['same bits'] else 'OTHER'} bits with other numbers of threads"]
    busy = statistics.median(r for side in found["sides"] for r in side["others"])
    notes += [f"others used {busy:.1f} processors meanwhile"] if busy > 0.1 else []
    found["note"] = "; ".join(notes)
    sys.stdout.flush()


def main():
    args = arguments()
    args.interpreter = find_python(args.python)
    if args.first:
        go_first()
    if importlib.util.find_spec("numpy") is None:                   # models.py needs it here as well
        os.execv(args.interpreter, [args.interpreter, *sys.argv])
    import models
    try:
        for task in args.models:
            models.TASKS[task].data(args.data)
    except models.Missing as error:
        skip(error)
    if not args.check:
        print("| model | threads | gradus samples/s | PyTorch samples/s | ratio | peak MiB gradus / PyTorch | read right |")
        print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    results = []
    for task in args.models:
        results.append(compare(args, task))
        show(results[-1], not args.check)
    print("", *(f["note"] for f in results), sep="\n")
    peer = results[0]["torch"]
    print(f"PyTorch {peer['version']}, {peer['vectors']}, {', '.join(peer['blas'])}; Python {peer['python']}; load {os.getloadavg()[0]:.1f}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1), encoding="utf-8")
    wrong = [f["model"] for f in results if not (agree(f) and f["same bits"])]
    if wrong:
        sys.exit(f"train.py: losses differ: {', '.join(wrong)}")


if __name__ == "__main__":
    try:
        main()
    finally:
        Side.end_all()
