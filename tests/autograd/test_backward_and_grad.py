"""backward() and grad(): seeds, inputs, several runs, higher orders, and what they refuse."""
import unittest
import warnings

import gradus as torch
from support import Case, double, leaf, ramp


class TestAutograd(Case):
    def test_accumulate_grad(self):
        seed = double([[1, 1], [1, 1]])
        x = leaf([[0.5, 2], [3, 4]])
        self.forget(x)

        def run(create_graph):
            (x * x + x).backward(seed, create_graph=create_graph)

        run(False)
        first = x.grad
        kept = first.clone()
        run(False)                                                         # adds in place: whoever holds .grad sees it
        self.assertIs(x.grad, first)
        self.same(first, (2 * kept).tolist())
        x.grad = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run(True)
            first = x.grad
            kept = first.detach().clone()
            run(True)                                                      # a recorded sum can't: it is a new tensor
        self.assertIsNot(x.grad, first)
        self.same(first, kept)
        self.same(x.grad, (2 * kept).tolist())
        self.assertTrue(x.grad.requires_grad)

    def test_accumulate_grad_with_zero_numel_grad(self):
        a, b = leaf([[] for _ in range(3)]), torch.rand(3, 0, dtype=torch.float64)
        self.assertEqual(tuple(a.shape), (3, 0))
        (a + b).sum().backward()
        self.assertEqual(tuple(a.grad.shape), (3, 0))
        column = torch.ones(0, 1, dtype=torch.float64, requires_grad=True)
        (column + torch.ones(0, 5, dtype=torch.float64)).sum().backward()  # summed over a broadcast dimension, of nothing
        self.assertEqual(tuple(column.grad.shape), (0, 1))

    def test_hessian_vector(self):
        x, y = ramp(2, 2), ramp(2, 2, start=5)
        self.forget(x, y)
        z = x ** 2 + y * x + y ** 2
        z.backward(torch.ones_like(z), create_graph=True)
        with torch.no_grad():
            first_x, first_y = 2 * x + y, x + 2 * y
        self.same(x.grad, first_x)
        self.same(y.grad, first_y)
        sum_of_grads = 2 * x.grad + y.grad
        sum_of_grads.backward(torch.ones_like(z))
        with torch.no_grad():
            self.same(x.grad, first_x + 5)                                 # 2 * 2 + 1
            self.same(y.grad, first_y + 4)                                 # 2 * 1 + 2

    def test_grad(self):
        x, y = ramp(2, 2), ramp(2, 2, start=3)
        self.forget(x, y)
        z = x ** 2 + y * x + y ** 2
        z.backward(torch.ones_like(z), create_graph=True)
        sum_of_grads = 2 * x.grad + y.grad
        before = x.grad.tolist(), y.grad.tolist()
        got = torch.autograd.grad([sum_of_grads], [x, y], [torch.ones_like(z)], create_graph=True)
        self.same(got[0], [[5, 5], [5, 5]])
        self.same(got[1], [[4, 4], [4, 4]])
        self.assertEqual((x.grad.tolist(), y.grad.tolist()), before)       # grad() leaves .grad alone
        with self.refused("gradients"):
            torch.autograd.grad(sum_of_grads, x, [torch.ones_like(z)] * 2)

    def test_grad_nonleaf(self):
        start = leaf(1.0)
        x = start
        for _ in range(5):
            grad, = torch.autograd.grad(2 * x + x ** 2, x, create_graph=True)
            self.same(grad, 2 + 2 * x.item())
            x = x + 0.05 * grad
        self.assertIsNone(start.grad)
        x.backward()
        self.close(start.grad, 1.1 ** 5)                                   # x' = 1.1 x + 0.1 each time

    def test_grad_nonleaf_many_outputs(self):
        seen = []

        def hook(*gradients):
            seen.append(True)

        x = ramp(4, 2)
        a, b = x.chunk(2)
        for t in (x, a, b):
            t.register_hook(hook)
        got = torch.autograd.grad((a + 2 * b).sum(), [a, b], create_graph=True)
        self.same(got[0], [[1, 1], [1, 1]])
        self.same(got[1], [[2, 2], [2, 2]])
        self.assertIsNone(x.grad)
        self.assertEqual(len(seen), 2)                                     # the inputs' hooks, not those behind them

    def test_grad_nonleaf_register_hook(self):
        x = ramp(5)
        parts = x.unbind()
        y0 = parts[0]
        y0.register_hook(lambda g: None)
        parts[4].register_hook(lambda g: None)
        got, = torch.autograd.grad(torch.stack(parts).sum(), y0)
        self.same(got, 1)
        self.assertIsNone(x.grad)

    def test_grad_materialize_grads(self):
        x, a = leaf(0.5), leaf(1.0)
        y = x * a
        dydx, = torch.autograd.grad(y, x, create_graph=True)               # a: x is not in it
        d2 = torch.autograd.grad(dydx, x, allow_unused=True, materialize_grads=True)
        self.same(d2[0], 0)
        self.assertIsNone(torch.autograd.grad(x * a, a, create_graph=True)[0].grad)
        dydx, = torch.autograd.grad(y, x, create_graph=True)
        self.assertIsNone(torch.autograd.grad(dydx, x, allow_unused=True, materialize_grads=False)[0])
        dydx, = torch.autograd.grad(x * a, x, create_graph=True)
        self.same(torch.autograd.grad(dydx, x, materialize_grads=True)[0], 0)
        with self.refused("allow_unused", ValueError):
            torch.autograd.grad(x * a, x, allow_unused=False, materialize_grads=True)

    def test_sharded_grad(self):
        leaves = [torch.full((5, 5), float(i), dtype=torch.float64, requires_grad=True) for i in range(10)]
        intermediates = [l * i + l * l for i, l in enumerate(leaves)]
        loss = sum(v * i for i, v in enumerate(intermediates)).sum()
        shards, start = [], 0                                              # the gradients of the cut, a few at a time
        for size in (2, 3, 5):
            shards += torch.autograd.grad(loss, intermediates[start:start + size], retain_graph=True)
            start += size
        torch.autograd.backward(intermediates, shards)
        for i, l in enumerate(leaves):
            self.same(l.grad, [[float(i * i + 2 * i * i)] * 5] * 5)

    def test_backward_badcalls(self):
        x = torch.ones(1, dtype=torch.float64)
        with self.refused("grad"):
            x.backward()
        with self.refused(""):
            leaf([1, 2]).backward()                                        # more than one element and no seed

    def test_grad_badcalls(self):
        x = torch.ones(1, dtype=torch.float64)
        y = x ** 2
        with self.refused("grad"):
            torch.autograd.grad(x, y)
        with self.refused("grad"):
            torch.autograd.grad(y, x)
        x = leaf([1.0])
        y = x ** 2
        torch.autograd.grad(y, x)                                          # this one can
        with self.refused("", TypeError):
            torch.autograd.grad((x ** 2), (1,))

    def test_grad_empty_inputs(self):
        x = leaf([1.0])
        with self.refused("no inputs", ValueError):
            torch.autograd.grad(2 * x, [], grad_outputs=double([1.0]))

    def test_grad_unreachable(self):
        x, y = leaf([1.0]), leaf([2.0])
        z, w = x * 2, y * 2
        got = torch.autograd.grad(x * 2, [x, y], allow_unused=True)
        self.same(got[0], [2])
        self.assertIsNone(got[1])
        z = leaf([1.0])                                                    # a leaf among the inputs that nothing was computed from
        got = torch.autograd.grad(x * 2, [x, z], allow_unused=True)
        self.same(got[0], [2])
        self.assertIsNone(got[1])
        with self.refused("unused"):
            torch.autograd.grad(x * 2, [x, y], allow_unused=False)
        with self.refused("unused"):
            torch.autograd.grad(x * 2, [x, w])

    def test_unrelated_inputs(self):
        x, unrelated = ramp(3), ramp(3)
        with self.refused("unused"):
            torch.autograd.grad((x * x).sum(), [x, unrelated])
        first, = torch.autograd.grad((x * x * x).sum(), [x], create_graph=True)
        second = torch.autograd.grad(first.sum(), [x, unrelated], allow_unused=True)
        self.same(second[0], [6, 12, 18])
        self.assertIsNone(second[1])

    def test_grad_batched_grad(self):
        x = ramp(2, 2)
        out = x.clone()
        basis = torch.eye(4, dtype=torch.float64).reshape(4, 2, 2)
        got, = torch.autograd.grad(out, x, basis, is_grads_batched=True)
        self.same(got, basis)
        first, second = x * x, x.sum(0)                                    # several outputs, each with its own batch
        got, = torch.autograd.grad([first, second], x, [basis, torch.ones(4, 2, dtype=torch.float64)], is_grads_batched=True)
        self.same(got, 2 * x.detach() * basis + 1)
        with self.refused(""):                                             # the rest of the shape has to fit
            torch.autograd.grad(x.clone(), x, torch.ones(4, 3, dtype=torch.float64), is_grads_batched=True)

    def test_backward(self):
        v, x, y = (ramp(2, 3, start=s) for s in (1, 2, 3))
        z = (v / x).exp() + x.reciprocal() * y ** 2 + y.sqrt()
        seed = double([[1, 2, 3], [4, 5, 6]])
        z.backward(seed)
        with torch.no_grad():
            e = (v / x).exp()
            self.close(v.grad, seed * e / x)
            self.close(x.grad, seed * (-v / x ** 2 * e - y ** 2 / x ** 2))
            self.close(y.grad, seed * (2 * y / x + 0.5 / y.sqrt()))

    def test_multi_backward(self):
        x, y, z = ramp(2, 2), ramp(2, 2, start=5), ramp(2, 2, start=9)
        q = ramp(2, 2)
        a, b = q * x, q * z + x
        torch.autograd.backward([a, b], [double([[1, 1], [1, 1]]), double([[2, 2], [2, 2]])])
        self.same(x.grad, (q.detach() + 2).tolist())
        self.same(z.grad, (2 * q.detach()).tolist())
        self.same(q.grad, (x.detach() + 2 * z.detach()).tolist())
        self.assertIsNone(y.grad)

    def test_multi_backward_no_grad(self):
        x, y = ramp(2), ramp(2, requires_grad=False)
        z, q = x + y, y * 2
        with self.refused("1"):                                            # names the one that can't
            torch.autograd.backward([z, q], [double([1, 1]), double([1, 1])])
        self.assertIsNone(x.grad)

    def test_backward_with_inputs(self):
        x, y = ramp(2, 2), ramp(2, 2, start=5)
        seed = double([[1, 0.5], [2, 1]])

        def f():
            return x ** 2 + y * x + y ** 2
        with torch.no_grad():
            dx, dy = seed * (2 * x + y), seed * (x + 2 * y)
        f().backward(seed)
        self.same(x.grad, dx)
        self.same(y.grad, dy)
        for inputs, wants_x, wants_y in (([x, y], True, True), ([x], True, False), ([y], False, True), (y, False, True)):
            x.grad = y.grad = None
            f().backward(seed, inputs=inputs)
            self.assertEqual((x.grad is not None, y.grad is not None), (wants_x, wants_y))
            if wants_x:
                self.same(x.grad, dx)
            if wants_y:
                self.same(y.grad, dy)
        with self.refused("cannot be empty"):
            f().backward(seed, inputs=[])

    def test_backward_with_nonleaf_inputs(self):
        x = ramp(2, 2)
        inner = x * 1
        y = ramp(2, 2, start=5)
        self.forget(x, y, inner)
        seed = double([[1, 1], [1, 1]])
        out = inner ** 2 + y * inner + y ** 2
        out.backward(seed, create_graph=True, inputs=[x, y, inner])
        with torch.no_grad():
            self.same(x.grad, 2 * x + y)
            self.same(y.grad, x + 2 * y)
            self.same(inner.grad, 2 * x + y)
        other = leaf([1.0])
        out.backward(seed, inputs=[other])                                 # nothing leads there: nothing happens
        self.assertIsNone(other.grad)
        self.assertIsNotNone(x.grad)

    def test_dependent_backward(self):
        x = ramp(4)
        y = x ** 2
        z = y ** 3
        seed = double([1, 2, 3, 4])
        torch.autograd.backward([y, z], [seed, 2 * seed])
        with torch.no_grad():
            self.same(x.grad, 2 * x * seed + 6 * x ** 5 * 2 * seed)

    def test_duplicate_backward_root(self):
        a, b = ramp(2, 2), ramp(2, 2, start=3)
        x = a * b
        seed = double([[1, -1], [2, 0.5]])
        torch.autograd.backward([x, x], [seed, seed])
        self.same(a.grad, (2 * b.detach() * seed).tolist())
        self.same(b.grad, (2 * a.detach() * seed).tolist())

    def test_backward_no_grad(self):
        a, b = ramp(2, 2, requires_grad=False), ramp(2, 2, requires_grad=False)
        with self.refused("grad"):
            torch.autograd.backward([a + b], [torch.ones_like(a)])

    def test_backward_twice_with_saved_values(self):
        b, c = ramp(3), ramp(3, requires_grad=False)
        c[0] = b[1] * b[2]
        c.backward(double([1, 1, 1]))
        with self.refused("retain_graph"):
            c.backward(double([1, 1, 1]))

    def test_backward_twice_retained_graph_with_saved_values(self):
        b, c = ramp(3), ramp(3, requires_grad=False)
        c[0] = b[1] * b[2]
        c.backward(double([1, 1, 1]), retain_graph=True)
        c.backward(double([1, 1, 1]))
        self.same(b.grad, [0, 6, 4])

    def test_backward_twice_without_saved_values(self):
        b, c = ramp(3), torch.zeros(3, dtype=torch.float64)
        c[0] = b[0] + b[1]
        c.backward(double([1, 1, 1]))
        c.backward(double([1, 1, 1]))                                      # nothing was saved, so nothing is missing
        self.same(b.grad, [2, 2, 0])

    def test_backward_twice_retained_graph_without_saved_values(self):
        b, c = ramp(3), torch.zeros(3, dtype=torch.float64)
        c[0] = b[0] + b[1]
        c.backward(double([1, 1, 1]), retain_graph=True)
        c.backward(double([1, 1, 1]))
        self.same(b.grad, [2, 2, 0])

    def test_backward_create_graph_warns(self):
        b = ramp(3)
        self.forget(b)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (b * b).sum().backward(create_graph=True)
            self.assertTrue(any("create_graph=True" in str(w.message) for w in caught))
            del caught[:]
            torch.autograd.grad((b * b).sum(), b, create_graph=True)
            self.assertEqual([str(w.message) for w in caught], [])


if __name__ == "__main__":
    unittest.main()
