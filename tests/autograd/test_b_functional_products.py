"""Products with Jacobians and Hessians: vjp, jvp, vhp, hvp."""
import unittest

import gradus as torch
from gradus.autograd.functional import hvp, jvp, vhp, vjp
from support import Case, double, leaf, ramp

X = [[1.0, 2.0], [3.0, 4.0]]


def rows(x):
    return x.sum(dim=1)


def rows_squared(x):
    return (x * x).sum(dim=1)


def cubes(x):
    return (x ** 3).sum()


def lost(x):
    """Depends on x in no way that is recorded."""
    return x.detach()


def other_leaf(x):
    """Requires grad, because of something else than x."""
    return x.long().double().requires_grad_().clone()


class TestAutogradFunctional(Case):
    def wrong_types(self, function, result=rows):
        x = ramp(2, 2, requires_grad=False)
        v = torch.ones(2, dtype=torch.float64) if function in (vjp,) else torch.ones(2, 2, dtype=torch.float64)
        with self.assertRaises(TypeError):
            function(result, (x, 2.0), v)
        with self.assertRaises(TypeError):
            function(result, "x", v)
        with self.assertRaises(TypeError):
            function(lambda t: (result(t), 2.0), x, v)
        with self.assertRaises(TypeError):
            function(lambda t: None, x, v)
        with self.refused("size|shape"):
            function(result, x, torch.ones(3, dtype=torch.float64))
        with self.refused("length|single|size"):
            function(result, x, (v, v))
        with self.assertRaises(TypeError):
            function(result, x, (v, 2))
        with self.refused("None|single"):
            function(result, x)

    def strict(self, function, v_of):
        """Refuses results that x has no part in; without strict they have derivative 0."""
        for broken in (lost, other_leaf):
            x = ramp(2, 2, requires_grad=False)
            with self.refused("independent|does not require"):
                function(broken, x, v_of(x), strict=True)
            out, product = function(broken, x, v_of(x), strict=False)
            self.same(out, x)
            self.same(product, torch.zeros_like(product))
            self.assertFalse(product.requires_grad)
        x = ramp(2, 2)
        with self.refused("independent"):                                  # a Jacobian that does not depend on x
            function(lambda t: t.clone(), x, v_of(x), create_graph=True, strict=True)
        _, product = function(lambda t: t.clone(), x, v_of(x), create_graph=True, strict=False)
        self.same(product, v_of(x))
        _, product = function(lambda t: t * t, x, v_of(x), create_graph=True, strict=True)
        self.same(product, 2 * x.detach())

    def no_grad(self, function, result, v):
        """Recording inside is the function's own affair; what comes out is recorded only when asked for."""
        x = ramp(2, 2, requires_grad=False)
        with torch.no_grad():
            _, product = function(result, x, v)
            self.assertFalse(torch.is_grad_enabled())
        self.assertIsNone(product.grad_fn)
        self.assertNotEqual(product.abs().sum().item(), 0)
        x.requires_grad_()
        with torch.no_grad():
            _, product = function(result, x, v, create_graph=True)
        self.assertIsNotNone(product.grad_fn)

    # ---- vjp

    def test_vjp_err_check(self):
        self.wrong_types(vjp)

    def test_vjp_err_check_strict(self):
        self.strict(vjp, lambda x: torch.ones(2, 2, dtype=torch.float64))

    def test_vjp_no_grad(self):
        self.no_grad(vjp, rows_squared, torch.ones(2, dtype=torch.float64))

    def test_vjp_output(self):
        x, v = ramp(2, 2, requires_grad=False), double([1.0, 10.0])
        out, product = vjp(rows, x, v)
        self.same(out, [3, 7])
        self.same(product, [[1, 1], [10, 10]])
        self.assertTrue(out.grad_fn is None and product.grad_fn is None)

        def adder(a, b):
            return 2 * a + 3 * b, a * b
        a, b = double([1.0, 2.0]), double([3.0, 4.0])
        out, product = vjp(adder, (a, b), (double([1.0, 1.0]), double([10.0, 100.0])))
        self.assertIsInstance(out, tuple)
        self.assertIsInstance(product, tuple)
        self.same(product[0], [32, 402])
        self.same(product[1], [13, 203])
        self.assertFalse(x.requires_grad or a.requires_grad)               # the caller's tensors stay as they were

    def test_vjp_scalar(self):
        x = double([1.0, 2.0, 3.0])
        out, product = vjp(lambda t: t.sum(), x)                           # one element: v is 1
        self.assertEqual(tuple(out.shape), ())
        self.same(product, [1, 1, 1])
        self.same(vjp(lambda t: t.sum(), x, double(2.0))[1], [2, 2, 2])
        out, product = vjp(lambda t: t.sum().reshape(1), x)
        self.assertEqual(tuple(out.shape), (1,))
        out, product = vjp(lambda t: t.unsqueeze(0).repeat(3, 1).sum(), double([0.5]))
        self.same(product, [3])

    def test_vjp_create_graph(self):
        x, v = ramp(2, 2), leaf([1.0, 10.0])
        out, product = vjp(rows_squared, x, v, create_graph=True)
        self.assertTrue(out.requires_grad and product.requires_grad)
        self.same(product, [[2, 4], [60, 80]])                             # 2 v x
        product.sum().backward()
        self.same(x.grad, [[2, 2], [20, 20]])
        self.same(v.grad, [6, 14])
        inner, = torch.autograd.grad(vjp(rows_squared, x, v, create_graph=True)[0].sum(), x)
        self.same(inner, 2 * x.detach())

    # ---- jvp

    def test_jvp_err_check(self):
        self.wrong_types(jvp)

    def test_jvp_err_check_strict(self):
        self.strict(jvp, lambda x: torch.ones(2, 2, dtype=torch.float64))

    def test_jvp_no_grad(self):
        self.no_grad(jvp, rows_squared, torch.ones(2, 2, dtype=torch.float64))

    def test_jvp_output(self):
        x, v = ramp(2, 2, requires_grad=False), double([[1.0, 10.0], [100.0, 1000.0]])
        out, product = jvp(rows_squared, x, v)
        self.same(out, [5, 25])
        self.same(product, [2 + 40, 600 + 8000])
        self.assertTrue(out.grad_fn is None and product.grad_fn is None)

        def adder(a, b):
            return 2 * a + 3 * b, a * b
        a, b = double([1.0, 2.0]), double([3.0, 4.0])
        out, product = jvp(adder, (a, b), (double([1.0, 1.0]), double([10.0, 100.0])))
        self.same(product[0], [32, 302])
        self.same(product[1], [13, 204])

    def test_jvp_scalar(self):
        x, v = double([1.0, 2.0, 3.0]), double([1.0, 10.0, 100.0])
        out, product = jvp(lambda t: t.sum(), x, v)
        self.assertEqual((tuple(out.shape), tuple(product.shape)), ((), ()))
        self.same(product, 111)
        out, product = jvp(lambda t: t.repeat(3) * double([1.0, 2.0, 3.0]), double([2.0]))   # one number in: v is 1
        self.same(product, [1, 2, 3])

    def test_jvp_create_graph(self):
        x, v = ramp(2, 2), leaf(X)
        out, product = jvp(rows_squared, x, v, create_graph=True)
        self.same(product, [10, 50])
        self.assertTrue(out.requires_grad and product.requires_grad)
        product.sum().backward()
        self.same(x.grad, [[2, 4], [6, 8]])                                # d (2 x v) / dx
        self.same(v.grad, [[2, 4], [6, 8]])

    # ---- vhp and hvp: the Hessian is symmetric, so they are alike in everything

    def hessian_errors(self, function):
        self.wrong_types(function, cubes)
        with self.refused("single"):
            function(rows, ramp(2, 2), torch.ones(2, 2, dtype=torch.float64))
        with self.refused("single|one"):
            function(lambda t: (cubes(t), cubes(t)), ramp(2, 2), torch.ones(2, 2, dtype=torch.float64))

    def hessian_strict(self, function):
        x, v = ramp(2, 2, requires_grad=False), torch.ones(2, 2, dtype=torch.float64)
        for broken in (lambda t: t.detach().sum(), lambda t: t.long().double().requires_grad_().sum(), lambda t: (3 * t).sum()):
            with self.refused("independent|does not require"):
                function(broken, x, v, strict=True)
            _, product = function(broken, x, v, strict=False)
            self.same(product, [[0, 0], [0, 0]])

    def hessian_output(self, function):
        x, v = ramp(2, 2, requires_grad=False), double([[1.0, 10.0], [100.0, 1000.0]])
        out, product = function(cubes, x, v)
        self.same(out, 100)
        self.same(product, [[6, 120], [1800, 24000]])
        self.assertTrue(out.grad_fn is None and product.grad_fn is None)
        a, b = double([1.0, 2.0]), double([3.0, 4.0])
        out, product = function(lambda s, t: (s * t * t).sum(), (a, b), (double([1.0, 0.0]), double([0.0, 1.0])))
        self.same(product[0], [0, 8])                                      # 2 b of the mixed block
        self.same(product[1], [6, 4])

    def hessian_scalar(self, function):
        x, v = double([1.0, 2.0]), double([1.0, 10.0])
        self.same(function(cubes, x, v)[1], [6, 120])
        self.same(function(lambda t: (t ** 3).sum().reshape(1), x, v)[1], [6, 120])
        out, product = function(lambda t: (t ** 3).sum(), double([2.0]))   # one number: v is 1
        self.same(product, [12])
        bad = double([1.0, 2.0, 3.0])
        with self.refused("size"):
            function(cubes, x, bad)

    def hessian_create_graph(self, function):
        x, v = ramp(2, 2), leaf(X)
        out, product = function(cubes, x, v, create_graph=True)
        self.assertTrue(out.requires_grad and product.requires_grad)
        self.same(product, [[6, 24], [54, 96]])                            # 6 x v
        product.sum().backward()
        self.same(x.grad, [[6, 12], [18, 24]])
        self.same(v.grad, [[6, 12], [18, 24]])

    def test_vhp_err_check(self):
        self.hessian_errors(vhp)

    def test_vhp_err_check_strict(self):
        self.hessian_strict(vhp)

    def test_vhp_no_grad(self):
        self.no_grad(vhp, cubes, torch.ones(2, 2, dtype=torch.float64))

    def test_vhp_output(self):
        self.hessian_output(vhp)

    def test_vhp_scalar(self):
        self.hessian_scalar(vhp)

    def test_vhp_create_graph(self):
        self.hessian_create_graph(vhp)

    def test_hvp_err_check(self):
        self.hessian_errors(hvp)

    def test_hvp_err_check_strict(self):
        self.hessian_strict(hvp)

    def test_hvp_no_grad(self):
        self.no_grad(hvp, cubes, torch.ones(2, 2, dtype=torch.float64))

    def test_hvp_output(self):
        self.hessian_output(hvp)

    def test_hvp_scalar(self):
        self.hessian_scalar(hvp)

    def test_hvp_create_graph(self):
        self.hessian_create_graph(hvp)


if __name__ == "__main__":
    unittest.main()
