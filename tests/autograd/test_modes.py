"""no_grad, enable_grad and their decorators: on functions, generators, coroutine-like generators and classes."""
import unittest

import gradus as torch
from support import Case, leaf, ramp


class Recoverable(Exception):
    pass


class Unrecoverable(Exception):
    pass


class TestAutograd(Case):
    def test_grad_mode_class_decoration(self):
        with self.assertRaises((TypeError, RuntimeError)):                 # PyTorch warns: it would only cover __init__
            @torch.no_grad()
            class _Decorated:
                pass

    def test_no_grad(self):
        x, y = ramp(5, 5), ramp(5, 5)
        with torch.no_grad():
            w = x + y
            self.assertFalse(torch.is_grad_enabled())

        def adder(a, b):
            return a + b

        for decorated in (torch.no_grad()(adder), torch.no_grad(adder)):
            out = decorated(x, b=y)
            self.assertFalse(out.requires_grad)
            self.assertIsNone(out.grad_fn)
        self.assertFalse(w.requires_grad)
        self.assertIsNone(w.grad_fn)
        with self.refused(""):
            w.backward(torch.ones(5, 5, dtype=torch.float64))
        with torch.no_grad():                                              # the leaf's flag is not the mode's
            self.assertTrue(torch.ones(2, requires_grad=True).requires_grad)
            x.add_(1)                                                      # and leaves may be written
        self.assertTrue(torch.is_grad_enabled())
        with self.assertRaises(KeyError):
            with torch.no_grad():
                raise KeyError
        self.assertTrue(torch.is_grad_enabled())

    def test_enable_grad_decorator_no_paren(self):
        x = leaf(1.0)

        @torch.enable_grad
        def doubler(t):
            return t * 2

        with torch.no_grad():
            self.assertTrue(doubler(x).requires_grad)
            self.assertFalse((x * 2).requires_grad)
            with torch.enable_grad():
                self.assertTrue((x * 2).requires_grad)

    def test_set_grad_generator_functions(self):
        @torch.no_grad()
        def without():
            self.assertFalse(torch.is_grad_enabled())
            for i in range(10):
                self.assertFalse(torch.is_grad_enabled())
                yield i
                self.assertFalse(torch.is_grad_enabled())

        @torch.enable_grad()
        def with_grad():
            for i in range(10):
                self.assertTrue(torch.is_grad_enabled())
                yield i

        for decorated, outside in ((without, True), (with_grad, False)):
            with torch.set_grad_enabled(outside):
                got = []
                for i in decorated():
                    self.assertEqual(torch.is_grad_enabled(), outside)     # between its steps the caller's mode is in force
                    got.append(i)
                self.assertEqual(got, list(range(10)))
                self.assertEqual(torch.is_grad_enabled(), outside)

    def test_set_grad_generator_functions_recursive(self):
        @torch.enable_grad()
        def on_if_true(depth):
            self.assertTrue(torch.is_grad_enabled())
            if depth > 0:
                for _ in off_if_false(depth - 1):
                    self.assertTrue(torch.is_grad_enabled())
                    yield depth
            self.assertTrue(torch.is_grad_enabled())
            yield 0

        @torch.no_grad()
        def off_if_false(depth):
            self.assertFalse(torch.is_grad_enabled())
            if depth > 0:
                for _ in on_if_true(depth - 1):
                    self.assertFalse(torch.is_grad_enabled())
                    yield depth
            yield 0

        for outside in (True, False):
            with torch.set_grad_enabled(outside):
                self.assertEqual(len(list(on_if_true(5))), 6)
                self.assertEqual(torch.is_grad_enabled(), outside)
                self.assertEqual(len(list(off_if_false(5))), 6)
                self.assertEqual(torch.is_grad_enabled(), outside)

    def test_set_grad_coroutines(self):
        @torch.no_grad()
        def off(n=10):
            self.assertFalse(torch.is_grad_enabled())
            for i in range(n):
                self.assertFalse(torch.is_grad_enabled())
                got = yield i
                self.assertEqual(got, i * 2)
                self.assertFalse(torch.is_grad_enabled())
            return "end"

        @torch.enable_grad()
        def on(n=10):
            for i in range(n):
                self.assertTrue(torch.is_grad_enabled())
                got = yield i
                self.assertEqual(got, i * 2)
            return "end"

        for decorated, outside in ((off, True), (on, False)):
            with torch.set_grad_enabled(outside):
                steps, r = decorated(), None
                with self.assertRaises(StopIteration) as stopped:
                    while True:
                        r = steps.send(None if r is None else r * 2)
                        self.assertEqual(torch.is_grad_enabled(), outside)
                self.assertEqual(stopped.exception.value, "end")           # what it returned arrives
                self.assertEqual(r, 9)

    def _with_exceptions(self, decorator, inside):
        outer = self

        @decorator
        def steps():
            state, i = 0, 0
            while True:
                try:
                    outer.assertEqual(torch.is_grad_enabled(), inside)
                    i += 1
                    yield (state, i)
                except Recoverable:
                    outer.assertEqual(torch.is_grad_enabled(), inside)
                    state += 100
                except Unrecoverable:
                    outer.assertEqual(torch.is_grad_enabled(), inside)
                    raise
        return steps

    def test_set_grad_coroutines_benign_exceptions(self):
        for decorator, inside in ((torch.no_grad(), False), (torch.enable_grad(), True)):
            with torch.set_grad_enabled(not inside):
                steps = self._with_exceptions(decorator, inside)()
                self.assertEqual(next(steps), (0, 1))
                self.assertEqual(steps.throw(Recoverable), (100, 2))       # it caught it, in its own mode, and went on
                self.assertEqual(torch.is_grad_enabled(), not inside)
                self.assertEqual(next(steps), (100, 3))
                self.assertEqual(steps.throw(Recoverable()), (200, 4))
                self.assertEqual(torch.is_grad_enabled(), not inside)

    def test_set_grad_coroutines_critical_exceptions(self):
        for decorator, inside in ((torch.no_grad(), False), (torch.enable_grad(), True)):
            with torch.set_grad_enabled(not inside):
                steps = self._with_exceptions(decorator, inside)()
                next(steps)
                with self.assertRaises(Unrecoverable):
                    steps.throw(Unrecoverable)
                self.assertEqual(torch.is_grad_enabled(), not inside)

    def test_set_grad_coroutines_exit(self):
        for decorator, inside in ((torch.no_grad(), False), (torch.enable_grad(), True)):
            modes = []

            @decorator
            def steps():
                try:
                    yield 1
                    yield 2
                finally:
                    modes.append(torch.is_grad_enabled())

            with torch.set_grad_enabled(not inside):
                running = steps()
                next(running)
                running.close()                                            # its clean-up runs in its own mode
                self.assertEqual(modes, [inside])
                self.assertEqual(torch.is_grad_enabled(), not inside)
                with self.assertRaises(StopIteration):
                    next(running)


if __name__ == "__main__":
    unittest.main()
