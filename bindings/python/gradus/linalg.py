"""gradus.linalg.NAME is the operation linalg_NAME."""
from . import _composite, _ops
from ._errors import LinAlgError  # noqa: F401

_ALSO = {"matmul": "matmul", "diagonal": "linalg_diagonal"}


def __getattr__(name):
    found = _composite.find("linalg_" + name) or _ops.function("linalg_" + name) or _ops.function(_ALSO.get(name, ""))
    if found is None:
        raise AttributeError(f"module 'gradus.linalg' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__():
    return sorted([*globals()] + [n[7:] for n in _ops.registry.names if n.startswith("linalg_")])
