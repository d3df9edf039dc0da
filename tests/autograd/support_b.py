"""What the tests in test_b_*.py share: exact comparisons, leaves of float64, and the library's live counts."""
import gc
import unittest

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


class Case(unittest.TestCase):
    """Values are compared as nested lists: exactly, or to a relative tolerance where functions round."""

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
