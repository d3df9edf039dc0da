"""Gradients at kinks, ties and other special points, against values worked out by hand."""
import math
import unittest

import gradus as torch
from support import Case, double, leaf, ramp

inf, nan = math.inf, math.nan


class TestAutograd(Case):
    def test_var_mean_differentiable(self):
        for keepdim in (False, True):
            for dim in (None, 0, 1, (0, 1), [0, -1]):
                for unbiased in (True, False):
                    x, y = leaf([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]), leaf([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
                    whole = dim is None
                    v1, m1 = torch.var_mean(x, unbiased=unbiased) if whole else torch.var_mean(x, dim, unbiased=unbiased, keepdim=keepdim)
                    v2 = y.var(unbiased=unbiased) if whole else y.var(dim, unbiased=unbiased, keepdim=keepdim)
                    m2 = y.mean() if whole else y.mean(dim, keepdim=keepdim)
                    self.close(v1, v2.detach())
                    self.close(m1, m2.detach())
                    (v1 * 3 + m1).sum().backward()
                    (v2 * 3 + m2).sum().backward()
                    self.close(x.grad, y.grad)
        x = leaf([1.0, 2.0, 6.0])
        x.var().backward()
        self.close(x.grad, [-2.0, -1.0, 3.0])                              # 2 (x - mean) / (n - 1)

    def test_sinc_at_zero(self):
        x = leaf([0.0, -0.0])
        g, = torch.autograd.grad(torch.sinc(x).sum(), x)
        self.assertEqual([math.copysign(1, v) for v in g.tolist()], [1, 1])

    def test_pow_zero_tensor_gradient(self):
        for data in ([0.0, 0.0], [1.0, 0.0]):
            x = leaf(data)
            x.pow(0).sum().backward()
            self.same(x.grad, [0, 0])
            x = leaf(data)
            x.pow(torch.zeros(2, dtype=torch.float64)).sum().backward()
            self.same(x.grad, [0, 0])
            x = leaf(data)
            x.pow(1).sum().backward()
            self.same(x.grad, [1, 1])
        base, exponent = double([0.0, 0.0, 0.0, 2.0]), leaf([0.0, 1.0, 2.5, 3.0])
        base.pow(exponent).sum().backward()
        self.close(exponent.grad, [0, 0, 0, 8 * math.log(2)])

    def test_power_function(self):
        # 0 to a power: 1 at exponent 0; the base's gradient is exponent * 0^(exponent-1)
        a = double([0.0, 0.0, 0.0])
        b = leaf([-1.0, 0.0, 1.0])
        c = torch.sum(a ** b)
        c.backward()
        self.same(b.grad, [-inf, 0, 0])
        s = 0
        b = leaf([-1.0, 0.0, 1.0])
        c = torch.sum(s ** b)                                              # a number to the power of a tensor
        c.backward()
        self.same(b.grad, [-inf, 0, 0])
        x = leaf([0.0, 0.0, 4.0])
        (x ** double([0.5, 1.0, 0.5])).sum().backward()
        self.same(x.grad, [inf, 1, 0.25])


class TestAutogradDeviceType(Case):
    def test_min_max_median_backprops_to_all_values(self):
        for name in ("min", "max", "median", "nanmedian"):
            for data in ([1.0, 1.0, 1.0, 1.0], [1.0] + [nan] * 2 if name == "nanmedian" else [2.0, 2.0, 2.0]):
                x = leaf(data)
                y = getattr(x, name)()
                y.backward()
                ties = sum(1 for v in data if v == v)
                self.same(x.grad, [1.0 / ties if v == v else 0.0 for v in data])
        for name in ("amin", "amax"):
            x = leaf([[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]])
            getattr(x, name)(1).sum().backward()
            third = 1.0 / 3
            self.same(x.grad, [[third] * 3, [1, 0, 0] if name == "amin" else [0, 0, 1]])
        for name in ("max", "min", "median"):                              # along a dimension: the one that was returned
            x = leaf([[3.0, 3.0, 3.0]])
            values, index = getattr(x, name)(1)
            values.sum().backward()
            self.same(x.grad.argmax(1), index)
            self.assertEqual(x.grad.sum().item(), 1)

    def test_scatter_index_reduce_amin_amax_backprops_to_all_values(self):
        for name in ("amin", "amax"):
            x, src = leaf([1.0, 5.0]), leaf([5.0, 5.0, 1.0, 1.0, 1.0])
            index = torch.tensor([1, 1, 0, 0, 0])
            x.scatter_reduce(0, index, src, name).sum().backward()
            self.same(x.grad, [0.25, 1.0 / 3])                             # ties share, self among them
            self.same(src.grad, [1.0 / 3, 1.0 / 3, 0.25, 0.25, 0.25])
            x, src = leaf([1.0, 5.0]), leaf([5.0, 5.0, 1.0, 1.0, 1.0])
            x.scatter_reduce(0, index, src, name, include_self=False).sum().backward()
            self.same(x.grad, [0, 0])
            self.close(src.grad, [0.5, 0.5, 1 / 3, 1 / 3, 1 / 3])
            x, src = leaf([1.0, 5.0]), leaf([5.0, 5.0, 1.0, 1.0, 1.0])
            x.index_reduce(0, index, src, name).sum().backward()
            self.same(x.grad, [0.25, 1.0 / 3])
            self.same(src.grad, [1.0 / 3, 1.0 / 3, 0.25, 0.25, 0.25])

    def test_scatter_index_reduce_prod_gradgrad_error(self):
        # with zeros among the factors the derivatives of both orders are right (PyTorch refuses the second)
        x, src = leaf([2.0, 3.0]), leaf([0.0, 4.0, 5.0])
        index = torch.tensor([0, 0, 1])
        out = x.scatter_reduce(0, index, src, "prod")
        self.same(out, [0, 15])
        gx, gs = torch.autograd.grad(out.sum(), (x, src), create_graph=True)
        self.same(gx, [0, 5])
        self.same(gs, [8, 0, 3])
        self.same(torch.autograd.grad(gs[0], x, retain_graph=True)[0], [4, 0])
        self.same(torch.autograd.grad(gs.sum(), src)[0], [2, 2, 0])

    def test_slopes_that_choose_are_connected(self):
        # differentiating a gradient again gives zeros, not none, whatever else the slope reads
        functional = torch.nn.functional
        for weight in (leaf([0.25]), double([0.25])):
            for function in (lambda t: torch.prelu(t, weight), lambda t: functional.leaky_relu(t, 0.25), lambda t: functional.rrelu(t, 0.25, 0.25)):
                x = leaf([-1.0, 0.0, 1.0])
                g, = torch.autograd.grad(function(x).sum(), x, create_graph=True)
                self.same(g, [0.25, 0.25, 1])
                self.same(torch.autograd.grad(g.sum(), x)[0], [0, 0, 0])
        weight, x = leaf([0.25]), leaf([-1.0, 1.0])
        g, = torch.autograd.grad(torch.prelu(x, weight).sum(), x, create_graph=True)
        self.same(torch.autograd.grad(g.sum(), weight)[0], [1])
        weight, x = leaf([0.25, 2.0]), ramp(1, 2, 2, start=-2)             # one weight per channel
        g, = torch.autograd.grad(torch.prelu(x, weight).sum(), x, create_graph=True)
        again, by_weight = torch.autograd.grad(g.sum(), (x, weight))
        self.same(again, [[[0, 0], [0, 0]]])
        self.same(by_weight, [2, 1])
        y = double([-1.0, 2.0])
        self.assertIs(functional.rrelu(y, 0.5, 0.5, inplace=True), y)
        self.same(y, [-0.5, 2])

    def test_where_functional(self):
        x, y = ramp(2, 2), ramp(2, 2, start=10)
        cond = torch.tensor([[True, False], [False, True]])
        (torch.where(cond, x, y) * double([[1, 2], [3, 4]])).sum().backward()
        self.same(x.grad, [[1, 0], [0, 4]])
        self.same(y.grad, [[0, 2], [3, 0]])
        x, row = ramp(2, 2), leaf([[5.0, 6.0]])                            # broadcast: summed back
        torch.where(cond, x, row).sum().backward()
        self.same(row.grad, [[1, 1]])
        x = leaf([-1.0, 4.0])                                              # what is not chosen gets exactly 0
        torch.where(x > 0, x, torch.zeros_like(x)).sum().backward()
        self.same(x.grad, [0, 1])

    def test_where_scalar(self):
        x = leaf([-1.0, 4.0])
        torch.where(x > 0, x * 2, 4.0).sum().backward()
        self.same(x.grad, [0, 2])
        x = leaf([-1.0, 4.0])
        torch.where(x > 0, 4.0, x * 3).sum().backward()
        self.same(x.grad, [3, 0])

    def test_mv_grad_stride_0(self):
        # products with an expanded vector, whose elements are one in memory
        m = leaf([[1.0, 2.0], [3.0, 4.0]])
        v = leaf([5.0])
        (m @ v.expand(2)).sum().backward()
        self.same(v.grad, [10])
        self.same(m.grad, [[5, 5], [5, 5]])
        torch.mv(m.detach(), v.expand(2)).sum().backward()
        self.same(v.grad, [20])

    def test_advanced_indexing_backwards_large(self):
        n = 1 << 16
        a = torch.randn(16, n, requires_grad=True)
        b = a[torch.arange(16), torch.full((16,), n - 1, dtype=torch.int64)]
        b.sum().backward()
        self.assertEqual(a.grad.sum().item(), 16)
        self.same(a.grad[:, -1], [1.0] * 16)
        index = torch.zeros(n, dtype=torch.int64)                          # one element, many times
        c = leaf([1.0, 2.0])
        c[index].sum().backward()
        self.same(c.grad, [n, 0])

    def test_advanced_indexing_backwards_memory_format(self):
        # the gradient is right whatever the layout of what was indexed
        x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
        for order in ((0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)):
            t = x.permute(*order).contiguous().permute(*[order.index(i) for i in range(4)]).detach().requires_grad_()
            self.same(t.detach(), x)
            (t[torch.tensor([0, 1]), :, torch.tensor([1, 3])] * 2).sum().backward()
            expected = torch.zeros_like(x)
            expected[0, :, 1], expected[1, :, 3] = 2, 2
            self.same(t.grad, expected)

    def test_warning_in_backward(self):
        # what Python warns of in a hook reaches the caller
        import warnings
        x = leaf([1.0])
        y = x * 2
        y.register_hook(lambda g: warnings.warn("from inside"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            y.sum().backward()
        self.assertEqual([str(w.message) for w in caught], ["from inside"])

    def test_rnn_backward_to_input_but_not_parameters(self):
        # nothing is computed for weights that do not want it
        w_ih, w_hh, b = (torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64), torch.randn(8, dtype=torch.float64))
        s = torch.randn(1, 3, dtype=torch.float64, requires_grad=True)
        h, c = torch.zeros(1, 2, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
        gates = s @ w_ih.t() + h @ w_hh.t() + b
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        (o.sigmoid() * c.tanh()).sum().backward()
        self.assertIsNotNone(s.grad)
        for t in (w_ih, w_hh, b):
            self.assertIsNone(t.grad)
        first = s.grad
        s.grad = None
        torch.lstm_cell(s, (h, torch.zeros(1, 2, dtype=torch.float64)), w_ih, w_hh, b, torch.zeros_like(b))[0].sum().backward()
        self.close(s.grad, first)
        for t in (w_ih, w_hh, b):
            self.assertIsNone(t.grad)


if __name__ == "__main__":
    unittest.main()
