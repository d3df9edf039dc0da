"""Hooks on saved values that are entered or left in the middle of a backward pass."""
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, leaf


class TestAutograd(Case):
    def test_saved_tensor_hooks_extra_exit_during_bw_no_crash(self):
        def leave(gradient):
            with self.refused(""):                                         # inside the pass the caller's hooks are not there to be left
                hooks.__exit__(None, None, None)

        def work(run_backward):
            nonlocal hooks
            hooks = graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t)
            with hooks:
                x = leaf(2.0)
                y = x * x
                y.register_hook(leave)
                run_backward(y)
            return x.grad

        hooks = None
        self.same(work(lambda y: y.backward()), 4)
        x = leaf(3.0)                                                      # and nothing is left behind
        seen = []
        with graph.saved_tensors_hooks(lambda t: seen.append(1) or t, lambda t: t):
            y = x * x
        self.assertEqual(len(seen), 2)
        y.backward()
        self.same(x.grad, 6)
        (x * x).sum()
        self.assertEqual(len(seen), 2)

    def test_saved_tensor_hooks_extra_enter_during_bw_no_leak(self):
        packed = []
        entered = graph.saved_tensors_hooks(lambda t: packed.append(1) or t, lambda t: t)
        x = leaf(2.0)
        y = (x * x).exp()
        y.register_hook(lambda g: entered.__enter__())                     # never left
        y.backward()
        del packed[:]
        z = x.exp() * x                                                    # the pass has not let them out
        self.assertEqual(packed, [])
        z.backward()


if __name__ == "__main__":
    unittest.main()
