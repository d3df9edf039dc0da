"""The thread's random stream by PyTorch's names."""
import contextlib

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
