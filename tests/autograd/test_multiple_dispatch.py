"""Copying twins of views; that a backward pass stays on the thread that asked for it."""
import threading
import unittest

import gradus as torch
from support import Case, ramp


class TestAutogradMultipleDispatch(Case):
    def test_view_copy(self):
        for name, view, copied in (("view", lambda t: t.view(-1), lambda t: torch.view_copy(t, [-1])),
                                   ("t", lambda t: t.t(), torch.t_copy),
                                   ("select", lambda t: t.select(0, 1), lambda t: torch.select_copy(t, 0, 1)),
                                   ("slice", lambda t: t[:, 1:], lambda t: torch.slice_copy(t, 1, 1)),
                                   ("unsqueeze", lambda t: t.unsqueeze(1), lambda t: torch.unsqueeze_copy(t, 1)),
                                   ("diagonal", lambda t: t.diagonal(), torch.diagonal_copy)):
            with self.subTest(name):
                x, y = ramp(2, 2), ramp(2, 2)
                a, b = view(x), copied(y)
                self.same(b, a)
                self.assertTrue(a._is_view())
                self.assertFalse(b._is_view())
                self.assertNotEqual(y.data_ptr(), b.data_ptr())
                seed = torch.arange(1, a.numel() + 1, dtype=torch.float64).reshape(a.shape)
                a.backward(seed)
                b.backward(seed)
                self.same(y.grad, x.grad)
                b.mul_(2)                                                  # its own memory: y does not change
                self.same(y, [[1, 2], [3, 4]])

    def test_backward_single_threaded(self):
        seen = []

        def run():
            x = ramp(2, 2)
            y = (x * x).sum()
            y.register_hook(lambda g: seen.append(threading.get_ident()))
            x.register_hook(lambda g: seen.append(threading.get_ident()))
            y.backward()
            seen.append(threading.get_ident())

        run()
        other = threading.Thread(target=run)
        other.start()
        other.join()
        self.assertEqual(len(seen), 6)
        self.assertEqual((len(set(seen[:3])), len(set(seen[3:]))), (1, 1))
        self.assertNotEqual(seen[0], seen[3])

    def test_backward_tls_stash(self):
        local = threading.local()
        local.mine = {"count": 3}
        got = []
        x = ramp(2)
        y = x * 2

        def hook(gradient):
            local.mine["count"] += 10
            got.append(local.mine["count"])
        y.register_hook(hook)
        y.sum().backward()
        self.assertEqual((got, local.mine), ([13], {"count": 13}))         # what is the thread's own is there inside


if __name__ == "__main__":
    unittest.main()
