"""Tensors to and from NumPy, DLPack, buffers, pickles; nothing stays behind."""
import array
import copy
import ctypes
import gc
import pickle
import unittest

import gradus as torch

try:
    import numpy
except ImportError:
    numpy = None
try:
    import torch as pytorch
except ImportError:
    pytorch = None

with_numpy = unittest.skipIf(numpy is None, "NumPy is not there")
ADDRESS = 12345


def blocks():
    gc.collect()
    return torch.live_counts()["foreign_blocks"]


@with_numpy
class NumPy(unittest.TestCase):
    def test_memory_is_shared_both_ways(self):
        a = numpy.arange(6.0).reshape(2, 3)
        t = torch.from_numpy(a.T)
        self.assertEqual((t.shape, t.stride(), t.dtype), ((3, 2), (1, 3), torch.float64))
        a[0, 1] = 50
        self.assertEqual(t[1, 0].item(), 50)
        back = t.numpy()
        back[0, 0] = 7
        self.assertEqual(a[0, 0], 7)

    def test_memory_lives_as_long_as_it_is_seen(self):
        before = blocks()
        view = torch.from_numpy(numpy.ones(1000))[500:]
        gc.collect()
        self.assertEqual((view.sum().item(), blocks()), (500, before + 1))
        array_of = torch.full((1000,), 2.0).numpy()
        gc.collect()
        self.assertEqual(array_of.sum(), 2000)
        del view
        self.assertEqual(blocks(), before)

    def test_all_types(self):
        for kind in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64,
                     torch.complex64, torch.complex128):
            t = torch.tensor([0, 1, 1]).to(kind)
            self.assertIs(torch.from_numpy(t.numpy()).dtype, kind)
            self.assertTrue(torch.equal(torch.tensor(t.numpy()), t))
        with self.assertRaises(TypeError):
            torch.ones(2, dtype=torch.bfloat16).numpy()

    def test_refusals(self):
        for bad, error in ((numpy.arange(3)[::-1], ValueError), (numpy.ones(2, numpy.longdouble), TypeError), (numpy.ones(2, ">f8"), ValueError),
                           (numpy.array(["a"]), TypeError), ([1], TypeError)):
            with self.assertRaises(error):
                torch.from_numpy(bad)
        with self.assertRaises(RuntimeError):
            torch.ones(1, requires_grad=True).numpy()
        self.assertEqual(torch.ones(1, requires_grad=True).numpy(force=True).tolist(), [1])

    def test_read_only_arrays_are_not_written(self):
        a = numpy.ones(3)
        a.flags.writeable = False
        t = torch.from_numpy(a)
        with self.assertRaises(RuntimeError):
            t.add_(1)
        self.assertFalse(t.numpy().flags.writeable)
        self.assertEqual(a.tolist(), [1, 1, 1])

    def test_numpy_numbers_and_functions(self):
        self.assertEqual((torch.ones(2) * numpy.float32(2)).tolist(), [2, 2])
        self.assertEqual(torch.zeros(numpy.int64(2)).shape, (2,))
        self.assertEqual(torch.ones(3)[numpy.array([0, 2])].shape, (2,))
        self.assertEqual(numpy.asarray(torch.ones(2)).dtype, numpy.float32)
        self.assertIs(torch.tensor([numpy.float64(1)]).dtype, torch.float64)


