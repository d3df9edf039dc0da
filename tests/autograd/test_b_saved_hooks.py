"""Hooks between saving a value and reading it."""
import os
import pathlib
import pickle
import tempfile
import unittest

import gradus as torch
from gradus.autograd import graph
from support import Case, double, leaf, nodes_alive


def same(t):
    return t


class TestAutograd(Case):
    def test_saved_variable_packing_unpacking_saved_original_with_default_hooks(self):
        # of an input: pack gets it when the op runs, unpack's result is what the rule reads
        packed = []
        with graph.saved_tensors_hooks(lambda t: packed.append(t.tolist()) or t, lambda t: double(10.0)):
            a = leaf(5.0)
            y = a ** 2
        self.assertEqual(packed, [5.0])
        self.same(y, 25)
        y.backward()
        self.same(a.grad, 20)
        for other in (3.5, "text", (1, 2), {"a": 1}, None):                # anything goes between the two
            got = []
            with graph.saved_tensors_hooks(lambda t, o=other: o, lambda o: got.append(o) or double(7.0)):
                a = leaf(5.0)
                y = a ** 2
            y.backward()
            self.assertEqual(got, [other])
            self.same(a.grad, 14)
        with graph.saved_tensors_hooks(same, lambda t: "no tensor"):
            y = leaf(5.0) ** 2
        with self.assertRaises(TypeError):
            y.backward()

    def test_saved_variable_packing_unpacking_did_not_save_original_with_default_hooks(self):
        # of a result: exp reads its own
        packed = []
        with graph.saved_tensors_hooks(lambda t: packed.append(t.tolist()) or t, lambda t: double(0.25)):
            a = leaf(0.0)
            y = a.exp()
        self.assertEqual(packed, [1.0])
        self.same(y.grad_fn._saved_result, 0.25)
        y.backward()
        self.same(a.grad, 0.25)
        # double, then halve: the rule sees the value itself, and the result is part of a graph again
        with graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t / 2):
            a = leaf(0.5)
            y = a.exp()
        g, = torch.autograd.grad(y, a, create_graph=True)
        self.close(g, y.detach())

    def test_setting_default_saved_variable_hooks_twice_should_not_fail(self):
        with graph.saved_tensors_hooks(same, same):
            with graph.saved_tensors_hooks(same, same):
                a = leaf(3.0)
                y = a * a
        y.backward()
        self.same(a.grad, 6)

    def test_setting_default_saved_variable_hooks_twice_should_use_inner(self):
        with graph.saved_tensors_hooks(lambda t: 3 * t, lambda t: 3 * t):
            b = leaf(5.0)
            with graph.saved_tensors_hooks(lambda t: 5 * t, lambda t: 5 * t):
                a = leaf(2.0)
                y = a * a
            z = b * b
        y.backward()
        z.backward()
        self.same(a.grad, 2 * 2 * 25)
        self.same(b.grad, 2 * 5 * 9)

    def test_disabling_saved_tensor_hooks(self):
        with graph.disable_saved_tensors_hooks("not in here"):
            with self.refused("not in here"):
                with graph.saved_tensors_hooks(same, same):
                    pass
        with graph.saved_tensors_hooks(same, same):                        # allowed again
            pass

    def test_disabling_saved_tensor_hooks_nested(self):
        with graph.disable_saved_tensors_hooks("outer"):
            with graph.disable_saved_tensors_hooks("inner"):
                with self.refused("inner"):
                    with graph.saved_tensors_hooks(same, same):
                        pass
            with self.refused("outer"):
                with graph.saved_tensors_hooks(same, same):
                    pass
        with graph.saved_tensors_hooks(same, same):
            pass

    def test_saved_tensor_hooks_custom_error_propagation(self):
        class Own(Exception):
            pass

        def fail(t):
            raise Own("mine")
        x = leaf(4.0)
        with graph.saved_tensors_hooks(fail, same):
            with self.assertRaisesRegex(Own, "mine"):
                x * x
        y = x * x                                                          # the failure left nothing behind
        y.backward()
        self.same(x.grad, 8)
        with graph.saved_tensors_hooks(same, fail):
            y = x * x
        with self.assertRaisesRegex(Own, "mine"):
            y.backward()

    def test_unpack_hooks_exec_count(self):
        for name, step, unpacks in (("mul", lambda x, y: x * y, 4), ("exp", lambda x, y: (x * 2).exp(), 2)):
            counts = {"pack": 0, "unpack": 0}

            def pack(t):
                counts["pack"] += 1
                return t

            def unpack(t):
                counts["unpack"] += 1
                return t
            x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
            with graph.saved_tensors_hooks(pack, unpack):
                out = step(x, y).sum()
            self.assertEqual((name, counts["unpack"]), (name, 0))
            packs = counts["pack"]
            out.backward(retain_graph=True)
            self.assertEqual(counts["pack"], packs)                        # packed once, unpacked once per pass
            self.assertEqual(counts["unpack"], packs)
            out.backward()
            self.assertEqual(counts["unpack"], 2 * packs)
            self.assertEqual(counts["unpack"], unpacks)

    def test_pack_hook_with_inplace_modification_should_fail(self):
        a = leaf([1.0, 2.0])

        def spoil(t):
            return t.mul_(0)
        with graph.saved_tensors_hooks(spoil, same):
            with self.refused("in.place|pack"):
                a.clone().exp()
        with self.refused("in.place|pack"):
            with graph.saved_tensors_hooks(spoil, same):
                torch.exp(a.clone())

    def test_saving_variable_to_disk(self):
        with tempfile.TemporaryDirectory() as folder:
            class File:
                def __init__(self, tensor, number):
                    self.path = pathlib.Path(folder) / str(number)
                    self.path.write_bytes(pickle.dumps(tensor))

                def __del__(self):
                    os.remove(self.path)
            made = []

            def pack(t):
                made.append(None)
                return File(t, len(made))
            with graph.saved_tensors_hooks(pack, lambda f: pickle.loads(f.path.read_bytes())):
                x = leaf([1.0, 2.0, 3.0])
                y = (x.exp() * x).sum()
            self.assertEqual(len(os.listdir(folder)), 3)
            y.backward()
            self.close(x.grad, (x.exp() * (1 + x)).detach())
            del y
            self.assertEqual(os.listdir(folder), [])                       # what was packed goes with the graph

    def test_default_saved_tensors_hooks_double_backward(self):
        with graph.saved_tensors_hooks(same, same):
            a = leaf(5.0)
            y = a ** 3
            s = y.sum()
        g, = torch.autograd.grad(s, a, create_graph=True)
        self.same(torch.autograd.grad(g, a)[0], 30)
        # the factor of pack comes in as often as a value is read
        a = leaf(5.0)
        with graph.saved_tensors_hooks(lambda t: 2 * t, same):
            y = a ** 3
        g, = torch.autograd.grad(y, a, create_graph=True)
        self.same(g, 3 * 10 ** 2)                                          # 3 (2a)^2
        second, = torch.autograd.grad(g, a)
        self.same(second, 6 * 10)                                          # the unpacked value stands for a itself

    def test_wrapped_number_saved_tensors_hooks(self):
        seen = []
        with graph.saved_tensors_hooks(lambda t: seen.append(t.tolist()) or t, same):
            x = leaf([1.0, 2.0])
            y = x * 3.0                                                    # a number is no value to pack
        y.sum().backward()
        self.same(x.grad, [3, 3])
        self.assertNotIn(3.0, seen)

    def test_graph_save_on_cpu(self):
        def check(function, make, expected):
            a = make()
            with graph.save_on_cpu():
                y = function(a)
            saved = y.grad_fn._saved_self
            self.same(saved, a.detach())
            y.sum().backward()
            self.close(a.grad, expected(a.detach()))
        check(lambda t: t * t, lambda: leaf([1.0, 5.0]), lambda t: 2 * t)
        check(torch.sin, lambda: leaf([0.5, -1.0]), torch.cos)
        a = leaf([1.0, 2.0])
        w = double([3.0, 4.0])
        with graph.save_on_cpu():
            y = (a * w).sum()
        w.zero_()                                                          # the copy is safe from this
        y.backward()
        self.same(a.grad, [3, 4])

    def test_hooks_leave_with_the_graph(self):
        before = nodes_alive()
        x = leaf([1.0])
        with graph.saved_tensors_hooks(same, same):
            y = (x.exp() * x).sum()
        del x, y
        self.assertEqual((nodes_alive(), torch._hooks._packed), (before, {}))

    def test_no_unnecessary_unwrapping(self):
        # what a node saved comes back as the very object, where that is a leaf
        a = leaf([1.0, 2.0])
        self.assertIs((a * a).grad_fn._saved_self, a)
        self.assertIs((a * a).grad_fn._saved_other, a)
        b = a * a
        saved = b.exp().grad_fn
        c = a.exp()
        self.same(c.grad_fn._saved_result, c.detach())
        self.assertTrue(c.grad_fn._saved_result.requires_grad)
        self.assertIs(c.grad_fn._saved_result.grad_fn, c.grad_fn)
        self.same(saved._saved_result, b.exp().detach())


if __name__ == "__main__":
    unittest.main()
