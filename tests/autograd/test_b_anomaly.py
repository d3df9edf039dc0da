"""Anomaly mode: which node made a NaN, and which call recorded it."""
import unittest
import warnings

import gradus as torch
from gradus.autograd import Function
from gradus.autograd.anomaly_mode import is_anomaly_check_nan_enabled, is_anomaly_enabled
from support import Case, leaf, nodes_alive


class MakesNan(Function):
    """The identity; backward makes NaN of its gradient, in one of two inputs."""

    @staticmethod
    def forward(ctx, x, other, fail):
        ctx.fail = fail
        return x + other

    @staticmethod
    def backward(ctx, g):
        bad = g * float("nan")
        return (bad if ctx.fail == 0 else g), (bad if ctx.fail == 1 else g), None


class TestAutograd(Case):
    def test_anomaly_detect_nan(self):
        for fail in (0, 1):
            x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
            out = MakesNan.apply(x, y, fail)
            out.sum().backward()                                           # without the mode it goes through
            self.assertTrue((x if fail == 0 else y).grad.isnan().all())
            x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
            with torch.autograd.detect_anomaly():
                out = MakesNan.apply(x, y, fail)
                with self.refused("MakesNan.*NaN") as caught:
                    out.sum().backward()
            self.assertRegex(str(caught.exception), f"output {fail}")
            self.assertIsInstance(caught.exception, torch._errors.AnomalyError)
        x = leaf([0.0, 4.0])
        with torch.autograd.detect_anomaly():                              # an operation: its arguments are named
            with self.refused(r"SqrtBackward0.*sqrt\(\[2\]\)"):
                ((x * 0).sqrt() * 0).sum().backward()

    def test_nested_anomaly_detect_nan(self):
        # in the gradient of a gradient: the operation whose backward made the node is named as well
        x = leaf([0.0])
        with torch.autograd.detect_anomaly():
            g, = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
            with self.refused("SqrtBackward0.*NaN"):
                (g.sqrt() * 0).sum().backward()
        x = leaf([0.0, 1.0])
        with torch.autograd.detect_anomaly():
            root = x ** 1.5
            g, = torch.autograd.grad(root.sum(), x, create_graph=True)
            with self.refused("NaN") as caught:
                torch.autograd.grad((g * 0).sum(), x)
        self.assertIn("pow", str(caught.exception).lower())

    def test_anomaly_grad_warnings(self):
        # an error of a pass says which call recorded the node, too
        x = leaf([1.0, 2.0])
        with torch.autograd.detect_anomaly():
            y = x.exp()
            y.mul_(2)
            with self.refused(r"exp\(\[2\]\)"):
                y.sum().backward()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with torch.autograd.detect_anomaly():                          # the mode itself has nothing to warn of
                (x * 2).sum().backward()

    def test_anomaly_assign_parent_cleanup(self):
        # what the mode remembers of a graph does not keep it
        before = nodes_alive()

        def run():
            x = leaf([1.0])
            with torch.autograd.detect_anomaly():
                g, = torch.autograd.grad(x.exp().sum(), x, create_graph=True)
                g.backward()
        run()
        self.assertEqual(nodes_alive(), before)

    def test_nested_anomaly_printstack_cleanup(self):
        before = nodes_alive()

        def run():
            x = leaf([0.0])
            with torch.autograd.detect_anomaly():
                g, = torch.autograd.grad((x * x).sum(), x, create_graph=True)
                with self.refused("NaN"):
                    (g.sqrt() * 0).sum().backward()
        run()
        self.assertEqual(nodes_alive(), before)
        self.assertFalse(is_anomaly_enabled())

    def test_anomaly_mode_no_check_nan(self):
        x = leaf([1.0, 2.0])
        with torch.autograd.detect_anomaly(check_nan=False):
            self.assertTrue(is_anomaly_enabled())
            self.assertFalse(is_anomaly_check_nan_enabled())
            MakesNan.apply(x, x * 1, 0).sum().backward()                   # NaN may pass
            self.assertTrue(x.grad.isnan().all())
            y = x.exp()
            y.mul_(2)
            with self.refused(r"exp\(\[2\]\)"):                            # calls are still named
                y.sum().backward()
        self.assertFalse(is_anomaly_enabled())
        torch.autograd.set_detect_anomaly(True)
        self.assertTrue(is_anomaly_enabled() and is_anomaly_check_nan_enabled())
        torch.autograd.set_detect_anomaly(False)
        self.assertFalse(is_anomaly_enabled())
        with torch.autograd.set_detect_anomaly(True):
            self.assertTrue(is_anomaly_enabled())
        self.assertFalse(is_anomaly_enabled())


if __name__ == "__main__":
    unittest.main()
