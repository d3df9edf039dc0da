"""What the tests share: exact comparisons, leaves of float64, and the library's live counts."""
import gc
import unittest
import warnings

import gradus as torch


def leaf(data, requires_grad=True, dtype=None):
    """A float64 leaf; data is a number or nested lists."""
    return torch.tensor(data, dtype=dtype or torch.float64, requires_grad=requires_grad)


def double(data):
    return leaf(data, requires_grad=False)


def ramp(*shape, start=1, requires_grad=True):
    """A float64 leaf of the numbers start, start+1, ... in row-major order."""
    count = 1
    for size in shape:
        count *= size
    return leaf(torch.arange(start, start + count, dtype=torch.float64).reshape(shape).tolist(), requires_grad)


def nodes_alive():
    gc.collect()
    return torch.live_counts()["graph_nodes"]


class Identity(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return g


class Plus(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        return a + b

    @staticmethod
    def backward(ctx, g):
        return g, g


class Case(unittest.TestCase):
    """Values are compared as nested lists: exactly, or to a relative tolerance where functions round. Warnings are silent but where a test asks."""

    def run(self, result=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().run(result)

    def setUp(self):
        self.addCleanup(self._check_nothing_is_left, nodes_alive())

    def _check_nothing_is_left(self, before):
        self.assertEqual(nodes_alive() - before, 0, "nodes of the graph that are left behind")

    def forget(self, *leaves):
        """At the end clears what create_graph=True has left: gradients that hold the graph, which holds the leaves that hold them."""
        for t in leaves:
            self.addCleanup(setattr, t, "grad", None)

    def same(self, actual, expected):
        actual = actual.tolist() if isinstance(actual, torch.Tensor) else actual
        expected = expected.tolist() if isinstance(expected, torch.Tensor) else expected
        self.assertEqual(actual, expected)

    def close(self, actual, expected, tolerance=1e-12):
        expected = expected if isinstance(expected, torch.Tensor) else double(expected)
        self.assertEqual(tuple(actual.shape), tuple(expected.shape))
        self.assertTrue(torch.allclose(actual.detach().double(), expected.detach().double(), rtol=tolerance, atol=tolerance), f"{actual} is not {expected}")

    def refused(self, words="", kind=RuntimeError):
        return self.assertRaisesRegex(kind, words)
