"""Hooks on the backward of modules: TestAutograd's part about them."""
import gc
import unittest
import warnings
import weakref

import gradus as torch


class TestModuleHooks(unittest.TestCase):
    def test_create_graph_and_full_backward_hook_cycle(self):
        # a hook that kept the gradients of a recorded pass would keep the graph that they stand in
        class Mark:
            pass

        class Power(torch.nn.Module):
            def __init__(self, a):
                super().__init__()
                self.held = [a]

            def forward(self, x):
                return x ** 2 * self.held[0] ** 2

        def marked(of_input, hooks):
            x, a, mark = torch.randn(10, requires_grad=of_input), torch.tensor(1.0, requires_grad=True), Mark()
            module, calls = Power(a), []
            for _ in range(hooks):
                module.register_full_backward_hook(lambda module, into, out: calls.append(1))
            y = module(x)
            y.grad_fn.metadata["mark"] = mark
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                y.exp().sum().backward(create_graph=True)
            self.assertEqual(len(calls), hooks)
            a.grad = x.grad = None
            return weakref.ref(mark)
        for hooks in (1, 2, 3):
            for of_input in (True, False):
                mark = marked(of_input, hooks)
                gc.collect()
                self.assertIsNone(mark(), (hooks, of_input))

    def test_full_backward_hook_double_backward(self):
        x, y, calls = torch.rand(1, requires_grad=True), torch.rand(1), []
        loss = torch.nn.MSELoss()
        loss.register_full_backward_hook(lambda module, into, out: calls.append(1))
        gradient, = torch.autograd.grad(loss(x, y), x, create_graph=True)
        self.assertEqual(len(calls), 1)
        second, = torch.autograd.grad(gradient, x)
        self.assertEqual((second.item(), len(calls)), (2, 1))


if __name__ == "__main__":
    unittest.main()
