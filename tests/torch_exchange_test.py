"""PyTorch and gradus on one memory, both ways, by DLPack; skipped where there is no PyTorch."""
import importlib.util
import os
import subprocess
import sys
import unittest

if not importlib.util.find_spec("torch"):
    system, probe = "/usr/bin/python3", "import importlib.util as u, sys; sys.exit(not u.find_spec('torch'))"
    if sys.executable != system and os.path.exists(system) and subprocess.run([system, "-c", probe], check=False).returncode == 0:
        os.execv(system, [system, *sys.argv])
    print("torch_exchange: skipped: no PyTorch")
    sys.exit(77)

import torch  # noqa: E402

import gradus  # noqa: E402

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "complex64", "complex128")


class Exchange(unittest.TestCase):
    def test_one_memory(self):
        theirs = torch.arange(6.).reshape(2, 3)
        ours = gradus.from_dlpack(theirs)
        ours[0, 1] = 50
        theirs[1, 2] = -7
        self.assertEqual(ours.tolist(), [[0, 50, 2], [3, 4, -7]])
        self.assertEqual(theirs.tolist(), ours.tolist())
        mine = gradus.ones(2, 2)
        back = torch.from_dlpack(mine)
        back += 1
        mine[0, 0] = 9
        self.assertEqual(back.tolist(), [[9, 2], [2, 2]])

    def test_dtypes_and_strides(self):
        for name in DTYPES:
            theirs = torch.arange(12).reshape(3, 4).to(getattr(torch, name))
            for view in (theirs, theirs.t(), theirs[::2, 1:3], theirs[1], theirs[2, 2], theirs[:0]):
                ours = gradus.from_dlpack(view)
                self.assertEqual((ours.shape, ours.stride(), str(ours.dtype).split(".")[-1]), (tuple(view.shape), view.stride(), name))
                self.assertEqual(ours.tolist(), view.tolist())
                again = torch.from_dlpack(ours)
                self.assertEqual((again.dtype, again.shape, again.tolist()), (view.dtype, view.shape, view.tolist()))
                self.assertEqual(again.data_ptr(), view.data_ptr())

    def test_memory_outlives_its_maker(self):
        ours = gradus.from_dlpack(torch.full((1000,), 3.))
        theirs = torch.from_dlpack(gradus.full((1000,), 4.))
        junk = [torch.zeros(1000) for _ in range(50)], [gradus.zeros(1000) for _ in range(50)]
        self.assertEqual((ours.sum().item(), theirs.sum().item()), (3000, 4000))
        del junk

    def test_a_gradient_through_both(self):
        x = torch.tensor([0.5, 1.5, 2.5], dtype=torch.float64, requires_grad=True)
        y = x * x                                                           # PyTorch's part
        ours = gradus.from_dlpack(y.detach()).requires_grad_()
        ours.sin().sum().backward()
        y.backward(torch.from_dlpack(ours.grad))
        want = (2 * x * (x * x).cos()).detach()
        self.assertTrue(torch.allclose(x.grad, want, rtol=1e-14))
        with self.assertRaises((BufferError, RuntimeError)):                # a history is not handed over: detach first
            gradus.from_dlpack(x)
        with self.assertRaises((BufferError, RuntimeError)):
            torch.from_dlpack(gradus.ones(2, requires_grad=True))


unittest.main()
