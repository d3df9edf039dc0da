"""Beside the operations: checkpoint."""
from . import checkpoint  # noqa: F401
