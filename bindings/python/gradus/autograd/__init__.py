"""Gradients: backward, grad, functional."""
import importlib

from .._context import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: F401
from .._graph import Node, backward, grad                                  # noqa: F401
from .._tensor import Tensor as _Tensor


class _Variables(type):
    def __instancecheck__(cls, x):
        return isinstance(x, _Tensor)


class Variable(metaclass=_Variables):
    """Of old programs: a tensor on the same memory, with the flag."""

    def __new__(cls, data, requires_grad=False, volatile=False):
        return data.detach().requires_grad_(requires_grad)


_PLACES = {"Function": "function", "gradcheck": "gradcheck", "gradgradcheck": "gradcheck", "detect_anomaly": "anomaly_mode",
           "set_detect_anomaly": "anomaly_mode"}

_MODULES = ("functional", "graph", "function", "anomaly_mode", "profiler")


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    if name in _PLACES:
        found = globals()[name] = getattr(importlib.import_module("." + _PLACES[name], __name__), name)
        return found
    raise AttributeError(f"module 'gradus.autograd' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), *_PLACES, *_MODULES})
