"""nn.functional, nn.utils and Parameter. There are no modules here: the package is automatic differentiation."""
import importlib

from .._tensor import Tensor


class Parameter(Tensor):
    """A leaf that requires grad."""

    def __new__(cls, data=None, requires_grad=True):
        made = Tensor.__new__(cls)
        if data is not None:
            made._h = data.detach()._take()
            made.requires_grad_(requires_grad)
        return made

    def __init__(self, data=None, requires_grad=True):
        pass

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()


def __getattr__(name):
    if name in ("functional", "utils", "init"):
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'gradus.nn' has no attribute '{name}'")
