"""Gradients, modes and hooks of the Python package."""
import gc
import threading
import unittest

import gradus as torch
from gradus.autograd import functional, graph


def leaf(*numbers):
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


class Backward(unittest.TestCase):
    def test_gradients_accumulate_and_are_one_object(self):
        x = leaf(1, 2)
        (x * x).sum().backward()
        first = x.grad
        self.assertIs(x.grad, first)
        (x * x).sum().backward()
        self.assertIs(x.grad, first)
        self.assertEqual(first.tolist(), [4, 8])
        x.grad = None
        self.assertIsNone(x.grad)
        x.grad = torch.ones(2, dtype=torch.float64)
        self.assertEqual(x.grad.tolist(), [1, 1])
        del x.grad
        self.assertIsNone(x.grad)
        with self.assertRaises(RuntimeError):
            x.grad = torch.ones(3, dtype=torch.float64)
        with self.assertRaises(TypeError):
            x.grad = 1.0

    def test_grad_of_several_and_unused(self):
        x, y = leaf(1, 2), leaf(3)
        z = (x * x).sum()
        self.assertEqual([g.tolist() for g in torch.autograd.grad(z, [x], retain_graph=True)], [[2, 4]])
        with self.assertRaises(RuntimeError):
            torch.autograd.grad(z, [x, y], retain_graph=True)
        self.assertIsNone(torch.autograd.grad(z, [x, y], retain_graph=True, allow_unused=True)[1])
        self.assertEqual(torch.autograd.grad(z, [y], retain_graph=True, materialize_grads=True)[0].tolist(), [0])
        with self.assertRaises(TypeError):
            torch.autograd.grad(z, [1.0])
        with self.assertRaises(RuntimeError):
            torch.autograd.grad([z, z], [x], [None])
        self.assertIsNone(x.grad)

    def test_batched_seeds(self):
        x = leaf(1, 2)
        rows, = torch.autograd.grad(x * x, x, torch.eye(2, dtype=torch.float64), is_grads_batched=True)
        self.assertEqual(rows.tolist(), [[2, 0], [0, 4]])

    def test_second_order(self):
        x = leaf(2)
        first, = torch.autograd.grad((x ** 3).sum(), x, create_graph=True)
        second, = torch.autograd.grad(first.sum(), x)
        self.assertEqual((first.tolist(), second.tolist()), ([12], [12]))

    def test_inputs_and_seeds(self):
        x, y = leaf(1, 2), leaf(3, 4)
        (x * y).backward(torch.ones(2), inputs=[x])
        self.assertEqual((x.grad.tolist(), y.grad), ([3, 4], None))
        with self.assertRaises(RuntimeError):
            (x * y).backward()
        with self.assertRaises(ValueError):
            (x * y).backward(torch.ones(3, dtype=torch.float64))
        with self.assertRaises(RuntimeError):
            (x * y).sum().backward(inputs=[])

    def test_freed_and_changed_graphs_are_refused(self):
        x = leaf(1, 2)
        y = x.exp()
        y.sum().backward()
        with self.assertRaises(torch._errors.GraphFreed):
            y.sum().backward()
        y = x.exp()
        y.mul_(2)
        with self.assertRaises(torch._errors.InPlaceError):
            y.sum().backward()

    def test_edges(self):
        x = leaf(1, 2)
        y = x * 3
        edge = graph.get_gradient_edge(y)
        self.assertEqual(torch.autograd.grad(edge, x, torch.ones(2, dtype=torch.float64))[0].tolist(), [3, 3])
        z = (x * 3).sum()
        self.assertEqual(torch.autograd.grad(z, graph.get_gradient_edge(x))[0].tolist(), [3, 3])


class Graph(unittest.TestCase):
    def test_nodes(self):
        x = leaf(1, 2)
        y = x * x
        self.assertIsNone(x.grad_fn)
        self.assertIs(y.grad_fn, y.grad_fn)
        self.assertEqual((y.grad_fn.name(), type(y.grad_fn).__name__), ("MulBackward0", "MulBackward0"))
        node, nr = y.grad_fn.next_functions[0]
        self.assertEqual((node.name(), nr), ("AccumulateGrad", 0))
        self.assertIs(node.variable, x)
        self.assertIs(y.grad_fn._saved_self, x)
        with self.assertRaises(AttributeError):
            y.grad_fn._saved_nothing
        y.sum().backward()
        with self.assertRaises(RuntimeError):
            y.grad_fn._saved_self

    def test_saved_attributes_of_all_kinds(self):
        x = torch.rand(2, 3, requires_grad=True)
        self.assertEqual(x.sum(1, keepdim=True).grad_fn._saved_dim, (1,))
        self.assertIs(x.sum(1, keepdim=True).grad_fn._saved_keepdim, True)
        self.assertEqual(x.transpose(0, 1).grad_fn._saved_dim1, 1)

    def test_views_and_bases(self):
        x = torch.zeros(4)
        v = x[1:]
        self.assertTrue(v._is_view())
        self.assertIsNone(x._base)
        self.assertEqual(v._base.data_ptr(), x.data_ptr())
        v.fill_(3)
        self.assertEqual((x.tolist(), x._version), ([0, 3, 3, 3], 1))
        graph.increment_version(x)
        self.assertEqual(x._version, 2)

    def test_data(self):
        x = leaf(1, 2)
        x.data = torch.tensor([5, 6, 7], dtype=torch.float64)
        self.assertEqual((x.tolist(), x.requires_grad, x.is_leaf), ([5, 6, 7], True, True))
        x.data.mul_(2)
        self.assertEqual(x.tolist(), [10, 12, 14])

    def test_retained_gradients(self):
        x = leaf(1, 2)
        y = x * 2
        self.assertFalse(y.retains_grad)
        y.retain_grad()
        self.assertTrue(y.retains_grad)
        y.sum().backward()
        self.assertEqual(y.grad.tolist(), [1, 1])
        with self.assertRaises(RuntimeError):
            torch.ones(1).retain_grad()


