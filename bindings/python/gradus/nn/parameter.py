"""Parameter and Buffer: tensors that a Module keeps by name."""
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


class Buffer(Tensor):
    """State that is no parameter; persistent: state_dict holds it."""

    def __new__(cls, data=None, *, persistent=True):
        made = Tensor.__new__(cls)
        if data is not None:
            made._h = data.detach()._take()
        made.persistent = persistent
        return made

    def __init__(self, data=None, *, persistent=True):
        pass
