"""PyTorch's autograd, by libgradus: `import gradus as torch`.

Operations are made from the library's registry at first use: gradus.NAME, Tensor.NAME, gradus.nn.functional.NAME.
"""
import importlib

from . import _composite, _context, _dtype, _factories, _library, _ops
from ._context import (enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, manual_seed, no_grad, set_grad_enabled,
                       set_num_threads)
from ._dtype import bfloat16, dtype, finfo, float16, float32, float64, get_default_dtype, iinfo, int8, int16, int32, int64, set_default_dtype, uint8
from ._dtype import bool_ as bool                                          # noqa: A004
from ._errors import GradusError
from ._factories import (arange, as_tensor, empty, empty_like, empty_strided, eye, frombuffer, from_numpy, full, full_like, linspace, logspace, normal,
                         ones, ones_like, rand, rand_like, randint, randint_like, randn, randn_like, randperm, scalar_tensor, tensor, zeros,
                         zeros_like)
from ._library import live_counts
from ._replay import replay
from ._serialize import load, save
from ._tensor import Size, Tensor, device, strided

float, double, half, long, int, short = float32, float64, float16, int64, int32, int16   # noqa: A001
inf, nan, pi, e = 1e999, 1e999 - 1e999, 3.141592653589793, 2.718281828459045
newaxis = None
contiguous_format, preserve_format = "contiguous_format", "preserve_format"
__version__ = _library.lib.gradus_version_string().decode()

_SUBMODULES = {"autograd", "library", "nn", "optim", "linalg", "safetensors", "special", "testing", "utils"}


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


def seed():
    """Starts this thread's random stream at a number of the operating system."""
    import random
    chosen = random.SystemRandom().getrandbits(63)
    manual_seed(chosen)
    return chosen


def initial_seed():
    return _context.seed_and_offset()[0]


def get_rng_state():
    """The random stream as a tensor of two int64: seed and how far it was used."""
    return tensor([v - (1 << 64) if v >> 63 else v for v in _context.seed_and_offset()], dtype=int64)


def set_rng_state(state):
    _context.set_seed_and_offset(*[v & (1 << 64) - 1 for v in state.tolist()])


def get_num_threads():
    return _context.describe().threads