class Hooks(unittest.TestCase):
    def test_tensor_hooks(self):
        x, seen = leaf(1, 2), []
        handle = x.register_hook(lambda g: seen.append(g.tolist()))
        x.register_hook(lambda g: g * 10)
        (x * 2).sum().backward()
        self.assertEqual((seen, x.grad.tolist()), ([[2, 2]], [20, 20]))
        handle.remove()
        handle.remove()
        (x * 2).sum().backward()
        self.assertEqual(len(seen), 1)
        with x.register_hook(lambda g: seen.append(0)):
            pass
        (x * 2).sum().backward()
        self.assertEqual(len(seen), 1)
        with self.assertRaises(RuntimeError):
            torch.ones(1).register_hook(print)

    def test_exceptions_keep_their_identity(self):
        x, error = leaf(1), LookupError("mine")

        def hook(g):
            raise error
        x.register_hook(hook)
        with self.assertRaises(LookupError) as caught:
            (x * 2).sum().backward()
        self.assertIs(caught.exception, error)
        self.assertEqual(torch._context.local.pending, {})

    def test_wrong_results_of_hooks(self):
        for bad, error in ((lambda g: 3, TypeError), (lambda g: torch.ones(5, dtype=torch.float64), RuntimeError)):
            x = leaf(1, 2)
            x.register_hook(bad)
            with self.assertRaises(error):
                (x * 2).sum().backward()

    def test_node_leaf_and_group_hooks(self):
        x, y, seen = leaf(1, 2), leaf(3, 4), []
        name, z = id(x), x * y
        z.grad_fn.register_prehook(lambda g: (g[0] * 2,))
        handle = z.grad_fn.register_hook(lambda to, come: seen.append((len(to), come[0].tolist())))
        x.register_post_accumulate_grad_hook(lambda p: seen.append(id(p) == name))
        graph.register_multi_grad_hook([x, y], lambda gs: seen.append([g.tolist() for g in gs]))
        z.sum().backward(retain_graph=True)
        self.assertIn((2, [2, 2]), seen)
        self.assertIn(True, seen)
        self.assertIn([[6, 8], [2, 4]], seen)
        handle.remove()
        z.sum().backward()
        self.assertEqual(sum(isinstance(s, tuple) for s in seen), 1)
        with self.assertRaises(RuntimeError):
            z.register_post_accumulate_grad_hook(print)
        with self.assertRaises(ValueError):
            graph.register_multi_grad_hook([x], print, mode="some")

    def test_node_hooks_may_replace_gradients(self):
        x = leaf(1, 2)
        y = x * 3
        y.grad_fn.register_hook(lambda to, come: (to[0] * 100, None))
        y.sum().backward()
        self.assertEqual(x.grad.tolist(), [300, 300])
        y = x * 3
        y.grad_fn.register_hook(lambda to, come: (to[0],) * 5)
        with self.assertRaises(RuntimeError):
            y.sum().backward()

    def test_saved_value_hooks(self):
        x, packed = leaf(1, 2), []
        with graph.saved_tensors_hooks(lambda t: packed.append(t.tolist()) or ["box", t], lambda box: box[1]):
            y = x.exp()
        y.sum().backward()
        self.assertEqual(len(packed), 1)
        self.assertEqual(x.grad.tolist(), packed[0])
        with graph.saved_tensors_hooks(lambda t: t, lambda t: 1):
            y = x.exp()
        with self.assertRaises(TypeError):
            y.sum().backward()
        with graph.disable_saved_tensors_hooks("not here"), self.assertRaisesRegex(RuntimeError, "not here"):
            with graph.save_on_cpu():
                pass

    def test_what_hooks_held_goes_with_them(self):
        x = leaf(1, 2)
        x.register_hook(lambda g: None)
        with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            y = x.exp()
        self.assertTrue(torch._hooks._functions and torch._hooks._packed)
        del x, y
        gc.collect()
        self.assertEqual((torch._hooks._functions, torch._hooks._packed), ({}, {}))


