"""A pass inside a pass, and functions that run when a pass is over."""
import threading
import unittest

import gradus as torch
from gradus.autograd.graph import queue_callback
from support import Case, leaf, nodes_alive


def reentrant(depth, seen=None):
    """A tensor whose hook runs a pass through another such tensor, depth times; the innermost's leaf is returned, too."""
    x = leaf([1.0, 2.0])
    out = x * 1
    if depth:
        inner, bottom = reentrant(depth - 1, seen)
        inner = inner.sum()

        def hook(gradient):
            if seen is not None:
                seen.append(depth)
            inner.backward()
        out.register_hook(hook)
        return out, bottom
    return out, x


class TestAutograd(Case):
    def test_simple_reentrant(self):
        x, y = leaf([[1, 2], [3, 4]], requires_grad=False), leaf([[5, 6], [7, 8]])
        with torch.enable_grad():
            inner_x = x.detach().requires_grad_()
            inner = (inner_x * y).sum()
        out = (y * 1)
        out.register_hook(lambda g: inner.backward() or g * inner_x.detach())
        out.sum().backward()
        self.same(inner_x.grad, y.detach())                                # of the inner pass
        self.same(y.grad, (2 * x))                                         # of both

    def test_reentrant_child_error(self):
        a, inner_leaf, c = leaf([1.0, 2.0]), leaf([1.0]), leaf([9.0])
        b = inner_leaf * 9
        failing = b.exp()

        class Broken(LookupError):
            pass

        def fail(g):
            raise Broken("simulated")
        failing.register_hook(fail)
        inner = failing.sum()
        out = (a * 2) * c
        out.register_hook(lambda g: inner.backward())
        with self.assertRaisesRegex(Broken, "simulated"):
            out.sum().backward()
        self.assertIsNone(inner_leaf.grad)
        (a * c).sum().backward()                                           # the context is as usable as before
        self.same(c.grad, [3])

    def test_deep_reentrant(self):
        seen = []
        out, bottom = reentrant(100, seen)
        out.sum().backward()
        self.assertEqual(seen, list(range(100, 0, -1)))
        self.same(bottom.grad, [1, 1])

    def test_deep_reentrant_on_a_small_stack(self):
        # a thread with a small stack gets an error or the result, never a crash
        ended, before = [], threading.stack_size(1 << 20)
        try:
            out, bottom = reentrant(60)

            def work():
                out.sum().backward()
                ended.append(bottom.grad.tolist())
            t = threading.Thread(target=work)
            t.start()
            t.join()
        finally:
            threading.stack_size(before)
        self.assertEqual(ended, [[1, 1]])

    def test_reentrant_priority(self):
        # the inner pass is complete before the outer one goes on
        order, inner_leaf = [], leaf([1.0])
        inner = inner_leaf * 1
        for _ in range(3):
            inner = inner * 2
            inner.register_hook(lambda g: order.append("inner"))
        x = leaf([1.0])
        early = x * 2                                                      # runs after the newer nodes
        early.register_hook(lambda g: order.append("outer"))
        late = x * 3
        late.register_hook(lambda g: inner.backward())
        (early + late).backward()
        self.assertEqual(order, ["inner"] * 3 + ["outer"])
        self.same(inner_leaf.grad, [8])
        self.same(x.grad, [5])

    def test_reentrant_with_leaf_variable_hook(self):
        handle, x = None, leaf([4.0])

        def backward_again(g):
            handle.remove()
            with torch.enable_grad():
                penalty = (g * x).sum() if g.requires_grad else (x * x).sum()
            penalty.backward()
        handle = x.register_hook(backward_again)
        (x ** 2).sum().backward()
        self.same(x.grad, [16])                                            # 2x of the inner pass and 2x of the outer

    def test_reentrant_with_non_leaf_variable_hook(self):
        x = leaf([3.0])
        y = x * 2

        def backward_again(g):
            with torch.enable_grad():
                (x * x).sum().backward()
            return g * 10
        y.register_hook(backward_again)
        y.sum().backward()
        self.same(x.grad, [6 + 20])

    def check_callbacks(self, depths):
        calls = []
        inner_leaf, outer_leaf = leaf([1.0]), leaf([2.0])
        inner = (inner_leaf * 2).sum()

        def inner_hook(g):
            if 1 in depths:
                queue_callback(lambda: calls.append("inner"))

        def outer_hook(g):
            if 0 in depths:
                queue_callback(lambda: calls.append("outer"))
            inner.backward()
            calls.append("inner pass over")
        inner.register_hook(inner_hook)
        out = outer_leaf * 3
        out.register_hook(outer_hook)
        out.sum().backward()
        self.same(inner_leaf.grad, [2])
        self.same(outer_leaf.grad, [3])
        return calls

    def test_reentrant_with_callbacks_depth_0(self):
        self.assertEqual(self.check_callbacks([0]), ["inner pass over", "outer"])

    def test_reentrant_with_callbacks_depth_1(self):
        self.assertEqual(self.check_callbacks([1]), ["inner", "inner pass over"])

    def test_reentrant_with_callbacks_both_depths(self):
        self.assertEqual(self.check_callbacks([0, 1]), ["inner", "inner pass over", "outer"])

    def test_callback_adds_callback(self):
        calls, x = [], leaf([1.0])

        def first():
            calls.append(("first", x.grad.tolist()))                       # everything is there when callbacks run
            queue_callback(lambda: calls.append("second"))
        y = x * 5
        y.register_hook(lambda g: queue_callback(first))
        y.sum().backward()
        self.assertEqual(calls, [("first", [5]), "second"])
        with self.refused():
            queue_callback(print)                                          # outside of a pass

    def test_callback_propagates_errors_from_device_thread(self):
        error, x = LookupError("of a callback"), leaf([1.0])

        def fail():
            raise error
        y = x * 5
        y.register_hook(lambda g: queue_callback(fail))
        with self.assertRaises(LookupError) as caught:
            y.sum().backward()
        self.assertIs(caught.exception, error)
        (x * 2).sum().backward()
        self.same(x.grad, [7])

    def test_thread_shutdown(self):
        # a thread that has run a pass ends, and what it made goes with it
        before, found = nodes_alive(), []

        def work():
            x = leaf([1.0, 2.0])
            (x * x).sum().backward()
            found.append(x.grad.tolist())
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual((found, nodes_alive()), ([[2, 4]] * 3, before))


class TestAutogradDeviceType(Case):
    def test_reentrant_parent_error_on_cpu(self):
        before = nodes_alive()
        x, inner_leaf = leaf([1.0, 2.0]), leaf([1.0, 2.0])
        inner = (inner_leaf * inner_leaf).sum()
        first, second = x * 2, x * 3

        def fail(g):
            raise LookupError("simulated")
        first.register_hook(fail)                                          # the older node: after the inner pass
        second.register_hook(lambda g: inner.backward())
        with self.assertRaisesRegex(LookupError, "simulated"):
            (first + second).sum().backward()
        self.same(inner_leaf.grad, [2, 4])
        del x, inner_leaf, inner, first, second
        self.assertEqual(nodes_alive(), before)


if __name__ == "__main__":
    unittest.main()
