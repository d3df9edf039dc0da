"""Less memory for more time: the same network with and without checkpoints.

    PYTHONPATH=bindings/python python3 examples/checkpoint.py

Prints what each graph keeps between forward and backward, how often a layer ran until the gradients were there, and whose gradients
they are: those of the plain network, to the last bit where the same operations ran.
"""
import json

import gradus as torch
from gradus.autograd import graph
from gradus.utils.checkpoint import checkpoint, checkpoint_loop, checkpoint_sequential, create_selective_checkpoint_contexts

DEPTH, WIDTH, ROWS = 32, 64, 256


class Layers:
    def __init__(self):
        self.weights = [(torch.randn(WIDTH, WIDTH) / WIDTH ** 0.5).requires_grad_() for _ in range(DEPTH)]
        self.runs = 0

    def layer(self, i, x):
        self.runs += 1
        return torch.nn.functional.gelu(x @ self.weights[i]) + x

    def each(self):
        return [lambda x, i=i: self.layer(i, x) for i in range(DEPTH)]


def plain(net, x):
    for f in net.each():
        x = f(x)
    return x


def every_layer(net, x):
    for f in net.each():
        x = checkpoint(f, x)
    return x


def products_kept(net, x):
    for f in net.each():
        x = checkpoint(f, x, context_fn=lambda: create_selective_checkpoint_contexts([torch.matmul]))
    return x


def eight_segments(net, x):
    return checkpoint_sequential(net.each(), 8, x)


def loop(net, x):
    return checkpoint_loop(net.layer, DEPTH, x)


def main():
    torch.manual_seed(1)
    net, x = Layers(), torch.randn(ROWS, WIDTH)
    wanted = None
    print(f"{DEPTH} layers of {WIDTH} for {ROWS} rows; a layer's result has {4 * ROWS * WIDTH} bytes\n")
    print(f"{'':16}  {'bytes kept':>12}  {'layers run':>10}  gradients")
    for way in (plain, every_layer, products_kept, eight_segments, loop):
        net.runs = 0
        out = (way(net, x) ** 2).mean()
        kept = json.loads(graph.graph_json(out))["saved_bytes"]
        found = torch.autograd.grad(out, net.weights)
        wanted = wanted or found
        same = all(torch.equal(a, b) for a, b in zip(found, wanted))
        close = all(torch.allclose(a, b, rtol=1e-4, atol=1e-7) for a, b in zip(found, wanted))
        print(f"{way.__name__:16}  {kept:12}  {net.runs:10}  {'the same bits' if same else 'close' if close else 'others!'}")
        assert close
    print("\nWhat the plain graph and that with kept products keep, by operation:\n")
    for way in (plain, products_kept):
        print(graph.saved_table(way(net, x)))


if __name__ == "__main__":
    main()
