"""What a node shows of itself: names, edges, what it saved, what runs now."""
import gc
import unittest
import weakref

import gradus as torch
from gradus.autograd import Node, graph
from support import Case, double, leaf, nodes_alive


class TestAutograd(Case):
    def test_grad_fn_attr_bindings(self):
        # numbers, lists, flags, texts, tensors, what was not given
        a = leaf([[1.0, 2.0], [3.0, 4.0]])
        self.assertEqual(a.sum(dim=(0, 1)).grad_fn._saved_dim, (0, 1))
        self.assertIs(a.sum(dim=0, keepdim=True).grad_fn._saved_keepdim, True)
        self.assertEqual(a.transpose(0, 1).grad_fn._saved_dim0, 0)
        self.assertEqual(a.select(1, 1).grad_fn._saved_index, 1)
        self.assertEqual(a.clamp(0.5, 9.0).grad_fn._saved_min, 0.5)
        self.assertIsNone(torch.nn.functional.linear(a, a.detach()).grad_fn._saved_bias)
        self.assertEqual(a.scatter_reduce(0, torch.zeros(1, 2, dtype=torch.int64), a.detach(), "amax").grad_fn._saved_reduce, "amax")
        self.assertEqual(a.std(0).grad_fn._saved_correction, 1)
        self.assertEqual(a.expand(3, 2, 2).grad_fn._saved_size, (3, 2, 2))
        out = a * 2
        product = out * a
        self.same(product.grad_fn._saved_self, out.detach())
        self.assertIs(product.grad_fn._saved_self.grad_fn, out.grad_fn)    # with the history it had
        self.assertIs(product.grad_fn._saved_other, a)
        values, places = a.sort(1, descending=True)
        self.assertIs(values.grad_fn._saved_descending, True)
        index = torch.tensor([1, 0])
        picked = a.index_select(0, index)
        self.same(picked.grad_fn._saved_index, [1, 0])
        rows, columns = a[[0, 1], [1, 0]].grad_fn._saved_indices            # a list is a tuple of its members
        self.same(rows, [0, 1])
        self.same(columns, [1, 0])
        self.assertEqual(torch.cat([a, a, a]).grad_fn._saved_tensors, (None, None, None))
        with self.assertRaises(AttributeError):
            picked.grad_fn._saved_nothing
        self.assertIn("_saved_index", dir(picked.grad_fn))
        product.sum().backward()
        with self.refused("freed"):
            product.grad_fn._saved_self
        self.assertEqual(a.sum(dim=0).grad_fn._saved_dim, (0,))

    def test_cant_create_saved_tensors(self):
        # what a node saved is the node's: it can be read and not set or made
        y = leaf(1.0).exp()
        with self.assertRaises((AttributeError, TypeError)):
            y.grad_fn._saved_result = y
        saved = type(y.grad_fn._raw_saved_result)
        for args in ((), (y,), (y.grad_fn, "result")):
            with self.refused("by hand"):
                saved(*args)

    def test_autograd_node_isinstance(self):
        a = leaf(1.0)
        for out in (a + 1, a.exp(), a.exp().view(1)):
            self.assertIsInstance(out.grad_fn, Node)
            self.assertTrue(issubclass(type(out.grad_fn), Node))
        self.assertIsInstance((a + 1).grad_fn.next_functions[0][0], Node)  # a leaf's, too
        self.assertNotIsInstance(a, Node)
        self.assertNotIsInstance(type(a.exp().grad_fn), Node)
        self.assertIs(type(a.exp().grad_fn), type((a * 2).exp().grad_fn))
        self.assertEqual(type(a.exp().grad_fn).__name__, "ExpBackward0")

    def test_dir(self):
        names = dir(leaf(1.0))
        for name in ("requires_grad", "grad", "grad_fn", "is_leaf", "backward", "register_hook", "add", "mul_", "shape"):
            self.assertIn(name, names)
        for name in names:
            if name not in ("imag", "H", "mH", "mT", "T"):
                self.assertTrue(hasattr(leaf([[1.0, 2.0], [3.0, 4.0]]), name), name)

    def test_variable_traverse(self):
        # the collector takes a cycle of Python objects around a tensor inside a graph, and the graph stays whole
        before = nodes_alive()

        def result_and_lost_cycle():
            x = leaf([1.0, 2.0])
            middle = x.view(2, 1)
            out = middle.view(2)
            cycle = [x, middle]
            cycle.append(cycle)
            return out, x
        out, x = result_and_lost_cycle()
        gc.collect()
        out.backward(double([3.0, 4.0]))
        self.same(x.grad, [3, 4])
        del out, x
        self.assertEqual(nodes_alive(), before)

    def test_current_node(self):
        # inside a pass the node that runs can be asked for
        names, x = [], leaf([1.0, 2.0])
        y = (x * x).exp()

        def note(*_):
            names.append(graph.current_node().name())
        y.register_hook(note)
        y.grad_fn.register_hook(note)
        y.grad_fn.next_functions[0][0].register_prehook(note)
        y.sum().backward()
        self.assertEqual(names, ["ExpBackward0", "ExpBackward0", "MulBackward0"])
        self.assertIsNone(graph.current_node())

    def test_node_ordering_when_none_returned(self):
        # a node that gets nothing from one of its users waits for the other all the same
        order, x = [], leaf([1.0, 2.0])
        shared = x * 2
        cut = shared * 3
        kept = shared * 5
        joined = cut.detach() + cut * 0 + kept
        for name, t in (("shared", shared), ("cut", cut), ("kept", kept)):
            t.grad_fn.register_hook(lambda to, come, name=name: order.append(name))
        cut.grad_fn.register_hook(lambda to, come: None)
        joined.sum().backward()
        self.assertEqual(order, ["kept", "cut", "shared"])
        self.same(x.grad, [10, 10])

    def test_current_graph_task_execution_order(self):
        # newer nodes first
        order, x = [], leaf([1.0])
        a = x * 2
        b = x.exp()
        c = a * b
        d = c + a
        for name, t in (("a", a), ("b", b), ("c", c), ("d", d)):
            t.grad_fn.register_prehook(lambda g, name=name: order.append(name))
        d.backward()
        self.assertEqual(order, ["d", "c", "b", "a"])
        numbers = [t.grad_fn._sequence_nr() for t in (a, x.exp(), x.exp())]
        self.assertEqual(numbers, sorted(numbers))

    def test_backward_hook_relative_ordering(self):
        # of one node: the tensor's hooks, the node's before, the rule, the node's after; order of registration within each
        order, x = [], leaf([1.0, 2.0])
        y = x * 2
        y.grad_fn.register_hook(lambda to, come: order.append("after 1"))
        y.grad_fn.register_prehook(lambda come: order.append("before 1"))
        y.register_hook(lambda g: order.append("tensor 1"))
        y.grad_fn.register_hook(lambda to, come: order.append("after 2"))
        y.register_hook(lambda g: order.append("tensor 2"))
        y.grad_fn.register_prehook(lambda come: order.append("before 2"))
        y.sum().backward()
        self.assertEqual(order, ["tensor 1", "tensor 2", "before 1", "before 2", "after 1", "after 2"])

    def test_input_buffer_accum(self):
        # several gradients for one tensor add up, without writing into what others hold
        x = leaf([1.0, 2.0])
        y = x * 1
        first = y * 2
        kept = []
        first.register_hook(lambda g: kept.append(g))
        (first + y * 3 + y).backward(double([1.0, 10.0]))
        self.same(x.grad, [6, 60])
        self.same(kept[0], [1, 10])
        seed = double([1.0, 1.0])
        torch.autograd.grad(y + y + y, y, seed)
        self.same(seed, [1, 1])
        wide = leaf(1.0)
        total = sum([wide * k for k in range(1, 101)])
        total.backward()
        self.same(wide.grad, 5050)

    def test_hook_closure_cycle(self):
        # a hook that holds the tensor or node it belongs to goes when it is removed, and what it held with it
        class Mark:
            pass

        def of_tensor():
            mark, y = Mark(), leaf([1.0]) * 2
            handle = y.register_hook(lambda g: (y, mark) and None)
            y.sum().backward()
            return weakref.ref(mark), handle

        def of_node():
            mark, y = Mark(), leaf([1.0]) * 2
            node = y.grad_fn
            handle = node.register_hook(lambda to, come: (node, mark) and None)
            y.sum().backward()
            return weakref.ref(mark), handle

        def of_leaf():
            mark, x = Mark(), leaf([1.0])
            handle = x.register_hook(lambda g: (x, mark) and None)
            (x * 2).sum().backward()
            return weakref.ref(mark), handle
        before = nodes_alive()
        for make in (of_tensor, of_node, of_leaf):
            mark, handle = make()
            gc.collect()
            self.assertIsNotNone(mark())                                   # not while the hook is there
            handle.remove()
            del handle
            gc.collect()
            self.assertIsNone(mark())
        x = leaf([1.0])                                                    # without a cycle it goes with the graph
        mark = Mark()
        ref = weakref.ref(mark)
        y = x * 2
        y.register_hook(lambda g, mark=mark: None)
        del mark, y
        self.assertIsNone(ref())
        del x
        self.assertEqual(nodes_alive(), before)


if __name__ == "__main__":
    unittest.main()
