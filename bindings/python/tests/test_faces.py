"""What programs meet beside the operations: out=, buffers, dir, errors by their classes, the text of modules."""
import gc
import sys
import unittest

import gradus as torch

try:
    import numpy
except ImportError:
    numpy = None
try:
    import torch as pytorch
except ImportError:
    pytorch = None

F, nn = torch.nn.functional, torch.nn


class Outputs(unittest.TestCase):
    """out= takes the result's shape, whatever the operation."""

    def test_it_is_resized(self):
        a, v, i = torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.tensor([1.0, 2.0]), torch.tensor([0, 1])
        calls = {"add": (a, a), "matmul": (a, a), "mv": (a, v), "dot": (v, v), "sum": (a, 0), "cat": ([a, a],), "stack": ([a, a],), "quantile": (a, 0.5, 1),
                 "tensordot": (a, a, 1), "norm": (a, 2, 1), "std": (a, 1), "gather": (a, 0, i[None]), "masked_select": (a, a > 1), "nanquantile": (a, 0.5),
                 "kron": (a, a), "addmm": (a, a, a), "where": (a > 1, a, a), "zeros": ((2, 2),), "arange": (3.0,), "eye": (2,), "index_select": (a, 0, i)}
        for name, args in calls.items():
            wanted = getattr(torch, name)(*args)
            for shape in ((0,), (3,), (2, 2), (5, 4), (2, 1)):
                out = torch.full(shape, 7.0)
                self.assertIs(getattr(torch, name)(*args, out=out), out, name)
                self.assertEqual((out.shape, out.tolist()), (wanted.shape, wanted.tolist()), name)
        out = torch.empty(0, dtype=torch.int64)
        self.assertEqual(torch.nonzero(a > 2, out=out).tolist(), [[1, 0], [1, 1]])
        self.assertEqual(out.shape, (2, 2))
        values, indices = torch.zeros(3), torch.zeros(3, dtype=torch.int64)
        torch.max(a, 0, out=(values, indices))
        self.assertEqual((values.tolist(), indices.tolist(), F.normalize(v, dim=0, out=values) is values), ([3, 5], [1, 1], True))


    def test_what_others_see_is_not_resized(self):
        x = torch.zeros(4)
        with self.assertRaises(RuntimeError):
            torch.add(torch.ones(3), 1, out=x[:2])
        self.assertEqual((torch.add(torch.ones(2), 1, out=x[:2]).tolist(), x.tolist()), ([2, 2], [2, 2, 0, 0]))


class Buffers(unittest.TestCase):
    def test_bytes(self):
        self.assertEqual(bytes(torch.tensor([[1, 2], [3, 4]], dtype=torch.int16).t()), b"\1\0\3\0\2\0\4\0")

    @unittest.skipIf(sys.version_info < (3, 12), "Python has no __buffer__")
    def test_memory(self):
        t = torch.arange(6.0).reshape(2, 3)
        view = memoryview(t)
        view[0, 1] = 9.0
        self.assertEqual((view.shape, view.format, t[0].tolist()), ((2, 3), "f", [0, 9, 2]))
        del t
        gc.collect()
        self.assertEqual(view.tolist(), [[0, 9, 2], [3, 4, 5]])
        self.assertEqual((memoryview(torch.tensor(2)).tolist(), memoryview(torch.zeros(0)).nbytes), (2, 0))
        for refused in (torch.ones(2, requires_grad=True), torch.ones(2, 3).t(), torch.ones(2).bfloat16()):
            with self.assertRaises(BufferError):
                memoryview(refused)


