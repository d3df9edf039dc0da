"""Whose memory a gradient is in, and how it is laid out; out= arguments."""
import unittest

import gradus as torch
from support import Case, double, leaf, ramp


class TestAutograd(Case):
    def test_no_grad_copy(self):
        # a leaf's .grad never shares memory with the seed, with another leaf's, or with what a hook was shown
        x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        seed = double([5.0, 6.0])
        shown = []
        out = x + y
        out.register_hook(shown.append)
        out.backward(seed)
        places = [t.data_ptr() for t in (x.grad, y.grad, seed)]
        self.assertEqual(len(set(places)), 3)
        self.assertNotIn(shown[0].data_ptr(), places[:2])
        x.grad.mul_(0)
        self.same(y.grad, [5, 6])
        self.same(seed, [5, 6])
        self.same(shown[0], [5, 6])
        z = leaf([1.0, 2.0])                                               # an expanded gradient is written out
        z.sum().backward()
        self.assertTrue(z.grad.is_contiguous())
        z.grad[0] = 7
        self.same(z.grad, [7, 1])

    def test_out_variant_raises_when_inputs_require_grad(self):
        a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        out = torch.zeros(2, dtype=torch.float64)
        with self.refused("out="):
            torch.mul(a, b, out=out)
        self.same(out, [0, 0])
        with torch.no_grad():
            torch.mul(a, b, out=out)
        self.same(out, [3, 8])
        wanting = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        with self.refused("out="):
            torch.mul(a.detach(), b.detach(), out=wanting)
        self.same(wanting, [0, 0])

    def test_calculate_shape_util(self):
        # shapes in the message of a seed that does not fit
        x = leaf([[1.0, 2.0, 3.0]])
        with self.refused() as caught:
            (x * 2).backward(double([[1.0, 2.0]]))
        text = str(caught.exception)
        self.assertRegex(text, r"\[1, 2\]")
        self.assertRegex(text, r"\[1, 3\]")


class TestAutogradDeviceType(Case):
    def test_strided_leaf_grad_layout(self):
        # dense leaves get gradients of their own strides, others row-major ones
        base = torch.rand(2, 3, 4, dtype=torch.float64)
        dense = [base, base.permute(2, 0, 1), base.transpose(0, 1), base.permute(2, 1, 0)]
        others = [base[:, ::2], torch.rand(1, 4, dtype=torch.float64).expand(3, 4)]
        for t in dense:
            for create_graph in (False, True):
                x = t.detach().requires_grad_()
                (x * 2).sum().backward(create_graph=create_graph)
                self.assertEqual(x.grad.stride(), x.stride())
                self.same(x.grad.detach(), torch.full(x.shape, 2.0))
        for t in others:
            x = t.detach().requires_grad_()
            (x * 2).sum().backward()
            self.assertTrue(x.grad.is_contiguous())
        x = base.transpose(0, 2).detach().requires_grad_()                 # whatever layout comes in
        (x * torch.rand(4, 3, 2, dtype=torch.float64)).sum().backward()
        self.assertEqual(x.grad.stride(), x.stride())
        x.grad = None
        x.contiguous().backward(torch.ones(4, 3, 2, dtype=torch.float64))
        self.assertEqual(x.grad.stride(), x.stride())

    def test_copy_broadcasting(self):
        # the broadcast of copy_, in the direction that there is: the source's gradient is summed
        primal = torch.zeros(3, 3, dtype=torch.float64)
        source = leaf([[1.0, 2.0, 3.0]])
        primal.copy_(source)
        self.same(torch.autograd.grad((primal * ramp(3, 3, requires_grad=False)).sum(), source)[0], [[12, 15, 18]])
        with self.refused():
            torch.zeros(3).copy_(torch.zeros(3, 3))                        # a target does not grow

    def test_inplace_on_view_modify_base_in_a_leaf(self):
        x = ramp(3)
        with torch.no_grad():
            x[1:].mul_(10)
        (x * x).sum().backward()
        self.same(x.grad, [2, 40, 60])


if __name__ == "__main__":
    unittest.main()
