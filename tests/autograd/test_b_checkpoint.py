"""Checkpoints: the same gradients from a second run of the function."""
import contextlib
import unittest

import gradus as torch
from gradus.autograd import Function, graph
from gradus.utils.checkpoint import checkpoint, checkpoint_sequential, set_checkpoint_early_stop
from support import Case, double, leaf, nodes_alive


def block(w):
    """A function of several steps, each of which saves something, and how often it ran."""
    runs = []

    def function(x):
        runs.append(None)
        return ((x @ w).tanh() * x).exp().sin()
    return function, runs


def weights():
    return leaf([[0.5, -0.25], [0.125, 0.75]])


class TestAutograd(Case):
    def gradients(self, run):
        """Of a loss through run(function, x), by the input and by the weights that the function holds."""
        w, x = weights(), leaf([[1.0, 2.0], [0.5, -1.0]])
        function, runs = block(w)
        run(function, x).sum().backward()
        return x.grad, w.grad, len(runs)

    def test_checkpointing(self):
        # many in a row
        w = weights()

        def chain(wrap):
            x = leaf([[0.1, 0.2]])
            y = x
            for _ in range(20):
                y = wrap(lambda t: (t @ w).tanh(), y)
            y.sum().backward()
            return x.grad
        plain = chain(lambda f, t: f(t))
        w_plain, w.grad = w.grad, None
        self.same(chain(checkpoint), plain)
        self.same(w.grad, w_plain)

    def test_checkpointing_without_reentrant(self):
        plain = self.gradients(lambda f, x: f(x))
        again = self.gradients(checkpoint)
        self.same(again[0], plain[0])
        self.same(again[1], plain[1])
        self.assertEqual((plain[2], again[2]), (1, 2))
        w, x = weights(), double([[1.0, 2.0]])                             # only the weights require grad
        function, _ = block(w)
        y = checkpoint(function, x)
        self.assertTrue(y.requires_grad)
        y.sum().backward()
        w2 = weights()
        block(w2)[0](x).sum().backward()
        self.same(w.grad, w2.grad)
        with torch.no_grad():                                              # nothing to run again
            function, runs = block(w)
            self.assertFalse(checkpoint(function, x).requires_grad)
        self.assertEqual(len(runs), 1)

    def test_checkpointing_without_reentrant_correct_grad(self):
        # by grad(), backward(inputs=), with kept graphs, and of the second order
        w, x = weights(), leaf([[1.0, 2.0]])
        function, runs = block(w)
        y = checkpoint(function, x).sum()
        first = torch.autograd.grad(y, (x, w), retain_graph=True)
        second = torch.autograd.grad(y, (x, w), retain_graph=True)
        plain = torch.autograd.grad(function(x).sum(), (x, w))
        for a, b, c in zip(first, second, plain):
            self.same(a, c)
            self.same(b, c)
        y.backward(inputs=[w])
        self.same(w.grad, plain[1])
        self.assertIsNone(x.grad)

        def gradient_of_gradient(run):
            x = leaf([0.5, 2.0])
            g, = torch.autograd.grad(run(lambda t: (t ** 3).sin(), x).sum(), x, create_graph=True)
            return torch.autograd.grad(g.sum(), x)[0]
        self.same(gradient_of_gradient(checkpoint), gradient_of_gradient(lambda f, x: f(x)))

    def test_checkpointing_without_reentrant_memory_savings(self):
        # between forward and backward only the input is held
        def held(run):
            x = leaf([[1.0, 2.0]] * 100)
            function, _ = block(weights())
            before = torch.live_counts()["tensors"]
            y = run(function, x)
            return torch.live_counts()["tensors"] - before, y
        plain, y = held(lambda f, x: f(x))
        saving, z = held(checkpoint)
        self.assertLess(saving, plain)

    def test_checkpointing_without_reentrant_custom_function_works(self):
        class Cube(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x, x * x)
                return x ** 3

            @staticmethod
            def backward(ctx, g):
                x, square = ctx.saved_tensors
                return 3 * square * g
        x = leaf([1.0, 2.0])
        checkpoint(lambda t: Cube.apply(t.exp()) * 2, x).sum().backward()
        self.close(x.grad, 6 * (3 * x.detach()).exp())

    def test_checkpointing_without_reentrant_with_context_fn(self):
        entered = []

        @contextlib.contextmanager
        def note(name):
            entered.append(name)
            yield
            entered.append("end of " + name)
        w = weights()
        function, _ = block(w)
        with set_checkpoint_early_stop(False):
            y = checkpoint(function, leaf([[1.0, 2.0]]), context_fn=lambda: (note("forward"), note("second")))
        self.assertEqual(entered, ["forward", "end of forward"])
        y.sum().backward()
        self.assertEqual(entered, ["forward", "end of forward", "second", "end of second"])

    def test_checkpoint_detects_non_determinism(self):
        calls = []

        def changing(kind):
            def function(x):
                calls.append(None)
                first = len(calls) % 2 == 1
                if kind == "shape":
                    return (x if first else torch.cat([x, x])).sin().sum()
                if kind == "dtype":
                    return (x if first else x.float()).sin().sum().double()
                return x.sin().sum() if first else x.sum() * 1.0           # saves fewer
            return function
        for kind in ("shape", "dtype", "fewer"):
            del calls[:]
            x = leaf([1.0, 2.0])
            y = checkpoint(changing(kind), x)
            with self.refused("checkpoint"):
                y.backward()
        del calls[:]
        x = leaf([1.0, 2.0])
        steady = checkpoint(lambda t: t.sin().sum(), x, determinism_check="none")
        steady.backward()
        self.close(x.grad, x.detach().cos())
        with self.assertRaises(ValueError):
            checkpoint(lambda t: t, x, determinism_check="sometimes")

    def test_access_saved_tensor_twice_without_recomputation_works(self):
        runs = []

        def function(x):
            runs.append(None)
            return x.exp().exp()
        x = leaf([0.5])
        y = checkpoint(function, x)
        first = y.grad_fn._saved_result
        second = y.grad_fn._saved_result
        self.same(first, second)
        self.same(first, y.detach())
        y.sum().backward()
        self.assertGreaterEqual(len(runs), 2)
        self.close(x.grad, (x.exp() * x.exp().exp()).detach())

    def test_checkpoint_valid_reset_on_error(self):
        before = nodes_alive()

        def fails(x):
            x.exp()
            raise LookupError("simulated")
        x = leaf([1.0])
        with self.assertRaisesRegex(LookupError, "simulated"):
            checkpoint(fails, x)
        calls = []

        def fails_later(t):
            calls.append(None)
            y = t.exp()
            if len(calls) == 2:
                raise LookupError("second run")
            return y.exp()
        y = checkpoint(fails_later, x)
        with self.assertRaisesRegex(LookupError, "second run"):
            y.sum().backward()
        checkpoint(lambda t: t.exp(), x).sum().backward()                  # as usable as before
        self.close(x.grad, x.detach().exp())
        del x, y
        self.assertEqual(nodes_alive(), before)

    def test_checkpointing_without_reentrant_detached_tensor(self):
        def function(x, y):
            x.detach()
            return x * y.detach() + x.exp()
        x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        checkpoint(function, x, y).sum().backward()
        self.close(x.grad, y.detach() + x.detach().exp())
        self.assertIsNone(y.grad)

    def test_checkpointing_without_reentrant_saved_object_identity(self):
        # a tensor that the function holds is in the second run the very object
        w, seen = leaf([2.0, 3.0]), []

        def function(x):
            y = x * w
            seen.append(y.grad_fn._saved_other if y.grad_fn else None)
            return y.exp()
        x = leaf([0.5, 0.25])
        checkpoint(function, x).sum().backward()
        self.assertIs(seen[-1], w)

    def test_checkpointing_without_reentrant_parameter_used_in_an_out(self):
        # the same weights inside and outside
        w = leaf([2.0, 3.0])

        def run(wrap):
            w.grad = None
            x = leaf([0.5, 0.25])
            inside = wrap(lambda t: (t * w).exp(), x * w)
            (inside * w).sum().backward()
            return w.grad, x.grad
        for a, b in zip(run(checkpoint), run(lambda f, t: f(t))):
            self.close(a, b)

    def test_checkpointing_without_reentrant_arbitrary_input_output(self):
        # containers, keywords, other things than tensors, in and out
        def function(data, scale=1.0, *, extra=None):
            return {"out": (data["a"] * data["b"][0]).exp() * scale, "more": [data["a"].sin(), "text", None], "extra": extra}
        a, b = leaf([0.5, 1.0]), leaf([2.0, 3.0])
        found = checkpoint(function, {"a": a, "b": (b, 5)}, scale=10.0, extra=7)
        self.assertEqual((found["extra"], found["more"][1:]), (7, ["text", None]))
        (found["out"].sum() + found["more"][0].sum()).backward()
        both = (a * b).exp().detach() * 10
        self.close(a.grad, both * b.detach() + a.detach().cos())
        self.close(b.grad, both * a.detach())

    def test_save_on_cpu_and_checkpoint(self):
        def run(inside, wrap):
            x = leaf([0.5, 0.25])
            with inside():
                y = wrap(lambda t: t.exp().sin().exp(), x.exp())
            y.sum().backward()
            return x.grad
        plain = run(contextlib.nullcontext, lambda f, t: f(t))
        self.same(run(contextlib.nullcontext, checkpoint), plain)
        self.same(run(graph.save_on_cpu, checkpoint), plain)

        def saved_inside(f, t):
            def function(u):
                with graph.save_on_cpu():
                    return f(u)
            return checkpoint(function, t)
        self.same(run(contextlib.nullcontext, saved_inside), plain)

    def test_sequential(self):
        steps = [torch.exp, torch.sin, torch.tanh, torch.cos, torch.sin]
        for segments in (1, 2, 5):
            x, y = leaf([0.5, 0.25]), leaf([0.5, 0.25])
            checkpoint_sequential(steps, segments, x).sum().backward()
            for f in steps:
                y, root = f(y), (y if f is torch.exp else root)
            y.sum().backward()
            self.same(x.grad, root.grad)

    def test_random_numbers_repeat(self):
        x = torch.ones(1000, requires_grad=True)
        y = checkpoint(lambda t: torch.nn.functional.dropout(t * 2, 0.5, True).exp(), x)
        y.sum().backward()
        kept = y.detach() > 1
        self.same((x.grad > 0), kept)

    def test_pending_exceptions_are_gone(self):
        # the second run ends early, by an error that nobody gets to see
        x = leaf([[1.0, 2.0]])
        checkpoint(block(weights())[0], x).sum().backward()
        self.assertEqual(torch._context.local.pending, {})


if __name__ == "__main__":
    unittest.main()
