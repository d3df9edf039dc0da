"""Hooks of several tensors together."""
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, leaf, nodes_alive


def tensors():
    return [leaf([1.0, 2.0]) for _ in range(4)]


class TestAutograd(Case):
    def test_multi_grad_all_hooks(self):
        t1, t2, t3, t4 = tensors()
        calls = []
        handle = graph.register_multi_grad_hook((t1, t2, t3, t4), lambda gs: calls.append([None if g is None else g.tolist() for g in gs]))
        y = (t1 * t2).sum()
        y.backward(retain_graph=True)                                      # those that get none count as arrived
        self.assertEqual(calls, [[[1, 2], [1, 2], None, None]])
        y.backward(retain_graph=True, inputs=(t1,))
        self.assertEqual(calls[1:], [[[1, 2], None, None, None]])
        torch.autograd.grad(y, (t1, t2), retain_graph=True)                # in grad() as in backward()
        self.assertEqual(len(calls), 3)
        (t1 * t2 * t3 * t4).sum().backward()
        self.assertEqual(calls[3], [[1, 8]] * 4)
        (t3 * 1).sum().backward()
        self.assertEqual(calls[4], [None, None, [1, 1], None])
        handle.remove()
        y.backward()
        self.assertEqual(len(calls), 5)
        # of computed tensors
        x = leaf([1.0, 2.0])
        a, b = x * 2, x * 3
        with graph.register_multi_grad_hook((a, b), lambda gs: calls.append([g.tolist() for g in gs])):
            (a * b).sum().backward()
        self.assertEqual(calls[5:], [[[3, 6], [2, 4]]])
        # an error in the hook is the pass's, and the next pass starts afresh
        flag = {"fail": True}

        def sometimes(gs):
            if flag["fail"]:
                raise LookupError("simulated")
            calls.append("fine")
        a, b = leaf(1.0), leaf(2.0)
        graph.register_multi_grad_hook((a, b), sometimes)
        with self.assertRaisesRegex(LookupError, "simulated"):
            (a * b).backward()
        flag["fail"] = False
        (a * b).backward()
        self.assertEqual(calls[6:], ["fine"])

    def test_multi_grad_any_hooks(self):
        t1, t2, t3, t4 = tensors()
        calls = []
        graph.register_multi_grad_hook((t1, t2, t3), lambda g: calls.append(g.tolist()), mode="any")
        (t1 * 5 + t2 * 5).sum().backward()
        self.assertEqual(calls, [[5, 5]])                                  # once, whatever else comes
        (t4 * 2).sum().backward()                                          # none of them
        self.assertEqual(len(calls), 1)
        ((t1 * t2) * t3).sum().backward()
        self.assertEqual(calls[1:], [[1, 4]])
        order, x = [], leaf([1.0])
        early, late = x * 2, x * 3
        graph.register_multi_grad_hook((early, late), lambda g: order.append(g.item()), mode="any")
        (early * 10 + late * 20).backward()
        self.assertEqual(order, [20])                                      # the newer one's comes first

    def test_multi_grad_hooks_invalid_mode(self):
        a, b = leaf(1.0), leaf(2.0)
        with self.assertRaisesRegex(ValueError, "mode"):
            graph.register_multi_grad_hook((a, b), lambda gs: None, mode="foo")
        with self.refused("grad"):
            graph.register_multi_grad_hook((a, torch.ones(1)), lambda gs: None)

    def test_group_hook_of_a_twice_used_tensor(self):
        x, calls = leaf([1.0, 2.0]), []
        graph.register_multi_grad_hook((x, x), lambda gs: calls.append([g.tolist() for g in gs]))
        (x * x + x).sum().backward()                                       # the whole gradient, once
        self.assertEqual(calls, [[[3, 5], [3, 5]]])

    def test_pynode_destruction_deadlock(self):
        # hooks that free the graph they run in
        before = nodes_alive()
        held = {}

        def drop(g):
            held.clear()
        x = leaf([1.0, 2.0])
        y = x * x
        y.register_hook(drop)
        held["graph"] = y.exp()
        loss = held["graph"].sum()
        del y
        loss.backward()
        del x, loss
        self.assertEqual((held, nodes_alive()), ({}, before))


if __name__ == "__main__":
    unittest.main()