class DLPack(unittest.TestCase):
    def test_to_itself(self):
        t = torch.arange(6.0).reshape(2, 3).t()
        same = torch.from_dlpack(t)
        self.assertEqual((same.tolist(), same.stride(), same.data_ptr()), (t.tolist(), t.stride(), t.data_ptr()))
        old = torch.from_dlpack(t.__dlpack__())                             # a capsule from before version 1
        self.assertEqual((old.tolist(), old.data_ptr()), (t.tolist(), t.data_ptr()))
        self.assertEqual(t.__dlpack_device__(), (1, 0))

    def test_capsules_are_taken_once(self):
        for version in (None, (1, 0)):
            capsule = torch.ones(2).__dlpack__(max_version=version)
            torch.from_dlpack(capsule)
            with self.assertRaises(ValueError):
                torch.from_dlpack(capsule)

    def test_nothing_stays(self):
        gc.collect()
        before = torch.live_counts()
        for version in (None, (1, 0)):
            t = torch.ones(100)
            capsule = t.__dlpack__(max_version=version)
            taken = torch.from_dlpack(capsule)
            unused = t.__dlpack__(max_version=version)
            view = taken[50:]
            del t, capsule, taken, unused
            gc.collect()
            self.assertEqual(view.sum().item(), 50)
            del view
        gc.collect()
        after = torch.live_counts()
        self.assertEqual([after[k] for k in ("tensors", "foreign_blocks")], [before[k] for k in ("tensors", "foreign_blocks")])
        self.assertEqual(torch._dlpack._exported, {})

    def test_refusals(self):
        with self.assertRaises(BufferError):
            torch.ones(1, requires_grad=True).__dlpack__()
        with self.assertRaises(TypeError):
            torch.from_dlpack([1])
        self.assertEqual(torch.from_dlpack(torch.zeros(0, 3)).shape, (0, 3))

    @with_numpy
    def test_numpy(self):
        t = torch.arange(6.0).reshape(2, 3)
        a = numpy.from_dlpack(t)
        self.assertEqual(a.tolist(), t.tolist())
        back = torch.from_dlpack(numpy.arange(4))
        self.assertEqual((back.tolist(), back.dtype), ([0, 1, 2, 3], torch.int64))


class Buffers(unittest.TestCase):
    def test_buffers(self):
        data = array.array("f", [1, 2, 3])
        shared, copied = torch.as_tensor(data), torch.tensor(data)
        data[0] = 9
        self.assertEqual((shared.tolist(), copied.tolist()), ([9, 2, 3], [1, 2, 3]))
        whole = bytearray(ctypes.sizeof(ctypes.c_int32) * 4)
        t = torch.frombuffer(whole, dtype=torch.int32, count=2, offset=4)
        t.fill_(1)
        self.assertEqual(list(memoryview(whole).cast("i")), [0, 1, 1, 0])
        with self.assertRaises(ValueError):
            torch.frombuffer(whole, dtype=torch.int32, count=9)
        self.assertEqual(torch.frombuffer(b"\1\2", dtype=torch.uint8).tolist(), [1, 2])

    def test_numbers_out_of_range(self):
        for data, kind in (([300], torch.uint8), ([-1], torch.uint8), ([1 << 70], torch.int64), ([float("nan")], torch.int32)):
            with self.assertRaises(RuntimeError):
                torch.tensor(data, dtype=kind)
        self.assertEqual(torch.tensor([1e300]).item(), float("inf"))

    def test_memory_is_released(self):
        before = blocks()
        t = torch.as_tensor(bytearray(100))[10:]
        self.assertEqual(blocks(), before + 1)
        del t
        self.assertEqual(blocks(), before)


class Copies(unittest.TestCase):
    def test_pickles(self):
        for t in (torch.arange(6).reshape(2, 3).t(), torch.ones(2, requires_grad=True), torch.tensor([True]), torch.ones(2, dtype=torch.bfloat16),
                  torch.zeros(0, 2), torch.nn.Parameter(torch.ones(2))):
            t.note = "kept"
            back = pickle.loads(pickle.dumps(t))
            self.assertTrue(torch.equal(back, t) and back.dtype is t.dtype and back.requires_grad == t.requires_grad)
            self.assertEqual((type(back), back.note), (type(t), "kept"))
        with self.assertRaises(RuntimeError):
            pickle.dumps(torch.ones(1, requires_grad=True) * 2)

    def test_copies(self):
        t = torch.ones(2, requires_grad=True)
        (t * 3).sum().backward()
        both = copy.deepcopy([t, t])
        self.assertIs(both[0], both[1])
        self.assertEqual((both[0].grad.tolist(), both[0].requires_grad), ([3, 3], True))
        both[0].detach().zero_()
        self.assertEqual(t.tolist(), [1, 1])
        with self.assertRaises(RuntimeError):
            copy.deepcopy(t * 2)

    def test_dtypes_are_single_objects(self):
        self.assertIs(pickle.loads(pickle.dumps(torch.float32)), torch.float32)
        self.assertIs(copy.deepcopy(torch.int64), torch.long)


