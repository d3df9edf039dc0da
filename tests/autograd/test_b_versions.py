"""Versions: who counts writes, who shares the count, and what a pass refuses."""
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, double, leaf, ramp


class TestAutograd(Case):
    def test_version_counter(self):
        x = torch.randn(1, 2)
        first = x._version
        x.add_(1)
        self.assertEqual(x._version, first + 1)
        v = x[:, :1]
        self.assertEqual(v._version, x._version)                           # views share it
        v.mul_(2)
        self.assertEqual((v._version, x._version), (first + 2, first + 2))
        d = x.detach()
        x.add_(1)
        self.assertEqual(d._version, x._version)                           # and so do detached ones
        y = x.clone()
        y.add_(1)
        self.assertEqual(x._version, first + 3)
        self.assertNotEqual(id(y), id(x))
        before = x._version
        x.data = torch.randn(2, 3)                                         # other data, the same count, which never goes back
        self.assertGreaterEqual(x._version, before)
        with torch.no_grad():
            before = x._version
            x.add_(1)
            self.assertEqual(x._version, before + 1)

    def test_saved_variable_version_counter(self):
        x = leaf(5.0)
        y = torch.exp(x)                                                   # saves its result
        y.add_(1)
        with self.refused("version|in place|inplace|changed"):
            y.backward()
        y = torch.exp(x)
        saved = y.grad_fn._saved_result
        self.assertEqual(saved._version, y._version)
        self.same(saved, y.detach())
        with torch.no_grad():
            y.add_(1)
        self.assertEqual(saved._version, y._version)
        with self.refused("version|in place|inplace|changed"):
            y.grad_fn._saved_result

    def test_versions_only_grow(self):
        # a write nobody recorded counts when it is said to have happened; the count is no one's to lower
        x = leaf([1.0, 2.0])
        w = double([3.0, 4.0])
        y = (x * w).sum()
        graph.increment_version(w)
        with self.refused("version|in place|inplace|changed") as caught:
            y.backward()
        self.assertRegex(str(caught.exception), "2|MulBackward0")
        graph.increment_version([w, w])
        self.assertEqual(w._version, 3)

    def test_saved_variable_saved_original_inplace_detach(self):
        # detaching in place a tensor whose value was saved
        for function, slope in ((torch.sin, torch.cos), (torch.exp, torch.exp)):   # of one the argument is saved, of one the result
            root = leaf(1.0)
            a = root.clone()
            b = function(a)
            a.detach_()
            self.assertTrue(a.is_leaf and not a.requires_grad)
            g, = torch.autograd.grad(b, root, create_graph=True)           # what was recorded before stays as it was
            self.close(g, slope(root.detach()))
            self.close(torch.autograd.grad(g, root)[0], -root.detach().sin() if function is torch.sin else g.detach())
        root = leaf(1.0)
        a = root.clone()
        b = function(a)
        b.detach_()
        with self.refused("grad"):
            b.backward()

    def test_set_data_tensorimpl_type(self):
        # data of another kind of tensor is no data for this one; other elements are
        x = torch.randn(1, 2)
        with torch.inference_mode():
            unfit = torch.ones(1, 2, dtype=torch.int64)
        with self.refused("inference"):
            x.data = unfit
        self.assertIs(x.dtype, torch.float32)
        x.data = torch.ones(1, 2, dtype=torch.int64)
        self.assertIs(x.dtype, torch.int64)

    def test_set_data_preserve_pyobj(self):
        a, b = torch.randn(1, 2), torch.randn(1, 2)
        mark = id(b)
        b.note = "kept"
        b.data = a
        self.assertEqual((id(b), b.note), (mark, "kept"))
        self.same(b, a)
        b.add_(1)
        self.same(b, a)                                                    # one memory

    def test_set_data_self_requires_grad(self):
        a, b = leaf(1.0), leaf(2.0)
        a.data = b
        self.assertTrue(a.requires_grad)
        self.same(a, 2)
        self.assertTrue(a.is_leaf)
        c = double(3.0)
        c.data = a                                                         # the flag does not come along
        self.assertFalse(c.requires_grad)
        with self.refused("requires grad"):
            a.data = torch.tensor(3)
        a.data = torch.tensor(3.0, dtype=torch.float32)                    # another accumulator
        (a * a).backward()
        self.assertIs(a.grad.dtype, torch.float32)
        self.same(a.grad, 6)

    def test_saved_tensors_hook_version_counter_not_shared(self):
        # what a pack hook keeps is the hook's own: a later write to the tensor is not the hook's affair
        packed = []
        with graph.saved_tensors_hooks(lambda t: packed.append(t.clone()) or packed[-1], lambda t: t):
            x = leaf(2.0)
            y = x * x
        with torch.no_grad():
            x.mul_(10)
        y.backward()
        self.same(x.grad, 4)

    def test_inplace_on_saved_after_shape_of_message(self):
        # the message says what changed: the op, the shape, both versions
        x = leaf([[1.0, 2.0, 3.0]])
        y = x.sigmoid()
        y.mul_(2)
        y.mul_(2)
        with self.refused() as caught:
            y.sum().backward()
        text = str(caught.exception)
        for word in ("sigmoid|Sigmoid", r"\[1, 3\]", "2", "0"):
            self.assertRegex(text, word)


