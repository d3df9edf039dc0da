"""Switching recording on and off, and what a pass does with the caller's mode."""
import unittest

import gradus as torch
from support import Case, leaf


class TestAutograd(Case):
    def test_set_grad_enabled(self):
        x = leaf([1, 2])
        with torch.set_grad_enabled(False):
            self.assertFalse((x * 2).requires_grad)
            with torch.set_grad_enabled(True):
                self.assertTrue((x * 2).requires_grad)
            self.assertFalse((x * 2).requires_grad)
        self.assertTrue((x * 2).requires_grad)
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)                                      # as a call: at once, until told otherwise
        self.assertFalse((x * 2).requires_grad)
        torch.set_grad_enabled(before)
        self.assertTrue((x * 2).requires_grad)

    def test_set_grad_enabled_wraps(self):
        for outside in (True, False):
            with torch.set_grad_enabled(outside):
                @torch.set_grad_enabled(not outside)
                def mode_inside():
                    return torch.is_grad_enabled()

                self.assertEqual(torch.is_grad_enabled(), outside)         # decorating has no effect of its own
                self.assertEqual(mode_inside(), not outside)
                self.assertEqual(torch.is_grad_enabled(), outside)

                def raises():
                    raise KeyError("inside")
                with self.assertRaises(KeyError):
                    torch.set_grad_enabled(not outside)(raises)()
                self.assertEqual(torch.is_grad_enabled(), outside)

    def test_grad_mode_restored_reentrant(self):
        seen = []

        def inner_pass(gradient):
            seen.append(torch.is_grad_enabled())
            with torch.enable_grad():
                seen.append(torch.is_grad_enabled())
                y = leaf([3.0])
                y.register_hook(lambda g: seen.append(("inner", torch.is_grad_enabled())))
                (y * y).sum().backward(create_graph=True)
                y.grad = None                                              # which leads to y
                seen.append(torch.is_grad_enabled())
            seen.append(torch.is_grad_enabled())

        x = leaf([1, 2])
        y = x * 2
        y.register_hook(inner_pass)
        for caller in (True, False):
            for create_graph in (True, False):
                del seen[:]
                with torch.set_grad_enabled(caller):
                    y.sum().backward(retain_graph=True, create_graph=create_graph) if caller else y.backward(
                        torch.ones(2, dtype=torch.float64), retain_graph=True, create_graph=create_graph)
                    self.assertEqual(torch.is_grad_enabled(), caller)
                self.assertEqual(seen, [create_graph, True, ("inner", True), True, create_graph])
                x.grad = None

    def test_integer_outputs(self):
        # comparisons, indices and other integers take no part in a graph, whatever they come from
        x = leaf([3, 1, 2])
        for out in (x.argmax(), x.argmin(), x.argsort(), x > 1, x == x, x.sort()[1], x.topk(2)[1], x.max(0)[1], x.isnan(), x.long(), x.bool()):
            self.assertFalse(out.requires_grad)
            self.assertIsNone(out.grad_fn)
            self.assertTrue(out.is_leaf)
        values, _ = x.sort()
        self.assertTrue(values.requires_grad)


class TestAutogradDeviceType(Case):
    def test_set_requires_grad_only_for_floats(self):
        for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            x = torch.zeros(2, dtype=kind)
            x.requires_grad = True
            self.assertTrue(x.requires_grad)
            self.assertTrue(torch.zeros(2, dtype=kind).requires_grad_().requires_grad)
            self.assertTrue(torch.zeros(2, dtype=kind, requires_grad=True).requires_grad)
        for kind in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
            x = torch.zeros(2, dtype=kind)
            with self.refused("float"):
                x.requires_grad = True
            with self.refused("float"):
                x.requires_grad_()
            with self.refused("float"):
                torch.zeros(2, dtype=kind, requires_grad=True)
            self.assertFalse(x.requires_grad)
            x.requires_grad_(False)                                        # no change, no error
            x.requires_grad = False

    def test_requires_grad_factory(self):
        x = torch.randn(2, 3)
        for make in (torch.ones_like, torch.zeros_like, torch.empty_like, torch.rand_like, torch.randn_like):
            for kind in (torch.float32, torch.float64):
                for wanted in (True, False):
                    self.assertEqual(make(x, dtype=kind, requires_grad=wanted).requires_grad, wanted)
        for make in (torch.ones, torch.zeros, torch.empty, torch.rand, torch.randn):
            with torch.no_grad():                                          # the flag is the caller's word, recording or not
                self.assertTrue(make(2, requires_grad=True).requires_grad)
            self.assertFalse(make(2).requires_grad)
        with torch.no_grad():
            self.assertTrue(torch.full([2], 1.0, requires_grad=True).requires_grad)
            self.assertTrue(torch.tensor([1.0], requires_grad=True).is_leaf)

    def test_pyscalar_conversions(self):
        x = leaf([[2.5]])
        self.assertEqual((float(x), int(x), x.item()), (2.5, 2, 2.5))
        self.assertIs(type(float(x)), float)
        self.assertIs(type(int(x)), int)
        n = torch.tensor([7])
        self.assertEqual((float(n), int(n), n.item(), n.__index__()), (7.0, 7, 7, 7))
        self.assertEqual([10, 20, 30][torch.tensor(1)], 20)
        self.assertEqual((float(leaf(float("inf"))), float(leaf(-float("inf")))), (float("inf"), -float("inf")))
        self.assertNotEqual(float(leaf(float("nan"))), float(leaf(float("nan"))))
        self.assertTrue(bool(leaf([1.0])))
        self.assertFalse(bool(leaf([0.0])))
        for lost in (float("inf"), float("-inf"), float("nan")):
            with self.assertRaises((OverflowError, ValueError)):
                int(leaf(lost))
        with self.refused():
            float(leaf([1.0, 2.0]))
        with self.refused():
            bool(leaf([1.0, 2.0]))

    def test_non_differentiable_ops(self):
        x = leaf([[1.0, 0.0], [0.0, 2.0]])
        for function in (lambda t: t != 0, lambda t: t.nonzero(), lambda t: t.argmax(1), lambda t: t.sign() > 0, lambda t: t.isfinite(),
                         lambda t: t.logical_not(), lambda t: torch.eq(t, t), lambda t: t.any(), lambda t: t.all(), lambda t: t.count_nonzero()):
            out = function(x)
            self.assertFalse(out.requires_grad)
            self.assertIsNone(out.grad_fn)
        with self.refused("grad"):
            (x > 0).sum().backward()


if __name__ == "__main__":
    unittest.main()
