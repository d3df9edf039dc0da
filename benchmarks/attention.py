#!/usr/bin/env python3
"""One step (forward and backward) of attention: the library's, the same by products and softmax, and PyTorch's where it is installed, in turn, on one thread.

    python3 benchmarks/attention.py [--rounds N] [--length L ...] [--only TEXT]

Prints the medians of the thread's own time in milliseconds, and how many times longer the others take. Set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1.
"""
import argparse
import math
import statistics
import time

BATCH, HEADS, WIDTH = 2, 8, 64


def cases(T, length):
    """By name: the arguments of scaled_dot_product_attention behind query, key and value, and the leading sizes of key and value."""
    all_heads, order = (BATCH, HEADS), T.arange(length)
    near = (order.unsqueeze(1) - order).abs() < length // 2
    return {
        "plain": ({}, all_heads),
        "causal": ({"is_causal": True}, all_heads),
        "boolean mask": ({"attn_mask": near}, all_heads),
        "padding": ({"attn_mask": (order < length - 10).view(1, 1, 1, length)}, all_heads),
        "number mask": ({"attn_mask": -(order.unsqueeze(1) - order).abs().to(T.float32)}, all_heads),
        "groups of 4": ({"enable_gqa": True}, (BATCH, HEADS // 4)),
        "shared keys": ({}, (1, HEADS)),
    }


def by_hand(T, q, k, v, attn_mask=None, is_causal=False, enable_gqa=False):
    if enable_gqa:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
    if is_causal:
        attn_mask = T.ones(q.shape[-2], k.shape[-2], dtype=T.bool).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(attn_mask.logical_not(), -math.inf) if attn_mask.dtype == T.bool else scores + attn_mask
    return scores.softmax(-1) @ v


def by_library(T, q, k, v, **options):
    F = T.nn.functional
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, **options)
    if options.pop("enable_gqa", False):                      # before PyTorch 2.0 it has another name, and does less
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    return F._scaled_dot_product_attention(q, k.expand(*q.shape[:2], *k.shape[2:]), v.expand(*q.shape[:2], *v.shape[2:]), **options)[0]


def step(T, attend, length, name):
    options, lead = cases(T, length)[name]
    T.manual_seed(0)
    x = [T.randn(*sizes, length, WIDTH).requires_grad_() for sizes in ((BATCH, HEADS), lead, lead)]
    g = T.ones(BATCH, HEADS, length, WIDTH)

    def run():
        start = time.thread_time()
        T.autograd.grad(attend(T, *x, **options), x, g)
        return time.thread_time() - start
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--length", type=int, nargs="*", default=[128, 1024])
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    import gradus
    modules = {"gradus": gradus}
    try:
        import torch
        modules["torch"] = torch
    except ImportError:
        pass
    for module in modules.values():
        module.set_num_threads(1)
    ways = [(f"{name}{label}", module, way) for name, module in modules.items() for label, way in (("", by_library), (" by hand", by_hand))]
    print(f"{'ms':22}" + "".join(f"{label:>16}" for label, *_ in ways))
    for length in options.length:
        for name in cases(gradus, length):
            if options.only not in name:
                continue
            runs = [step(module, way, length, name) for _, module, way in ways]
            times = [[run() for run in runs] for _ in range(options.rounds + 1)][1:]
            found = [statistics.median(t) * 1e3 for t in zip(*times)]
            print(f"{name + ', ' + str(length):22}" + "".join(f"{t:9.2f}" + (f" ({t / found[0]:4.2f})" if i else " " * 7) for i, t in enumerate(found)), flush=True)


if __name__ == "__main__":
    main()
