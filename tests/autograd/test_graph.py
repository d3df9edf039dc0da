"""The recorded graph: edges that stand for tensors, what nodes keep, how they are named, walked and freed."""
import gc
import unittest
import weakref

import gradus as torch
from gradus.autograd import graph
from gradus.autograd.graph import GradientEdge, get_gradient_edge
from support import Case, leaf, nodes_alive, ramp


class TestAutograd(Case):
    def test_grad_to_node(self):
        x = ramp(2, 3)
        y = x ** 2
        for target in (y, x):                                              # of a computed tensor, and of a leaf
            out = (y * 3 if target is y else y).sum()
            expected, = torch.autograd.grad(out, target, retain_graph=True)
            got, = torch.autograd.grad(out, get_gradient_edge(target), retain_graph=True)
            self.same(got, expected)

    def test_grad_to_node_set(self):                                       # PyTorch's uses set_; gradus has assignment to .data
        x = ramp(2, 3)
        edge = get_gradient_edge(x)
        out = x.clone()
        x.data = torch.rand(2, 3, dtype=torch.float64)                     # another memory: the edge is of the history
        for target in (edge, x):
            self.same(torch.autograd.grad(out.sum(), target, retain_graph=True)[0], [[1, 1, 1], [1, 1, 1]])
        x.data = torch.rand(3, 2, dtype=torch.float64)                     # and another shape: what was recorded does not fit any more
        with self.refused("shape"):
            torch.autograd.grad(out.sum(), edge)
        self.assertEqual(tuple(torch.autograd.grad(x.sum(), edge)[0].shape), (3, 2))

    def test_grad_to_node_inplace(self):
        x = ramp(2)
        y = x * 2
        edge = get_gradient_edge(y)
        y *= 3
        got_old, got_now = torch.autograd.grad(y.sum(), [edge, y])
        self.same(got_old, [3, 3])                                         # the edge stays with the value that it was made for
        self.same(got_now, [1, 1])

    def test_grad_to_node_multi(self):
        x = ramp(2, 3)
        y = x.sum(1)
        z = x * 2
        edges = [get_gradient_edge(x), get_gradient_edge(y)]
        got = torch.autograd.grad(y.sum() * 3 + z.sum(), edges)
        self.same(got[1], [3, 3])
        self.same(got[0], [[5] * 3] * 2)
        a, b = ramp(4).split(2)
        edges = [get_gradient_edge(a), get_gradient_edge(b)]
        self.assertEqual([e.output_nr for e in edges], [0, 0] if a.grad_fn is not b.grad_fn else [0, 1])
        got = torch.autograd.grad((a * 2 + b * 5).sum(), edges)
        self.same(got[0], [2, 2])
        self.same(got[1], [5, 5])

    def test_grad_to_node_materialize(self):
        x, unused = ramp(2, 3), ramp(2)
        edge_x, edge_u = get_gradient_edge(x), get_gradient_edge(unused)
        y = (x * 2).sum()
        got = torch.autograd.grad(y, [edge_x, unused], materialize_grads=True, retain_graph=True)
        self.same(got[1], [0, 0])                                          # a tensor tells its shape
        got = torch.autograd.grad(y, [edge_x, edge_u], allow_unused=True, retain_graph=True)
        self.assertIsNone(got[1])
        with self.refused(""):
            torch.autograd.grad(y, [edge_x, edge_u])

    def test_backward_to_node(self):
        x = ramp(2, 3)
        y = x * x
        edge_x = get_gradient_edge(x)
        (y * 3).sum().backward(inputs=edge_x)
        self.same(x.grad, (6 * x.detach()).tolist())
        with self.refused(""):                                             # .grad has no place to go for a node inside
            (x * x).sum().backward(inputs=get_gradient_edge(y))

    def test_gradient_edge_output(self):
        x = ramp(2, 3)

        def edge_of_result():
            y = x.exp() + x
            return get_gradient_edge(y.sum()), torch.autograd.grad(y.sum(), x, retain_graph=True)[0].tolist()

        edge, expected = edge_of_result()                                  # its tensor is gone by now
        self.assertIsInstance(edge, GradientEdge)
        one = torch.ones((), dtype=torch.float64)
        self.same(torch.autograd.grad(edge, x, grad_outputs=one, retain_graph=True)[0], expected)
        torch.autograd.backward(edge, one, retain_graph=True)
        self.same(x.grad, expected)
        torch.autograd.backward((edge,), (one,), inputs=(x,))
        self.same(x.grad, [[2 * v for v in row] for row in expected])
        with self.refused("grad"):
            get_gradient_edge(torch.ones(2))

    def test_next_functions(self):
        x, y = ramp(2, 2), ramp(2, 2)
        a = x + y
        self.assertIsNotNone(a.grad_fn)
        following = a.grad_fn.next_functions
        self.assertEqual([(node.name(), nr) for node, nr in following], [("AccumulateGrad", 0)] * 2)
        self.assertIs(following[0][0].variable, x)
        b = a + 5
        following = b.grad_fn.next_functions
        self.assertIs(following[0][0], a.grad_fn)
        self.assertIs(following[1][0] if len(following) > 1 else None, None)
        doubled = x + x                                                    # two edges to one node
        self.assertIs(doubled.grad_fn.next_functions[0][0], doubled.grad_fn.next_functions[1][0])

    def test_save_output_nr(self):
        x = ramp(4)
        for i, part in enumerate(x.unbind()):
            edge = get_gradient_edge(part)
            self.assertEqual(part.output_nr, edge.output_nr)
            expected = [0.0] * 4
            expected[i] = 2 * (i + 1)
            self.same(torch.autograd.grad(part ** 2, x)[0], expected)      # pow keeps which output its input was
        values, _ = torch.sort(x)
        self.assertEqual(values.output_nr, 0)

    def test_first_grad_fn_access_in_no_grad_mode(self):
        a = ramp(2, 2)
        b = a.mul(2)
        v = b.t()
        b.mul_(3)                                                          # the view's history is stale, and made anew when asked for
        with torch.no_grad():
            node = v.grad_fn
            self.assertIsNotNone(node)
            self.assertFalse(torch.is_grad_enabled())
        v.sum().backward()
        self.same(a.grad, [[6, 6], [6, 6]])

    def test_free_deep_graph(self):
        before = nodes_alive()

        def build():
            y = ramp(1)
            for _ in range(150000):
                y = y + 1.0
            return y

        y = build()
        self.assertGreater(nodes_alive(), before + 149000)
        y.backward()
        del y
        self.assertEqual(nodes_alive(), before)

    def test_free_deep_graph_complicated(self):
        before = nodes_alive()

        def build(seed):
            x = leaf([0.5, 0.25])
            previous = [x, x]
            for i in range(100000):
                seed = (seed * 1103515245 + 12345) % (1 << 31)
                total = previous[0] + previous[1] if seed >> 16 & 1 else previous[1] * 0.5
                previous = [previous[1], total]
            return previous[1]

        y = build(7)
        del y                                                              # never run: freeing alone must not recurse
        self.assertEqual(nodes_alive(), before)

    def test_no_unnecessary_save(self):
        mu = torch.ones(1, dtype=torch.float64, requires_grad=True)
        x = torch.empty(1, dtype=torch.float64)
        loss = 0
        for i in range(3):                                                 # each copy overwrites x, which no rule needs
            x.detach_()
            x.copy_(mu + i)
            loss = loss + (x * torch.tensor([float(i)], dtype=torch.float64)).sum()
        loss.backward()
        self.same(mu.grad, [3])
        constant = torch.rand(1000, dtype=torch.float64)
        wanted = torch.rand(1000, dtype=torch.float64, requires_grad=True)
        y = constant * wanted
        self.assertIsNone(y.grad_fn._saved_other)                          # only what the gradient of `wanted` reads
        self.same(y.grad_fn._saved_self, constant)
        total = (constant + wanted).grad_fn
        self.assertIsNone(total._saved_self)
        self.assertIsNone(total._saved_other)

    def test_index_backward_does_not_save_tensor(self):
        a = torch.tensor([1.0, 0, 0], dtype=torch.float64)
        b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        tensor = b + 0
        tensor[a != 0] = tensor[a != 0]                                    # indexing keeps the indices alone, so this write is harmless
        tensor.sum().backward()
        self.same(b.grad, [1, 1, 1])

    def test_unused_output(self):
        x = torch.rand(10, 10, dtype=torch.float64, requires_grad=True)
        outputs = x.chunk(5)
        out = outputs[2] * 4 + 4
        out.sum().backward()
        expected = torch.zeros(10, 10, dtype=torch.float64)
        expected[4:6] = 4
        self.same(x.grad, expected)
        with torch.no_grad():
            x.grad.zero_()
        seed = torch.rand(2, 10, dtype=torch.float64)
        outputs = x.chunk(5)
        outputs[0].backward(seed)
        expected = torch.zeros(10, 10, dtype=torch.float64)
        expected[:2] = seed
        self.same(x.grad, expected)

    def test_gc_in_destructor(self):
        class CollectsWhenDropped:
            def __del__(self):
                gc.collect()

        before = nodes_alive()
        for _ in range(3):                                                 # the end of a graph runs Python code that collects garbage
            x = ramp(3)
            y = x * x
            y.register_hook(lambda g, _held=CollectsWhenDropped(): None)
            y.sum().backward()
            del x, y, _
        self.assertEqual(nodes_alive(), before)

    def test_will_engine_execute_node(self):
        x, other = ramp(2), ramp(2)
        a = x * 2
        b = other * 3
        out = (a + b).sum()
        asked = {}

        def ask(gradient):
            for name, node in (("a", a.grad_fn), ("b", b.grad_fn)):
                asked[name] = graph.will_execute(node)

        total = a + b
        total.register_hook(ask)
        total.sum().backward(inputs=[x], retain_graph=True)
        self.assertTrue(asked["a"])
        self.assertFalse(asked["b"])
        total.sum().backward()
        self.assertEqual(asked, {"a": True, "b": True})
        with self.refused(""):                                             # there is nothing to ask outside of a pass
            graph.will_execute(out.grad_fn)

    def test_accumulate_grad_tensor_reference(self):
        def sink_of(x):
            return x.view_as(x).grad_fn.next_functions[0][0]

        x = ramp(2)
        node = sink_of(x)
        self.assertIs(node.variable, x)
        self.assertIs(sink_of(x), node)                                    # one for each leaf while anybody holds it
        gone = weakref.ref(x)
        shape = tuple(x.shape)
        del x
        gc.collect()
        self.assertEqual(tuple(node.variable.shape), shape)                # the node holds the leaf, not the other way round
        del node
        gc.collect()
        self.assertIsNone(gone())

    def test_grad_unreachable_discovery(self):
        def fail(*_):
            raise AssertionError("reached")

        x, y = leaf([1.0]), leaf([1.0])
        through = x * 2
        through.grad_fn.register_prehook(fail)
        (got,) = torch.autograd.grad(through, [y], allow_unused=True)      # x's branch is left alone
        self.assertIsNone(got)
        z = leaf([3.0])
        both = through + z * 5
        (got,) = torch.autograd.grad(both, [z])
        self.same(got, [5])

    def test_not_implemented_grad(self):
        a, x = leaf([1.5, 2.5]), leaf([1.0, 2.0])
        out = torch.igamma(a, x)                                           # computes; only its gradient by `a` is missing
        self.assertTrue(out.requires_grad)
        with self.refused("GammaP", NotImplementedError):
            torch.autograd.grad(out.sum(), a, retain_graph=True)
        got, = torch.autograd.grad(out.sum(), x)
        self.close(got, x.detach() ** (a.detach() - 1) * torch.exp(-x.detach()) / torch.exp(torch.lgamma(a.detach())))


if __name__ == "__main__":
    unittest.main()