class Modes(unittest.TestCase):
    def records(self):
        return (leaf(1) * 2).requires_grad

    def test_managers_and_decorators(self):
        with torch.no_grad():
            self.assertFalse(self.records() or torch.is_grad_enabled())
            with torch.enable_grad():
                self.assertTrue(self.records() and torch.is_grad_enabled())
        self.assertTrue(self.records())
        self.assertFalse(torch.no_grad()(self.records)())
        self.assertFalse(torch.no_grad(self.records)())
        self.assertFalse(torch.set_grad_enabled(False)(self.records)())
        self.assertTrue(self.records())
        self.assertFalse(torch.inference_mode()(self.records)())
        self.assertFalse(torch.inference_mode(self.records)())
        with self.assertRaises(KeyError), torch.no_grad():
            raise KeyError
        self.assertTrue(self.records())

    def test_set_grad_enabled_works_at_once(self):
        torch.set_grad_enabled(False)
        self.assertFalse(self.records())
        torch.set_grad_enabled(True)
        self.assertTrue(self.records())
        with torch.set_grad_enabled(False):
            self.assertFalse(self.records())
        self.assertTrue(self.records())

    def test_generators_leave_the_mode_at_each_yield(self):
        @torch.no_grad()
        def steps():
            got = yield torch.is_grad_enabled()
            try:
                yield got, torch.is_grad_enabled()
            except LookupError:
                yield "caught", torch.is_grad_enabled()
            return "end"
        run = steps()
        self.assertFalse(next(run))
        self.assertTrue(torch.is_grad_enabled())
        self.assertEqual(run.send(5), (5, False))
        self.assertEqual(run.throw(LookupError()), ("caught", False))
        with self.assertRaises(StopIteration) as stop:
            next(run)
        self.assertEqual(stop.exception.value, "end")
        self.assertTrue(torch.is_grad_enabled())

    def test_inference_tensors_stay_out_of_graphs(self):
        with torch.inference_mode():
            x = torch.ones(2)
            self.assertTrue(x.is_inference() and torch.is_inference_mode_enabled())
        with self.assertRaises(RuntimeError):
            (x * torch.ones(2, requires_grad=True)).sum().backward()

    def test_threads_have_modes_of_their_own_and_share_leaves(self):
        x, found = leaf(1, 2), []

        def work():
            found.append(torch.is_grad_enabled())
            (x * x).sum().backward()
        with torch.no_grad():
            threads = [threading.Thread(target=work) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        self.assertEqual((found, x.grad.tolist()), ([True] * 4, [8, 16]))

    def test_random_numbers_repeat(self):
        torch.manual_seed(3)
        a, state = torch.rand(3), torch.get_rng_state()
        b = torch.rand(3)
        torch.set_rng_state(state)
        self.assertTrue(torch.equal(torch.rand(3), b))
        torch.manual_seed(3)
        self.assertTrue(torch.equal(torch.rand(3), a))
        self.assertEqual(torch.initial_seed(), 3)


class Functional(unittest.TestCase):
    def setUp(self):
        self.x = torch.tensor([0.5, -1.0], dtype=torch.float64)

    def test_jacobian_and_hessian(self):
        self.assertEqual(functional.jacobian(lambda x: x * x, self.x).tolist(), [[1, 0], [0, -2]])
        self.assertEqual(functional.hessian(lambda x: (x ** 3).sum(), self.x).tolist(), [[3, 0], [0, -6]])
        both = functional.jacobian(lambda x, y: x.sum() * y, (self.x, self.x))
        self.assertEqual(both[0].tolist(), [[0.5, 0.5], [-1, -1]])
        self.assertEqual(both[1].tolist(), [[-0.5, 0], [0, -0.5]])

    def test_products(self):
        v = torch.tensor([1.0, 2.0], dtype=torch.float64)
        f = lambda x: x * x                                                # noqa: E731
        g = lambda x: (x ** 3).sum()                                       # noqa: E731
        self.assertEqual(functional.vjp(f, self.x, v)[1].tolist(), [1, -4])
        self.assertEqual(functional.jvp(f, self.x, v)[1].tolist(), [1, -4])
        self.assertEqual(functional.hvp(g, self.x, v)[1].tolist(), [3, -12])
        self.assertEqual(functional.vhp(g, self.x, v)[1].tolist(), [3, -12])

    def test_create_graph_and_strict(self):
        x = self.x.requires_grad_()
        functional.jacobian(lambda t: t * t, x, create_graph=True).sum().backward()
        self.assertEqual(x.grad.tolist(), [2, 2])
        for call in (lambda: functional.jacobian(lambda t: torch.ones(2), x, strict=True),
                     lambda: functional.hessian(lambda t: t.sum(), x, strict=True),
                     lambda: functional.jvp(lambda t: t, x, torch.ones(3)),
                     lambda: functional.hessian(lambda t: t, x)):
            with self.assertRaises(RuntimeError):
                call()


if __name__ == "__main__":
    unittest.main()
