"""What counts as a view, and what may be written through which."""
import re
import unittest

import gradus as torch
from support import Case, double, leaf, ramp


class TestAutograd(Case):
    def test_autograd_views_codegen(self):
        # ops that always give views, whatever the strides, and may be written through while recording
        def check(make, is_view, writable):
            x = ramp(2, 2).clone()
            out = make(x)
            out = out[0] if isinstance(out, tuple) else out
            self.assertEqual(out._is_view(), is_view)
            if is_view:
                self.assertIs(out._base is not None, True)
                self.assertEqual(out._base.data_ptr(), x.data_ptr())
            if writable:
                out.add_(1)
                self.assertIsNotNone(x.grad_fn)
                self.assertNotEqual(x.grad_fn.name(), "CloneBackward0") if is_view else None
            else:
                with self.refused():
                    out.add_(1)
        check(lambda x: x.t(), True, True)
        check(lambda x: x.unsqueeze(0), True, True)
        check(lambda x: x[0], True, True)
        check(lambda x: x.diagonal(), True, True)
        check(lambda x: x.view(4), True, True)
        check(lambda x: x.as_strided([2], [1]), True, True)
        check(lambda x: x.unbind(), True, False)
        check(lambda x: x.split(1), True, False)
        check(lambda x: x * 1, False, True)
        check(lambda x: x.clone(), False, True)
        check(lambda x: x.unsafe_split(1), False, True)

    def test_autograd_simple_views_python(self):
        # of a base that does and one that does not require grad; written by the base and by the view
        for base_grad in (True, False):
            for write_base in (True, False):
                a, b = leaf([2.0, 3.0], base_grad), leaf([5.0, 7.0])
                x = a.clone()
                v = x.view_as(x)
                (x if write_base else v).mul_(b)
                self.assertTrue(x.requires_grad and v.requires_grad)
                (x + v).sum().backward()
                self.same(b.grad, [4, 6])
                if base_grad:
                    self.same(a.grad, [10, 14])
                else:
                    self.assertIsNone(a.grad)

    def test_autograd_multiple_views_python(self):
        # one write is seen by every view of the base, once
        a, b = ramp(2, 2), leaf([10.0, 100.0])
        x = a.clone()
        views = x.view(4), x.t(), x[1]
        x[0].mul_(b)
        self.same(views[0], [10, 200, 3, 4])
        self.same(views[1], [[10, 3], [200, 4]])
        sum(v.sum() for v in views).backward()
        self.same(a.grad, [[20, 200], [3, 3]])
        self.same(b.grad, [2, 4])

    def test_autograd_inplace_views_creation_meta(self):
        # how the view was made, and how it is written
        def off(x):
            with torch.no_grad():
                return x.view_as(x)

        def inference(x):
            with torch.inference_mode():
                return x.view_as(x)
        makers = {"plain": lambda x: x.view_as(x), "no_grad": off, "inference": inference, "several": lambda x: x.unbind()[0]}
        for name, make in makers.items():
            for indirect in (False, True):
                x = ramp(2, 2).clone()
                v = make(x)
                v = v.view_as(v) if indirect else v
                with torch.no_grad():
                    v.mul_(2)                                              # not recorded: always allowed
                if name == "plain":
                    v.mul_(2)
                    continue
                with self.refused() as caught:
                    v.mul_(2)
                words = {"no_grad": "no_grad|recording", "inference": "inference", "several": "several|multiple"}[name]
                self.assertRegex(str(caught.exception), words)

    def test_a_view_again_by_its_strides(self):
        x, y = ramp(3, 4), ramp(3, 4, start=100)
        for make in (lambda t: t[1], lambda t: t.t()[2:], lambda t: t[:, 1:3].diagonal(), lambda t: t.unsqueeze(0).expand(2, 3, 4)):
            v = make(x)
            again = y.as_strided(v.shape, v.stride(), (v.data_ptr() - x.data_ptr()) // 8)
            self.same(again, make(y))

    def test_view_rebuilt_after_a_write(self):
        # a view rebuilt after a write has one history, which leads to the base's
        x = ramp(4)
        y = x.clone()
        v = y[1:3]
        self.assertTrue(v.grad_fn.name().startswith("Slice"))
        y.mul_(2)
        rebuilt = v.grad_fn
        self.assertFalse(rebuilt.name().startswith("Slice") and rebuilt.next_functions[0][0].name() == "CloneBackward0")
        self.assertEqual(rebuilt.next_functions[0][0].name(), y.grad_fn.name())
        self.assertIs(v.grad_fn, rebuilt)
        v.sum().backward()
        self.same(x.grad, [0, 2, 2, 0])

    def test_autograd_print_tensor(self):
        a = leaf([1.0])
        self.assertIn("requires_grad=True", repr(a))
        b = a * 2
        self.assertRegex(repr(b), r"grad_fn=<MulBackward\d>")
        self.assertNotIn("requires_grad", repr(b))
        c = b.detach()
        self.assertIsNone(re.search("grad", repr(c)))
        with torch.no_grad():
            v = b[:]
        b.mul_(2)
        self.assertIn("4., dtype", repr(v).replace("[", "").replace("]", ""))   # a view whose history can't be made still prints
        self.assertIn("grad_fn=<Invalid>", repr(v))
        with self.refused("recording|no_grad"):
            v.grad_fn

    def test_inplace_on_base_shows_in_is_view(self):
        x = double([1, 2, 3, 4])
        v = x[1:][1:]
        self.assertTrue(v._is_view())
        self.assertEqual(v._base.data_ptr(), x.data_ptr())                 # views of views lead to the root
        self.assertFalse(x._is_view())
        self.assertFalse(v.clone()._is_view())
        self.assertIsNone(x._base)

    def test_one_of_several_views(self):
        x = ramp(2, 2).clone()
        first, _ = x.unbind(-1)
        with torch.no_grad():
            first.add_(1)
        self.same(x, [[2, 2], [4, 4]])
        with self.refused():
            first.add_(1)


if __name__ == "__main__":
    unittest.main()
