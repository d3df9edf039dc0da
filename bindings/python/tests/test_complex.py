"""Complex tensors as Python sees them: literals, parts, numbers, NumPy."""
import pickle
import unittest

import gradus as torch

try:
    import numpy
except ImportError:
    numpy = None


class Complex(unittest.TestCase):
    def test_literals(self):
        t = torch.tensor([1 + 2j, 3])
        self.assertIs(t.dtype, torch.complex64)
        self.assertTrue(t.is_complex() and torch.is_complex(t) and not t.is_floating_point())
        self.assertEqual(t.tolist(), [1 + 2j, 3 + 0j])
        self.assertEqual(t[0].item(), 1 + 2j)
        self.assertIs(torch.tensor([0.1j], dtype=torch.complex128).dtype, torch.complex128)
        self.assertEqual(torch.full((2,), 1j).tolist(), [1j, 1j])
        self.assertEqual(repr(t), "tensor([1.+2.j, 3.+0.j])")
        with self.assertRaises(RuntimeError):
            torch.tensor(1j, dtype=torch.float32)

    def test_numbers_are_as_precise_as_the_tensor(self):
        for kind, result in ((torch.float32, torch.complex64), (torch.float64, torch.complex128), (torch.int64, torch.complex64),
                             (torch.complex64, torch.complex64), (torch.complex128, torch.complex128)):
            for t in (torch.ones(2, dtype=kind), torch.ones((), dtype=kind)):
                self.assertIs((t * 0.1j).dtype, result)
                self.assertIs((2j - t).dtype, result)
        self.assertEqual((torch.ones(1, dtype=torch.complex128) * 0.1j).item(), 0.1j)
        self.assertEqual((2 ** torch.tensor([2j], dtype=torch.complex128)).item(), 2 ** 2j)

    def test_numbers_as_arguments(self):
        z = torch.tensor([1 + 1j, 2], dtype=torch.complex128)
        self.assertEqual(torch.full_like(z, 1j).tolist(), [1j, 1j])
        self.assertEqual(z.new_full((1,), 0.1j).tolist(), [0.1j])
        self.assertEqual(torch.add(z, z, alpha=2j).tolist(), [-1 + 3j, 2 + 4j])
        self.assertEqual(torch.addcmul(z, z, z, value=1j).tolist(), [-1 + 1j, 2 + 4j])
        self.assertEqual(z.clone().fill_(3j).tolist(), [3j, 3j])
        self.assertEqual(torch.constant_pad_nd(z, (1, 0), 5j).tolist(), [5j, 1 + 1j, 2])
        self.assertEqual(torch.linspace(0, 2j, 3, dtype=torch.complex128).tolist(), [0, 1j, 2j])
        self.assertEqual(torch.nn.functional.conv1d(z.reshape(1, 1, 2), z.reshape(1, 1, 2)).tolist(), [[[4 + 2j]]])
        self.assertEqual(z.var().dtype, torch.float64)
        with self.assertRaisesRegex(RuntimeError, "complex number, for float32"):
            torch.full_like(torch.ones(2), 1j)

    def test_parts(self):
        t = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex128)
        self.assertEqual((t.real.tolist(), t.imag.tolist()), ([1, 3], [2, -4]))
        self.assertEqual(t.conj().tolist(), [1 - 2j, 3 + 4j])
        self.assertEqual(t.abs()[1].item(), 5)
        self.assertEqual(torch.view_as_real(t).tolist(), [[1, 2], [3, -4]])
        self.assertAlmostEqual(t.angle()[0].item(), 1.1071487177940904)
        t.imag = torch.zeros(2, dtype=torch.float64)
        t.real.add_(1)
        self.assertEqual(t.tolist(), [2, 4])
        t[0] = 5j
        self.assertEqual(t.tolist(), [5j, 4])
        self.assertEqual(torch.ones(2).conj().tolist(), [1, 1])
        with self.assertRaises(RuntimeError):
            torch.ones(2).imag

    def test_gradients(self):
        z = torch.tensor([3.0 + 4.0j], requires_grad=True)
        (z.real ** 2 + z.imag ** 2).sum().backward()
        self.assertEqual(z.grad.tolist(), [6 + 8j])
        z.grad = None
        z.abs().sum().backward()
        self.assertAlmostEqual(abs(z.grad.item() - (0.6 + 0.8j)), 0, places=6)
        with self.assertRaises(RuntimeError):
            (z * z).sum().backward()

    def test_matrices(self):
        a = torch.tensor([[1 + 1j, 2], [3, 4j]], dtype=torch.complex128)
        self.assertEqual((a @ a).tolist(), [[6 + 2j, 2 + 10j], [3 + 15j, -10]])
        self.assertEqual(a.mH.tolist(), [[1 - 1j, 3], [2, -4j]])
        self.assertEqual(torch.vdot(a[0], a[0]).item(), 6)

    def test_linear_algebra(self):
        a = torch.tensor([[2 + 1j, 1], [3, 4j]], dtype=torch.complex128, requires_grad=True)
        self.assertTrue(torch.allclose(a @ torch.linalg.inv(a), torch.eye(2, dtype=torch.complex128)))
        values, vectors = torch.linalg.eig(a)
        self.assertTrue(torch.allclose(a @ vectors, vectors * values))
        self.assertIs(torch.linalg.norm(a, 2).dtype, torch.float64)
        self.assertIs(torch.linalg.eigvals(torch.eye(2)).dtype, torch.complex64)
        torch.linalg.det(a).real.backward()
        self.assertEqual([[round(z.real, 9) + round(z.imag, 9) * 1j for z in row] for row in a.grad.tolist()], [[-4j, -3], [-1, 2 - 1j]])
        with self.assertRaisesRegex(RuntimeError, "factors of size 1"):
            (torch.linalg.eig(a)[1] * (3 + 1j)).real.sum().backward()

    def test_order_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "lt: does not support complex64"):
            torch.tensor([1j]) < 1

    def test_pickle(self):
        t = torch.tensor([1 + 2j])
        self.assertEqual(pickle.loads(pickle.dumps(t)).tolist(), t.tolist())

    @unittest.skipIf(numpy is None, "no numpy")
    def test_numpy(self):
        for kind in ("complex64", "complex128"):
            a = numpy.array([1 + 2j, 3], kind)
            t = torch.from_numpy(a)
            self.assertEqual(str(t.dtype), "torch." + kind)
            t.mul_(2)
            self.assertEqual(a.tolist(), [2 + 4j, 6])
            self.assertEqual(t.numpy().dtype, a.dtype)
            self.assertEqual(torch.tensor(a).tolist(), a.tolist())
            self.assertEqual(numpy.from_dlpack(t).tolist(), a.tolist())

    def test_parts_are_never_lost_silently(self):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        with self.assertRaises(RuntimeError):
            torch.autograd.grad(x * x, [x], torch.tensor([1j, 1j]))
        for value, out in ((torch.tensor([3 + 4j]), torch.zeros(1)), (torch.ones(1), torch.zeros(1, dtype=torch.int64))):
            with self.assertRaisesRegex(RuntimeError, "result type torch.* can't be cast to the desired output type"):
                torch.mul(value, 2.5, out=out)
            self.assertEqual(out.tolist(), [0])


if __name__ == "__main__":
    unittest.main()
