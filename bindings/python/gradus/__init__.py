"""PyTorch's autograd, by libgradus: `import gradus as torch`.

Operations are made from the library's registry at first use: gradus.NAME, Tensor.NAME, gradus.nn.functional.NAME.

>>> import gradus as torch
>>> x = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
>>> (torch.sin(x) * 2).sum().backward()
>>> x.grad
tensor([ 2.0000,  1.0806, -0.8323])
"""
import importlib

from . import _composite, _context, _dtype, _factories, _library, _ops
from ._context import (enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled, set_num_threads)
from ._dtype import bfloat16, complex64, complex128, dtype, finfo
from ._dtype import float16, float32, float64, get_default_dtype, iinfo, int8, int16, int32, int64, set_default_dtype, uint8
from ._dtype import bool_ as bool                                          # noqa: A004
from ._errors import GradusError
from ._factories import (arange, as_tensor, asarray, empty, empty_like, empty_strided, eye, frombuffer, from_numpy, full, full_like, linspace, logspace,
                         normal, ones, ones_like, rand, rand_like, randint, randint_like, randn, randn_like, randperm, scalar_tensor,
                         set_default_tensor_type, tensor, zeros, zeros_like)
from ._library import live_counts
from ._printing import get_printoptions, set_printoptions
from ._random import Generator, default_generator, manual_seed
from ._replay import replay
from ._serialize import load, save
from ._tensor import Size, Tensor, device, strided
from .random import get_rng_state, initial_seed, seed, set_rng_state

float, double, half, long, int, short = float32, float64, float16, int64, int32, int16   # noqa: A001
cfloat, cdouble = complex64, complex128
inf, nan, pi, e = 1e999, 1e999 - 1e999, 3.141592653589793, 2.718281828459045
newaxis = None
contiguous_format, preserve_format = "contiguous_format", "preserve_format"
__version__ = _library.lib.gradus_version_string().decode()

_SUBMODULES = {"autograd", "backends", "cuda", "library", "linalg", "nn", "optim", "random", "safetensors", "special", "testing", "utils"}


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module("." + name, __name__)
    found = getattr(_factories, name, None) if name.endswith("Tensor") else _composite.find(name) or _ops.function(name)
    if found is None:
        raise AttributeError(f"module 'gradus' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *_ops.registry.names, *_composite._table, *_SUBMODULES})


def is_tensor(x):
    return isinstance(x, Tensor)


def from_dlpack(source):
    """A tensor on the memory of another library's tensor."""
    from ._dlpack import take
    return take(source)


def typename(x):
    """The name of a tensor's type, or of an object's class."""
    return x.type() if isinstance(x, Tensor) else f"{type(x).__module__}.{type(x).__qualname__}".replace("builtins.", "")


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Nothing to switch: everything is, whatever the number of threads."""


def are_deterministic_algorithms_enabled():
    return True


def set_flush_denormal(mode):
    """False: denormal numbers stay what they are."""
    return False


def get_num_threads():
    """How many threads an operation may use."""
    import os
    return _context.describe().threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count()))
