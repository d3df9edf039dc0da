"""Gradients: backward, grad, functional."""
import importlib

from .._context import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: F401
from .._graph import Node, backward, grad                                  # noqa: F401
from .._tensor import Tensor as Variable                                   # noqa: F401


def __getattr__(name):
    if name in ("functional", "graph", "forward_ad", "function", "gradcheck"):
        return importlib.import_module("." + name, __name__)
    if name == "Function":
        return importlib.import_module(".function", __name__).Function
    raise AttributeError(f"module 'gradus.autograd' has no attribute '{name}'")
