"""gradcheck, testing, and the end of a process that leaves everything open."""
import os
import subprocess
import sys
import unittest

import gradus as torch
from gradus.autograd import gradcheck, gradgradcheck
from gradus.testing import assert_close

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__)))
OPEN = """
import gradus as torch
from gradus.autograd import graph
x = torch.ones(3, requires_grad=True)
x.register_hook(lambda g: g)
y = (x * x).sum()
graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()
z = x.exp()
node, capsule, old = z.grad_fn, torch.ones(2).__dlpack__(max_version=(1, 0)), torch.ones(2).__dlpack__()
taken, buffer = torch.from_dlpack(torch.ones(2).__dlpack__()), torch.as_tensor(bytearray(8))
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g * 2
w = Double.apply(x)
import threading
threading.Thread(target=lambda: threading.Event().wait(60), daemon=True).start()
"""


FUNCTIONS = hasattr(torch._library.lib, "gradus_function_apply")


class Gradcheck(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        self.x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        self.y = (torch.rand(2, dtype=torch.float64) + 1).requires_grad_()

    def test_right_gradients(self):
        self.assertTrue(gradcheck(lambda a, b: a * b.log(), (self.x, self.y)))
        self.assertTrue(gradgradcheck(lambda a, b: a * a * b.log(), (self.x, self.y)))
        self.assertTrue(gradcheck(lambda a: a.sort(0), self.x))
        self.assertTrue(gradcheck(torch.exp, self.x.detach().t().requires_grad_()))
        self.assertTrue(gradcheck(lambda a: a.round().detach(), self.x))

    @unittest.skipUnless(FUNCTIONS, "the library has no functions of the host")
    def test_wrong_gradients(self):
        class Bad(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                return g * 3 * ctx.saved_tensors[0]
        self.assertFalse(gradcheck(Bad.apply, self.x, raise_exception=False))
        with self.assertRaises(RuntimeError):
            gradcheck(Bad.apply, self.x)
        self.assertFalse(gradcheck(lambda a: (a * 2).detach(), self.x, raise_exception=False))
        with self.assertRaises(ValueError):
            gradcheck(torch.sin, self.x.detach())


class AssertClose(unittest.TestCase):
    def test_close(self):
        assert_close(torch.ones(2), torch.ones(2) + 1e-7)
        assert_close([1, 2.5], [1, 2.5])
        assert_close({"a": torch.tensor([True])}, {"a": torch.tensor([True])})
        assert_close(torch.tensor(float("nan")), torch.tensor(float("nan")), equal_nan=True)

    def test_not_close(self):
        one = torch.ones(2)
        for other in (one + 1e-3, torch.ones(1), one.double(), torch.tensor([1, float("nan")])):
            with self.assertRaises(AssertionError):
                assert_close(one, other)
        with self.assertRaises(AssertionError):
            assert_close([one], [one, one])
        with self.assertRaises(ValueError):
            assert_close(one, one, rtol=1)


class Exit(unittest.TestCase):
    def test_an_end_with_everything_open(self):
        code = OPEN if FUNCTIONS else OPEN.replace("w = Double.apply(x)", "")
        out = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ROOT, "GRADUS_LIBRARY": torch._library.path},
                             capture_output=True, text=True, timeout=60)
        self.assertEqual((out.returncode, out.stdout, out.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
