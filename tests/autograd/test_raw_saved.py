"""Hooks that are put on one saved value of a node."""
import unittest

import gradus as torch
from support import Case, leaf


def doubled(t):
    return 2 * t


def halved(t):
    return t / 2


class TestAutograd(Case):
    def check_hooks_of(self, name, make, gradient):
        """Hooks on the saved value `name` of make(x).grad_fn: seen by every reader, and inverse to each other for the rule."""
        x = leaf([1.0, 2.0, 3.0])
        y = make(x)
        plain = getattr(y.grad_fn, "_saved_" + name).tolist()
        raw = getattr(y.grad_fn, "_raw_saved_" + name)
        raw.register_hooks(doubled, lambda t: t)
        self.assertEqual(getattr(y.grad_fn, "_saved_" + name).tolist(), [2 * v for v in plain])
        with self.assertRaisesRegex(RuntimeError, "kept by hooks already"):
            raw.register_hooks(doubled, halved)

        y = make(x)
        getattr(y.grad_fn, "_raw_saved_" + name).register_hooks(doubled, halved)
        y.sum().backward()
        self.assertEqual(x.grad.tolist(), gradient)
        with self.assertRaisesRegex(RuntimeError, "freed"):
            getattr(y.grad_fn, "_raw_saved_" + name).register_hooks(doubled, halved)

    def test_saved_variable_packing_unpacking_saved_original_with_hooks(self):
        self.check_hooks_of("self", lambda x: x * x, [2.0, 4.0, 6.0])
        self.check_hooks_of("other", lambda x: x * x, [2.0, 4.0, 6.0])

    def test_saved_variable_packing_unpacking_did_not_save_original_with_hooks(self):
        self.check_hooks_of("result", lambda x: (x * x).sqrt(), [1.0, 1.0, 1.0])

    def test_what_is_no_saved_tensor_takes_no_hooks(self):
        x = leaf([1.0, 2.0])
        with self.assertRaisesRegex(ValueError, "no saved tensor"):
            x.sum().grad_fn._raw_saved_self.register_hooks(doubled, halved)
        y = x * x
        with self.assertRaisesRegex(ZeroDivisionError, "no"):
            def fails(t):
                raise ZeroDivisionError("no")
            y.grad_fn._raw_saved_self.register_hooks(fails, halved)
        y.sum().backward()
        self.assertEqual(x.grad.tolist(), [2.0, 4.0])


if __name__ == "__main__":
    unittest.main()