class TestAutogradDeviceType(Case):
    def test_parameter_resize(self):
        # a leaf may get data of another size; the passes after that know it
        p = leaf([1.0, 2.0, 3.0])
        (p * p).sum().backward()
        self.same(p.grad, [2, 4, 6])
        p.data = double([[1.0, 2.0], [3.0, 4.0]])
        p.grad = None
        for factor in (2, 3):
            p.grad = None
            (p * factor).sum().backward()
            self.same(p.grad, [[factor] * 2] * 2)

    def test_free_unneeded_tensor(self):
        # a graph holds on to what its rules read and to nothing else
        def live(make):
            before = torch.live_counts()["tensors"]
            out = make()
            return torch.live_counts()["tensors"] - before, out
        x = torch.randn(10, 10, requires_grad=True)
        chain, out = live(lambda: ((x + 1) * 2 - 3).neg().t().sum())
        self.assertEqual(chain, 1)                                         # the result
        kept, out2 = live(lambda: ((x + 1).sin() * 2).sum())
        self.assertEqual(kept, 2)                                          # and what sin's rule reads
        out2.backward()
        y = torch.randn(10, 10)                                            # not wanted: x's side of the product isn't kept
        only, out3 = live(lambda: (x.clone() * y).sum())
        self.assertEqual(only, 1)
        del out, out2, out3

    def test_grad_assignment(self):
        x = torch.randn(5, 5)
        with self.refused():
            x.grad = torch.randn(2, 2)                                     # size
        with self.refused():
            x.grad = torch.randn(5, 5, dtype=torch.float64)                # type
        with self.refused():
            x.grad = x                                                     # itself
        with self.assertRaises(TypeError):
            x.grad = 0
        g = torch.randn(5, 5)
        x.grad = g
        self.assertIs(x.grad, g)
        x.grad = None
        self.assertIsNone(x.grad)

    def test_resize_version_bump(self):
        # a tensor gets another size by .data, which counts as a write for what was saved before
        x, w = torch.rand(1), leaf([2.0], dtype=torch.float32)
        y = x * w
        x.data = torch.randn(2, 3)
        self.assertEqual(tuple(x.shape), (2, 3))
        self.assertGreater(x._version, 0)
        with self.refused("version|in place|inplace|changed"):
            y.sum().backward()

    def test_copy_(self):
        x = ramp(2, 3)
        y = torch.zeros(2, 3, dtype=torch.float64)
        y.copy_(x)
        self.assertTrue(y.requires_grad)
        (y * y).sum().backward()
        self.same(x.grad, 2 * x.detach())
        narrow = torch.zeros(3, dtype=torch.float32)                       # another type: the gradient is cast back
        source = leaf([1.0, 2.0, 3.0])
        narrow.copy_(source)
        narrow.sum().backward()
        self.assertIs(source.grad.dtype, torch.float64)
        self.same(source.grad, [1, 1, 1])
        wide, row = torch.zeros(2, 3, dtype=torch.float64), leaf([[1.0, 2.0, 3.0]])
        wide.copy_(row)                                                    # broadcast: summed back
        wide.sum().backward()
        self.same(row.grad, [[2, 2, 2]])
        for kind in (torch.int64, torch.bool):                             # an integer target stays out of the graph
            target = torch.zeros(3, dtype=kind)
            target.copy_(source)
            self.assertFalse(target.requires_grad)
        root = leaf([1.0, 1.0])
        old = root * 1
        old.copy_(double([5.0, 6.0]))                                      # what was there has no influence
        self.same(torch.autograd.grad(old.sum(), root, materialize_grads=True)[0], [0, 0])


if __name__ == "__main__":
    unittest.main()
