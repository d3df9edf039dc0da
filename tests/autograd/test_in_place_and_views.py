"""Writing in place, through views and into parts; gradients of indexing, selections and gathers."""
import itertools
import unittest

import gradus as torch
from support import Case, leaf, ramp


class TestAutograd(Case):
    def test_inplace(self):
        x, y = ramp(5, 5), ramp(5, 5)
        q = x * y
        r = q + x
        a = q.add_(y)                                                      # q's old value is nobody's need
        torch.autograd.backward([a + r], [torch.ones_like(q)])
        self.same(x.grad, (2 * y.detach() + 1).tolist())
        x.grad = y.grad = None
        q = x * y
        r = q * x                                                          # keeps q
        q.add_(y)
        with self.refused("changed in place"):
            r.sum().backward()
        q = x * y
        r = q + 4
        s = q.exp()                                                        # keeps its result
        s.mul_(2)
        with self.refused("changed in place"):
            s.sum().backward()
        with self.refused("leaf"):
            x.add_(1)
        v = x * 1
        v.sigmoid_()                                                       # keeps the result it has written itself
        v.sum().backward()
        with torch.no_grad():
            self.close(x.grad, torch.sigmoid(x) * (1 - torch.sigmoid(x)))

    def _check_setitem(self, size, index):
        x = torch.ones(*size, dtype=torch.float64, requires_grad=True)
        y = x + 2
        version = y._version
        value = torch.full(y[index].shape, 7.0, dtype=torch.float64, requires_grad=True)
        y[index] = value
        self.assertNotEqual(version, y._version)
        seed = torch.arange(y.numel(), dtype=torch.float64).reshape(y.shape)
        y.backward(seed)
        self.same(value.grad, seed[index])
        expected = seed.clone()
        expected[index] = 0
        self.same(x.grad, expected)
        y = x + 2                                                          # and a number: the rest lets the gradient through
        y[index] = 2
        x.grad = None
        y.backward(seed)
        self.same(x.grad, expected)

    def test_setitem(self):
        for size, index in (((5, 5), 1), ((5,), 1), ((1,), 0), ((10,), [[0, 4, 2]]), ((5, 5), [[0, 4], [2, 2]]), ((5, 5, 5), [slice(None), slice(None), [1, 3]]),
                            ((5, 5, 5), [slice(None), [1, 3], slice(None)]), ((5, 5, 5), [[1, 3], slice(None), slice(None)]),
                            ((5, 5, 5), [slice(None), [2, 4], [1, 3]]), ((5, 5, 5), [[2, 4], [1, 3], slice(None)]), ((5, 5, 5), (Ellipsis, 2)),
                            ((5, 5), (slice(1, 4, 2), None, 3))):
            index = tuple(index) if isinstance(index, list) else index
            with self.subTest(size=size, index=index):
                self._check_setitem(size, index)
        self._check_setitem((5, 5, 5), (torch.tensor([0, 3]), torch.tensor([1, 2]), slice(None)))
        self._check_setitem((5,), torch.tensor([3, 1]))
        x = ramp(3)
        y = x * 1
        y[1] = x[0] * 5                                                    # what comes in has a history of its own
        y.sum().backward()
        self.same(x.grad, [6, 0, 1])

    def test_setitem_mask(self):
        mask = torch.tensor([[bool((i * 7 + j * 3) % 4 < 2) for j in range(5)] for i in range(5)])
        self._check_setitem((5, 5), mask)
        self._check_setitem((5,), mask[0])
        self._check_setitem((1,), mask[0][:1])
        self._check_setitem((5, 5), (mask[0], slice(None)))

    def test_select_sum(self):
        x = torch.randn(10, dtype=torch.float64, requires_grad=True)
        seed = torch.randn((), dtype=torch.float64, requires_grad=True)
        value = x.select(0, 1).sum()
        got, = torch.autograd.grad(value, x, seed, create_graph=True)      # and its derivative by the seed
        expected = torch.zeros(10, dtype=torch.float64)
        expected[1] = seed.detach()
        self.same(got, expected)
        weights = torch.arange(10, dtype=torch.float64)
        self.same(torch.autograd.grad(got, seed, weights)[0], 1)

    def test_diagonal_expanded_v(self):
        value = torch.rand([], dtype=torch.float64)                        # the seed is expanded memory
        v = value.expand(10)
        a = torch.rand(10, 10, dtype=torch.float64, requires_grad=True)
        got, = torch.autograd.grad(a.diagonal(), a, v)
        self.same(got, torch.eye(10, dtype=torch.float64) * value)

    def test_select_expanded_v(self):
        value = torch.rand([], dtype=torch.float64)
        v = torch.rand(10, dtype=torch.float64).expand(10, 10)
        a = torch.rand(10, 10, 10, dtype=torch.float64, requires_grad=True)
        got, = torch.autograd.grad(a[0], a, v)
        expected = torch.zeros(10, 10, 10, dtype=torch.float64)
        expected[0] = v
        self.same(got, expected)
        got, = torch.autograd.grad(a[1, 2], a, value.expand(10))
        expected = torch.zeros(10, 10, 10, dtype=torch.float64)
        expected[1, 2] = value
        self.same(got, expected)

    def test_slice_expanded_v(self):
        v = torch.rand(10, 1, dtype=torch.float64).expand(2, 10, 10)
        a = torch.rand(10, 10, 10, dtype=torch.float64, requires_grad=True)
        got, = torch.autograd.grad(a[3:5], a, v)
        expected = torch.zeros(10, 10, 10, dtype=torch.float64)
        expected[3:5] = v
        self.same(got, expected)

    def test_copy_slices_graph_task_updates(self):
        def base_with_written_view():
            a, b = ramp(2), ramp(2, start=5)
            base = a.clone()
            view = base.view_as(base)
            view.mul_(b)
            return a, b, base, view

        a, b, base, view = base_with_written_view()                        # only one of the two branches is wanted
        got, = torch.autograd.grad(base.sum() + view.sum(), b, retain_graph=True)
        self.same(got, (2 * a.detach()).tolist())
        got, = torch.autograd.grad(base.sum() + view.sum(), a, retain_graph=True)
        self.same(got, (2 * b.detach()).tolist())
        a, b, base, view = base_with_written_view()
        torch.autograd.backward([view.sum(), base.sum()], inputs=[b])
        self.assertIsNone(a.grad)
        self.same(b.grad, (2 * a.detach()).tolist())

    def _check_index(self, x, y, index):
        if x.grad is not None:
            with torch.no_grad():
                x.grad.zero_()
        got = y[index]
        numbers = torch.arange(x.numel(), dtype=torch.int64).reshape(x.shape)[index]
        self.same(got.detach(), x.detach().reshape(-1)[numbers.reshape(-1)].reshape(numbers.shape) if numbers.dim() else x.detach().reshape(-1)[numbers])
        got.sum().backward()
        expected = [0.0] * x.numel()
        for place in numbers.reshape(-1).tolist():
            expected[place] += 1                                           # an element that is read twice gets it twice
        self.same(x.grad.reshape(-1), expected)

    def test_indexing(self):
        x = ramp(4, 4)
        for index in (1, (1, 2), slice(1, 3), (slice(None), 2), (slice(1, 4, 2), 3), Ellipsis, (Ellipsis, 1), None, (1, None), [0, 2], ([0, 3], [1, 1]),
                      (slice(None), [0, 2]), ([3, 0], slice(1, 3)), (1, [0, 3]), -1, (-2, -3)):
            with self.subTest(index=index):
                self._check_index(x, x, index)
        self._check_index(x, x, x.detach() > 6)
        self._check_index(x, x, torch.tensor([1, 2]))
        self._check_index(x, x, (torch.tensor([[1, 2], [0, 3]]), slice(None)))
        y = ramp(2, 3, 4)
        for index in ((slice(None), [0, 2], [1, 3]), ([0, 1], slice(None), [1, 3]), (0, [0, 2]), ([[0], [1]], [0, 2], 1)):
            with self.subTest(index=index):
                self._check_index(y, y, index)

    def test_indexing_duplicates(self):
        x = ramp(4, 4)
        for index in (([1, 1, 3, 2, 1, 2],), ([1, 1, 3, 2, 1, 2], [0]), ([[[1, 2], [0, 0]]]), ([[1, 1], [3, 1]], slice(None), None)):
            index = tuple(torch.tensor(i) if isinstance(i, list) else i for i in index)
            with self.subTest(index=index):
                self._check_index(x, x, index)

    # A gather's gradient is a sum into zeros; PyTorch's tests ask that through its sparse form.

    def _check_gather(self, size, dim, index_size):
        dims = len(size)
        x = ramp(*size) if size else leaf(3.0)
        extent = size[dim] if size else 1
        count = 1
        for n in index_size:
            count *= n
        places = torch.tensor([(i * 7 + 3) % extent for i in range(count)]).reshape(list(index_size))
        got = torch.gather(x, dim, places)
        seed = torch.arange(1, count + 1, dtype=torch.float64).reshape(list(index_size))
        got.backward(seed)
        expected = torch.zeros_like(x).detach()
        if not dims or not index_size:
            expected = expected.reshape(-1)
            expected[places.item() if not index_size else 0] = seed.sum()
            self.same(x.grad.reshape(-1), expected)
            return
        for at in itertools.product(*[range(n) for n in index_size]):
            to = list(at)
            to[dim] = places[at].item()
            expected[tuple(to)] += seed[at]
        self.same(x.grad, expected)

    def test_sparse_gather_dim0(self):
        self._check_gather((10, 10), 0, (5, 10))

    def test_sparse_gather_dim1(self):
        self._check_gather((10, 10, 5), 1, (10, 5, 5))

    def test_sparse_gather_dim_neg(self):
        self._check_gather((10, 10, 5), -1, (10, 10, 2))

    def test_sparse_gather_ind_scalar(self):
        self._check_gather((10,), 0, ())

    def test_sparse_gather_x_scalar(self):
        self._check_gather((), 0, (2,))

    def test_sparse_gather_both_scalar(self):
        self._check_gather((), 0, ())


if __name__ == "__main__":
    unittest.main()
