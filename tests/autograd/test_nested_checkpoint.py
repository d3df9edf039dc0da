"""Checkpoints inside checkpoints, loops of them, and passes inside them."""
import unittest

import gradus as torch
from gradus.autograd import graph
from gradus.utils.checkpoint import checkpoint, checkpoint_loop, set_checkpoint_early_stop
from support import Case, leaf, nodes_alive


def wrapped(function):
    return lambda *args, **kwargs: checkpoint(function, *args, **kwargs)


def summed(function):
    return lambda x: function(x).sum()


def derivative(function):
    """x: the gradient of function at x, which can be differentiated again."""
    def run(x):
        with torch.enable_grad():
            return torch.autograd.grad(function(x), x, create_graph=True)[0]
    return run


def wave(x):
    return x.sin().exp().sin()


def counted(function):
    def run(*args):
        run.count += 1
        return function(*args)
    run.count = 0
    return run


class TestNestedCheckpoint(Case):
    def alike(self, functions):
        """All have the same first and second derivative, whether the second run may end early or not."""
        for early in (True, False):
            with set_checkpoint_early_stop(early):
                found = []
                for function in functions:
                    x = leaf([0.5, 1.25])
                    first, = torch.autograd.grad(function(x).sum(), x, create_graph=True)
                    second, = torch.autograd.grad(first.sum(), x)
                    found.append((first.detach(), second))
                for first, second in found[1:]:
                    self.close(first, found[0][0])
                    self.close(second, found[0][1])

    def test_nested_checkpoint(self):
        c, once = wrapped, wave
        twice = lambda x: wave(wave(x))
        self.alike([once, c(once), c(c(once)), c(c(c(once)))])
        self.alike([twice, lambda x: c(wave)(c(wave)(x)), c(lambda x: c(wave)(c(wave)(x))), c(lambda x: wave(c(wave)(x)))])
        # a gradient inside, of what is a checkpoint itself
        slope = derivative(summed(wave))
        self.alike([slope, c(slope), derivative(summed(c(wave))), c(derivative(summed(c(wave)))), c(derivative(c(summed(wave))))])
        self.alike([derivative(summed(slope)), c(derivative(c(summed(c(derivative(summed(c(wave))))))))])

    def test_nested_checkpoint_two_children(self):
        f, g = wave, lambda x: x.cos().sin().exp()
        self.alike([lambda x: g(f(x)), wrapped(lambda x: wrapped(g)(wrapped(f)(x)))])
        self.alike([lambda x: g(f(x)) * f(g(x)), wrapped(lambda x: wrapped(wrapped(g))(wrapped(f)(x)) * wrapped(f)(wrapped(g)(x)))])

    def test_nested_checkpoint_non_tensor_inputs_and_outputs(self):
        def inner(k, x):
            return x * k, k + 1, "text"

        def outer(x, more):
            y, k, text = checkpoint(inner, more["k"], x)
            z, k, text = checkpoint(inner, k, y.exp())
            return {"z": z, "k": k, "text": text}
        x = leaf([0.5, 1.0])
        found = checkpoint(outer, x, {"k": 2})
        self.assertEqual((found["k"], found["text"]), (4, "text"))
        found["z"].sum().backward()
        self.close(x.grad, 6 * (2 * x.detach()).exp())

    def test_nested_checkpoint_kwargs(self):
        def inner(x, *, blah=None):
            return (x * 2).sin() if blah is None else (x * blah).sin().exp()

        def outer(x, *, blah):
            return checkpoint(inner, x) + checkpoint(inner, x, blah=blah).cos()
        a, b = leaf([0.5, 1.0]), leaf([2.0, 3.0])
        checkpoint(outer, a, blah=b).sum().backward()
        c, d = leaf([0.5, 1.0]), leaf([2.0, 3.0])
        ((c * 2).sin() + (c * d).sin().exp().cos()).sum().backward()
        self.close(a.grad, c.grad)
        self.close(b.grad, d.grad)

    def test_nested_checkpoint_same_graph(self):
        # a graph that is kept runs again for each pass, and the same nodes serve
        first, second = counted(lambda x: x.exp().sin()), counted(lambda x: x.cos().exp())
        outer = counted(lambda x: checkpoint(second, checkpoint(first, x)))
        x = leaf([0.5, 1.0])
        y = checkpoint(outer, x).sum()
        y.backward(retain_graph=True)
        once, runs = x.grad.clone(), (first.count, second.count, outer.count)
        y.backward()
        self.close(x.grad, 2 * once)
        self.assertEqual(outer.count, 3)
        self.assertEqual((first.count - runs[0], second.count - runs[1]), (runs[0] - 1, runs[1] - 1))
        with self.refused():
            y.backward()

    def test_nested_checkpoint_reentrant_backwards(self):
        # a pass inside the function adds to leaves in both runs
        def function(x):
            y = x.detach().requires_grad_()
            with torch.enable_grad():
                checkpoint(wave, y).sum().backward()
            return (x * y.grad).exp()

        def plain(x):
            y = x.detach().requires_grad_()
            with torch.enable_grad():
                wave(y).sum().backward()
            return (x * y.grad).exp()
        a, b = leaf([0.5, 1.0]), leaf([0.5, 1.0])
        checkpoint(lambda x: checkpoint(function, x).sin(), a).sum().backward()
        plain(b).sin().sum().backward()
        self.close(a.grad, b.grad)

    def test_nested_checkpoint_set_early_stop(self):
        tails = []

        def function(x):
            y = x.sin().exp()
            tails.append(None)                                             # nothing is saved behind this
            return -y
        for early, count in ((True, 1), (False, 2)):
            tails.clear()
            with set_checkpoint_early_stop(early):
                y = checkpoint(lambda x: checkpoint(function, x), leaf([0.5]))
            first = len(tails)
            with set_checkpoint_early_stop(not early):                     # what holds is what held when it was made
                y.sum().backward()
            self.assertEqual(first, 1)
            self.assertEqual(len(tails) > 1, not early, f"early stop {early}: {len(tails)} runs to the end")

    def test_nested_checkpoint_set_early_stop_no_recompution_needed(self):
        # what saves nothing needs no second run; and the outer one ends before an inner one begins whose values nobody needs
        saves_nothing = counted(lambda x: x + 1)
        outer = counted(lambda x: checkpoint(saves_nothing, x.exp()))
        x = leaf([0.5])
        with set_checkpoint_early_stop(True):
            checkpoint(outer, x).sum().backward()
        self.assertEqual((outer.count, saves_nothing.count), (2, 1))
        self.close(x.grad, x.detach().exp())
        before = saves_nothing.count
        checkpoint(saves_nothing, leaf([0.5])).sum().backward()
        self.assertEqual(saves_nothing.count, before + 1)

    def test_a_loop_keeps_few_states_and_runs_few_times(self):
        before = nodes_alive()
        step = counted(lambda i, x: (x * 1.1).sin())
        x = leaf([0.5] * 1000)
        y = checkpoint_loop(step, 64, x)
        self.assertEqual(step.count, 64)
        bytes_of = lambda t: int(graph.saved_table(t).splitlines()[-1].split()[3])
        plain, z = leaf([0.5] * 1000), None
        z = plain
        for _ in range(64):
            z = (z * 1.1).sin()
        self.assertLess(bytes_of(y) * 8, bytes_of(z))
        y.sum().backward()
        z.sum().backward()
        self.same(x.grad, plain.grad)
        self.assertLessEqual(step.count, 64 * 8)
        a, b = checkpoint_loop(lambda i, s: (s[1], s[0] + s[1] * i), 3, (leaf([1.0]), leaf([2.0])))
        self.same(a, [3.0])                                                # (1, 2) (2, 1) (1, 3) (3, 7)
        self.same(b, [7.0])
        with self.assertRaisesRegex(ValueError, "a step returned 1 tensors for a state of 2"):
            checkpoint_loop(lambda i, s: s[:1], 3, (x, x))
        with self.assertRaisesRegex(LookupError, "now"):
            checkpoint_loop(lambda i, s: (_ for _ in ()).throw(LookupError("now")), 3, x)
        del x, y, z, plain, a, b
        self.assertEqual(nodes_alive(), before)


if __name__ == "__main__":
    unittest.main()
