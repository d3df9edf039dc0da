"""Whole Jacobians and Hessians: jacobian, hessian."""
import unittest
import warnings

import gradus as torch
from gradus.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from support import Case, double, leaf, ramp


def cubes(x):
    return (x ** 3).sum()


def diagonal(*numbers):
    return torch.diag(double(list(numbers)))


class TestAutogradFunctional(Case):
    # ---- jacobian

    def test_jacobian_err_check(self):
        x = ramp(2, 2, requires_grad=False)
        with self.assertRaises(TypeError):
            jacobian(lambda a: 3 * a, (x, 2.0))
        with self.assertRaises(TypeError):
            jacobian(lambda a: 3 * a, "x")
        with self.assertRaises(TypeError):
            jacobian(lambda a: (3 * a, 2.0), x)
        with self.assertRaises(TypeError):
            jacobian(lambda a: "nothing", x)
        self.same(jacobian(lambda a: 3 * a, double([1.0, 2.0])), [[3, 0], [0, 3]])
        found = jacobian(lambda a, b: (3 * a, b * b), (double([1.0]), double([2.0, 5.0])))   # of several: outputs, then inputs
        self.same(found[0][0], [[3]])
        self.same(found[0][1], [[0, 0]])
        self.same(found[1][0], [[0], [0]])
        self.same(found[1][1], [[4, 0], [0, 10]])

    def check_strict(self, **options):
        x = double([1.0, 2.0])
        for broken in (lambda t: t.detach(), lambda t: t.long().double().requires_grad_().clone()):
            with self.refused("independent|does not require"):
                jacobian(broken, x, strict=True, **options)
            self.same(jacobian(broken, x, strict=False, **options), [[0, 0], [0, 0]])
        y = leaf([1.0, 2.0])
        with self.refused("independent"):
            jacobian(lambda t: t.clone(), y, create_graph=True, strict=True, **options)
        self.same(jacobian(lambda t: t.clone(), y, create_graph=True, strict=False, **options), [[1, 0], [0, 1]])

    def test_jacobian_err_check_strict(self):
        self.check_strict()

    def test_jacobian_err_check_strict_vectorize(self):
        self.check_strict(vectorize=True)                                  # the two go together here

    def test_jacobian_no_grad(self):
        x = double([1.0, 2.0])
        with torch.no_grad():
            found = jacobian(lambda t: t.exp(), x)
            self.assertFalse(torch.is_grad_enabled())
        self.assertIsNone(found.grad_fn)
        self.close(found, diagonal(*x.exp().tolist()))
        with torch.no_grad():
            found = jacobian(lambda t: t.exp(), x.requires_grad_(), create_graph=True)
        self.assertIsNotNone(found.grad_fn)

    def check_output(self, vectorize):
        x = ramp(2, 3, requires_grad=False)
        found = jacobian(lambda t: (t * t).sum(dim=1), x, vectorize=vectorize)
        self.assertEqual(tuple(found.shape), (2, 2, 3))
        self.same(found, [[[2, 4, 6], [0, 0, 0]], [[0, 0, 0], [8, 10, 12]]])
        self.assertIsNone(found.grad_fn)
        self.assertFalse(x.requires_grad)
        self.same(jacobian(lambda t: t, double([1.0, 2.0]), vectorize=vectorize), [[1, 0], [0, 1]])
        a, b = double([1.0, 2.0]), double([3.0, 4.0])
        found = jacobian(lambda s, t: s * t.sum(), (a, b), vectorize=vectorize)
        self.assertEqual((len(found), tuple(found[0].shape)), (2, (2, 2)))
        self.same(found[0], [[7, 0], [0, 7]])
        self.same(found[1], [[1, 1], [2, 2]])

    def test_jacobian_output(self):
        self.check_output(False)

    def test_jacobian_vectorize_correctness_simple(self):
        self.check_output(True)

    def test_jacobian_scalar(self):
        x = double([1.0, 2.0, 3.0])
        self.same(jacobian(lambda t: t.sum(), x), [1, 1, 1])               # no dimension of the output's
        self.same(jacobian(lambda t: (t * t).sum().reshape(1), x), [[2, 4, 6]])
        self.same(jacobian(lambda t: t.unsqueeze(0).expand(3) * x, double(2.0)), [1, 2, 3])

    def test_jacobian_create_graph(self):
        x = leaf([1.0, 2.0])
        found = jacobian(lambda t: t ** 3, x, create_graph=True)
        self.assertTrue(found.requires_grad)
        self.same(found, [[3, 0], [0, 12]])
        found.sum().backward()
        self.same(x.grad, [6, 12])
        a, b = leaf([1.0]), leaf([2.0])
        both = jacobian(lambda s, t: s * t * t, (a, b), create_graph=True)
        self.same(both[0], [[4]])
        self.same(both[1], [[4]])
        self.same(torch.autograd.grad(both[1].sum(), b)[0], [2])
        again = jacobian(lambda t: jacobian(lambda s: s ** 3, t, create_graph=True), leaf([2.0]), create_graph=True)
        self.same(again, [[[12]]])

    def test_jacobian_vectorize_raises_no_warnings(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = jacobian(lambda t: t ** 3, double([1.0, 2.0]), vectorize=True)
        self.same(found, [[3, 0], [0, 12]])

    def test_jacobian_vectorize_correctness_multi_input(self):
        a, b = double([[1.0, 2.0], [3.0, 4.0]]), double([5.0, 6.0])
        found = jacobian(lambda m, v: (m * v).cos(), (a, b), vectorize=True)
        self.assertEqual([tuple(t.shape) for t in found], [(2, 2, 2, 2), (2, 2, 2)])
        slope = -(a * b).sin()
        for i in range(2):
            for j in range(2):
                self.close(found[0][i, j].sum(), (slope[i, j] * b[j]))
                self.close(found[0][i, j, i, j], slope[i, j] * b[j])
                self.close(found[1][i, j, j], slope[i, j] * a[i, j])

    def test_jacobian_vectorize_correctness_multi_input_multi_output(self):
        x, y, z = double([1.0, 2.0]), double([3.0, 4.0]), double([5.0])
        found = jacobian(lambda a, b, c: (a * b, a + c, b.sum()), (x, y, z), vectorize=True)
        self.assertEqual([len(row) for row in found], [3, 3, 3])
        self.same(found[0][0], [[3, 0], [0, 4]])
        self.same(found[0][1], [[1, 0], [0, 2]])
        self.same(found[0][2], [[0], [0]])
        self.same(found[1][0], [[1, 0], [0, 1]])
        self.same(found[1][2], [[1], [1]])
        self.same(found[2][0], [0, 0])
        self.same(found[2][1], [1, 1])
        self.same(found[2][2], [0])

    def test_jacobian_vectorize_correctness_unrelated_outputs(self):
        x, y = double([1.0, 2.0]), double([3.0])
        found = jacobian(lambda a, b: (a, b, b.exp()), (x, y), vectorize=True)
        self.same(found[0][1], [[0], [0]])
        self.same(found[1][0], [[0, 0]])
        self.close(found[2][1], y.exp().reshape(1, 1))

    def test_jacobian_vectorize_correctness_zero_dim(self):
        x = double(2.0)
        self.same(jacobian(lambda t: t * t, x, vectorize=True), 4)
        self.same(jacobian(lambda t: t.expand(3) * t, x, vectorize=True), [4, 4, 4])
        self.same(jacobian(lambda t: t.sum(), double([1.0, 2.0]), vectorize=True), [1, 1])
        found = jacobian(lambda a, b: (a * b, a), (x, double([5.0])), vectorize=True)
        self.same(found[0][0], [5])
        self.same(found[1][1], [0])

    def test_jacobian_vectorize_correctness_different_dtype(self):
        x, y = torch.tensor([1.0, 2.0], dtype=torch.float32), double([3.0, 4.0])
        found = jacobian(lambda a, b: (a.double() * b, b.float()), (x, y), vectorize=True)
        self.assertEqual([t.dtype for row in found for t in row], [torch.float32, torch.float64] * 2)
        self.same(found[0][0], [[3, 0], [0, 4]])
        self.same(found[1][1], [[1, 0], [0, 1]])

    def test_jacobian_match_vjp_jvp(self):
        x, v = double([1.0, 2.0, 3.0]), double([1.0, 10.0, 100.0])

        def function(t):
            return t ** 2 * t.sum()
        whole = jacobian(function, x)
        self.close(vjp(function, x, v)[1], v @ whole)
        self.close(jvp(function, x, v)[1], whole @ v)

    # ---- hessian

    def test_hessian_err_check(self):
        x = ramp(2, 2, requires_grad=False)
        with self.assertRaises(TypeError):
            hessian(cubes, (x, 2.0))
        with self.assertRaises(TypeError):
            hessian(cubes, "x")
        with self.assertRaises(TypeError):
            hessian(lambda t: 2.0, x)
        with self.refused("single"):
            hessian(lambda t: t ** 3, x)
        with self.refused("single"):
            hessian(lambda t: (cubes(t), cubes(t)), x)
        self.same(hessian(cubes, double([1.0, 2.0])), [[6, 0], [0, 12]])

    def check_hessian_strict(self, **options):
        x = double([1.0, 2.0])
        for broken in (lambda t: t.detach().sum(), lambda t: t.long().double().requires_grad_().sum(), lambda t: (3 * t).sum()):
            with self.refused("independent|does not require"):
                hessian(broken, x, strict=True, **options)
            self.same(hessian(broken, x, strict=False, **options), [[0, 0], [0, 0]])

    def test_hessian_err_check_strict(self):
        self.check_hessian_strict()

    def test_hessian_err_check_strict_vectorize(self):
        self.check_hessian_strict(vectorize=True)

    def test_hessian_no_grad(self):
        x = double([1.0, 2.0])
        with torch.no_grad():
            found = hessian(cubes, x)
        self.assertIsNone(found.grad_fn)
        self.same(found, [[6, 0], [0, 12]])
        with torch.no_grad():
            found = hessian(cubes, x.requires_grad_(), create_graph=True)
        self.assertIsNotNone(found.grad_fn)

    def check_hessian_output(self, vectorize):
        x = ramp(2, 2, requires_grad=False)
        found = hessian(lambda t: (t * t).sum() ** 2 / 4, x, vectorize=vectorize)
        self.assertEqual(tuple(found.shape), (2, 2, 2, 2))
        flat = x.reshape(4)
        self.close(found.reshape(4, 4), 2 * torch.outer(flat, flat) + diagonal(30, 30, 30, 30))
        self.assertIsNone(found.grad_fn)
        self.assertFalse(x.requires_grad)

    def test_hessian_output(self):
        self.check_hessian_output(False)

    def test_hessian_vectorize_correctness_simple(self):
        self.check_hessian_output(True)

    def check_hessian_blocks(self, vectorize):
        a, b = double([1.0, 2.0]), double([3.0])
        found = hessian(lambda s, t: (s ** 2).sum() * t.sum() ** 2, (a, b), vectorize=vectorize)
        self.same(found[0][0], [[18, 0], [0, 18]])
        self.same(found[0][1], [[12], [24]])
        self.same(found[1][0], [[12, 24]])
        self.same(found[1][1], [[10]])

    def test_hessian_vectorize_correctness_multi_input(self):
        self.check_hessian_blocks(True)
        self.check_hessian_blocks(False)

    def test_hessian_vectorize_correctness_unrelated_outputs(self):
        a, b = double([1.0, 2.0]), double([3.0])
        found = hessian(lambda s, t: (s ** 2).sum(), (a, b), vectorize=True)   # t has no part
        self.same(found[0][0], [[2, 0], [0, 2]])
        self.same(found[0][1], [[0], [0]])
        self.same(found[1][0], [[0, 0]])
        self.same(found[1][1], [[0]])
        found = hessian(lambda s, t: (s + t).sum(), (a, b), vectorize=True)    # nothing has a second derivative
        self.same(found[0][0], [[0, 0], [0, 0]])

    def test_hessian_vectorize_raises_no_warnings(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = hessian(cubes, double([1.0, 2.0]), vectorize=True)
        self.same(found, [[6, 0], [0, 12]])

    def test_hessian_scalar(self):
        self.same(hessian(cubes, double([2.0])), [[12]])
        self.same(hessian(lambda t: (t ** 3).sum().reshape(1), double([2.0])), [[12]])
        self.same(hessian(lambda t: t ** 3, double(2.0)), 12)

    def test_hessian_create_graph(self):
        x = leaf([1.0, 2.0])
        found = hessian(cubes, x, create_graph=True)
        self.assertTrue(found.requires_grad)
        self.same(found, [[6, 0], [0, 12]])
        (found * double([[1, 0], [0, 10]])).sum().backward()
        self.same(x.grad, [6, 60])

    def test_hessian_match_vhp_hvp(self):
        x, v = double([1.0, 2.0, 3.0]), double([1.0, 10.0, 100.0])

        def function(t):
            return (t ** 2).sum() * t.prod()
        whole = hessian(function, x)
        self.close(vhp(function, x, v)[1], v @ whole)
        self.close(hvp(function, x, v)[1], whole @ v)


if __name__ == "__main__":
    unittest.main()
