"""Kept gradients of computed tensors; hooks that run when a leaf's gradient has been added to."""
import gc
import unittest
import weakref

import gradus as torch
from support import Case, leaf, nodes_alive, ramp


class TestAutograd(Case):
    def test_retain_grad(self):
        x = ramp(1, 3)
        h1 = x * 3
        out = (h1 * h1).sum()
        h1.retain_grad()
        h1.retain_grad()                                                   # a second time changes nothing
        self.assertTrue(h1.retains_grad)
        out.backward(retain_graph=True)
        self.same(h1.grad, (2 * h1.detach()).tolist())
        out.backward(retain_graph=True)
        self.same(h1.grad, (4 * h1.detach()).tolist())                     # several runs add up
        with torch.no_grad():
            x.grad.zero_()
        leaf_x = ramp(2)
        leaf_x.retain_grad()                                               # a leaf keeps its gradient anyway
        self.assertFalse(leaf_x.retains_grad)
        leaf_x.sum().backward()
        self.same(leaf_x.grad, [1, 1])
        with self.refused("requires_grad"):
            torch.ones(2).retain_grad()

    def test_retain_grad_inplace(self):
        a = leaf(1.0)
        b = a * 2
        b.retain_grad()
        b *= 3
        self.assertTrue(b.retains_grad)
        b.sum().backward()
        self.same(b.grad, 1)                                               # of the newest value
        self.same(a.grad, 6)
        a = leaf(1.0)                                                      # kept again after the write
        b = a * 2
        b.retain_grad()
        b *= 3
        b.retain_grad()
        b.mul_(5)
        (b * 7).backward()
        self.same(b.grad, 7)
        self.same(a.grad, 2 * 3 * 5 * 7)
        for _ in range(2):                                                 # a leaf that wants none until it is written
            w = leaf([1.0], requires_grad=False)
            w *= a
            w.retain_grad()
            w *= 2
            (w * 3).sum().backward()
            self.same(w.grad, [3])

    def test_retains_grad_inplace_multiple_outputs(self):
        x = leaf([[1.0, 3.0]])
        var, mean = torch.var_mean(x, dim=1)
        var.retain_grad()
        mean.retain_grad()
        var *= 2
        mean *= 3
        self.assertTrue(var.retains_grad and mean.retains_grad)
        (var.sum() * 5 + mean.sum() * 7).backward()
        self.same(var.grad, [5])
        self.same(mean.grad, [7])
        self.same(x.grad, [[-20 + 10.5, 20 + 10.5]])

    def test_retain_grad_inplace_over_view(self):
        base = ramp(2) * 1
        view = base[:]
        view2 = base[:]
        view.retain_grad()
        view2.retain_grad()
        view *= 2                                                          # both are of the written base now
        (view + view2 * 5).sum().backward()
        self.same(view.grad, [1, 1])
        other = view2.grad
        self.assertTrue(other is None or other.tolist() in ([5, 5],), other)
        start = ramp(2)
        base = start * 1
        view = base[:1]
        view.retain_grad()
        base.retain_grad()
        view.mul_(3)
        base.mul_(2)
        base.sum().backward()
        self.same(base.grad, [1, 1])
        self.same(start.grad, [6, 2])

    def test_retain_grad_cycle(self):
        before = nodes_alive()
        x = ramp(5, 5)

        def run():
            y = x * 2
            y.retain_grad()
            return y / 2, weakref.ref(y)

        z, gone = run()
        gc.collect()
        self.assertIsNone(gone())                                          # keeping a gradient does not keep the tensor
        z.sum().backward()                                                 # and the pass does without it
        self.same(x.grad, torch.ones(5, 5))
        del z, x
        self.assertEqual(nodes_alive(), before)

    def test_post_accumulate_grad_hook_on_non_leaf(self):
        y = ramp(2) * 2
        with self.refused("non-leaf"):
            y.register_post_accumulate_grad_hook(lambda t: None)
        with self.refused("grad"):
            torch.ones(2).register_post_accumulate_grad_hook(lambda t: None)

    def test_post_accumulate_grad_hook_multiple_hooks(self):
        def multiply(t, factor):
            self.assertIsNotNone(t.grad)
            t.grad.mul_(factor)

        t = leaf(1.0)
        t.register_post_accumulate_grad_hook(lambda p: multiply(p, 2))
        t.register_post_accumulate_grad_hook(lambda p: p.grad.add_(1) and None)
        last = t.register_post_accumulate_grad_hook(lambda p: multiply(p, 10))
        (t * 3).backward()
        self.same(t.grad, (3 * 2 + 1) * 10)                                # in the order of registration
        last.remove()
        t.grad = None
        (t * 3).backward()
        self.same(t.grad, 7)

    def test_post_accumulate_grad_hook_multiple_tensors(self):
        a, b = leaf(1.0), leaf(2.0)
        seen = []
        for t in (a, b):
            t.register_post_accumulate_grad_hook(lambda p: seen.append((p.item(), p.grad.item())))
        (a * b + b).backward()
        self.assertEqual(sorted(seen), [(1, 2), (2, 2)])                   # once each, when its whole sum is there

    def test_post_accumulate_grad_hook_returns_not_None(self):
        a = leaf(1.0)
        a.register_post_accumulate_grad_hook(lambda p: 1)
        with self.refused("should return None"):
            (a * 2).backward()

    def test_post_accumulate_grad_hook_e2e(self):
        def data():
            return ramp(2, 3, requires_grad=False) * 0.25

        def parameters():
            return [torch.full((3, 2), 0.5, dtype=torch.float64, requires_grad=True), torch.full((2,), 0.1, dtype=torch.float64, requires_grad=True)]

        def loss(p):
            return (torch.tanh(data() @ p[0] + p[1]) ** 2).sum()

        plain = parameters()
        for _ in range(4):                                                 # a step of momentum after each pass
            state = [getattr(p, "state", torch.zeros_like(p).detach()) for p in plain]
            loss(plain).backward()
            with torch.no_grad():
                for p, m in zip(plain, state):
                    m.mul_(0.9).add_(p.grad)
                    p.sub_(0.1 * m)
                    p.state, p.grad = m, None
        stepping, buffers = parameters(), {}
        calls = [0]

        def step(p):                                                       # the same inside of it
            calls[0] += 1
            with torch.no_grad():
                m = buffers.setdefault(id(p), torch.zeros_like(p).detach())
                m.mul_(0.9).add_(p.grad)
                p.sub_(0.1 * m)
            p.grad = None
        for p in stepping:
            p.register_post_accumulate_grad_hook(step)
        for _ in range(4):
            loss(stepping).backward()
            self.assertEqual([p.grad for p in stepping], [None, None])
        self.assertEqual(calls[0], 8)
        for p, q in zip(plain, stepping):
            self.same(q, p)

    def test_post_accumulate_grad_hook_gets_cleaned_up(self):
        def run():
            class Held:
                pass
            held = Held()
            t = leaf(1.0)
            t.register_post_accumulate_grad_hook(lambda p, held=held: None)
            t.clone().backward()
            return weakref.ref(held)

        gone = run()
        gc.collect()
        self.assertIsNone(gone())

    def test_post_accumulate_grad_hook_ordering(self):
        t, seen = leaf(1.0), []
        sink = t.view_as(t).grad_fn.next_functions[0][0]

        def before(_):
            seen.append("before")
            self.assertIsNone(t.grad)

        def after_sum(p):
            seen.append("leaf")
            self.same(p.grad, 10)
            p.grad.add_(1)

        def after(grad_inputs, grad_outputs):
            seen.append("after")
            self.same(t.grad, 11)

        with sink.register_hook(after), t.register_post_accumulate_grad_hook(after_sum), t.register_hook(before), t.register_hook(lambda g: g * 2):
            (t * 5).backward()
        self.assertEqual(seen, ["before", "leaf", "after"])


if __name__ == "__main__":
    unittest.main()
