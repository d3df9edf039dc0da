"""The thread's random stream by PyTorch's names."""
import contextlib
import sys
import types

from . import _ops
from ._random import default_generator, manual_seed  # noqa: F401


def seed():
    """Starts this thread's random stream at a number of the operating system."""
    return default_generator.seed()


def initial_seed():
    return default_generator.initial_seed()


def get_rng_state():
    """The random stream as a tensor of two int64: seed and how far it was used."""
    return default_generator.get_state()


def set_rng_state(new_state):
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=(), enabled=True):
    """Inside, random numbers are drawn that leave no trace in the stream outside."""
    before = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(before)


class _Module(types.ModuleType):
    """The operation has the name of the module: gradus.random(x, 3) is x with random integers below 3."""

    def __call__(self, *args, **kwargs):
        return _ops.function("random")(*args, **kwargs)


sys.modules[__name__].__class__ = _Module
