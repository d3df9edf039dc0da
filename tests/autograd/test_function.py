"""autograd.Function: what forward may return, what backward gets and may give."""
import unittest

import gradus as torch
from gradus.autograd import Function
from gradus.autograd.function import once_differentiable
from support import Case, Identity, Plus, double, leaf, nodes_alive, ramp


class MyFunction(Function):
    @staticmethod
    def forward(ctx, a, factor, b):
        ctx.factor = factor
        ctx.save_for_backward(a, b)
        return a + factor * b + a * b

    @staticmethod
    def backward(ctx, grad_output):
        a, b = ctx.saved_tensors
        return grad_output + grad_output * b, None, grad_output * ctx.factor + grad_output * a


class Two(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1, x * 2

    @staticmethod
    def backward(ctx, first, second):
        Two.second = second                                                # what came
        return first


class TestAutograd(Case):
    def test_function(self):
        x, y = ramp(2, 2), ramp(2, 2, start=5)
        self.forget(x, y)
        result = MyFunction.apply(x, 2, y)
        go = torch.ones((), dtype=torch.float64, requires_grad=True)
        result.sum().backward(go, create_graph=True)
        self.same(x.grad, (y + 1).tolist())
        self.same(y.grad, (x + 2).tolist())
        self.assertIsNotNone(x.grad.grad_fn)                               # a rule of operations has a second derivative
        mixed, = torch.autograd.grad(x.grad.sum(), y)
        self.same(mixed, [[1, 1], [1, 1]])
        self.assertEqual(result.grad_fn.name(), "MyFunctionBackward")
        with self.refused("forward"):
            Function.apply(x)

    def test_once_differentiable(self):
        class Once(MyFunction):
            @staticmethod
            @once_differentiable
            def backward(ctx, grad_output):
                outer.assertFalse(torch.is_grad_enabled())
                return MyFunction.backward(ctx, grad_output)

        outer = self
        x, y = ramp(2, 2), ramp(2, 2, start=5)
        self.forget(x, y)
        Once.apply(x, 2, y).sum().backward(create_graph=True)
        self.assertTrue(torch.is_grad_enabled())
        self.same(x.grad, (y.detach() + 1).tolist())
        self.same(y.grad, (x.detach() + 2).tolist())
        self.assertTrue(x.grad.requires_grad)
        with self.refused("once|again"):                                   # it says so where it is asked for more
            x.grad.sum().backward()

    def test_jvp_of_one_differentiable_once(self):
        class Opaque(Function):
            @staticmethod
            def forward(ctx, x, scale, w):
                ctx.save_for_backward(x, w)
                ctx.save_for_forward(w, x)
                ctx.scale = scale
                return x * x * w * scale, scale

            @staticmethod
            @once_differentiable
            def backward(ctx, g, _):
                x, w = ctx.saved_tensors
                asked.append(ctx.needs_input_grad)
                return 2 * ctx.scale * g * x * w, None, ctx.scale * g * x * x

            @staticmethod
            def jvp(ctx, tx, none, tw):
                w, x = ctx.saved_tensors
                outer.assertIsNone(none)
                return ctx.scale * (2 * x * w * (0 if tx is None else tx) + x * x * (0 if tw is None else tw)), None

        outer, asked = self, []
        x, w = ramp(3), ramp(3, start=4)
        along = (double([1, 10, 100]), double([0.5, 0, -1]))

        def plain(x, w):
            return (0.5 * x * x * w).sin()

        def through(x, w):
            return Opaque.apply(x, 0.5, w)[0].sin()
        jvp = torch.autograd.functional.jvp
        self.close(jvp(through, (x, w), along)[1], jvp(plain, (x, w), along)[1])
        self.close(jvp(lambda x: through(x, w), x, along[0])[1], jvp(lambda x: plain(x, w), x, along[0])[1])
        del asked[:]
        y = Opaque.apply(x, 0.5, w)[0].sum()
        torch.autograd.grad(y, w, retain_graph=True)
        g, = torch.autograd.grad(y, x, create_graph=True)
        y.backward()
        self.assertEqual(asked, [(False, False, True), (True, False, False), (True, False, True)])
        with self.refused("once"):                                         # that jvp does not tell
            torch.autograd.grad(g.sum(), x)

    def test_function_returns_input(self):
        class Doubled(Identity):
            @staticmethod
            def backward(ctx, grad_output):
                return grad_output * 2

        for shape in ([1], []):
            x = torch.ones(shape, dtype=torch.float64, requires_grad=True)
            out = Doubled.apply(x)
            self.assertIsNot(out, x)                                       # another tensor, with a history of its own
            self.assertTrue(x.is_leaf)
            out.backward()
            self.same(x.grad, torch.full(shape, 2.0))
            Doubled.apply(x.detach().requires_grad_())
        v = torch.ones(2, dtype=torch.float64, requires_grad=True)
        w = v.clone()
        Doubled.apply(w).sum().backward()
        self.same(v.grad, [2, 2])

    def test_function_returns_undefined_tensor(self):
        class Nothing(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, grad):
                return None

        x = torch.ones(1, dtype=torch.float64, requires_grad=True)
        Nothing.apply(x).backward()
        self.assertIsNone(x.grad)
        Nothing.apply(x ** 2).backward()
        self.assertIsNone(x.grad)
        Nothing.apply(x).sum().backward()
        self.assertIsNone(x.grad)
        self.assertIsNone(torch.autograd.grad(Nothing.apply(x), x, allow_unused=True)[0])

    def second_gradient(self, function):
        x = torch.ones(1, dtype=torch.float64, requires_grad=True)
        function.apply(x)[0].backward()
        self.same(x.grad, [1])
        return Two.second

    def test_materialize_grads(self):
        self.same(self.second_gradient(Two), [0])

    def test_dont_materialize_grads(self):
        class Bare(Two):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                return Two.forward(ctx, x)

        self.assertIsNone(self.second_gradient(Bare))

    def test_set_materialize_non_diff_grads(self):
        class Mixed(Function):
            @staticmethod
            def forward(ctx, x):
                constant = x * 3
                ctx.mark_non_differentiable(constant)
                ctx.set_materialize_grads(materialize)
                return x * 1, constant

            @staticmethod
            def backward(ctx, first, second):
                got.append(None if second is None else second.tolist())
                return first

        got = []
        for materialize in (True, False):
            a = torch.ones(1, dtype=torch.float64, requires_grad=True)
            Mixed.apply(a)[0].backward()
            self.same(a.grad, [1])
        self.assertEqual(got, [[0], None])

    def test_custom_function_exception(self):
        message = "(some error) that backward raised itself"

        class Odd(Exception):
            pass

        class Fails(Function):
            @staticmethod
            def forward(ctx, a):
                return a * 1

            @staticmethod
            def backward(ctx, g):
                raise Odd(message)

        x = ramp(2)
        with self.assertRaises(Odd) as caught:                             # the very exception
            Fails.apply(x).sum().backward()
        self.assertEqual(str(caught.exception), message)

        class FailsForward(Fails):
            @staticmethod
            def forward(ctx, a):
                raise Odd(message)
        with self.assertRaises(Odd):
            FailsForward.apply(x)

    def test_custom_function_non_tensor_inputs_outputs(self):
        class Mixed(Function):
            @staticmethod
            def forward(ctx, t1, t2, scale, t3):
                t4 = t1 + t2 * t3
                t5 = t1 * t2 + t3
                ctx.scale = scale
                ctx.save_for_backward(t1, t2, t3)
                return scale, t4 * scale, None, True, t5 * scale, "bar", t1

            @staticmethod
            def backward(ctx, *grads):
                outer.assertEqual(len(grads), 7)
                outer.assertEqual([grads[i] for i in (0, 2, 3, 5)], [None] * 4)
                t1, t2, t3 = ctx.saved_tensors
                g4, g5, g1 = grads[1] * ctx.scale, grads[4] * ctx.scale, grads[6]
                return g4 + t2 * g5 + g1, g4 * t3 + g5 * t1, None, g4 * t2 + g5

        outer = self
        t1, t2, t3 = (double([[v] * 2]).requires_grad_() for v in (1.5, 2.0, 3.0))
        out = Mixed.apply(t1, t2, 2, t3)
        self.assertEqual((out[0], out[2], out[3], out[5]), (2, None, True, "bar"))
        for i in (1, 4, 6):
            self.assertTrue(out[i].requires_grad)
        (out[1] + out[4] + out[6]).sum().backward()
        self.same(t1.grad, [[2 + 4 + 1] * 2])
        self.same(t2.grad, [[6 + 3] * 2])
        self.same(t3.grad, [[4 + 2] * 2])

    def test_custom_function_no_tensors(self):
        class Numbers(Function):
            @staticmethod
            def forward(ctx, a, b, scale):
                return a + b * scale, "text"

            @staticmethod
            def backward(ctx, *grads):
                raise AssertionError("there is nothing to differentiate")

        self.assertEqual(Numbers.apply(1.5, 2.0, 4), (9.5, "text"))

    def test_invalid_gradients(self):
        class Wrong(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, grad_output):
                return double([0.5] * 10)

        with self.refused("shape"):
            x = ramp(5, 5)
            Wrong.apply(x).sum().backward()

        class Fits(Wrong):
            @staticmethod
            def backward(ctx, grad_output):
                return torch.ones(3, 5, 5, dtype=torch.float32)            # summed over what was broadcast, and cast
        x = ramp(5, 5)
        Fits.apply(x).sum().backward()
        self.same(x.grad, torch.full((5, 5), 3.0))
        self.assertIs(x.grad.dtype, torch.float64)

    def test_free_deep_graph_pyfunction(self):
        before = nodes_alive()

        def build():
            y = ramp(1)
            for _ in range(10000):
                y = Plus.apply(y, y)
            return y
        y = build()
        self.assertGreater(nodes_alive(), before + 9999)
        del y
        self.assertEqual(nodes_alive(), before)

    def test_no_grad_python_function(self):
        class Looks(Identity):
            @staticmethod
            def forward(ctx, x):
                outer.assertFalse(torch.is_grad_enabled())
                return x

        outer = self
        x = ramp(5, 5)
        with torch.no_grad():
            y = Looks.apply(x)
        self.assertFalse(y.requires_grad)
        self.assertTrue(torch.is_grad_enabled())

    def test_too_many_grads(self):
        class MyFn(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, g):
                return g, None, None

        x = ramp(5, 5)
        MyFn.apply(x).sum().backward()
        self.same(x.grad, torch.ones(5, 5))                                # Nones too many are let pass

        class More(MyFn):
            @staticmethod
            def backward(ctx, g):
                return g, g
        with self.refused("number of gradients"):
            More.apply(x).sum().backward()

    def test_save_none_for_backward(self):
        class MyFn(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(None, x, None)
                return x * x

            @staticmethod
            def backward(ctx, g):
                first, x, last = ctx.saved_tensors
                outer.assertIsNone(first)
                outer.assertIsNone(last)
                return 2 * x * g

        outer = self
        x = ramp(2)
        MyFn.apply(x).sum().backward()
        self.same(x.grad, [2, 4])

    def test_backward_copy(self):
        x, y = ramp(2), ramp(2)
        (Plus.apply(x, y) * double([2, 3])).sum().backward()
        x.grad.mul_(10)
        self.same(y.grad, [2, 3])                                          # one gradient, returned for both: they don't share memory
        x = leaf([1.0])
        z = Plus.apply(x, x)
        z.backward(double([5.0]))
        self.same(x.grad, [10])

    def test_no_grad_input(self):
        x = ramp(5)
        with torch.no_grad():
            y = Identity.apply(x)
        self.assertTrue(x.requires_grad)
        self.assertIsNone(y.grad_fn)


if __name__ == "__main__":
    unittest.main()
