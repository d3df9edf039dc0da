"""Passes on several threads: over their own graphs, over shared leaves, over one graph."""
import threading
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, double, leaf, nodes_alive


def run_threads(function, args=(), count=8):
    """Runs function on count threads at once; the exceptions they ended with."""
    errors, gate = [], threading.Barrier(count)

    def work():
        try:
            gate.wait()
            function(*args)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=work) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return errors


class TestMultithreadAutograd(Case):
    def test_multithreaded_exception_propagation(self):
        # errors of a thread come out of that thread's calls
        def work():
            x = leaf([1.0, 2.0])
            (x * 2).backward()
        errors = run_threads(work)
        self.assertEqual(len(errors), 8)
        for error in errors:
            self.assertIsInstance(error, RuntimeError)
            self.assertIn("backward", str(error))

    def test_simple_backward(self):
        # graphs that share nothing
        def work():
            x = torch.ones(5, 5, requires_grad=True)
            y = (x + 3) * (x + 4) * 0.5
            y.sum().backward()
            self.same(x.grad, [[4.5] * 5] * 5)                             # x + 3.5
        self.assertEqual(run_threads(work), [])

    def test_simple_backward_same_input(self):
        # graphs that share a leaf: every thread's gradient is added, none is lost
        x = torch.ones(5, 5, requires_grad=True)

        def work():
            ((x + 3) * (x + 4) * 0.5).sum().backward()
        self.assertEqual(run_threads(work), [])
        self.same(x.grad, [[8 * 4.5] * 5] * 5)
        y = torch.ones(5, 5, requires_grad=True)
        shared = (y + 3) * (y + 4) * 0.5
        total = shared.sum()

        def again():                                                       # one graph, kept, run by all
            torch.autograd.backward(total, retain_graph=True)
        self.assertEqual(run_threads(again), [])
        self.same(y.grad, [[8 * 4.5] * 5] * 5)
        kept = []

        def by_grad():
            kept.append(torch.autograd.grad(total, y, retain_graph=True)[0].tolist())
        self.assertEqual(run_threads(by_grad), [])
        self.assertEqual(kept, [[[4.5] * 5] * 5] * 8)

    def test_one_graph_freed_by_one_thread(self):
        # without retain_graph at least one thread gets through; the others succeed or are told that it was freed
        for _ in range(20):
            x = torch.ones(50, requires_grad=True)
            total = (x.exp() * x).sin().sum()
            errors = run_threads(total.backward, count=4)
            self.assertLess(len(errors), 4)
            for error in errors:
                self.assertRegex(str(error), "freed")

    def test_multi_grad_all_hooks(self):
        # the hook counts each thread's pass for itself
        a, b, calls, lock = leaf([1.0, 2.0]), leaf([3.0, 4.0]), [], threading.Lock()

        def hook(gradients):
            with lock:
                calls.append([g.tolist() for g in gradients])
        graph.register_multi_grad_hook((a, b), hook)
        y = (a * b).sum()
        errors = run_threads(lambda: y.backward(retain_graph=True))
        self.assertEqual(errors, [])
        self.assertEqual(calls, [[[3, 4], [1, 2]]] * 8)
        self.same(a.grad, [24, 32])

        def fail(gradients):
            raise LookupError("simulated")
        graph.register_multi_grad_hook((a, b), fail)
        errors = run_threads(lambda: y.backward(retain_graph=True), count=4)
        self.assertEqual([type(e) for e in errors], [LookupError] * 4)

    def test_multi_grad_any_hooks(self):
        a, b, calls, lock = leaf([1.0, 2.0]), leaf([3.0, 4.0]), [], threading.Lock()

        def hook(gradient):
            with lock:
                calls.append(gradient.tolist())
        graph.register_multi_grad_hook((a, b), hook, mode="any")
        y = (a * b).sum()
        self.assertEqual(run_threads(lambda: y.backward(retain_graph=True)), [])
        self.assertEqual(len(calls), 8)                                    # once per pass
        self.assertIn(calls[0], ([3, 4], [1, 2]))

    def test_dataparallel_saved_tensors_hooks(self):
        # hooks on saved values belong to the thread that entered them
        counts, lock = {"pack": 0}, threading.Lock()

        def pack(t):
            with lock:
                counts["pack"] += 1
            return t
        with graph.saved_tensors_hooks(pack, lambda t: t):
            x = leaf([1.0, 2.0])
            y = x * x
            here = counts["pack"]

            def elsewhere():
                z = leaf([1.0])
                (z * z).sum().backward()
                self.same(z.grad, [2])
            self.assertEqual(run_threads(elsewhere), [])
            self.assertEqual(counts["pack"], here)
        errors = run_threads(lambda: y.sum().backward(), count=1)          # recorded here, run there
        self.assertEqual(errors, [])
        self.same(x.grad, [2, 4])

    def test_python_thread_in_middle(self):
        # a pass that one thread began over what others recorded, and several of them after one another
        success = [0]
        x = torch.ones(5, 5, requires_grad=True)
        made = []

        def record():
            made.append((x + 3) * (x + 4) * 0.5)
        self.assertEqual(run_threads(record, count=3), [])
        sum(m.sum() for m in made).backward()
        self.same(x.grad, [[3 * 4.5] * 5] * 5)
        x.grad = None
        y = (x + 3) * (x + 4) * 0.5
        total = y.sum()

        def run():
            total.backward(retain_graph=True)
            success[0] += 1
        for _ in range(3):
            self.assertEqual(run_threads(run, count=1), [])
        self.assertEqual(success, [3])
        self.same(x.grad, [[3 * 4.5] * 5] * 5)

    def test_fork_join_in_middle(self):
        # record here, continue on threads, join here
        x = leaf([1.0, 2.0])
        middle, parts, lock = x * 2, [], threading.Lock()

        def branch():
            part = middle * middle
            with lock:
                parts.append(part)
        self.assertEqual(run_threads(branch, count=4), [])
        sum(parts).sum().backward()
        self.same(x.grad, [4 * 8, 4 * 16])

        def grad_here():                                                   # threads run passes over a common stem that is kept
            g, = torch.autograd.grad((middle * 3).sum(), middle)
            self.same(g, [3, 3])
        self.assertEqual(run_threads(grad_here), [])

    def test_preserve_backtrace(self):
        # an exception of a hook comes out as itself, its traceback leading to the line that raised
        import traceback

        def the_line_that_raises(g):
            raise ValueError("something")
        x = leaf([1.0])
        y = x * 2
        y.register_hook(the_line_that_raises)
        try:
            y.sum().backward()
            self.fail("nothing raised")
        except ValueError as error:
            frames = [f.name for f in traceback.extract_tb(error.__traceback__)]
        self.assertIn("the_line_that_raises", frames)

    def test_modes_and_graphs_of_threads(self):
        before, seen = nodes_alive(), []

        def work():
            seen.append(torch.is_grad_enabled())
            with torch.no_grad():
                self.assertFalse((leaf([1.0]) * 2).requires_grad)
        with torch.no_grad():
            self.assertEqual(run_threads(work, count=3), [])
        self.assertEqual((seen, nodes_alive()), ([True] * 3, before))

    def test_hooks_on_many_threads(self):
        x = leaf([1.0])

        def work():
            for _ in range(50):
                handle = x.register_hook(lambda g: g * 1)
                (x * 2).sum().backward()
                handle.remove()
        self.assertEqual(run_threads(work, count=4), [])
        self.same(x.grad, double([400.0]))


if __name__ == "__main__":
    unittest.main()
