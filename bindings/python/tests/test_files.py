"""Files: checkpoints of any structure, safetensors, and npy and npz with NumPy as the other side."""
import errno
import gc
import io
import json
import os
import pickle
import struct
import tempfile
import unittest
import zipfile
from collections import OrderedDict

import gradus as torch
from gradus import safetensors

try:
    import numpy
except ImportError:
    numpy = None


class Folder(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)

    def path(self, name):
        return os.path.join(self._folder.name, name)

    def same(self, a, b):
        self.assertEqual((a.shape, a.dtype), (b.shape, b.dtype))
        self.assertEqual(a.tolist(), b.tolist())


class Checkpoints(Folder):
    def train(self, state, steps):
        """Adam on a layer with dropout; all that it needs to go on is in the state."""
        F = torch.nn.functional
        w = state["model"]["w"]
        for _ in range(steps):
            x = F.dropout(torch.randn(16, 8), 0.5)
            loss = (x @ w).pow(2).mean() - w.sum()
            g, = torch.autograd.grad(loss, w)
            state["step"] += 1
            m, v = state["moments"]
            m.mul_(0.9).add_(g * 0.1)
            v.mul_(0.99).add_(g * g * 0.01)
            with torch.no_grad():
                w.sub_(0.01 * m / (v.sqrt() + state["eps"]))
        state["rng"] = torch.get_rng_state()

    def test_a_training_goes_on_bit_for_bit(self):
        torch.manual_seed(3)
        state = {"model": {"w": torch.randn(8, 4, requires_grad=True)}, "moments": (torch.zeros(8, 4), torch.zeros(8, 4)), "step": 0, "eps": 1e-8}
        self.train(state, 5)
        torch.save(state, self.path("c.safetensors"))
        self.train(state, 5)
        torch.manual_seed(99)
        again = torch.load(self.path("c.safetensors"))
        self.assertEqual((again["step"], again["eps"], again["model"]["w"].requires_grad), (5, 1e-8, True))
        torch.set_rng_state(again["rng"])
        self.train(again, 5)
        self.same(again["model"]["w"].detach(), state["model"]["w"].detach())
        self.same(again["moments"][1], state["moments"][1])
        self.assertEqual(torch.rand(1).item(), (torch.set_rng_state(state["rng"]), torch.rand(1).item())[1])

    def test_structures(self):
        t = torch.arange(4.)
        value = {"list": [1, 2.5, None, True, "text\n", t, [t]], "tuple": (), 7: {"x": float("inf")}, "a.b": t, "a": {"b": torch.ones(1)}, "empty": {}}
        for again in (torch.load(torch_bytes(value)), torch.load(io.BytesIO(torch_bytes(value)))):
            self.assertEqual((again["list"][:5], again["tuple"], again[7], again["empty"]), (value["list"][:5], (), {"x": float("inf")}, {}))
            self.assertIs(again["list"][5], again["list"][6][0])            # one tensor stays one
            self.same(again["a.b"], t)
            self.same(again["a"]["b"], torch.ones(1))
        self.same(torch.load(torch_bytes(t)), t)
        for bad in (object(), {"x": b"1"}, {(1, 2): 3}, [lambda: 0]):
            self.assertRaises(TypeError, torch.save, bad, io.BytesIO())

    def test_more_structures(self):
        ordered = OrderedDict(b=1, a=OrderedDict(z=2, y=3))
        value = {"set": {1, "a", (2, 3)}, "frozen": frozenset([1.5]), "ordered": ordered, "complex": [1 + 2j, complex(float("inf"), -1)]}
        again = torch.load(torch_bytes(value))
        self.assertEqual(again, value)
        self.assertEqual((list(again["ordered"]), type(again["ordered"]["a"]), type(again["frozen"])), (["b", "a"], OrderedDict, frozenset))
        self.assertEqual(torch_bytes({"x": {"b", "c", "a"}}), torch_bytes({"x": {"c", "a", "b"}}))
        twice = [1]
        self.assertEqual(torch.load(torch_bytes([twice, twice])), [[1], [1]])
        cycle = {"list": []}
        cycle["list"].append(cycle)
        with self.assertRaisesRegex(ValueError, "list.0 contains itself"):
            torch.save(cycle, io.BytesIO())
        deep = []
        for _ in range(100_000):
            deep = [deep]
        with self.assertRaisesRegex(ValueError, "too deeply"):
            torch.save(deep, io.BytesIO())

    def test_the_arguments_of_pytorchs_load(self):
        content = torch_bytes({"x": [torch.ones(2)]})
        for given in ("cpu", None, torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage):
            self.assertEqual(torch.load(content, map_location=given, weights_only=False)["x"][0].tolist(), [1, 1])
        self.assertEqual(torch.load(io.BytesIO(content), "cpu", weights_only=True, mmap=None)["x"][0].tolist(), [1, 1])
        for wrong in ("cuda", {"cpu": "cuda:1"}):
            with self.assertRaisesRegex(RuntimeError, "only the cpu"):
                torch.load(content, map_location=wrong)

    def test_files_of_pytorch_are_named_as_such(self):
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as z:
            z.writestr("archive/data.pkl", b"\x80\2}q\0.")
            z.writestr("archive/data/0", b"\0" * 4)
        for content in (zipped.getvalue(), pickle.dumps(0x1950a86a20f9469cfc6c, protocol=2) + pickle.dumps(1001, protocol=2), pickle.dumps({"a": 1})):
            with open(self.path("model.pt"), "wb") as file:
                file.write(content)
            for source in (content, self.path("model.pt")):
                with self.assertRaisesRegex(ValueError, "PyTorch.*safetensors"):
                    torch.load(source)

    def test_errors_of_the_system_are_its_own(self):
        for call, kind, number, path in ((lambda p: torch.load(p), FileNotFoundError, errno.ENOENT, self.path("none")),
                                         (lambda p: torch.load(p), IsADirectoryError, errno.EISDIR, self.path("")),
                                         (lambda p: torch.save({"a": torch.ones(1)}, p), FileNotFoundError, errno.ENOENT, self.path("none/x")),
                                         (lambda p: torch.save([], p), IsADirectoryError, errno.EISDIR, self._folder.name),
                                         (lambda p: safetensors.load_file(p), FileNotFoundError, errno.ENOENT, self.path("none"))):
            with self.assertRaises(kind) as caught:
                call(path)
            e = caught.exception
            self.assertIsInstance(e, torch.GradusError)
            self.assertEqual((e.errno, e.filename, e.strerror), (number, path, os.strerror(number)))
            self.assertIn(path, str(e))
        if os.geteuid():
            os.chmod(self.path(""), 0)
            self.assertRaises(PermissionError, torch.load, self.path("x"))
            os.chmod(self.path(""), 0o700)

    def test_structures_are_not_believed(self):
        for structure in ("[]", '{"tensor": "none"}', '{"tensor": 1}', '{"dict": [[1]]}', '{"float": "1"}', '{"x": 1}', "{}", "no JSON", "[" * 100_000,
                          '{"list": ' * 100_000, '{"dict": [[{"list": []}, 1]]}'):
            content = safetensors.save({"a": torch.ones(1)}, {"gradus.structure": structure})
            with self.assertRaisesRegex(ValueError, "gradus.structure' is malformed", msg=structure[:30]) as caught:
                torch.load(content)
            self.assertIsInstance(caught.exception, torch.GradusError)
            with open(self.path("bad"), "wb") as file:
                file.write(content)
            with self.assertRaisesRegex(ValueError, "load: '.*bad': "):
                torch.load(self.path("bad"))
        self.assertRaises(ValueError, torch.save, {"a": torch.ones(1)}, io.BytesIO(), metadata={"gradus.structure": ""})

    def test_flat_dicts_are_plain_files(self):
        content = torch_bytes({"b": torch.ones(2), "a": torch.zeros(1)})
        header = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])
        self.assertEqual(list(header), ["a", "b"])


