"""allow_mutation_on_saved_tensors: backward sees what was saved, though it was written since."""
import gc
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, leaf


class TestAllowMutationOnSaved(Case):
    def test_basic(self):
        a = leaf([[1.0, 2], [3, 4]])

        def run(a):
            b = a.clone()
            out = (b ** 2).sum()
            b.sin_()
            out.sum().backward()
            return out

        with graph.allow_mutation_on_saved_tensors() as session:
            run(a)
            self.same(a.grad, [[2, 4], [6, 8]])
            self.assertEqual(session.copies, 1)
        gc.collect()
        with self.refused("changed in place"):                             # outside the rule is as ever
            run(a)

    def test_views(self):
        a = leaf([[1.0, 2], [3, 4]])
        with graph.allow_mutation_on_saved_tensors() as session:
            b = a.clone()
            c = b.view_as(b)
            out = (b ** 2).sum()                                           # keeps b
            c.sin_()                                                       # writes it through a view
            out.backward()
            self.same(a.grad, [[2, 4], [6, 8]])
            self.assertEqual(session.copies, 1)

    def test_save_base_and_modify_view(self):
        with graph.allow_mutation_on_saved_tensors() as session:
            a = leaf([[1.0, 2], [3, 4]])
            b = a.clone()
            c = b[:1]
            out = b ** 2
            c *= 10                                                        # a part of what was kept
            out.sum().backward()
            self.same(a.grad, [[2, 4], [6, 8]])
            self.assertEqual(session.copies, 1)

    def test_save_view_modify_base(self):
        with graph.allow_mutation_on_saved_tensors() as session:
            a = leaf([[1.0, 2], [3, 4]])
            b = a.clone()
            c = b[:]
            out = (c ** 2).sum()
            b *= 2
            out.backward()
            self.same(a.grad, [[2, 4], [6, 8]])
            self.assertEqual(session.copies, 1)

    def test_double_backward(self):
        with graph.allow_mutation_on_saved_tensors():
            a = leaf([1.0, 2])
            b = a.clone()
            out = (b ** 2).sum()
            b.sin_()
            first, = torch.autograd.grad(out, a, create_graph=True)
            second, = torch.autograd.grad(first.sum(), a)
            self.same(first, [2, 4])
            self.same(second, [2, 2])
        with graph.allow_mutation_on_saved_tensors():
            a = leaf([1.0, 2])
            b = a.clone()
            first, = torch.autograd.grad((b ** 3).sum(), b, create_graph=True)
            b.zero_()                                                      # the first pass has kept b, too
            second, = torch.autograd.grad(first.sum(), a)
            self.same(second, [6, 12])

    def test_saved_but_not_anymore(self):
        with graph.allow_mutation_on_saved_tensors() as session:
            a = leaf([1.0, 2]).clone()
            out = (a ** 2).sum()
            del out
            gc.collect()
            a.sin_()                                                       # nobody will read the old value
            self.assertEqual(session.copies, 0)
            out = (a ** 2).sum()
            torch.autograd.backward(out)
            a.cos_()                                                       # nor after the pass that has read it
            self.assertEqual(session.copies, 0)

    def test_saved_same_tensor_many_times(self):
        with graph.allow_mutation_on_saved_tensors() as session:
            start = leaf([1.0, 2])
            a = start.clone()
            b, c = (a ** 2).sum(), (a ** 3).sum()
            a.sin_()
            (b + c).backward()
            self.same(start.grad, [2 + 3, 4 + 12])
            self.assertEqual(session.copies, 1)                            # one copy for both

    def test_saved_same_tensor_different_versions(self):
        with graph.allow_mutation_on_saved_tensors() as session:
            start = leaf([1.0, 2])
            a = start.clone()
            b = (a ** 2).sum()
            a.mul_(3)
            c = (a ** 2).sum()
            a.mul_(2)
            (b + c).backward()
            self.assertEqual(session.copies, 2)
            self.same(start.grad, [2 + 2 * 9, 4 + 4 * 9])

    def test_with_math_views(self):
        with graph.allow_mutation_on_saved_tensors():                      # PyTorch's are conj and neg; here reshapes and transposes
            start = leaf([[1.0, 2], [3, 4]])
            a = start.clone()
            turned = a.t().reshape(2, 2).unsqueeze(0)
            out = (a.t() ** 2 * 1).sum()
            kept = turned ** 2
            a.t().neg_()
            (out + kept.sum()).backward()
            self.same(start.grad, [[4, 8], [12, 16]])

    def test_with_out_variant(self):
        with graph.allow_mutation_on_saved_tensors() as session:
            a = leaf([1.0, 2])
            b = torch.tensor([3.0, 4], dtype=torch.float64)
            c = torch.tensor([5.0, 6], dtype=torch.float64)
            out = a * b                                                    # keeps b for a's gradient
            torch.sin(c, out=b)                                            # which out= overwrites
            self.close(b, c.sin())
            out.sum().backward()
            self.same(a.grad, [3, 4])
            self.assertEqual(session.copies, 1)

    def test_backward_out_of_context(self):
        with graph.allow_mutation_on_saved_tensors():
            a = leaf([1.0, 2])
            out = (a ** 2).sum()
        with self.refused("outside of"):
            out.backward()
        with graph.allow_mutation_on_saved_tensors():
            with self.refused("outside of"):                               # another block is not the one
                out.backward()

    def test_disallow_nesting(self):
        with graph.allow_mutation_on_saved_tensors():
            with self.refused("nested"):
                with graph.allow_mutation_on_saved_tensors():
                    pass
        with graph.allow_mutation_on_saved_tensors():                      # the refusal has left everything in order
            pass
        with self.assertRaises(KeyError):
            with graph.allow_mutation_on_saved_tensors():
                raise KeyError
        a = leaf([1.0]).clone()
        out = a.exp()
        a.mul_(2)
        out.backward()

    def test_a_step_of_an_optimizer_is_seen(self):
        a = leaf([1.0, 2])
        with graph.allow_mutation_on_saved_tensors() as session:
            out = (a ** 2).sum()
            a.grad = torch.tensor([1.0, 1], dtype=torch.float64)
            torch.optim.SGD([a], lr=1.0).step()
            self.same(a, [0, 1])
            a.grad = None
            out.backward()
            self.same(a.grad, [2, 4])
        self.assertEqual(session.copies, 1)                                # still told behind the block

    def test_refused_hooks(self):
        with graph.disable_saved_tensors_hooks("no hooks"):
            with self.refused("no hooks"):
                with graph.allow_mutation_on_saved_tensors():
                    pass
            with self.refused("no hooks"):
                torch.utils.checkpoint.checkpoint(torch.exp, leaf([1.0]), use_reentrant=False)
        with graph.allow_mutation_on_saved_tensors():
            with self.refused("too late"):
                with graph.disable_saved_tensors_hooks("too late"):
                    pass

    def test_a_write_that_is_not_seen_is_an_error(self):
        with graph.allow_mutation_on_saved_tensors():
            a = leaf([1.0])
            b = a.clone()
            out = b ** 2
            graph.increment_version(b)                                     # somebody else wrote
            with self.refused("does not see"):
                out.backward()


if __name__ == "__main__":
    unittest.main()
