"""Writes through views: the base's and the other views' histories follow."""
import unittest

import gradus as torch
from support import Case, double, leaf, nodes_alive, ramp


class TestAutograd(Case):
    def test_inplace_on_view_saved_output(self):
        # a rule that reads its own result keeps nothing alive that keeps it alive
        before = nodes_alive()

        def run():
            base = torch.randn(4, 4, requires_grad=True)
            whole = base * 1
            view = whole[1:]
            view.sigmoid_()
            view.exp_()
            return view, base
        view, base = run()
        self.assertGreater(nodes_alive(), before)
        del view, base
        self.assertEqual(nodes_alive(), before)

    def test_inplace_on_view_leaf_errors(self):
        x = leaf([1.0])
        y = x.view_as(x)
        with self.refused("leaf.*in-place|in-place.*leaf|leaf|view"):
            y.add_(1)
        with self.refused("leaf"):
            x.add_(1)
        self.same(x, [1])                                                  # refused before anything was written
        self.assertEqual(x._version, 0)

    def test_inplace_on_view_backward(self):
        # gradients of gradients through a write to a view
        x = leaf([[1.0, 2.0], [3.0, 4.0]])
        w = leaf([2.0, -1.0])
        y = x * 1
        y[0].mul_(w)
        y.pow(3).sum().backward(create_graph=True)
        self.same(x.grad, [[3 * 8 * 1, 3 * -1 * 4], [27, 48]])             # 3 w^3 x^2 in the first row
        (x.grad ** 2).sum().backward()
        # d/dx (3 w^3 x^2)^2 = 36 w^6 x^3, added to the first gradient
        self.same(x.grad, [[24 + 36 * 64, -12 + 36 * 8], [27 + 36 * 27, 48 + 36 * 64]])
        x.grad = w.grad = None                                             # which lead to x and w
        empty = leaf([1.0, 2.0]) * 1                                       # a view of no elements
        empty[2:].mul_(5)
        empty.sum().backward()

    def test_inplace_on_view_weak_grad_fn(self):
        # the history of a view survives when the base's tensor is gone
        a = torch.arange(10.0, dtype=torch.float64, requires_grad=True)
        b = a.narrow(0, 0, 2).clone().view(-1)
        b.relu_()
        c = b.clone()
        del b
        c.sum().backward()
        self.same(a.grad, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0])

    def test_inplace_not_requires_grad(self):
        a, b = torch.randn(3), leaf([1.0, 2.0, 3.0], dtype=torch.float32)
        view = a[:]
        a += b                                                             # a becomes computed
        self.assertIs(a.requires_grad, True)
        self.assertEqual(view.grad_fn is None, False)
        a = torch.zeros(3)
        view = a[1:]
        view += b[1:]                                                      # through a view
        self.assertTrue(a.requires_grad)
        a.sum().backward()
        self.same(b.grad, [0, 1, 1])
        a = torch.zeros(3)
        with torch.no_grad():
            view = a[1:]
            view += b[1:]                                                  # nothing is recorded
        self.assertFalse(a.requires_grad or view.requires_grad)

    def test_autograd_inplace_view_of_view(self):
        x = torch.zeros(2, dtype=torch.float64)
        with torch.no_grad():
            y = x.view(2)
        y.requires_grad_()
        z = y.view(2)
        with self.refused("leaf|no_grad|recording"):
            z /= 2
        self.same(x, [0, 0])
        x = torch.zeros(2, dtype=torch.float64)
        with torch.inference_mode():
            y = x.view(2)
        self.assertFalse(y.requires_grad)
        z = y.view(2)
        with self.refused():
            z.mul_(leaf([1.0, 2.0]))


