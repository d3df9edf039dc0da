"""Streams of random numbers: the thread's own, and others that a caller makes."""
import contextlib

from . import _context, _ops
from ._device import check_device


class Generator:
    """A stream of its own: operations with generator=g go on in it, and leave the thread's stream where it was.

    >>> import gradus as torch
    >>> first, second = (torch.randn(3, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    >>> torch.equal(first, second)
    True
    """

    device = "cpu"

    def __init__(self, device="cpu"):
        check_device(device)
        self._place = (67280421310721, 0)                                  # PyTorch's first seed; how far the stream was used

    def manual_seed(self, seed):
        self._place = (int(seed) & (1 << 64) - 1, 0)
        return self

    def seed(self):
        import random
        self.manual_seed(random.SystemRandom().getrandbits(63))
        return self._place[0]

    def initial_seed(self):
        return self._place[0]

    def get_state(self):
        """Seed and place as a tensor of two int64."""
        import gradus
        return gradus.tensor([v - (1 << 64) if v >> 63 else v for v in self._place], dtype=gradus.int64)

    def set_state(self, new_state):
        seed, place = (v & (1 << 64) - 1 for v in new_state.tolist())
        self._place = (seed, place)
        return self

    @contextlib.contextmanager
    def in_force(self):
        """Inside, the thread draws from this stream."""
        _ops.unseen("a Generator")
        before = _context.seed_and_offset()
        _context.set_seed_and_offset(*self._place)
        try:
            yield
        finally:
            self._place = _context.seed_and_offset()
            _context.set_seed_and_offset(*before)


class _OfThread(Generator):
    """The stream of the thread that asks."""

    def __init__(self):
        pass

    @property
    def _place(self):
        return _context.seed_and_offset()

    @_place.setter
    def _place(self, place):
        _ops.unseen("manual_seed")
        _context.set_seed_and_offset(*place)

    def in_force(self):
        return contextlib.nullcontext()


default_generator = _OfThread()


def manual_seed(seed):
    """Starts this thread's random stream at a seed."""
    return default_generator.manual_seed(seed)


def drawing(generator):
    """For a with block around what draws from a generator, or from the thread's stream if it is None."""
    return contextlib.nullcontext() if generator is None else generator.in_force()
