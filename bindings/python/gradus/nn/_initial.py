"""First values of the layers, by PyTorch's formulas."""
import math

from .. import _factories
from .._context import no_grad


def made(shape, dtype, device=None):
    """A parameter of that shape; its values come with reset_parameters."""
    from .parameter import Parameter
    return Parameter(_factories.zeros(shape, dtype=dtype, device=device))


def uniform(t, bound):
    with no_grad():
        t.uniform_(-bound, bound)


def xavier_uniform(t):
    """U(-a, a), a = sqrt(6 / (fan in + fan out)), of a matrix."""
    uniform(t, math.sqrt(6 / (t.shape[0] + t.shape[1])))


def by_fan_in(weight, bias):
    """U(-1/sqrt(fan in), 1/sqrt(fan in)): what kaiming_uniform_ with a = sqrt(5) comes to. fan in: numbers behind one of the first dimension."""
    fan_in = weight.numel() // weight.shape[0] if weight.shape[0] else 0
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    uniform(weight, bound)
    if bias is not None:
        uniform(bias, bound)


def fill(t, value):
    if t is not None:
        with no_grad():
            t.fill_(value)
