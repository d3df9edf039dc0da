"""What tensors say of themselves: the flag, leaves, .grad, copies, conversions, export."""
import copy
import io
import pickle
import unittest
import warnings

import gradus as torch
from support import Case, double, leaf, ramp


class TestAutograd(Case):
    def test_tensor_grad_warnings(self):
        def warned(f):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                f()
            return len(caught)

        x = leaf([1.0, 2.0])
        self.assertEqual(warned(lambda: x.grad), 0)                        # a leaf: never
        x.retain_grad()
        self.assertEqual(warned(lambda: x.grad), 0)
        y = x * 2
        self.assertEqual(warned(lambda: y.grad), 1)                        # a computed one: there will be no gradient
        y.retain_grad()
        self.assertEqual(warned(lambda: y.grad), 0)
        self.assertEqual(warned(lambda: torch.ones(2).grad), 0)

    def test_requires_grad(self):
        x, y, z = ramp(2, 2, requires_grad=False), ramp(2, 2, requires_grad=False), ramp(2, 2)
        a = x + y
        self.assertFalse(a.requires_grad)
        b = a + z
        self.assertTrue(b.requires_grad)
        seen = []
        b.register_hook(seen.append)                                       # x and y have no history to run through
        b.backward(torch.ones_like(b))
        self.assertEqual(len(seen), 1)
        self.assertIsNone(x.grad)
        self.assertIsNone(y.grad)
        self.same(z.grad, [[1, 1], [1, 1]])
        with self.refused("lea"):
            b.requires_grad = False
        x.requires_grad = True
        self.assertTrue((x + y).requires_grad)

    def test_requires_grad_(self):
        x, y = ramp(2, 2, requires_grad=False), ramp(2, 2)
        self.assertIs(x, x.requires_grad_())
        self.assertTrue(x.requires_grad)
        self.assertIs(y, y.requires_grad_())
        self.assertTrue(y.requires_grad)
        self.assertIs(x, x.requires_grad_(True))
        self.assertTrue(x.requires_grad)
        z = x * y
        self.assertIs(z, z.requires_grad_())                               # it does already
        with self.refused("lea"):
            z.requires_grad_(False)
        self.assertIs(x, x.requires_grad_(False))
        self.assertFalse(x.requires_grad)

    def test_requires_grad_inplace(self):
        a, b = ramp(2, requires_grad=False), ramp(2)
        a += b
        self.assertTrue(a.requires_grad)
        self.assertFalse(a.is_leaf)
        a.sum().backward()
        self.same(b.grad, [1, 1])
        a, b = ramp(2, requires_grad=False) + 0, ramp(2)                   # a result without history, likewise
        a += b
        self.assertTrue(a.requires_grad)

    def test_no_requires_grad_inplace(self):
        a = ramp(2, requires_grad=False)
        a.add_(5)
        a.requires_grad = True                                             # still a leaf: it may want a gradient
        a.sum().backward()
        self.same(a.grad, [1, 1])
        a = ramp(2, requires_grad=False)
        b = a[:]
        b.add_(5)
        a.requires_grad = True
        with self.refused("lea"):                                         # b is a view of a leaf that requires grad by now
            b.add_(1)
        with self.refused("lea"):
            a.add_(1)

    def test_attribute_deletion(self):
        x = ramp(2)
        for name in ("requires_grad", "grad_fn", "_version", "data", "is_leaf"):
            with self.assertRaises((RuntimeError, AttributeError)):
                delattr(x, name)
            getattr(x, name)
        x.grad = torch.ones_like(x)
        del x.grad                                                         # this one may go: back to None
        self.assertIsNone(x.grad)

    def test_isolated_node(self):
        x, y = ramp(5, 5), ramp(5, 5, start=3)
        a = x + y
        b = torch.max(a, 1, True)[1].repeat(1, 5).double()                 # through integers no gradient comes
        self.assertIsNone(b.grad_fn)
        self.assertTrue(b.is_leaf)
        (a + b).sum().backward()
        self.same(x.grad, torch.ones(5, 5))

    def test_shape(self):
        x = torch.randn(3, 4)
        self.assertEqual(2, len(x.shape))
        self.assertEqual((x.shape[0], x.shape[1]), (3, 4))
        y = ramp(3, 4)
        self.assertEqual(y.shape, x.shape)
        self.assertEqual(y.reshape(-1).shape, (12,))
        with self.assertRaises(AttributeError):
            y.shape = (12,)

    def test_numpy_requires_grad(self):
        x = ramp(2, 2)
        with self.refused("requires grad|detach"):
            x.numpy()
        with self.refused("requires grad|detach"):
            (x * 1).numpy()
        try:
            import numpy                                                   # noqa: F401
        except ImportError:
            self.skipTest("numpy is not there; what is refused without it is checked")
        self.assertEqual(x.detach().numpy().tolist(), [[1, 2], [3, 4]])
        self.assertEqual(x.numpy(force=True).tolist(), [[1, 2], [3, 4]])
        with torch.no_grad():
            with self.refused("requires grad|detach"):
                x.numpy()
            self.assertEqual((x * 1).numpy().tolist(), [[1, 2], [3, 4]])

    def test_leaf_assignment(self):
        x = ramp(5, requires_grad=False)
        y, z = leaf(10.0), leaf(5.0)
        x[0] = y
        x[1] = 2 * z
        self.assertTrue(x.requires_grad)
        self.assertIsNotNone(x.grad_fn)
        x.sum().backward()
        self.same(y.grad, 1)
        self.same(z.grad, 2)

    def test_no_grad_assignment(self):
        x, y = ramp(5, 5), ramp(5, requires_grad=False)
        with torch.no_grad():
            x[0] = y
        self.assertTrue(x.requires_grad)
        self.assertIsNone(x.grad_fn)
        self.same(x[0], y)

    def test_pickle(self):
        x, y = ramp(3, 2), ramp(3, 2, requires_grad=False)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            for t in (x, y):
                back = pickle.loads(pickle.dumps(t, protocol=protocol))
                self.same(back, t)
                self.assertEqual((back.requires_grad, back.is_leaf), (t.requires_grad, True))
        file = io.BytesIO()
        pickle.dump((x.detach() * 2).requires_grad_(), file)
        file.seek(0)
        self.assertIsNone(pickle.load(file).grad_fn)
        with self.refused("lea"):
            copy.deepcopy(x * 2)
        copied = copy.deepcopy(x)
        self.same(copied, x)
        self.assertTrue(copied.requires_grad)
        self.assertNotEqual(copied.data_ptr(), x.data_ptr())

    def test_type_conversions(self):
        x = torch.randn(5, 5)
        kinds = {"float": torch.float32, "double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16, "long": torch.int64,
                 "int": torch.int32, "short": torch.int16, "char": torch.int8, "byte": torch.uint8, "bool": torch.bool}
        for name, kind in kinds.items():
            self.assertIs(getattr(x, name)().dtype, kind)
            self.assertIs(x.to(kind).dtype, kind)
            self.assertIs(x.type_as(torch.zeros(1, dtype=kind)).dtype, kind)
        self.assertIs(x.float(), x)                                        # nothing to do: the tensor itself
        for kind in (torch.float16, torch.bfloat16, torch.float64):        # the gradient comes back in the leaf's type
            x = torch.tensor([1.0, 2.0], requires_grad=True)
            y = x.to(kind)
            y.backward(torch.tensor([3.0, 0.5], dtype=kind))
            self.assertIs(x.grad.dtype, torch.float32)
            self.same(x.grad, [3, 0.5])
        x = leaf([1.5, 2.5])
        self.assertFalse(x.long().requires_grad)
        mixed = (x * torch.tensor([2.0, 2.0], requires_grad=True)).sum()
        self.assertIs(mixed.dtype, torch.float64)
        single = torch.tensor([2.0, 4.0], requires_grad=True)
        (x * single).sum().backward()
        self.assertIs(single.grad.dtype, torch.float32)
        self.same(single.grad, [1.5, 2.5])

    def test_detach(self):
        x = ramp(2, 2)
        y = x + 2
        y = y.detach()
        z = y * 4 + 2
        self.assertFalse(y.requires_grad)
        self.assertFalse(z.requires_grad)
        x = ramp(2, 2)
        y = x * 2
        cut = y.detach()
        self.assertFalse(cut.requires_grad)
        self.assertIsNone(cut.grad_fn)
        self.assertEqual(cut.data_ptr(), y.data_ptr())
        z = cut + 2 * y                                                    # the cut part is a constant
        z.sum().backward()
        self.same(x.grad, [[4, 4], [4, 4]])
        x, y = ramp(2, 2), ramp(2, 2)
        a = x * 2
        (y + a).detach_()
        a.detach_()                                                        # in place: this tensor itself is a leaf from now on
        self.assertFalse(a.requires_grad)
        self.assertTrue(a.is_leaf)
        (y + a).sum().backward()
        self.assertIsNone(x.grad)
        self.same(y.grad, [[1, 1], [1, 1]])
        view = (x * 2)[0]
        with self.refused("view"):
            view.detach_()

    def test_detach_base(self):
        x = ramp(10, 10)
        view = x.narrow(0, 1, 4)                                           # detach does not need the view's own history
        self.assertTrue(view.requires_grad)
        cut = view.detach()
        self.assertFalse(cut.requires_grad)
        base = (x * 1)
        view = base[1:5]
        base.detach_()
        self.assertFalse(base.requires_grad)
        self.assertIsNone(base.grad_fn)
        self.assertTrue(view.requires_grad)                                # a view made before keeps its own
        self.assertIsNotNone(view.grad_fn)

    def test_detach_then_inplace_raises_in_autograd(self):
        x = leaf([1.0])
        y = x.sin()
        result = y.cos()                                                   # keeps y
        y.detach().zero_()                                                 # the same memory and the same version
        with self.refused("in place|changed"):
            result.backward()

    def test_increment_version(self):
        a = double([1, 2])
        self.assertEqual(a._version, 0)
        torch.autograd.graph.increment_version(a)
        self.assertEqual(a._version, 1)
        torch.autograd.graph.increment_version([a, a[0]])                  # a view counts on the same counter
        self.assertEqual(a._version, 3)
        x = leaf([1.0, 2.0])
        y = x.exp()
        z = y * y
        torch.autograd.graph.increment_version(y)
        with self.refused("changed"):
            z.sum().backward()
        with torch.inference_mode():
            made_inside = torch.ones(2)
        with self.refused("inference"):
            torch.autograd.graph.increment_version(made_inside)

    def test_no_grad_modifies_version(self):
        x = leaf([1.0, 2.0])
        y = leaf([3.0, 4.0])
        z = (x * y).sum()
        with torch.no_grad():
            x *= 2
        with self.refused("changed in place"):
            z.backward()


if __name__ == "__main__":
    unittest.main()
