"""What the Python examples share: the command line, progress with speed and time left, learning curves as SVG, checkpoints, data."""
import argparse
import contextlib
import math
import os
import pathlib
import sys
import time

import data
import gradus as torch
from gradus import safetensors

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST_EPOCHS, MOST_THREADS = 1000000000, 1024
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4b5563")      # apart for colour-blind eyes, as in svg.h


# ---- the command line and the data

def fail(message, status=1):
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    sys.exit(status)


@contextlib.contextmanager
def refusing(what):
    """What is wrong with a file ends the program in one line."""
    try:
        yield
    except Exception as error:                                             # a file from elsewhere can be wrong in any way
        fail(f"{what}: {' '.join(str(error).split())}")


def whole_number(least, most=MOST_EPOCHS):
    """The type of an option: digits and nothing else, as learning.h reads them."""
    def read(text):
        if not (text.isascii() and text.isdigit() and least <= int(text[:40]) <= most):
            raise argparse.ArgumentTypeError(f"{text}: a whole number from {least} to {most} is wanted")
        return int(text)
    return read


def check_output(option, path):
    """Before hours of learning, not after them: the folder of the file to write is there."""
    if not path:
        return
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        fail(f"{option} {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        fail(f"{option} {path}: the folder {folder} can't be written to")
    if os.path.isdir(path):
        fail(f"{option} {path}: that is a folder")


def arguments(description, epochs, with_data=False, more=None):
    """The options that all examples know; more(parser) adds others. Sets the seed and the number of threads."""
    parser = argparse.ArgumentParser(description=description.strip().split("\n\n")[0], allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    if with_data:
        near = [folder / "shared" / "data" for folder in (ROOT.parent, ROOT.parent.parent)]
        found = str(next(filter(pathlib.Path.is_dir, near), "data"))
        parser.add_argument("--data", default=found, help="folder of the data set, or a text file for those that read text (default: %(default)s)")
        parser.add_argument("--download", action="store_true", help="fetch the data set into that folder where it is missing")
    else:
        parser.add_argument("--data", help="not read: no data is needed")
    parser.add_argument("--epochs", type=whole_number(1), default=epochs, help="default: %(default)s")
    parser.add_argument("--stop", type=whole_number(1), metavar="N", help="end after epoch N; --resume goes on")
    parser.add_argument("--seed", type=whole_number(0, (1 << 64) - 1), default=1,
                        help="of the first values and the order of samples, a number of 64 bits (default: %(default)s)")
    parser.add_argument("--threads", type=whole_number(0, MOST_THREADS), default=0,
                        help=f"at most {MOST_THREADS}; default: 0, as many as there are processors")
    parser.add_argument("--save", metavar="FILE", help="write model, optimizer and progress there after each epoch")
    parser.add_argument("--resume", metavar="FILE", help="go on from such a file")
    parser.add_argument("--svg", metavar="FILE", help="draw the learning curves")
    parser.add_argument("--quick", action="store_true", help="a few seconds only: less data, a smaller network")
    if more:
        more(parser)
    found = parser.parse_args()
    if found.data and not with_data:
        print(f"{parser.prog}: --data {found.data} is not read: no data is needed", file=sys.stderr)
    check_output("--save", found.save)
    check_output("--svg", found.svg)
    if found.resume and not os.path.isfile(found.resume):
        fail(f"--resume {found.resume}: there is no such file")
    torch.set_num_threads(found.threads)
    torch.manual_seed(found.seed)
    return found


def end_of(args):
    """The last epoch of this run."""
    return min(args.stop or args.epochs, args.epochs)


def data_file(args, name):
    """The path of a data file. Where it is missing the program ends with a message and status 77, which a test counts as skipped."""
    path = pathlib.Path(args.data, name)
    if args.download and not path.is_file():
        try:
            data.fetch(name, args.data)
        except data.Refused as error:
            fail(error)
    if not path.is_file():
        fail(f"{path} is not there. --download fetches it from where it is published, examples/data.py does so for all; "
             "or name its folder with --data.", 77)
    return path


# ---- progress

def clock(seconds):
    seconds = int(seconds + 0.5)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


class Progress:
    """On a terminal one line that is drawn anew, elsewhere one line per tenth: how far, how fast, how long yet, and a note such as the loss."""

    def __init__(self, what, total, to=sys.stderr):
        self.what, self.total, self.to, self.done = what, max(total, 1), to, 0
        self.terminal, self.start, self.drawn = to.isatty(), time.monotonic(), 0.0

    def step(self, note=""):
        self.done += 1
        now, last = time.monotonic(), self.done >= self.total
        rate = self.done / max(now - self.start, 1e-9)
        time_text = f"took {clock(now - self.start)}" if last else f"left {clock((self.total - self.done) / rate)}"
        speed = f"{rate:.{2 if rate < 10 else 0}f}/s  {time_text}"
        share = self.done / self.total
        if self.terminal and (last or now - self.drawn > 0.06):
            self.drawn = now
            bar = "█" * int(28 * share)
            self.to.write(f"\r\033[K{self.what} {share:4.0%} ▕{bar:<28}▏ {self.done}/{self.total}  {speed}  {note}" + ("\n" if last else ""))
        elif not self.terminal and (last or self.done * 10 // self.total != (self.done - 1) * 10 // self.total):
            self.to.write(f"{self.what} {self.done}/{self.total} ({share:.0%})  {speed}  {note}\n")
        self.to.flush()

    def close(self):
        """For a loop that ends early: what is written next starts on a line of its own."""
        if self.terminal and 0 < self.done < self.total:
            self.to.write("\n")


def expect(args, good, what):
    """With --quick, which tests use: the program fails unless it has learned."""
    if args.quick and not good:
        fail(f"{what} was expected")


# ---- checkpoints, the same files as those of learning.h: a program and its twin can go on from each other's

def _settings(group):
    """The numbers of an optimizer's group under the library's names."""
    plain = {name: value for name, value in group.items() if name not in ("params", "initial_lr", "betas")}
    return {**plain, **dict(zip(("beta1", "beta2"), group.get("betas", ())))}


def save(path, model, done, curves, optimizer=None, rates=None):
    """One file of everything that a run needs to go on as if it had not stopped: the random stream is in it."""
    if not path:
        return
    number = lambda value: torch.tensor(float(value), dtype=torch.float64)                      # noqa: E731
    found = {"random": torch.get_rng_state(), "done": torch.tensor(done)}
    found.update({f"model.{name}": t for name, t in model.state_dict().items()})
    if optimizer:
        state = optimizer.state_dict()
        found.update({f"optimizer.param_groups.{g}.{name}": number(value) for g, group in enumerate(state["param_groups"])
                      for name, value in _settings(group).items()})
        found.update({f"optimizer.state.{i}.{name}": t for i, entries in state["state"].items() for name, t in entries.items()})
    if rates:
        found["rates.last_epoch"] = number(rates.last_epoch)
    found.update({f"curves.{name}": torch.tensor([[float(p[k]) for p in points] for k in (0, 1)], dtype=torch.float64)
                  for name, points in curves.items()})
    with refusing(f"--save {path}"):
        safetensors.save_file(found, path, {"program": pathlib.Path(sys.argv[0]).stem})


def resume(path, model, curves, optimizer=None, rates=None):
    """How far the run came that wrote the file: 0 without a path. The curves go into `curves`."""
    if not path:
        return 0
    with refusing(f"--resume {path}"):
        with safetensors.safe_open(path) as file:
            program, found = (file.metadata() or {}).get("program"), {name: file.get_tensor(name) for name in file.keys()}
        if program is None:
            raise ValueError("none of the examples that train wrote it")
        if program != pathlib.Path(sys.argv[0]).stem:
            raise ValueError(f"{program} wrote it, for a model of its own")
        under = lambda start: {name[len(start):]: t for name, t in found.items() if name.startswith(start)}       # noqa: E731
        for name in ("random", "done", *(["rates.last_epoch"] if rates else []), *(f"curves.{c}" for c in curves)):
            if name not in found:
                raise ValueError(f"there is no {name}")
        model.load_state_dict(under("model."))
        if optimizer:
            _load_optimizer(optimizer, under("optimizer."))
        if rates:
            _load_rates(rates, int(found["rates.last_epoch"].item()))
        for name in curves:
            curves[name] = list(zip(*found[f"curves.{name}"].tolist()))
        torch.set_rng_state(found["random"])
        return found["done"].item()


def _load_optimizer(optimizer, found):
    state = optimizer.state_dict()
    for g, group in enumerate(state["param_groups"]):
        given = {name: found.pop(f"param_groups.{g}.{name}").item() for name in _settings(group)}
        if "betas" in group:
            given["betas"] = (given.pop("beta1"), given.pop("beta2"))
        group.update({name: bool(value) if isinstance(group[name], bool) else value for name, value in given.items()})
    state["state"] = {}
    for name, t in found.items():
        _, number, entry = name.split(".", 2)
        state["state"].setdefault(int(number), {})[entry] = t
    optimizer.load_state_dict(state)


def _load_rates(rates, epoch):
    """All else of a scheduler is what it was made with, or stands in the optimizer."""
    last = [group["lr"] for group in rates.optimizer.param_groups]
    rates.load_state_dict({**rates.state_dict(), "last_epoch": epoch, "_step_count": epoch + 1, "_last_lr": last})


# ---- curves

def _ticks(low, high, count):
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = power * next(n for n in (1, 2, 5, 10) if raw <= n * power * 1.0001)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * k for k in range(first, last + 1)]


def _escaped(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;")


def write_svg(path, title, x_label, y_label, series, logarithmic=False):
    """Lines in one picture. series: {name: [(x, y), …]}; with logarithmic the y axis shows powers of ten."""
    lines = {name: [(x, math.log10(y) if logarithmic else y) for x, y in points if math.isfinite(y) and (y > 0 or not logarithmic)]
             for name, points in series.items()}
    xs, ys = ([p[k] for points in lines.values() for p in points] or [0, 1] for k in (0, 1))
    widen = lambda v: (min(v), max(v)) if max(v) > min(v) else (min(v) - 0.5, max(v) + 0.5)     # noqa: E731
    x_ticks, y_ticks = _ticks(*widen(xs), 6), _ticks(*widen(ys), 5)
    left, top, right, bottom = 74, 74, 656, 342
    at_x = lambda v: left + (v - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (right - left)      # noqa: E731
    at_y = lambda v: bottom - (v - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (bottom - top)    # noqa: E731
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="680" height="400" viewBox="0 0 680 400" font-family="Inter, Helvetica, Arial, '
           'sans-serif" font-size="13" fill="#1f2933">\n<rect width="100%" height="100%" fill="#ffffff"/>',
           f'<text x="{left}" y="30" font-size="17" font-weight="600">{_escaped(title)}</text>']
    for v in y_ticks:
        out.append(f'<line x1="{left}" y1="{at_y(v):.1f}" x2="{right}" y2="{at_y(v):.1f}" stroke="#e4e7eb"/><text x="{left - 9}" '
                   f'y="{at_y(v) + 4.5:.1f}" text-anchor="end" fill="#5f6b7a">{10 ** v if logarithmic else v:.4g}</text>')
    for v in x_ticks:
        out.append(f'<text x="{at_x(v):.1f}" y="{bottom + 20}" text-anchor="middle" fill="#5f6b7a">{v:.6g}</text>')
    out.append(f'<text x="{(left + right) / 2}" y="{bottom + 42}" text-anchor="middle">{_escaped(x_label)}</text><text text-anchor="middle" '
               f'transform="translate(22 {(top + bottom) / 2}) rotate(-90)">{_escaped(y_label)}</text>')
    place = left
    for (name, points), colour in zip(lines.items(), COLOURS):
        path_points = " ".join(f"{at_x(x):.2f},{at_y(y):.2f}" for x, y in points)
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2.2" stroke-linejoin="round" points="{path_points}"/><line x1="{place}" '
                   f'y1="49.5" x2="{place + 22}" y2="49.5" stroke="{colour}" stroke-width="3"/><text x="{place + 30}" y="54">{_escaped(name)}</text>')
        place += 52 + 7.3 * len(name)
    with refusing(path):
        pathlib.Path(path).write_text("\n".join(out) + "\n</svg>\n", encoding="utf-8")
