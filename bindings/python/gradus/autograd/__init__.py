"""Gradients: backward, grad, functional."""
import importlib

from .._context import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: F401
from .._graph import Node, backward, grad                                  # noqa: F401
from .._tensor import Tensor as Variable                                   # noqa: F401


_PLACES = {"Function": "function", "gradcheck": "gradcheck", "gradgradcheck": "gradcheck"}


def __getattr__(name):
    if name in ("functional", "graph", "function"):
        return importlib.import_module("." + name, __name__)
    if name in _PLACES:
        found = globals()[name] = getattr(importlib.import_module("." + _PLACES[name], __name__), name)
        return found
    raise AttributeError(f"module 'gradus.autograd' has no attribute '{name}'")
