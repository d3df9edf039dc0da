"""Beside the operations: checkpoint, data."""
import importlib

from . import checkpoint  # noqa: F401


def __getattr__(name):
    if name == "data":
        return importlib.import_module(".data", __name__)
    raise AttributeError(f"module 'gradus.utils' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), "data"})
