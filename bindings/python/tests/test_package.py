"""The package itself: names, errors, printing, types, every operation of the registry, nn and linalg helpers."""
import gc
import os
import subprocess
import sys
import threading
import unittest

import gradus as torch

F = torch.nn.functional
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__)))


class Names(unittest.TestCase):
    def test_every_operation_has_a_function(self):
        names = torch._ops.registry.records
        self.assertGreater(len(names), 500)
        for name in names:
            self.assertTrue(callable(getattr(torch, name)), name)
        self.assertLessEqual({"add", "relu", "nn", "Tensor", "float32"}, set(dir(torch)))
        self.assertLessEqual({"add_", "shape", "backward"}, set(dir(torch.ones(1))))

    def test_aliases_of_the_registry(self):
        self.assertEqual(torch.arcsin(torch.ones(1)).item(), torch.asin(torch.ones(1)).item())
        self.assertEqual(torch.ones(2).subtract_(1).tolist(), [0, 0])
        self.assertEqual(torch.ones(2).multiply(3).tolist(), [3, 3])
        self.assertEqual(torch.special.gammaln(torch.tensor(3.0)).item(), torch.lgamma(torch.tensor(3.0)).item())

    def test_unknown_names(self):
        for where in (torch, torch.nn, torch.nn.functional, torch.linalg, torch.special, torch.autograd, torch.ones(1)):
            with self.assertRaises(AttributeError):
                where.no_such_name
        with self.assertRaises(AttributeError):
            torch.ones(1).zeros

    def test_functions_tell_what_they_are(self):
        self.assertEqual(torch.sum.__name__, "sum")
        self.assertIn("sum(Tensor self", torch.sum.__doc__)

    def test_import_reads_nothing_but_what_it_needs(self):
        code = "import sys, gradus; print([m for m in ('numpy', 'torch', 'unittest', 'asyncio') if m in sys.modules])"
        out = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True, check=True)
        self.assertEqual(out.stdout.strip(), "[]")

    def test_a_missing_library_is_an_import_error(self):
        out = subprocess.run([sys.executable, "-c", "import gradus"], capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": ROOT, "GRADUS_LIBRARY": "/nowhere/libgradus.so.1"})
        self.assertIn("ImportError: gradus: the library was not found", out.stderr)


class Errors(unittest.TestCase):
    def test_kinds(self):
        x = torch.ones(2, 3)
        for call, kind, name in ((lambda: x + torch.ones(4), ValueError, "ShapeError"), (lambda: x.mean(5), IndexError, "IndexOutOfRange"),
                                 (lambda: torch.tensor([1]).mean(), TypeError, "DtypeError"),
                                 (lambda: torch.tensor([1]) // torch.tensor([0]), ValueError, "ArgumentError")):
            with self.assertRaises(kind) as caught:
                call()
            self.assertIsInstance(caught.exception, RuntimeError)
            self.assertIsInstance(caught.exception, torch.GradusError)
            self.assertEqual(type(caught.exception).__name__, name)
            self.assertTrue(caught.exception.status and caught.exception.origin)

    def test_messages_name_the_forms(self):
        with self.assertRaisesRegex(TypeError, r"(?s)max\(\).*Tensor, str.*max_dim\(Tensor self, int dim"):
            torch.max(torch.ones(1), "a")
        with self.assertRaisesRegex(TypeError, "sum"):
            torch.ones(1).sum(nothing=1)
        with self.assertRaises(TypeError):
            torch.exp(1.5)
        with self.assertRaises(TypeError):
            torch.ones(2) @ 2
        with self.assertRaises(TypeError):
            torch.zeros(2, sizes=3)

    def test_too_much_memory(self):
        with self.assertRaises(MemoryError):
            torch.empty(1 << 50)
        with self.assertRaises(ValueError):
            torch.empty(1 << 62, 1 << 62)

    def test_status_table(self):
        make = torch._errors.make
        self.assertIsInstance(make(0x0600, "", ""), KeyboardInterrupt)
        self.assertIsInstance(make(0x0777, "", ""), OSError)                # an unknown detail of a known category
        self.assertIsInstance(make(0x0401, "", ""), NotImplementedError)
        self.assertIsInstance(make(0x9900, "", ""), torch.GradusError)


class Types(unittest.TestCase):
    def tearDown(self):
        torch.set_default_dtype(torch.float32)

    def test_default_type(self):
        torch.set_default_dtype(torch.float64)
        self.assertIs(torch.get_default_dtype(), torch.float64)
        for made in (torch.ones(1), torch.tensor(1.5), torch.rand(1), torch.linspace(0, 1, 2), torch.eye(1), torch.arange(0.5), torch.full((1,), 0.5),
                     torch.tensor([1]) / 3, torch.tensor([1]) * 0.1, torch.tensor([1]).sin(), torch.where(torch.tensor([True]), 1.5, 0.5)):
            self.assertIs(made.dtype, torch.float64)
        self.assertEqual((torch.tensor([1]) / 3).item(), 1 / 3)
        self.assertEqual((torch.tensor([1]) * 0.1).item(), 0.1)
        self.assertIs((torch.tensor([1]) + 1).dtype, torch.int64)
        self.assertIs((torch.ones(1, dtype=torch.float32) * 2.5).dtype, torch.float32)
        with self.assertRaises(TypeError):
            torch.set_default_dtype(torch.int64)

    def test_names_and_facts(self):
        self.assertEqual(str(torch.bfloat16), "torch.bfloat16")
        self.assertIs(torch.double, torch.float64)
        self.assertTrue(torch.half.is_floating_point and not torch.long.is_floating_point)
        self.assertEqual((torch.finfo(torch.bfloat16).eps, torch.iinfo(torch.uint8).max, torch.iinfo(torch.int64).min), (2.0 ** -7, 255, -2 ** 63))
        self.assertIs(torch.zeros(1, dtype=int).dtype, torch.int64)
        self.assertIs(torch.zeros(1, dtype=float).dtype, torch.float64)
        with self.assertRaises(TypeError):
            torch.zeros(1, dtype="nothing")

    def test_devices(self):
        self.assertEqual(torch.ones(1).device, torch.device("cpu"))
        with self.assertRaises(RuntimeError):
            torch.ones(1).to("cuda")


class Values(unittest.TestCase):
    def test_in_place_views(self):
        x = torch.ones(2, 3, requires_grad=True)
        y = x * 2
        self.assertIs(y.t_(), y)
        y.unsqueeze_(0)
        self.assertEqual(y.shape, (1, 3, 2))
        (y * y).sum().backward()
        self.assertEqual(x.grad.tolist(), [[8] * 3] * 2)
        with self.assertRaises(RuntimeError):
            x.t_()

    def test_out(self):
        x, out = torch.tensor([1.0, 2.0]), torch.zeros(2)
        self.assertIs(torch.mul(x, 3, out=out), out)
        self.assertEqual(out.tolist(), [3, 6])
        values, indices = torch.zeros(0), torch.zeros(0, dtype=torch.int64)
        torch.max(torch.eye(2), 0, out=(values, indices))
        self.assertEqual((values.tolist(), indices.tolist()), ([1, 1], [0, 1]))
        with self.assertRaises(RuntimeError):
            torch.mul(x.requires_grad_(), 3, out=out)

    def test_parameters_and_clipping(self):
        p = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        self.assertTrue(p.requires_grad and p.is_leaf and isinstance(p, torch.Tensor))
        (p * p / 2).sum().backward()
        self.assertAlmostEqual(torch.nn.utils.clip_grad_norm_([p], 1.0).item(), 5.0)
        self.assertAlmostEqual(p.grad.norm().item(), 1.0, places=5)
        torch.nn.utils.clip_grad_value_(p, 0.1)
        self.assertLessEqual(p.grad.max().item(), 0.1 + 1e-8)

    def test_linalg_helpers(self):
        a = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
        self.assertEqual([torch.linalg.matrix_norm(a, o).item() for o in (1, -1, float("inf"), -float("inf"))], [6, 4, 7, 3])
        self.assertTrue(torch.allclose(torch.linalg.matrix_power(a, 5), a @ a @ a @ a @ a))
        self.assertEqual(torch.linalg.matrix_norm(torch.stack([a, a]), 1, keepdim=True).shape, (2, 1, 1))
        self.assertEqual(torch.linalg.norm(a), torch.linalg.matrix_norm(a, "fro"))
        try:
            torch.linalg.inv(a)
        except NotImplementedError:                            # no LAPACK
            return
        self.assertTrue(torch.allclose(torch.linalg.norm(a, "nuc"), torch.linalg.svdvals(a).sum()))
        self.assertTrue(torch.allclose(torch.linalg.solve(a, a), torch.eye(2), atol=1e-6))
        self.assertEqual(torch.linalg.slogdet(a).sign, 1)
        with self.assertRaises(torch.linalg.LinAlgError):
            torch.linalg.inv(torch.zeros(2, 2))

    def test_training(self):
        torch.manual_seed(0)
        x = torch.randn(64, 3)
        y = x @ torch.tensor([1.0, -2.0, 0.5]) + 0.3
        w, b = torch.zeros(3, requires_grad=True), torch.zeros((), requires_grad=True)
        for _ in range(200):
            loss = F.mse_loss(x @ w + b, y)
            loss.backward()
            with torch.no_grad():
                for p in (w, b):
                    p -= 0.1 * p.grad
                    p.grad = None
        self.assertLess(loss.item(), 1e-8)

    def test_nothing_is_left(self):
        gc.collect()
        before = torch.live_counts()

        def work():
            x = torch.ones(3, requires_grad=True)
            y = (x * x).sum()
            y.register_hook(lambda g: None)
            y.backward(create_graph=True)
            x.grad = None
        for _ in range(3):
            t = threading.Thread(target=work)
            t.start()
            t.join()
        gc.collect()
        after = torch.live_counts()
        for name in ("contexts", "tensors", "graph_nodes", "callbacks"):
            self.assertEqual(after[name], before[name], name)


if __name__ == "__main__":
    unittest.main()
