"""autograd.Function: setup_context; results without gradient, written inputs, results that are inputs, leaves or duplicates; misuse of its context."""
import gc
import unittest
import weakref

import gradus as torch
from gradus.autograd import Function
from support import Case, Identity, double, leaf, nodes_alive, ramp


class TestAutograd(Case):
    def test_mark_non_differentiable(self):
        class Positive(Function):
            @staticmethod
            def forward(ctx, x):
                output = x > 0
                ctx.mark_non_differentiable(output)
                return output

            @staticmethod
            def backward(ctx, g):
                return (g * 0).double()

        x = leaf([-1.0, 2.0])
        mask = Positive.apply(x)
        self.assertFalse(mask.requires_grad)
        self.assertIsNone(mask.grad_fn)
        y = x.masked_fill(mask, 0)
        y.sum().backward()
        self.same(x.grad, [1, 0])

    def test_mark_non_differentiable_mixed(self):
        class Mixed(Function):
            @staticmethod
            def forward(ctx, x):
                a, b = x + 1, x + 2
                ctx.mark_non_differentiable(a)
                return a, b

            @staticmethod
            def backward(ctx, grad_a, grad_b):
                outer.same(grad_a, [0, 0])
                outer.same(grad_b, [1, 1])
                return grad_b

        outer = self
        x = ramp(2)
        a, b = Mixed.apply(x)
        self.assertFalse(a.requires_grad)
        self.assertTrue(b.requires_grad)
        b.sum().backward()
        self.same(x.grad, [1, 1])

    def test_mark_non_differentiable_none(self):
        class MyFunction(Function):                                        # None for something that has no gradient behind it
            @staticmethod
            def forward(ctx, x):
                x = x.clone()
                out = x > 0
                ctx.mark_non_differentiable(out)
                return out

            @staticmethod
            def backward(ctx, g):
                return None

        x = ramp(5, 5)
        r = MyFunction.apply(x * x)
        (r * x).sum().backward()
        self.same(x.grad, torch.ones(5, 5))

    def test_return_duplicate(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                output = x * 2
                return output, output

            @staticmethod
            def backward(ctx, first, second):
                return first * 2 + second * 2

        x = ramp(3)
        a, b = Double.apply(x)
        self.assertEqual(a.data_ptr(), b.data_ptr())
        got, = torch.autograd.grad((a + b).sum(), x)
        self.same(got, [4, 4, 4])

    def test_return_duplicate_inplace(self):
        class DoubleInplace(Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x, x

            @staticmethod
            def backward(ctx, first, second):
                return first * 2 + second * 2

        x = ramp(3)
        a, b = DoubleInplace.apply(x.clone())
        self.same(a, [2, 4, 6])
        got, = torch.autograd.grad((a + b).sum(), x)
        self.same(got, [4, 4, 4])
        with self.refused("leaf"):
            DoubleInplace.apply(x)                                         # a leaf that requires grad is not written
        with self.refused("view"):
            DoubleInplace.apply(x.clone()[:2])                             # a view would need a history for each of them

    def test_naughty_autograd_function_attribute_access(self):
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Identity()                                                     # an instance is of no use
        self.assertEqual(len(caught), 1)
        self.assertFalse(hasattr(Identity, "not_there"))
        with self.assertRaises(AttributeError):
            ramp(2).exp().grad_fn.not_there

    def test_naughty_anomaly_access(self):
        x = ramp(2)
        y = x.exp()
        y.grad_fn.metadata["note"] = [1]                                   # the node has it, not the Python object that was asked
        gc.collect()
        self.assertEqual(y.grad_fn.metadata, {"note": [1]})
        self.assertEqual(x.exp().grad_fn.metadata, {})
        metadata = y.grad_fn.metadata
        y.sum().backward()
        self.assertEqual(y.grad_fn.metadata, {"note": [1]})
        del y
        gc.collect()
        self.assertEqual(metadata, {"note": [1]})                          # and outlives it, if somebody holds it

    def test_a_node_is_called(self):
        x, w = ramp(2), leaf([3.0, 4.0])
        y, g = x * w, torch.tensor([10.0, 1.0], dtype=torch.float64)
        of_x, of_w = y.grad_fn(g)
        self.same(of_x, [30, 4])
        self.same(torch.autograd.grad(of_x.sum(), w)[0], [10, 1])          # it is recorded
        with torch.no_grad():
            self.assertFalse(y.grad_fn(g)[0].requires_grad)
        self.same(x.exp().grad_fn(g), g * x.exp())                         # one input: no tuple
        self.assertEqual(y.grad_fn.next_functions[1][0](g), ())            # a leaf's adds
        self.same(w.grad, [10, 1])
        for wrong in ((), (g, g), (1.0,)):
            self.assertRaises(TypeError, y.grad_fn, *wrong)
        self.assertRaises(RuntimeError, y.grad_fn, torch.ones(3))
        y.sum().backward()
        self.assertRaisesRegex(RuntimeError, "MulBackward0", y.grad_fn, g)

    def test_naughty_autograd_function_stashing_ctx(self):
        stashed = []

        class Id(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                stashed.append(ctx)
                return x * 1

            @staticmethod
            def backward(ctx, g):
                return ctx.saved_tensors[0]

        p = ramp(3)
        loss = Id.apply(p).sum()
        loss.backward(retain_graph=True)
        self.same(stashed[0].saved_tensors[0], p)                          # kept: it may still be asked
        loss.backward()
        with self.refused("freed"):
            stashed[0].saved_tensors
        del loss
        gc.collect()
        with self.refused("freed"):
            stashed[0].saved_tensors

    def test_custom_autograd_repeated_grad_grad(self):
        def times(a, b):
            class Mul(Function):
                @staticmethod
                def forward(ctx, x, y):
                    ctx.save_for_backward(x, y)
                    return x * y

                @staticmethod
                def backward(ctx, g):
                    x, y = ctx.saved_tensors
                    return times(y, g), times(x, g)
            return Mul.apply(a, b)

        x, y, z = leaf(2.0), leaf(3.0), leaf(5.0)
        out = times(times(x, y), z)
        for expected in (30 / 2, 0):                                       # d/dx: y z, then nothing of x is left
            out, = torch.autograd.grad(out, x, create_graph=True, materialize_grads=True)
            self.same(out, expected)
        x = leaf(2.0)
        out = times(times(x, x), x)
        for expected in (12.0, 12.0, 6.0):
            out, = torch.autograd.grad(out, x, create_graph=True)
            self.same(out, expected)

    def test_custom_autograd_no_early_free(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                y = x ** 2
                ctx.save_for_backward(x, y)
                return y

            @staticmethod
            def backward(ctx, g):
                x, _ = ctx.saved_tensors
                return g * 2 * x

        class Double2(Double):                                             # the same by way of a composition
            @staticmethod
            def backward(ctx, g):
                x, y = ctx.saved_tensors
                return 2 * g * y / x

        x = leaf(2.0)
        outs = []
        for f in (Double, Double2):
            first, = torch.autograd.grad(f.apply(x), x, create_graph=True)
            second, = torch.autograd.grad(first, x, create_graph=True)
            self.same(first, 4)
            self.close(second, 2.0)
            outs.append(second)
        third, = torch.autograd.grad(outs[1], x, allow_unused=True, materialize_grads=True)
        self.close(third, 0.0)

    def test_return_leaf(self):
        class Identity(Function):
            @staticmethod
            def forward(ctx, a, b):
                return a, a + b

            @staticmethod
            def backward(ctx, grad_a, grad_sum):
                return grad_a + grad_sum, grad_sum

        hooked = [False]
        x, y = ramp(2), ramp(2)
        q, p = Identity.apply(x, y)

        def hook(gradient):
            hooked[0] = True
        q.register_hook(hook)                                              # on the result, not on the leaf
        (q + p + x).sum().backward()
        self.same(x.grad, [3, 3])
        self.same(y.grad, [1, 1])
        self.assertTrue(hooked[0])

    def test_return_leaf_inplace(self):
        class Inplace(Function):
            @staticmethod
            def forward(ctx, a, b):
                ctx.mark_dirty(a)
                return a.add_(b), b + 2

            @staticmethod
            def backward(ctx, grad_a, grad_b):
                return grad_a, grad_a + grad_b

        x, y = ramp(2, requires_grad=False), ramp(2)
        q, p = Inplace.apply(x, y)
        self.assertIs(q, x)
        self.assertEqual(q.grad_fn.name(), "InplaceBackward")
        self.assertTrue(q.requires_grad)
        q.sum().backward()
        self.same(y.grad, [1, 1])

    def test_dep_nograd(self):
        class F1(Function):
            @staticmethod
            def forward(ctx, x):
                out = torch.randn(x.size(), dtype=torch.float64)
                ctx.mark_non_differentiable(out)
                return x, out

            @staticmethod
            def backward(ctx, g, ignored):
                return g

        class F2(Function):
            @staticmethod
            def forward(ctx, x, ignored):
                return x

            @staticmethod
            def backward(ctx, g):
                return g, None

        x = ramp(5)
        a, b = F1.apply(x)
        b = b + 1                                                          # a constant that went through operations
        self.assertFalse(b.requires_grad)
        F2.apply(a, b).sum().backward()
        self.same(x.grad, torch.ones(5))

    def test_custom_function_setup_context_simple(self):
        class Square(Function):
            @staticmethod
            def forward(x):
                return x ** 2

            @staticmethod
            def setup_context(ctx, inputs, output):
                x, = inputs
                ctx.save_for_backward(x)

            @staticmethod
            def backward(ctx, g):
                x, = ctx.saved_tensors
                return g * 2 * x

        x = ramp(3)
        y = Square.apply(x)
        grad, = torch.autograd.grad(y.sum(), x, create_graph=True)
        self.same(grad, [2, 4, 6])
        self.same(torch.autograd.grad(grad.sum(), x)[0], [2, 2, 2])

    def test_custom_function_setup_context_multi_output(self):
        class SquareAndTwoX(Function):
            @staticmethod
            def forward(x):
                return x ** 2, 2 * x

            @staticmethod
            def setup_context(ctx, inputs, output):
                x, = inputs
                _, two_x = output
                ctx.save_for_backward(two_x)

            @staticmethod
            def backward(ctx, g, g_two):
                two_x, = ctx.saved_tensors
                return g * two_x + 2 * g_two

        x = ramp(3)
        square, twice = SquareAndTwoX.apply(x)
        self.same(twice, [2, 4, 6])
        self.same(torch.autograd.grad(square.sum() + 10 * twice.sum(), x)[0], [22, 24, 26])

    def test_custom_function_setup_context_multi_input(self):
        class Reshaped(Function):
            @staticmethod
            def forward(x, shape, scale, another):
                return x.reshape(shape) * scale

            @staticmethod
            def setup_context(ctx, inputs, output):
                x, shape, scale, another = inputs
                ctx.shape, ctx.scale = x.shape, scale
                outer.assertEqual((tuple(output.shape), another), (tuple(shape), "another"))

            @staticmethod
            def backward(ctx, g):
                return g.reshape(ctx.shape) * ctx.scale, None, None, None

        outer = self
        x = ramp(2, 3)
        y = Reshaped.apply(x, (3, 2), 2, "another")
        seed = double([[1, 2], [3, 4], [5, 6]])
        self.same(torch.autograd.grad(y, x, seed)[0], [[2, 4, 6], [8, 10, 12]])

    def test_the_graph_of_a_function_is_freed_with_its_results(self):
        class Holds(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.held = held
                return x * 1

            @staticmethod
            def backward(ctx, g):
                return g

        class Something:
            pass

        before = nodes_alive()
        held = Something()
        gone = weakref.ref(held)
        out = Holds.apply(ramp(2))
        del held
        gc.collect()
        self.assertIsNotNone(gone())
        del out
        self.assertEqual(nodes_alive(), before)
        self.assertIsNone(gone())


if __name__ == "__main__":
    unittest.main()
