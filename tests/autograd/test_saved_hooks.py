"""Hooks on saved values that are entered or left in the middle of a backward pass."""
import gc
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, leaf


def callbacks_alive():
    gc.collect()
    return torch.live_counts()["callbacks"]


class TestAutograd(Case):
    def test_saved_tensor_hooks_extra_exit_during_bw_no_crash(self):
        packed = []

        def hooks():
            return graph.saved_tensors_hooks(lambda t: packed.append(1) or t, lambda t: t)

        x = leaf(2.0)
        with hooks() as _, hooks():
            inner = graph.saved_tensors_hooks(lambda t: t, lambda t: t)
            inner.__enter__()
            y = x.exp()
            y.register_hook(lambda g: inner.__exit__(None, None, None))    # in the middle of the pass
            for _ in range(3):
                y.backward(retain_graph=True)
                self.assertEqual(packed, [])
                x * x                                                      # inner is in force again as soon as the pass is over
                self.assertEqual(packed, [])
            inner.__exit__(None, None, None)
            x * x
            self.assertEqual(packed, [1, 1])

        def leaves(value):
            both.__exit__(None, None, None)                                # while a value is unpacked there is nothing to leave
            return value

        both = graph.saved_tensors_hooks(lambda t: t, leaves)
        with both:
            y = x.exp()
            with self.refused("none to take away"):
                y.backward()
        self.assertEqual(torch.live_counts()["contexts"], 1)

    def test_saved_tensor_hooks_extra_enter_during_bw_no_leak(self):
        packed = []

        def extra():
            return graph.saved_tensors_hooks(lambda t: packed.append(1) or t, lambda t: t)

        before = callbacks_alive()
        x = leaf(2.0)
        y = (x * x).exp()
        y.register_hook(lambda g: extra().__enter__())                     # never left
        y.backward()
        x.exp() * x
        self.assertEqual(packed, [])                                       # the pass does not let them out

        def unpack(value):
            extra().__enter__()
            return value
        with graph.saved_tensors_hooks(lambda t: t, unpack):
            y = x.exp()
        y.backward()
        x.exp() * x
        self.assertEqual(packed, [])
        del y
        self.assertEqual(callbacks_alive(), before)                        # and nothing holds them


if __name__ == "__main__":
    unittest.main()
