"""Helpers on gradients and parameters."""
import ctypes as C

from ... import _ops
from ..._context import check, local
from ..._library import lib

Tensor = _ops.Tensor


def _tensors(parameters):
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return (C.c_void_p * max(1, len(tensors)))(*[t._h.value for t in tensors]), len(tensors)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scales the gradients so that their norm together is at most max_norm; returns what it was."""
    import gradus
    total = C.c_double()
    check(lib.gradus_clip_grad_norm(local.ctx, *_tensors(parameters), float(max_norm), float(norm_type), int(error_if_nonfinite), C.byref(total)))
    return gradus.tensor(total.value)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamps every gradient to [-clip_value, clip_value]."""
    check(lib.gradus_clip_grad_value(local.ctx, *_tensors(parameters), float(clip_value)))


def parameters_to_vector(parameters):
    import gradus
    return gradus.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vector, parameters):
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = vector[at:at + n].view_as(p)
        at += n


from . import rnn                                                          # noqa: E402,F401
