"""Inference mode: what is made inside, what may be done with it outside, and views across the border."""
import unittest

import gradus as torch
from support import Case, leaf


def ones(requires_grad=False):
    return torch.ones(1, 2, 3, dtype=torch.float64, requires_grad=requires_grad)


def inference_ones():
    with torch.inference_mode():
        return ones()


def normal():
    """Whether it requires grad, and a tensor that is no leaf."""
    for requires_grad in (True, False):
        yield requires_grad, ones(requires_grad).clone()


class TestAutogradInferenceMode(Case):
    def writes(self, fn, t, is_refused):
        if is_refused:
            with self.refused("inference"):
                fn(t)
        else:
            fn(t)

    def plain(self, t):
        """A result without gradient that is no inference tensor."""
        self.assertFalse(t.is_inference())
        self.assertFalse(t.requires_grad)

    def test_inference_mode_context_manager(self):
        self.assertFalse(torch.is_inference_mode_enabled())
        with torch.inference_mode():
            self.assertTrue(torch.is_inference_mode_enabled())
            self.assertFalse(torch.is_grad_enabled())
            with torch.inference_mode(False):
                self.assertFalse(torch.is_inference_mode_enabled())
                self.assertTrue(torch.is_grad_enabled())
            self.assertTrue(torch.is_inference_mode_enabled())
        self.assertFalse(torch.is_inference_mode_enabled())
        with self.assertRaises(KeyError), torch.inference_mode():
            raise KeyError
        self.assertFalse(torch.is_inference_mode_enabled())

    def test_inference_mode_decorator(self):
        def f(x):
            self.assertEqual(torch.is_inference_mode_enabled(), inside)
            self.assertEqual(torch.is_grad_enabled(), not inside)
            return x * x

        for inside, decorator in ((True, torch.inference_mode), (True, torch.inference_mode()), (True, torch.inference_mode(True)),
                                  (False, torch.inference_mode(False))):
            for requires_grad in (True, False):
                x = ones(requires_grad)
                out = decorator(f)(x)
                self.assertEqual(out.is_inference(), inside)
                self.assertEqual(out.requires_grad, not inside and requires_grad)
        inside = True

        @torch.inference_mode()
        def steps():
            for _ in range(2):
                self.assertTrue(torch.is_inference_mode_enabled())
                yield torch.ones(1)
        for made in steps():
            self.assertFalse(torch.is_inference_mode_enabled())
            self.assertTrue(made.is_inference())

    def test_inference_mode_tensor_creation(self):
        with torch.inference_mode():
            c = torch.ones(1, 2, 3)
            self.assertFalse(c.requires_grad)
            self.assertTrue(c.is_inference())
            wants = torch.ones(1, 2, 3, requires_grad=True)                # the flag is kept, for what it is worth
            self.assertTrue(wants.requires_grad)
            self.assertTrue(wants.is_inference())
            self.assertTrue(torch.tensor([1.0]).is_inference())
        self.assertFalse(torch.ones(1).is_inference())
        self.assertTrue(c.is_inference())

    def test_inference_mode_existing_autograd_session(self):
        s = leaf([1.0, 2])
        a = s.clone()
        out = a * a
        with torch.inference_mode():
            a.add_(2)                                                      # a normal tensor: its version counts inside as well
        self.assertFalse(a.is_inference())
        with self.refused("changed in place"):
            out.backward(torch.ones_like(out))

    def test_inference_mode_inf_tensor_in_inf_mode_functional_op(self):
        for requires_grad in (True, False):
            with torch.inference_mode():
                c = ones(requires_grad)
                func_out = c * 2
                self.assertTrue(func_out.is_inference())
                self.assertFalse(func_out.requires_grad)
                self.assertIsNone(func_out.grad_fn)

    def test_inference_mode_inf_tensor_in_inf_mode_inplace_op(self):
        @torch.inference_mode()
        def run(fn):
            for requires_grad in (True, False):
                c = ones(requires_grad)
                self.assertIs(fn(c), c)
                self.assertTrue(c.is_inference())
                self.assertEqual(c.requires_grad, requires_grad)
                self.assertTrue(c.is_leaf)
                self.same(c, [[[4, 4, 4], [4, 4, 4]]])
        run(lambda x: x.mul_(4))
        run(lambda x: x.add_(1).mul_(2))
        run(lambda x: x.fill_(4))

    def test_inference_mode_inf_tensor_in_inf_mode_view_op(self):
        with torch.inference_mode():
            for requires_grad in (True, False):
                c = ones(requires_grad)
                view = c.view(-1)
                self.assertTrue(view.is_inference())
                self.assertFalse(view.requires_grad)
                self.assertEqual(view.data_ptr(), c.data_ptr())
                view.zero_()
                self.same(c, torch.zeros(1, 2, 3))

    def test_inference_mode_inf_tensor_in_normal_mode_functional_op(self):
        for requires_grad in (True, False):
            with torch.inference_mode():
                c = ones(requires_grad)
            self.assertEqual(c.requires_grad, requires_grad)
            for out in (c.add(1), c * c, c.exp()):                         # may be used, but nothing is recorded for it
                self.plain(out)
                self.assertTrue(out.is_leaf)
            if requires_grad:
                with self.refused("does not require grad"):
                    torch.autograd.grad(leaf(1.0) * 2, c)
                with self.refused(""):
                    c.register_hook(lambda g: g)

    def test_inference_mode_inf_tensor_in_normal_mode_inplace_op(self):
        for requires_grad in (True, False):
            with torch.inference_mode():
                c = ones(requires_grad)
            with self.refused("inference|leaf"):
                c.mul_(2)
            self.same(c, torch.ones(1, 2, 3))                              # before anything is written
            with torch.inference_mode():
                c.mul_(2)

    def test_inference_mode_inf_tensor_in_normal_mode_view_op(self):
        for requires_grad in (True, False):
            with torch.inference_mode():
                c = ones(requires_grad)
            out = c.view(-1)
            self.assertTrue(out.is_inference())
            self.assertFalse(out.requires_grad)
            self.assertIsNone(out.grad_fn)
            self.assertTrue(out.is_leaf)

    def test_normal_tensor_inplace_output_in_inference_mode(self):
        def run(fn):
            for requires_grad, a in normal():
                with torch.inference_mode():
                    fn(a)
                    self.assertFalse(a.is_inference())
                    self.assertEqual(a.requires_grad, requires_grad)
                    fn(a)
                    self.assertFalse(a.is_inference())
                    view = a.view(-1)
                    self.assertFalse(view.is_inference())                  # of a normal tensor, but nothing flows through it
                    self.assertFalse(view.requires_grad)
        run(lambda x: x.mul_(2))
        run(lambda x: x.zero_())

    def test_normal_tensor_inplace_output_in_normal_mode(self):
        def run(fn):
            for requires_grad, a in normal():
                with torch.inference_mode():
                    fn(a)
                fn(a)
                self.assertFalse(a.is_inference())
                self.assertEqual(a.requires_grad, requires_grad)
                self.assertEqual(a.is_leaf, not requires_grad)
                fn(a)
                view = a.view(-1)
                self.assertFalse(view.is_inference())
                self.assertEqual(view.requires_grad, requires_grad)
        run(lambda x: x.mul_(2))
        run(lambda x: x.add_(2))

    def test_normal_tensor_view_output_in_inference_mode(self):
        for requires_grad, a in normal():
            with torch.inference_mode():
                out = a.view(-1)
                self.assertFalse(out.is_inference())
                self.assertFalse(out.requires_grad)
                self.assertTrue(out._is_view())
                again = out.view(-1)
                self.assertFalse(again.is_inference())
                self.assertFalse(again.requires_grad)
                self.assertTrue(again._is_view())
                self.assertIs(again._base.is_inference(), False)

    def test_normal_tensor_view_output_in_normal_mode(self):
        def functional(x):
            out = x * 1
            self.assertEqual(out.requires_grad, x.requires_grad)
            return out

        for requires_grad, a in normal():
            with torch.inference_mode():
                out = a.view(-1)
            self.plain(out)
            self.assertTrue(out.is_leaf)                                   # it has no history: none was recorded
            self.plain(functional(out))
            if requires_grad:
                with self.refused("inference"):                            # a write would have to rewrite a history it does not know
                    out.mul_(2)
            else:
                out.mul_(2)
            self.assertEqual(out.view(-1).is_inference(), False)

    def test_mix_inference_and_normal_tensor_functional_op(self):
        for requires_grad in (True, False):
            s = ones(requires_grad)
            c = inference_ones()
            out = c.add(s)                                                 # an addition keeps nothing
            self.assertFalse(out.is_inference())
            self.assertEqual(out.requires_grad, requires_grad)
            if requires_grad:
                with self.refused("inference"):                            # this one would have to keep c
                    c * s
                out = c.clone() * s
                out.sum().backward()
                self.same(s.grad, torch.ones(1, 2, 3))
            else:
                self.plain(c * s)
                self.plain(torch.stack([c, s]))

    def test_mix_inference_and_normal_tensor_inplace_op(self):
        for requires_grad in (True, False):
            s = ones(requires_grad)
            a = s.clone()
            c = inference_ones()
            if requires_grad:
                with self.refused("inference"):
                    a.mul_(c)                                              # c would be kept
                self.same(a, torch.ones(1, 2, 3))
            else:
                a.mul_(c)
                self.plain(a)
            a.add_(c)
            with self.refused("inference"):
                c.add_(s)
            with self.refused("inference"):
                torch.mul(s.detach(), s.detach(), out=c)

    def test_mix_inference_and_normal_tensor_view_op(self):
        for requires_grad in (True, False):
            s = ones(requires_grad)
            c = inference_ones()
            tmp1 = c.view_as(s)                                            # of an inference tensor
            self.assertTrue(tmp1.is_inference())
            self.assertFalse(tmp1.requires_grad)
            tmp2 = s.view_as(c)                                            # of a normal one, the shape alone is read
            self.assertFalse(tmp2.is_inference())
            self.assertEqual(tmp2.requires_grad, requires_grad)

    def test_inference_mode_handle_direct_view_on_rebase(self):
        def run(fn):
            for requires_grad, a in normal():
                with torch.inference_mode():
                    view = a.view_as(a)
                self.writes(fn, view, requires_grad)
        run(lambda x: x.add_(2))
        run(lambda x: x.mul_(2))

    def test_inference_mode_handle_indirect_view_on_rebase(self):
        def run(fn):
            for requires_grad, a in normal():
                with torch.inference_mode():
                    view = a.view(-1)
                b = view.view(-1)                                          # made outside, but of a view from inside
                self.writes(fn, b, requires_grad)
        run(lambda x: x.add_(2))
        run(lambda x: x.mul_(2))

    def test_the_version_is_not_tracked(self):
        with self.refused("do not track version counter"):
            inference_ones()._version


if __name__ == "__main__":
    unittest.main()
