"""Beside the operations: checkpoint, data, dlpack."""
import importlib

from . import checkpoint  # noqa: F401


def __getattr__(name):
    if name in ("data", "dlpack"):
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'gradus.utils' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), "data", "dlpack"})
