"""Helpers on gradients and parameters."""
import ctypes as C

from ... import _ops
from ..._context import check, local
from ..._library import handles, lib

Tensor = _ops.Tensor


def _list(parameters):
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scales the gradients so that their norm together is at most max_norm; returns what it was."""
    import gradus
    _ops.unseen("clip_grad_norm_")
    total, tensors = C.c_double(), _list(parameters)
    check(lib.gradus_clip_grad_norm(local.ctx, handles(tensors), len(tensors), float(max_norm), float(norm_type), int(error_if_nonfinite), C.byref(total)))
    return gradus.tensor(total.value)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamps every gradient to [-clip_value, clip_value]."""
    _ops.unseen("clip_grad_value_")
    tensors = _list(parameters)
    check(lib.gradus_clip_grad_value(local.ctx, handles(tensors), len(tensors), float(clip_value)))


def parameters_to_vector(parameters):
    import gradus
    return gradus.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vector, parameters):
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = vector[at:at + n].view_as(p)
        at += n


def _norm_but(v, dim):
    """The norm over all dimensions but one, or over all for dim None."""
    if dim is None:
        return _ops.function("linalg_vector_norm")(v)
    return _ops.function("linalg_vector_norm")(v, 2, [d for d in range(v.dim()) if d != dim % v.dim()], True)


def weight_norm(module, name="weight", dim=0):
    """Makes a parameter the product of a length, name_g, and a direction, name_v; dim: each of that dimension has a length of its own.

    >>> from gradus import nn
    >>> sorted(name for name, _ in weight_norm(nn.Linear(2, 3)).named_parameters())
    ['bias', 'weight_g', 'weight_v']
    """
    from ..parameter import Parameter
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(_norm_but(weight.detach(), dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))

    def compute(module, args=None):
        g, v = getattr(module, name + "_g"), getattr(module, name + "_v")
        object.__setattr__(module, name, v * (g / _norm_but(v, dim)))
    compute(module)
    module.__dict__.setdefault("_weight_norms", {})[name] = module.register_forward_pre_hook(compute)
    return module


def remove_weight_norm(module, name="weight"):
    """The parameter as it was before weight_norm, with the value that it has now."""
    from ..parameter import Parameter
    hook = module.__dict__.get("_weight_norms", {}).pop(name, None)
    if hook is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    hook.remove()
    weight = getattr(module, name).detach()
    for ending in ("_g", "_v"):
        del module._parameters[name + ending]
    del module.__dict__[name]
    module.register_parameter(name, Parameter(weight))
    return module


from . import parametrizations, parametrize, rnn                           # noqa: E402,F401
