"""autograd.Function: derivatives written in Python."""
import gc
import unittest

import gradus as torch
from gradus.autograd.function import Function, once_differentiable


def leaf(*numbers):
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


def setUpModule():
    if not hasattr(torch._library.lib, "gradus_function_apply"):
        raise unittest.SkipTest("the library has no functions of the host")


class Cube(Function):
    @staticmethod
    def forward(ctx, x, scale=1.0):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x ** 3 * scale

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        return grad * 3 * x ** 2 * ctx.scale, None


class Apply(unittest.TestCase):
    def test_gradients_of_any_order(self):
        x = leaf(2, 3)
        y = Cube.apply(x, 2.0)
        self.assertEqual(y.tolist(), [16, 54])
        first, = torch.autograd.grad(y.sum(), x, create_graph=True)
        second, = torch.autograd.grad(first.sum(), x, create_graph=True)
        third, = torch.autograd.grad(second.sum(), x)
        self.assertEqual([g.tolist() for g in (first, second, third)], [[24, 54], [24, 36], [12, 12]])

    def test_node_and_context(self):
        y = Cube.apply(leaf(2))
        self.assertEqual(y.grad_fn.name(), "CubeBackward")
        self.assertEqual((y.grad_fn.scale, y.grad_fn.saved_tensors[0].tolist()), (1.0, [2]))
        self.assertEqual(y.grad_fn.needs_input_grad, (True,))
        y.sum().backward()
        with self.assertRaises(RuntimeError):
            y.grad_fn.saved_tensors
        with self.assertRaises(RuntimeError):
            y.sum().backward()

    def test_nothing_is_recorded_without_need(self):
        self.assertFalse(Cube.apply(torch.ones(1)).requires_grad)
        with torch.no_grad():
            self.assertFalse(Cube.apply(leaf(1)).requires_grad)

    def test_forward_runs_without_recording(self):
        seen = []

        class Look(Function):
            @staticmethod
            def forward(ctx, x):
                seen.append((torch.is_grad_enabled(), (x * 2).requires_grad, ctx.needs_input_grad))
                return x * 2

            @staticmethod
            def backward(ctx, g):
                seen.append(torch.is_grad_enabled())
                return g * 2
        x = leaf(1)
        Look.apply(x).sum().backward()
        torch.autograd.grad(Look.apply(x).sum(), x, create_graph=True)
        self.assertEqual(seen, [(False, False, (True,)), False, (False, False, (True,)), True])

    def test_several_results_and_arguments(self):
        class Both(Function):
            @staticmethod
            def forward(ctx, x, n, y, word):
                ctx.n = n
                return x * n, y + n, "note"

            @staticmethod
            def backward(ctx, a, b, none):
                assert none is None
                return a * ctx.n, None, b, None
        x, y = leaf(1), leaf(2)
        a, b, note = Both.apply(x, 5, y, "w")
        self.assertEqual((a.tolist(), b.tolist(), note), ([5], [7], "note"))
        (a * 2 + b).sum().backward()
        self.assertEqual((x.grad.tolist(), y.grad.tolist()), ([10], [1]))

    def test_setup_context(self):
        class Square(Function):
            @staticmethod
            def forward(x):
                return x * x

            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(inputs[0], output)

            @staticmethod
            def backward(ctx, g):
                return g * 2 * ctx.saved_tensors[0]
        x = leaf(3)
        Square.apply(x).sum().backward()
        self.assertEqual(x.grad.tolist(), [6])

    def test_saved_results_and_none(self):
        class Exp(Function):
            @staticmethod
            def forward(ctx, x):
                y = x.exp()
                ctx.save_for_backward(None, y)
                return y

            @staticmethod
            def backward(ctx, g):
                nothing, y = ctx.saved_tensors
                assert nothing is None
                return g * y
        x = leaf(0, 1)
        y = Exp.apply(x)
        first, = torch.autograd.grad(y.sum(), x, create_graph=True)
        second, = torch.autograd.grad(first.sum(), x)
        self.assertEqual(first.tolist(), y.tolist())
        self.assertEqual(second.tolist(), y.tolist())