class SmallThings(unittest.TestCase):
    def test_several_ellipses(self):
        x = torch.arange(6).reshape(2, 3)
        self.assertEqual((x[0, ..., ...].tolist(), x[..., ...].shape), ([0, 1, 2], (2, 3)))
        with self.assertRaises(IndexError):
            x[..., ..., 0]

    def test_a_tensor_is_no_list_of_tensors(self):
        x = torch.ones(2, 2)
        for join in (torch.cat, torch.stack, torch.hstack, torch.vstack, torch.concat):
            for args in ((x,), (x, x)):
                with self.assertRaises(TypeError):
                    join(*args)
        self.assertEqual(torch.chain_matmul(x, x, x).tolist(), [[4, 4], [4, 4]])
        self.assertEqual((torch.block_diag(x, x).shape, torch.cat((x, x)).shape), ((4, 4), (4, 2)))

    def test_errors_of_linear_algebra(self):
        self.assertIsNot(torch.linalg.LinAlgError, RuntimeError)
        zeros = torch.zeros(2, 2)
        for call in (lambda: torch.linalg.inv(zeros), lambda: torch.linalg.solve(zeros, torch.ones(2)), lambda: torch.linalg.cholesky(-torch.eye(2))):
            with self.assertRaises(torch.linalg.LinAlgError) as caught:
                call()
            self.assertIsInstance(caught.exception, (RuntimeError, torch.GradusError))
        with self.assertRaises(RuntimeError) as caught:
            torch.linalg.inv(torch.zeros(2, 3))
        self.assertNotIsInstance(caught.exception, torch.linalg.LinAlgError)

    def test_a_list_of_results_of_a_function(self):
        class Both(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return [x * 2, x * 3]

            @staticmethod
            def backward(ctx, a, b):
                return 2 * a + 3 * b
        x = torch.ones(2, requires_grad=True)
        first, second = Both.apply(x)
        (first + second).sum().backward()
        self.assertEqual(x.grad.tolist(), [5, 5])

    def test_what_a_class_has(self):
        self.assertLessEqual({"add", "add_", "view", "backward", "to", "cuda", "unsqueeze_", "where", "var", "shape"}, set(dir(torch.Tensor)))
        self.assertTrue(all(hasattr(torch.Tensor, name) for name in dir(torch.Tensor) if not name.startswith("__")))
        self.assertLessEqual({"Function", "gradcheck", "functional", "graph", "profiler", "detect_anomaly", "grad"}, set(dir(torch.autograd)))
        self.assertTrue(all(hasattr(torch.autograd, name) for name in dir(torch.autograd)))
        self.assertLessEqual({"functional", "init", "utils", "Linear"}, set(dir(nn)))

    @unittest.skipIf(numpy is None, "NumPy is not there")
    def test_functions_of_numpy(self):
        x = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
        a = x.numpy()
        for name in ("max", "min", "std", "var", "sum", "mean", "prod"):
            self.assertAlmostEqual(float(getattr(numpy, name)(x)), float(getattr(numpy, name)(a)), 5, name)
        self.assertEqual(numpy.std(x, axis=0, ddof=1).tolist(), x.std(0).tolist())
        self.assertIs(x.to(numpy.float64).dtype, torch.float64)
        self.assertIs(torch.zeros(1, dtype=numpy.int32).dtype, torch.int32)


def modules(nn, p, q):
    layer = dict(d_model=4, nhead=2, dim_feedforward=8)
    return [nn.ReLU(True), nn.ReLU(), nn.ReLU6(inplace=True), nn.SELU(True), nn.SiLU(True), nn.Mish(True), nn.Hardswish(True), nn.Hardsigmoid(True),
            nn.LeakyReLU(0.2, True), nn.ELU(1.0, True), nn.CELU(1.0), nn.Hardtanh(-1.0, 1.0, inplace=True), nn.Threshold(0.1, 20, True), nn.GELU("tanh"),
            nn.Softshrink(), nn.Hardshrink(), nn.Softplus(), nn.GLU(), nn.AvgPool1d(2), nn.AvgPool2d(2), nn.MaxPool2d((2, 3), 1, 1), nn.CosineSimilarity(),
            nn.PairwiseDistance(), nn.Embedding(3, 2, 0, 1.0), nn.RNNCell(1, 2, nonlinearity="relu"), nn.RNNCell(1, 2), nn.ParameterList([p, q]),
            nn.ParameterList(), nn.ModuleDict({"a": nn.ReLU()}), nn.ModuleList(), nn.TransformerEncoderLayer(**layer), nn.TransformerDecoderLayer(**layer),
            nn.TransformerEncoder(nn.TransformerEncoderLayer(**layer), 2, nn.LayerNorm(4)), nn.Transformer(4, 2, 1, 1, 8)]


class Texts(unittest.TestCase):
    def test_modules(self):
        self.assertEqual([repr(m) for m in modules(nn, nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(1)))[:4]],
                         ["ReLU(inplace=True)", "ReLU()", "ReLU6(inplace=True)", "SELU(inplace=True)"])
        named = nn.ParameterDict({"b": nn.Parameter(torch.ones(2, 3)), "a": nn.Parameter(torch.ones(1))})
        self.assertEqual(repr(named), """ParameterDict(
    (a): Parameter containing: [torch.float32 of size 1]
    (b): Parameter containing: [torch.float32 of size 2x3]
)""")
        self.assertEqual(repr(nn.UpsamplingNearest2d(scale_factor=2)), "UpsamplingNearest2d(scale_factor=2.0, mode='nearest')")

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_modules_as_pytorchs(self):
        pairs = zip(*(modules(t.nn, t.nn.Parameter(t.ones(2, 3)), t.nn.Parameter(t.ones(1, dtype=t.float64))) for t in (pytorch, torch)))
        for theirs, mine in pairs:
            self.assertEqual(repr(mine), repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear"))
            self.assertEqual(list(mine.state_dict()), list(theirs.state_dict()))


if __name__ == "__main__":
    unittest.main()
