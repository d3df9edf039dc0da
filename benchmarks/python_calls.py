#!/usr/bin/env python3
"""What one call from Python costs: gradus and, where it is installed, PyTorch, round by round in turn, on tensors so small that only the call counts.

    python3 benchmarks/python_calls.py [--rounds N] [--calls N] [--only TEXT] [--limit US]

Prints the medians in microseconds and their ratio. With --limit it names the calls above it and exits with 1.
"""
import argparse
import statistics
import subprocess
import sys
import time
import timeit

SETUP = """
T.set_num_threads(1)
F = T.nn.functional
a, b = T.tensor([[1.0, 2.0], [3.0, 4.0]]), T.tensor([[5.0, 6.0], [7.0, 8.0]])
v, s, i, m = T.tensor([1.0, 2.0]), T.tensor(1.5), T.tensor([0, 1]), T.tensor([[True, False], [False, True]])
w, bias = T.tensor([[0.5, 1.0], [1.5, 2.0]], requires_grad=True), T.tensor([0.1, 0.2], requires_grad=True)
p, d = T.tensor([1.0, 2.0], requires_grad=True), a.double()
(p * p).sum().backward()
pair, rows, float64 = [a, b], [1.0, 2.0, 3.0], T.float64
"""
CALLS = """
a + b | a * 2.0 | a * 2 | 2.0 - a | -a | a ** 2 | a > 0 | a / b | a @ b
a.add_(1.0) | T.add(a, b) | a.sin() | T.exp(a) | a.clamp(0.0, 1.0) | T.where(m, a, b)
a.sum() | a.sum(1) | a.sum(dim=1, keepdim=True) | a.mean((0, 1)) | a.max(1) | a.argmax(1) | a.std() | a.cumsum(0)
a.view(4) | a.reshape(4, 1) | a.permute(1, 0) | a.transpose(0, 1) | a.t() | a.T | a.unsqueeze(0) | a.flatten() | a.expand(3, 2, 2) | a.contiguous()
a[0] | a[1:] | a[:, 1] | a[0, 1] | a[..., 0] | a[None] | a[i] | a[m] | a[0] = 1.0 | a[:, 1] = v | a[i] = b
a.to(float64) | a.double() | d.float() | a.clone() | a.detach() | a.to("cpu")
T.cat([a, b]) | T.stack(pair, dim=1) | a.split(1) | a.chunk(2, 1) | T.matmul(a, b) | F.linear(a, w, bias) | F.relu(a) | F.softmax(a, dim=1)
F.cross_entropy(a, i) | F.mse_loss(a, b) | F.layer_norm(a, (2,)) | F.dropout(a, 0.5)
s.item() | float(s) | v.tolist() | T.tensor(1.0) | T.tensor(rows) | T.zeros(2, 3) | T.ones((2, 3)) | T.zeros_like(a) | T.arange(4) | T.randn(2, 2)
a.shape | a.size(0) | a.dim() | a.numel() | a.dtype | len(a) | a.is_contiguous() | p.grad | p.requires_grad | v.requires_grad_(False) | p.is_leaf
(p * p).sum().backward() | T.autograd.grad((p * p).sum(), p)
with T.no_grad(): pass
"""


def calls():
    return [call.strip() for line in CALLS.strip().splitlines() for call in line.split(" | ")]


def modules():
    import gradus
    found = {"gradus": gradus}
    try:
        import torch
        found["torch"] = torch
    except ImportError:
        pass
    return found


def measure(call, spaces, rounds, count):
    """Medians over the rounds, in microseconds."""
    timers = {name: timeit.Timer(call, timer=time.thread_time, globals=space) for name, space in spaces.items()}
    times = {name: [] for name in timers}
    for timer in timers.values():
        timer.timeit(20)
    for _ in range(rounds):
        for name, timer in timers.items():
            times[name].append(timer.timeit(count) / count * 1e6)
    return {name: statistics.median(t) for name, t in times.items()}


def replayed(rounds, count):
    """100 additions in one crossing, per addition."""
    import gradus
    if not hasattr(gradus, "replay"):
        return None

    def chain(x, y):
        for _ in range(100):
            x = x + y
        return x
    x, y = gradus.ones(2), gradus.ones(2)
    again = gradus.replay(chain, x, y)
    return statistics.median(timeit.Timer(lambda: again(x, y)).timeit(count // 100 + 1) / (count // 100 + 1) * 1e4 for _ in range(rounds))


def import_time(name, rounds):
    """Milliseconds of the processor."""
    code = f"import time; start = time.process_time(); import {name}; print((time.process_time() - start) * 1e3)"
    def run():
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    return statistics.median(run() for _ in range(rounds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()
    spaces = {}
    for name, module in modules().items():
        spaces[name] = {"T": module}
        exec(SETUP, spaces[name])
    slow = []
    print(f"{'microseconds':32}" + "".join(f"{name:>9}" for name in spaces) + ("    ratio" if len(spaces) > 1 else ""))
    for call in calls():
        if options.only not in call:
            continue
        found = measure(call, spaces, options.rounds, options.calls)
        ours, theirs = found["gradus"], found.get("torch")
        print(f"{call:32}" + "".join(f"{t:9.2f}" for t in found.values()) + (f"{ours / theirs:9.2f}" if theirs else ""))
        if options.limit and ours > options.limit:
            slow.append(call)
    if not options.only:
        per_call = replayed(options.rounds, options.calls)
        if per_call is not None:
            print(f"{'a + b, replayed':32}{per_call:9.2f}")
        print(f"{'import, ms':32}" + "".join(f"{import_time(name, 3):9.0f}" for name in spaces))
    if slow:
        print(f"above {options.limit} us: " + ", ".join(slow))
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