class Marks(unittest.TestCase):
    def test_dirty(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x

            @staticmethod
            def backward(ctx, g):
                return g * 2
        x = leaf(1, 2)
        y = x * 3
        z = Double.apply(y)
        self.assertIs(z, y)
        self.assertEqual(y.tolist(), [6, 12])
        y.sum().backward()
        self.assertEqual(x.grad.tolist(), [6, 6])
        with self.assertRaises(RuntimeError):
            Double.apply(x)

    def test_a_returned_input_is_another_tensor(self):
        class Same(Function):
            @staticmethod
            def forward(ctx, x):
                return x

            @staticmethod
            def backward(ctx, g):
                return g * 10
        x = leaf(1)
        y = Same.apply(x)
        self.assertIsNot(y, x)
        self.assertTrue(x.is_leaf and not y.is_leaf)
        y.sum().backward()
        self.assertEqual(x.grad.tolist(), [10])

    def test_non_differentiable(self):
        class Sort(Function):
            @staticmethod
            def forward(ctx, x):
                values, indices = x.sort()
                copy = values * 1
                ctx.mark_non_differentiable(indices, copy)
                ctx.save_for_backward(indices)
                return values, indices, copy

            @staticmethod
            def backward(ctx, g, none, zero):
                return torch.zeros_like(g).scatter(0, ctx.saved_tensors[0], g)
        x = leaf(3, 1, 2)
        values, indices, copy = Sort.apply(x)
        self.assertEqual((values.requires_grad, indices.requires_grad, copy.requires_grad), (True, False, False))
        (values * torch.tensor([1.0, 2, 3], dtype=torch.float64)).sum().backward()
        self.assertEqual(x.grad.tolist(), [3, 1, 2])

    def test_materialized_gradients(self):
        seen = []

        def make(on):
            class Two(Function):
                @staticmethod
                def forward(ctx, x):
                    ctx.set_materialize_grads(on)
                    return x * 1, x * 2

                @staticmethod
                def backward(ctx, a, b):
                    seen.append(None if b is None else b.tolist())
                    return a
            return Two
        x = leaf(1, 2)
        make(True).apply(x)[0].sum().backward()
        make(False).apply(x)[0].sum().backward()
        self.assertEqual(seen, [[0, 0], None])

    def test_once_differentiable(self):
        class Once(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            @once_differentiable
            def backward(ctx, g):
                assert not torch.is_grad_enabled()
                return g * 2 * ctx.saved_tensors[0]
        x = leaf(3)
        g, = torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
        self.assertEqual(g.tolist(), [6])
        with self.assertRaises(RuntimeError):
            torch.autograd.grad(g.sum(), x)


class Faults(unittest.TestCase):
    def made(self, back, forward=lambda ctx, x, *rest: x * 2):
        return type("Made", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(back)})

    def test_wrong_gradients(self):
        one = torch.ones(2, dtype=torch.float64)
        for back, args in ((lambda ctx, g: (g, g), ()), (lambda ctx, g: g, (1,)), (lambda ctx, g: (g, g), (1,)), (lambda ctx, g: "a", ()),
                           (lambda ctx, g: torch.ones(3, dtype=torch.float64), ())):
            x = leaf(1, 2)
            with self.assertRaises((RuntimeError, TypeError)):
                self.made(back).apply(x, *args).sum().backward()
            self.assertIsNone(x.grad)
        x = leaf(1, 2)
        self.made(lambda ctx, g: (g, None, None)).apply(x).backward(one)
        self.assertEqual(x.grad.tolist(), [1, 1])
        self.made(lambda ctx, g: None).apply(x).backward(one)
        self.assertEqual(x.grad.tolist(), [1, 1])

    def test_exceptions_keep_their_identity(self):
        error = LookupError("mine")

        def fail(ctx, *args):
            raise error
        for function in (self.made(fail), self.made(fail, fail)):
            with self.assertRaises(LookupError) as caught:
                function.apply(leaf(1)).sum().backward()
            self.assertIs(caught.exception, error)

    def test_misuse(self):
        with self.assertWarns(DeprecationWarning):
            Cube()
        with self.assertRaises(NotImplementedError):
            Function.apply(leaf(1))
        with self.assertRaises(NotImplementedError):
            type("Half", (Function,), {"forward": staticmethod(lambda ctx, x: x * 1)}).apply(leaf(1)).sum().backward()
        with self.assertRaises(TypeError):
            self.made(None, lambda ctx, x: 3).apply(leaf(1))
        with self.assertRaises(TypeError):
            self.made(None, lambda ctx, x: ctx.save_for_backward(1)).apply(leaf(1))

    def test_a_saved_value_that_changed_is_refused(self):
        x = leaf(1, 2)
        y = x * 1
        z = Cube.apply(y)
        y.add_(1)
        with self.assertRaises(RuntimeError):
            z.sum().backward()

    def test_nothing_stays(self):
        gc.collect()
        before = torch.live_counts()
        for _ in range(3):
            x = leaf(1, 2)
            Cube.apply(x).sum().backward()
            y = Cube.apply(x)
            Cube.apply(torch.ones(2))
        del x, y
        gc.collect()
        after = torch.live_counts()
        self.assertEqual([after[k] for k in ("tensors", "graph_nodes", "callbacks")], [before[k] for k in ("tensors", "graph_nodes", "callbacks")])
        self.assertEqual(torch.autograd.function._applied, {})


if __name__ == "__main__":
    unittest.main()