class TestAutogradDeviceType(Case):
    def test_inplace_on_view_backprop_base(self):
        root = ramp(2, 2)
        x = root.clone()
        v1 = x.narrow(0, 0, 1)
        v1.mul_(2)
        x.sum().backward()
        self.same(root.grad, [[2, 2], [1, 1]])

    def test_inplace_on_view_backprop_view_of_view(self):
        root = ramp(2, 2)
        x = root.clone()
        v1, v2 = x.narrow(0, 0, 1), x.narrow(0, 0, 1)
        v1.mul_(2)
        v2.sum().backward()
        self.same(root.grad, [[2, 2], [0, 0]])

    def test_inplace_on_view_of_view(self):
        root = ramp(2, 2)
        x = root.clone()
        v1 = x.narrow(0, 0, 1)
        v2 = v1.narrow(1, 1, 1)
        v2.mul_(2)
        x.sum().backward()
        self.same(root.grad, [[1, 2], [1, 1]])

    def test_inplace_on_view_then_no_grad(self):
        # after a write to the view, a later read with recording off does not spoil what was recorded
        a = ramp(3, 1)
        b = a * 2
        first = b.view_as(b)
        first[0].mul_(3)
        with torch.no_grad():
            first.grad_fn                                                  # rebuilt here
            b.sum()
        first.sum().backward()
        self.same(a.grad, [[6], [2], [2]])

    def test_inplace_on_view_gradcheck(self):
        # against hand-made sums, for a chain of writes to overlapping views
        a, b = ramp(4, 4), ramp(2, 2, start=20)
        x = a.clone()
        x.narrow(1, 2, 2).narrow(0, 1, 2).mul_(b)
        x.narrow(1, 0, 2).narrow(0, 1, 2).mul_(b)
        (x * x).sum().backward()
        ga, gb = (2 * a.detach()), double([[0, 0], [0, 0]])
        for row in (1, 2):
            for column in range(4):
                factor = b.detach()[row - 1, column % 2]
                ga[row, column] *= factor ** 2
                gb[row - 1, column % 2] += 2 * factor * a.detach()[row, column] ** 2
        self.same(a.grad, ga)
        self.same(b.grad, gb)

    def test_inplace_on_view_multiple_outputs(self):
        root = torch.arange(9.0, dtype=torch.float64).reshape(3, 3).requires_grad_()
        x = root.clone()
        first = x.unbind()[0]
        with self.refused("several|multiple|unbind|split"):
            first.mul_(2)
        self.same(x, root.detach())

    def test_inplace_on_view_of_multiple_output_view(self):
        a = torch.rand(10, requires_grad=True).clone()
        c = a.unbind(0)[0].view_as(a[0])
        with self.refused("several|multiple|unbind|split"):
            c.mul_(2)

    def test_inplace_multiple_output_view_of_view(self):
        a = torch.rand(10, requires_grad=True).clone()
        c = a.view_as(a).unbind(0)
        with self.refused("several|multiple|unbind|split"):
            c[0].mul_(2)

    def test_inplace_on_view_makes_base_require_grad(self):
        a, b = torch.zeros(4, 4, dtype=torch.float64), ramp(2, 2)
        view = a.narrow(1, 2, 2).narrow(0, 1, 2)
        self.assertFalse(a.requires_grad)
        view.mul_(b)
        self.assertTrue(a.requires_grad and view.requires_grad)
        a.sum().backward()
        self.same(b.grad, [[0, 0], [0, 0]])                                # the old values were 0
        a = torch.ones(4, 4, dtype=torch.float64)
        a[1:3, 2:4].mul_(b)
        (a * a).sum().backward()
        self.same(b.grad, [[2, 4], [6, 8]])

    def test_inplace_on_view_backprop_view(self):
        a, b = double([2.0, 5.0]), leaf([3.0])
        result = a.narrow(0, 1, 1).mul_(b)
        result.sum().backward()
        self.same(b.grad, [5])
        self.assertIsNone(a.grad)

    def test_inplace_on_view_modify_base(self):
        # a write to the base shows in the views' gradients
        r = leaf([1.0])

        def from_view(x):
            base = double([1, 2, 3, 4])
            view = base.narrow(0, 1, 2).narrow(0, 0, 1)
            self.assertFalse(view.requires_grad)
            base.mul_(x)
            self.assertTrue(view.requires_grad)
            return view
        out = from_view(r)
        self.same(out, [2])
        out.sum().backward()
        self.same(r.grad, [2])
        second, = torch.autograd.grad((from_view(r) ** 2).sum(), r, create_graph=True)
        self.same(torch.autograd.grad(second.sum(), r)[0], [8])

    def test_inplace_on_view_non_contig(self):
        root = torch.arange(12.0, dtype=torch.float64).reshape(2, 3, 2).select(2, 1).t().detach().requires_grad_()
        self.assertFalse(root.is_contiguous())
        x = root.clone()
        v1 = x.narrow(0, 0, 1)
        v2 = v1.narrow(1, 1, 1)
        v2.mul_(2)
        x.sum().backward()
        self.same(root.grad, [[1, 2], [1, 1], [1, 1]])

    def test_inplace_on_view_multi_output_unsafe(self):
        for split in (lambda x: x.unsafe_split(1), lambda x: x.unsafe_chunk(3), lambda x: x.tensor_split(3), lambda x: x.vsplit(3)):
            a, b = ramp(3, 3), ramp(3, 3)
            pieces = split(a + b)
            pieces[0].mul_(2)                                              # the pieces count as tensors of their own
            (pieces[0].sum() + pieces[1].sum()).backward()
            self.same(a.grad, [[2, 2, 2], [1, 1, 1], [0, 0, 0]])

    def test_inplace_on_view_multi_output_safe(self):
        for split in (lambda x: x.split(1), lambda x: x.split([1, 1, 1]), lambda x: x.chunk(3), lambda x: x.unbind()):
            a, b = ramp(3, 3), ramp(3, 3)
            s1, s2, s3 = split(a + b)
            with self.refused("several|multiple|split|unbind"):
                s1.mul_(2)
            (s1.sum() + s2.sum()).backward()                               # reading them is as good as ever
            self.assertEqual(a.grad.sum().item(), 6)

    def test_inplace_on_view_undefined_grad_output(self):
        # nothing flows into the written value: nothing flows out of it, and the rest is right
        a, b = leaf([1.0, 2.0]), leaf([3.0])
        c = a.clone()
        v = c[:]
        v.mul_(b)
        c.detach_() if not c._is_view() else None                          # a base may drop its history
        self.assertFalse(c.requires_grad)
        d = a.clone()
        w = d[0:1]
        w.mul_(b)
        d[1].backward()
        self.same(a.grad, [0, 1])
        self.same(b.grad, [0])

    def test_inplace_on_view_python(self):
        # the function that writes is the host's own
        a, b = ramp(4, 4), ramp(2, 2, start=20)

        def write(view, value):
            with torch.no_grad():
                before = view._version
            view.copy_(value * 2)
            self.assertGreater(view._version, before)
            return view
        x = a.clone()
        write(x.narrow(1, 2, 2).narrow(0, 1, 2), b)
        (x * x).sum().backward()
        expected = 2 * a.detach()
        expected[1:3, 2:4] = 0
        self.same(a.grad, expected)
        self.same(b.grad, 8 * b.detach())


if __name__ == "__main__":
    unittest.main()
