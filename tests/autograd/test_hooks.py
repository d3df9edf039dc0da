"""Hooks of tensors and nodes: what they see, what they may return, in which order they run."""
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, double, leaf, ramp


class TestAutograd(Case):
    def test_hooks(self):
        x, y = ramp(5, 5), ramp(5, 5)
        counter, modes = [0], set()

        def count(amount, gradient):
            self.assertIsInstance(gradient, torch.Tensor)
            modes.add(torch.is_grad_enabled())
            counter[0] += amount

        z = x ** 2 + x * 2 + x * y + y
        x.register_hook(lambda g: count(0, g))
        first = z.register_hook(lambda g: count(1, g))
        ones = torch.ones(5, 5, dtype=torch.float64)
        z.backward(ones, retain_graph=True)
        self.assertEqual(counter[0], 1)
        second = z.register_hook(lambda g: count(2, g))
        z.backward(ones, retain_graph=True)
        self.assertEqual(counter[0], 4)
        second.remove()
        z.backward(ones, retain_graph=True)
        self.assertEqual(counter[0], 5)

        def recorded(gradient):
            self.assertTrue(torch.is_grad_enabled())
        self.assertEqual(modes, {False})
        with z.register_hook(recorded):
            z.backward(ones, create_graph=True)
        first.remove()
        x.grad = y.grad = None
        z.register_hook(lambda g: g * 2)                                   # what it returns goes on
        z.backward(ones, retain_graph=True)
        self.same(y.grad, (2 * (x.detach() + 1)).tolist())
        z.register_hook(lambda g: g * 3)                                   # and the next one sees it
        y.grad = None
        z.backward(ones, retain_graph=True)
        self.same(y.grad, (6 * (x.detach() + 1)).tolist())
        with self.refused("hook", (TypeError, RuntimeError)), z.register_hook(lambda g: 1):
            z.backward(ones, retain_graph=True)
        with self.refused(""), z.register_hook(lambda g: torch.ones(2, dtype=torch.float64)):
            z.backward(ones, retain_graph=True)                            # of another shape
        with self.refused("gradient"):
            torch.ones(2).register_hook(lambda g: g)

    def test_hook_none(self):
        seen = []
        x = ramp(5, 5)
        parts = x.unbind()                                                 # those that are not used get no gradient, and no hook call
        for i, part in enumerate(parts):
            part.register_hook(lambda g, i=i: seen.append((i, g)))
        parts[1].sum().backward()
        self.assertEqual([i for i, _ in seen], [1])
        self.assertIsNotNone(seen[0][1])
        expected = torch.zeros(5, 5)
        expected[1] = 1
        self.same(x.grad, expected)

    def test_hook_with_no_name(self):
        class Callable:
            def __call__(self, gradient):
                return gradient.clone() * 2

        x = ramp(2)
        x.register_hook(Callable())
        x.sum().backward()
        self.same(x.grad, [2, 2])

    def test_prehook_ordering(self):
        log = []

        def hook(name, result=None):
            return lambda *_: log.append(name)

        a = ramp(2)
        b = a.clone()
        b.grad_fn.register_hook(hook("after"))
        b.grad_fn.register_prehook(hook("node 1"))                         # registered first, and yet behind the tensor's
        b.register_hook(hook("tensor 1"))
        b.register_hook(hook("tensor 2"))
        b.grad_fn.register_prehook(hook("node 2"))
        b.sum().backward()
        self.assertEqual(log, ["tensor 1", "tensor 2", "node 1", "node 2", "after"])
        del log[:]
        x = ramp(2)                                                        # the same at a leaf's node
        sink = x.view_as(x).grad_fn.next_functions[0][0]
        sink.register_prehook(hook("node"))
        x.register_hook(hook("tensor"))
        x.register_post_accumulate_grad_hook(hook("leaf"))
        sink.register_hook(hook("after"))
        x.sum().backward()
        self.assertEqual(log, ["tensor", "node", "leaf", "after"])

    def test_retains_grad_can_always_observe_tensor_prehook(self):
        a = leaf(1.0)
        b = a.clone()
        b.register_hook(lambda g: g * 2)
        b.retain_grad()
        b.register_hook(lambda g: g * 2)                                   # registered after retain_grad, and seen all the same
        b.clone().backward()
        self.same(b.grad, 4)
        self.same(a.grad, 4)

    def test_accumulate_grad_posthooks_can_observe_tensor_prehook(self):
        a = leaf(1.0)
        a.register_hook(lambda g: g * 2)
        b = a.clone()
        sink = b.grad_fn.next_functions[0][0]
        seen = []
        with sink.register_hook(lambda gi, go: seen.append((len(gi), [g.item() for g in go], a.grad.item()))):
            b.backward()
        self.assertEqual(seen, [(0, [2.0], 2.0)])                          # nothing goes on from here; the sum is done

    def test_accumulate_grad_posthooks_should_not_execute(self):
        def refuse(*_):
            raise AssertionError("the leaf's node is not to run")

        def doubles(gradients):
            seen.append(gradients[0].item())

        a, seen = leaf(1.0), []
        b = leaf(1.0)
        c = a.clone()
        sink = c.grad_fn.next_functions[0][0]
        sink.register_hook(refuse)
        sink.register_prehook(refuse)
        a.register_post_accumulate_grad_hook(refuse)
        got = torch.autograd.grad(c + b, [a, b])
        self.assertEqual([g.item() for g in got], [1, 1])

    def test_hook_edge_case_when_called_with_grad(self):
        seen = []

        def hook(name):
            return lambda *_: seen.append(name)

        a = leaf(1.0)
        b = a * 2
        c = b * 2
        for name, t in (("a", a), ("b", b), ("c", c)):
            t.register_hook(hook("tensor " + name))
        for name, node in (("a", b.grad_fn.next_functions[0][0]), ("b", b.grad_fn), ("c", c.grad_fn)):
            node.register_prehook(hook("node " + name))
        torch.autograd.grad(c, [a, b])
        self.assertEqual(seen, ["tensor c", "node c", "tensor b", "node b", "tensor a"])   # a's node itself does not run
        del seen[:]
        c = b * 2
        torch.autograd.grad(c, b)
        self.assertEqual(seen, ["tensor b"])

    def test_grad_fn_prehooks(self):
        for order in (True, False):
            x = ramp(2, 2)
            out = x * 2
            seen = []
            out.grad_fn.register_prehook(lambda g: (g[0] * 2,))
            out.grad_fn.register_prehook(lambda g: seen.append(g[0].tolist()))   # sees what the first made; None changes nothing
            if order:
                out.grad_fn.register_prehook(lambda g: [g[0] * 3])         # a list will do, too
            out.sum().backward()
            self.same(x.grad, [[12.0 if order else 4.0] * 2] * 2)
            self.assertEqual(seen, [[[2, 2], [2, 2]]])
        out = ramp(2) * 2
        out.grad_fn.register_prehook(lambda g: (g[0], g[0]))
        with self.refused("number of gradients"):
            out.sum().backward()
        out = ramp(2) * 2
        out.grad_fn.register_prehook(lambda g: (1 / 0,))
        with self.assertRaises(ZeroDivisionError):
            out.sum().backward()

    def test_grad_fn_prehooks_multiple_outputs(self):
        x = ramp(2, 2)
        parts = x.unbind()                                                 # one node, two outputs
        node = parts[0].grad_fn
        self.assertIs(parts[1].grad_fn, node)
        self.assertEqual([p.output_nr for p in parts], [0, 1])
        node.register_prehook(lambda g: (g[0] * 10, g[1]))
        (parts[0] + parts[1]).sum().backward()
        self.same(x.grad, [[10, 10], [1, 1]])
        parts, seen = ramp(2, 2).unbind(), []
        parts[0].grad_fn.register_prehook(lambda g: seen.append([None if v is None else v.tolist() for v in g]))
        parts[1].sum().backward()                                          # only one of the two comes
        self.assertEqual(seen, [[None, [1, 1]]])

    def test_grad_fn_prehooks_remove_hooks(self):
        for removed in range(3):
            x = ramp(2)
            out = x * 1
            handles = [out.grad_fn.register_prehook(lambda g, f=f: (g[0] * f,)) for f in (2, 3, 5)]
            handles[removed].remove()
            out.sum().backward()
            self.same(x.grad, [30 / (2, 3, 5)[removed]] * 2)
        x = ramp(2)
        out, handles = x * 1, []

        def remove_itself(gradients):
            handles[0].remove()                                            # while it runs; the others still come
            return (gradients[0] * 2,)
        handles.append(out.grad_fn.register_prehook(remove_itself))
        out.grad_fn.register_prehook(lambda g: (g[0] * 3,))
        out.sum().backward(retain_graph=True)
        self.same(x.grad, [6, 6])
        out.sum().backward()
        self.same(x.grad, [9, 9])

    def test_node_post_hook_registered_during_unpack_hook(self):
        seen, nodes = [], []

        def unpack(value):
            nodes[0].register_hook(lambda *_: seen.append("after"))        # the node is about to run its rule
            return value

        a = leaf(3.0)
        with graph.saved_tensors_hooks(lambda t: t, unpack):
            out = a.exp()
        nodes.append(out.grad_fn)
        out.backward()
        self.close(a.grad, 20.085536923187668)
        self.assertEqual(seen, ["after"])

    def test_hooks_cpp(self):
        x = ramp(3, 3)
        counter = [0]

        def double_first(grad_inputs, grad_outputs):
            counter[0] += 1
            return (grad_inputs[0] * 2, *grad_inputs[1:])

        scale = double([2, 3, 4])
        out = x * scale                                                    # a node of the library with a hook of the host
        handle = out.grad_fn.register_hook(double_first)
        out.sum().backward(retain_graph=True)
        self.assertEqual(counter, [1])
        self.same(x.grad, [[4, 6, 8]] * 3)
        handle.remove()
        x.grad = None
        out.sum().backward()
        self.assertEqual(counter, [1])
        self.same(x.grad, [[2, 3, 4]] * 3)
        mean, scale = torch.zeros(3, dtype=torch.float64), leaf([1.0, 1, 1])
        out = torch.nn.functional.batch_norm(x, mean, torch.ones(3, dtype=torch.float64), scale, torch.zeros(3, dtype=torch.float64, requires_grad=True), True)
        seen = []
        out.grad_fn.register_hook(lambda gi, go: seen.append(len(go)))
        out.sum().backward()
        self.assertGreaterEqual(seen[0], 1)

    def test_tensor_hooks_inplace(self):
        counts = [0, 0, 0]

        def hook(i, factor):
            def run(gradient):
                counts[i] += 1
                return gradient * factor
            return run

        x = leaf(1.0)
        y = x * 2
        y.register_hook(hook(0, 2))
        y *= 3                                                             # the hook stays with the value it was made for
        y.sum().backward()
        self.assertEqual(counts, [1, 0, 0])
        self.same(x.grad, 12)
        x.grad = None
        y = x * 2
        y.register_hook(hook(0, 2))
        y.mul_(2)
        y.register_hook(hook(1, 3))
        y.mul_(2)
        y.register_hook(hook(2, 5))
        y.backward()
        self.assertEqual(counts, [2, 1, 1])
        self.same(x.grad, 2 * 2 * 2 * 2 * 3 * 5)

    def test_tensor_hooks_inplace_multiple_outputs(self):
        seen = []

        def hook(name):
            return lambda g: seen.append((name, g.tolist()))

        x = leaf([[1.0, 3.0]])
        a, b = torch.var_mean(x, dim=1)                                    # one node, two outputs, each changed for itself
        self.assertIs(a.grad_fn, b.grad_fn)
        a.register_hook(hook("a"))
        b.register_hook(hook("b"))
        a.mul_(2)
        b.mul_(3)
        a.register_hook(hook("a written"))
        (a.sum() * 5 + b.sum() * 7).backward()
        self.assertEqual(sorted(seen), [("a", [10]), ("a written", [5]), ("b", [21])])
        self.same(x.grad, [[10 * 2 * -1 + 21 / 2, 10 * 2 * 1 + 21 / 2]])   # var' = 2 (x - mean) / (n - 1)

    def test_tensor_hooks_inplace_over_view(self):
        seen = []

        def hook(name):
            return lambda g: seen.append((name, g.tolist()))

        base = ramp(2) * 1
        view = base[:1]
        base.register_hook(hook("base"))
        view.register_hook(hook("view"))                                   # of the view's history before the write
        view.mul_(3)
        view.register_hook(hook("view written"))
        base.register_hook(hook("base written"))
        (base.sum() + view.sum()).backward()
        self.assertEqual(dict(seen)["base written"], [1, 1] if dict(seen)["view written"] == [2] else [2, 1])
        self.assertEqual(dict(seen)["base"], [6, 1])


if __name__ == "__main__":
    unittest.main()
