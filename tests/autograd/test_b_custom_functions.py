"""Functions of the caller: what they save, write, return, and how they fail."""
import gc
import unittest
import weakref

import gradus as torch
from gradus.autograd import Function, graph
from support import Case, double, leaf, nodes_alive, ramp


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 2 * x * g


class TestAutograd(Case):
    def test_custom_function_saved_tensors(self):
        # by the context, and after the pass no more
        x, seen = leaf([2.0, 3.0]), []

        class Own(Function):
            @staticmethod
            def forward(ctx, a, b):
                out = a * b
                ctx.save_for_backward(a, None, out, b)
                return out

            @staticmethod
            def backward(ctx, g):
                a, none, out, b = ctx.saved_tensors
                seen.append((a is x, none, out.tolist(), b.tolist()))
                return g * b, None
        w = double([5.0, 7.0])
        y = Own.apply(x, w)
        y.sum().backward(retain_graph=True)
        self.assertEqual(seen, [(True, None, [10, 21], [5, 7])])
        self.same(x.grad, [5, 7])
        y.sum().backward()
        with self.refused("freed|second time"):
            y.sum().backward()
        y = Own.apply(x, w)                                                # a saved value that was written since
        with torch.no_grad():
            w.add_(1)
        with self.refused("version|in place|inplace|changed"):
            y.sum().backward()

    def test_autograd_python_custom_function_inplace(self):
        class AddInPlace(Function):
            @staticmethod
            def forward(ctx, a, b):
                a.add_(b)
                ctx.mark_dirty(a)
                return a

            @staticmethod
            def backward(ctx, g):
                return g, g * 10
        a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        x = a.clone()
        out = AddInPlace.apply(x, b)
        self.assertIs(out, x)
        self.assertIn("AddInPlace", x.grad_fn.name())
        self.same(out, [4, 6])
        (out * out).sum().backward()
        self.same(a.grad, [8, 12])
        self.same(b.grad, [80, 120])
        with self.refused("leaf"):                                         # a leaf that requires grad
            AddInPlace.apply(leaf([1.0]), leaf([1.0]))
        base, b = leaf([1.0, 2.0, 3.0]), leaf([10.0])                      # through a view, the base follows
        x = base.clone()
        AddInPlace.apply(x[1:2], b)
        self.same(x, [1, 12, 3])
        x.sum().backward()
        self.same(base.grad, [1, 1, 1])
        self.same(b.grad, [10])
        with torch.no_grad():                                              # with recording off it is a write like others
            x = leaf([1.0])
            AddInPlace.apply(x, double([1.0]))
        self.same(x, [2])

        class Forgot(Function):
            @staticmethod
            def forward(ctx, a):
                ctx.mark_dirty(a)
                a.mul_(2)
                return a.clone()

            @staticmethod
            def backward(ctx, g):
                return g
        with self.refused("dirty|result|output|return"):                   # a written tensor has to be a result
            Forgot.apply(leaf([1.0]).clone())

    def test_custom_function_mark_dirty_not_differentiable(self):
        class Own(Function):
            @staticmethod
            def forward(ctx, a):
                a.zero_()
                ctx.mark_dirty(a)
                ctx.mark_non_differentiable(a)
                return a

            @staticmethod
            def backward(ctx, g):
                raise AssertionError("nothing to compute")
        x = leaf([1.0, 2.0]).clone()
        out = Own.apply(x)
        self.assertFalse(out.requires_grad)
        self.same(x, [0, 0])

    def test_custom_function_return_view_in_nograd(self):
        class Own(Function):
            @staticmethod
            def forward(ctx, x):
                return x[:1]

            @staticmethod
            def backward(ctx, g):
                out = torch.zeros(2, dtype=torch.float64)
                out[:1] = g
                return out
        x = leaf([5.0, 6.0])
        with torch.no_grad():
            out = Own.apply(x)
        self.assertFalse(out.requires_grad)
        self.same(out, [5])
        y = Own.apply(x)
        self.assertTrue(y.requires_grad)
        y.sum().backward()
        self.same(x.grad, [1, 0])

    def test_custom_function_error(self):
        class NoForward(Function):
            @staticmethod
            def backward(ctx, g):
                return g

        class NoBackward(Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

        class OneOfBoth(Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def vjp(ctx, g):
                return g * 7
        x = leaf([1.0])
        with self.assertRaisesRegex(NotImplementedError, "forward"):
            NoForward.apply(x)
        y = NoBackward.apply(x)
        with self.assertRaisesRegex(NotImplementedError, "backward or vjp"):
            y.sum().backward()
        OneOfBoth.apply(x).sum().backward()
        self.same(x.grad, [7])

        class Both(OneOfBoth):
            @staticmethod
            def backward(ctx, g):
                return g

            @staticmethod
            def vjp(ctx, g):
                return g
        with self.refused("both|backward.*vjp|vjp.*backward"):
            Both.apply(x).sum().backward()

    def test_custom_function_local_inplace(self):
        # forward writes into a tensor of its own, by a view or not
        class Own(Function):
            @staticmethod
            def forward(ctx, x, inplace):
                middle = x.clone()
                if inplace:
                    view = middle[:]
                    view += 2
                return middle.clone()

            @staticmethod
            def backward(ctx, g):
                return g * 3, None
        for inplace in (True, False):
            x = leaf([1.0, 2.0])
            y = Own.apply(x, inplace)
            y.sum().backward()
            self.same(x.grad, [3, 3])
            self.same(y, [3, 4] if inplace else [1, 2])

    def test_custom_function_cycle(self):
        # a function that saves its result, or puts it on the context, does not keep itself alive
        class Own(Function):
            @staticmethod
            def forward(ctx, x, note):
                x = x.clone()
                ctx.note = note
                ctx.save_for_backward(x)
                return x

            @staticmethod
            def backward(ctx, g):
                self.assertIs(ctx.note["output"] is not None, True)
                return g, None

        class Holder(dict):
            pass

        def run(with_pass):
            note, x = Holder(), leaf([1.0])
            out = Own.apply(x, note)
            note["output"] = out.detach()
            if with_pass:
                out.sum().backward()
            return weakref.ref(note)
        before = nodes_alive()
        for with_pass in (True, False):
            ref = run(with_pass)
            gc.collect()
            self.assertIsNone(ref())
            self.assertEqual(nodes_alive(), before)

    def test_saved_tensor_hooks_custom_function_intermediates(self):
        # an intermediate is saved, too, and goes through the hooks
        class Own(Function):
            @staticmethod
            def forward(ctx, x):
                middle = x.exp()
                ctx.save_for_backward(x.clone(), middle)
                return middle * x

            @staticmethod
            def backward(ctx, g):
                x, middle = ctx.saved_tensors
                return g * middle * (1 + x)
        packed, unpacked = [], []
        a = leaf([1.0, 2.0])
        with graph.saved_tensors_hooks(lambda t: packed.append(t.tolist()) or t, lambda t: unpacked.append(t.tolist()) or t):
            y = Own.apply(a)
        self.close(double(packed), [a.tolist(), a.detach().exp().tolist()])
        y.sum().backward()
        self.assertEqual(packed, unpacked)
        self.close(a.grad, a.detach().exp() * (1 + a.detach()))

    def test_setup_context_saves_an_input_that_is_returned(self):
        class Own(Function):
            @staticmethod
            def forward(x, y):
                return (x.view_as(x) if views else x), x * y

            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(*(output if saves == "output" else inputs))

            @staticmethod
            def backward(ctx, g, h):
                x, y = ctx.saved_tensors
                return g + h, h
        views = False
        for saves in ("input", "output"):
            with self.refused("input that has been returned as-is as output is being saved"):
                Own.apply(ramp(2), ramp(2))
            Own.apply(double([1.0]), double([2.0]))                        # nothing is recorded
        views, x = True, ramp(2)
        sum(Own.apply(x, ramp(2))).sum().backward()
        self.same(x.grad, [2, 2])

    def test_backward_and_vjp(self):
        class Both(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 2

            @staticmethod
            def vjp(ctx, g):
                return g * 2
        with self.refused("both 'backward' and 'vjp'"):
            Both.apply(ramp(2))

    def test_setup_context_when_forward_has_default_args(self):
        class Power(Function):
            @staticmethod
            def forward(x, exponent=3.0):
                return x ** exponent

            @staticmethod
            def setup_context(ctx, inputs, output):
                x, exponent = inputs
                ctx.exponent = exponent
                ctx.save_for_backward(x)

            @staticmethod
            def backward(ctx, g):
                x, = ctx.saved_tensors
                return g * ctx.exponent * x ** (ctx.exponent - 1), None
        x = leaf([2.0])
        Power.apply(x, 2.0).sum().backward()
        self.same(x.grad, [4])
        y = leaf([2.0])
        out = Power.apply(y)                                               # the default counts as given
        out.sum().backward()
        self.same(y.grad, [12])

    def test_double_backward_of_a_function(self):
        x = leaf([2.0, 3.0])
        g, = torch.autograd.grad(Square.apply(x).sum(), x, create_graph=True)
        self.same(g, [4, 6])
        self.same(torch.autograd.grad(g.sum(), x)[0], [2, 2])

    def test_reentrant_function(self):
        # a backward that runs a pass of its own
        class Own(Function):
            @staticmethod
            def forward(ctx, x):
                with torch.enable_grad():
                    ctx.x = x.detach().requires_grad_()
                    ctx.y = (ctx.x ** 3).sum()
                return ctx.y.detach()

            @staticmethod
            def backward(ctx, g):
                ctx.y.backward()
                return ctx.x.grad * g
        x = leaf([1.0, 2.0])
        (Own.apply(x) * 10).backward()
        self.same(x.grad, [30, 120])


if __name__ == "__main__":
    unittest.main()
