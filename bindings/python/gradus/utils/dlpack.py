"""DLPack by PyTorch's old names."""
from .. import from_dlpack  # noqa: F401


def to_dlpack(tensor):
    """A capsule on the tensor's memory."""
    from .._dlpack import export
    return export(tensor)