def torch_bytes(value):
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


class SafeTensors(Folder):
    def test_its_functions(self):
        tensors = {"w": torch.randn(3, 4).bfloat16(), "b": torch.tensor([True, False]), "Gr\u00f6\u00dfe \U0001f600": torch.tensor(3)}
        safetensors.save_file(tensors, self.path("x.safetensors"), {"format": "pt"})
        with safetensors.safe_open(self.path("x.safetensors"), framework="pt", device="cpu") as f:
            self.assertEqual(sorted(f.keys()), sorted(tensors))
            self.assertEqual(f.metadata(), {"format": "pt"})
            self.same(f.get_tensor("b"), tensors["b"])
            self.assertRaises(KeyError, f.get_tensor, "c")
        for found in (safetensors.load_file(self.path("x.safetensors")), safetensors.load(safetensors.save(tensors))):
            for name, t in tensors.items():
                self.same(found[name], t)
        self.assertIn("w", torch._file.File(self.path("x.safetensors")))

    def test_a_mapping_lives_as_long_as_its_tensors(self):
        safetensors.save_file({"x": torch.arange(100_000.)}, self.path("x.safetensors"))
        gc.collect()
        before = torch.live_counts()["foreign_blocks"]
        x = torch.load(self.path("x.safetensors"), read_only=True)["x"]
        os.unlink(self.path("x.safetensors"))
        self.assertEqual(x[5:][0].item(), 5)
        self.assertRaises(RuntimeError, x.add_, 1)
        del x
        gc.collect()
        self.assertEqual(torch.live_counts()["foreign_blocks"], before)

    def test_errors_have_classes(self):
        self.assertRaises(OSError, torch.load, self.path("none"))
        self.assertRaises(OSError, torch.save, {}, self.path("none/x.npz"))
        self.assertRaises(ValueError, torch.load, b"")
        self.assertRaises(ValueError, torch.load, b"", format="zip")
        self.assertRaises(TypeError, safetensors.save, {"a": [1]})
        self.assertRaises(ValueError, safetensors.save, {"a": torch.ones(1)}, {"a\0": "b"})