class OtherLibraries(unittest.TestCase):
    """Tensors and arrays of other libraries wherever data is wanted."""

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_tensors_of_pytorch(self):
        for kind in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64"):
            theirs = pytorch.arange(6).reshape(2, 3).t().to(getattr(pytorch, kind))
            for make in (torch.tensor, torch.as_tensor):
                made = make(theirs)
                self.assertEqual((str(made.dtype), made.tolist()), (str(theirs.dtype), theirs.tolist()), kind)
        theirs = pytorch.zeros(2, requires_grad=True)
        copied, shared = torch.tensor(theirs), torch.as_tensor(theirs)
        with pytorch.no_grad():
            theirs.add_(1)
        self.assertEqual((copied.tolist(), shared.tolist()), ([0, 0], [1, 1]))
        self.assertEqual(torch.tensor([pytorch.tensor(1.5), pytorch.tensor(2)]).tolist(), [1.5, 2])
        self.assertEqual(torch.tensor([pytorch.ones(2), [3.0, 4.0]]).tolist(), [[1, 1], [3, 4]])
        self.assertIs(torch.tensor(pytorch.ones(1), dtype=torch.int32).dtype, torch.int32)
        with self.assertRaisesRegex(TypeError, "can.t make a tensor of a torch.Tensor"):
            torch.tensor(pytorch.eye(2).to_sparse())

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_state_dicts_of_pytorch(self):
        theirs, mine = pytorch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
        self.assertEqual(repr(mine.load_state_dict(theirs.state_dict())), "<All keys matched successfully>")
        self.assertEqual(mine.weight.tolist(), theirs.weight.tolist())
        x, o = pytorch.randn(4, 3), pytorch.optim.Adam(theirs.parameters(), lr=0.1)

        def step(model, optimizer, data):
            optimizer.zero_grad()
            (model(data) ** 2).sum().backward()
            optimizer.step()
        step(theirs, o, x)
        other = torch.optim.Adam(mine.parameters())
        mine.load_state_dict(theirs.state_dict())
        other.load_state_dict(o.state_dict())
        for _ in range(3):
            step(theirs, o, x)
            step(mine, other, torch.tensor(x))
        self.assertLess((mine.weight - torch.tensor(theirs.weight)).abs().max().item(), 1e-5)

    @unittest.skipIf(numpy is None, "NumPy is not there")
    def test_arrays_of_numpy(self):
        class Wrapped:
            def __array__(self):
                return numpy.arange(3.0)
        self.assertEqual(torch.tensor(Wrapped()).tolist(), [0, 1, 2])
        self.assertEqual(torch.tensor(numpy.ma.array([1, 2])).tolist(), [1, 2])
        self.assertEqual(torch.tensor([numpy.array(1.0), numpy.float32(2)]).tolist(), [1, 2])
        model = torch.nn.Linear(2, 1)
        model.load_state_dict({"weight": numpy.ones((1, 2), "f4"), "bias": numpy.zeros(1, "f4")})
        self.assertEqual(model.weight.tolist(), [[1, 1]])
        for bad in ("text", None, object(), [object()], {"a": 1}):
            with self.assertRaises((TypeError, RuntimeError), msg=repr(bad)):
                torch.tensor(bad)


if __name__ == "__main__":
    unittest.main()