@unittest.skipIf(numpy is None, "NumPy is not there")
class WithNumPy(Folder):
    TYPES = ("?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")

    def arrays(self):
        for code in self.TYPES:
            a = (numpy.arange(24).reshape(2, 3, 4) % 7).astype(code)
            yield from (a, numpy.asfortranarray(a), a[:, ::2], a.astype(a.dtype.newbyteorder(">")), a[0, 0, 0], a[:0], a.T)

    def test_what_numpy_writes(self):
        for i, a in enumerate(self.arrays()):
            path = self.path(f"{i}.npy")
            for version in ((1, 0), (2, 0), (3, 0)):
                with open(path, "wb") as f:
                    numpy.lib.format.write_array(f, numpy.asanyarray(a), version, allow_pickle=False)
                for options in ({}, {"copy": True}, {"read_only": True}):
                    t = torch.load(path, **options)
                    self.assertEqual(tuple(t.shape), a.shape)
                    self.assertTrue((numpy.asarray(t.tolist(), dtype=a.dtype).reshape(a.shape) == a).all())
        for write in (numpy.savez, numpy.savez_compressed):
            arrays = {f"{i} \u00e4": a for i, a in enumerate(self.arrays())}
            write(self.path("x.npz"), **arrays)
            found = torch.load(self.path("x.npz"))
            self.assertEqual(set(found), set(arrays))
            for name, t in found.items():
                self.assertTrue((numpy.asarray(t.tolist(), dtype=arrays[name].dtype).reshape(arrays[name].shape) == arrays[name]).all())

    def test_what_numpy_reads(self):
        tensors = {}
        for i, a in enumerate(self.arrays()):
            t = torch.from_numpy(numpy.ascontiguousarray(a.astype(a.dtype.newbyteorder("="))).reshape(a.shape).copy())
            tensors[str(i)] = t.transpose(0, 1) if t.dim() > 1 else t
        for name, t in tensors.items():
            torch.save(t, self.path("x.npy"))
            again = numpy.load(self.path("x.npy"), allow_pickle=False)
            self.assertEqual((again.shape, again.dtype), (tuple(t.shape), t.numpy().dtype))
            self.assertTrue((again == t.numpy()).all())
        torch.save(torch.ones(3, 4).t(), self.path("x.npy"))
        self.assertTrue(numpy.load(self.path("x.npy"), mmap_mode="r").flags.f_contiguous)
        for deflate in (False, True):
            torch.save(tensors, self.path("x.npz"), deflate=deflate)
            with numpy.load(self.path("x.npz"), allow_pickle=False) as found:
                self.assertEqual(set(found.files), set(tensors))
                self.assertTrue(all((found[name] == t.numpy()).all() for name, t in tensors.items()))

    def test_arrays_in_a_structure(self):
        value = {"a": [numpy.arange(6.0).reshape(2, 3).T, numpy.float64(1.5), numpy.int32(7)], "b": numpy.arange(6.0), "scalar": numpy.array(2.0)}
        again = torch.load(torch_bytes(value))
        self.assertIsInstance(again["b"], numpy.ndarray)
        self.assertTrue((again["a"][0] == value["a"][0]).all() and (again["b"] == value["b"]).all())
        self.assertEqual((again["a"][1:], float(again["scalar"])), ([1.5, 7], 2))
        self.assertRaises(TypeError, torch.save, [numpy.array(["a"])], io.BytesIO())

    def test_what_is_refused_or_only_listed(self):
        for array in (numpy.array([{}], dtype=object), numpy.array(["a"]), numpy.array([b"a"]), numpy.zeros(1, [("a", "i4")]), numpy.zeros(1, "M8[s]")):
            out = io.BytesIO()
            numpy.save(out, array, allow_pickle=True)
            self.assertRaises(ValueError, torch.load, out.getvalue())
        numpy.savez(self.path("x.npz"), u=numpy.ones(2, "u4"), c=numpy.array([1 + 2j, 3], ">c16"), f=numpy.ones(2, "f4"))
        file = torch._file.File(self.path("x.npz"))
        self.assertEqual((file.dtype("u"), file.shape("u"), file.dtype("f")), ("<u4", (2,), torch.float32))
        self.assertRaises(NotImplementedError, file.load, file.keys().index("u"))
        self.assertEqual(file["c"].tolist(), [1 + 2j, 3])
        self.same(file["f"], torch.ones(2))


if __name__ == "__main__":
    unittest.main()
