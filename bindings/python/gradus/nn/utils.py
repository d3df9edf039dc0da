"""Helpers on gradients and parameters."""
from .. import _ops
from .._context import no_grad

Tensor = _ops.Tensor


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scales the gradients so that their norm together is at most max_norm; returns what it was."""
    import gradus
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return gradus.tensor(0.0)
    norms = gradus.stack([gradus.linalg.vector_norm(g, norm_type) for g in grads])
    total = gradus.linalg.vector_norm(norms, norm_type)
    if error_if_nonfinite and not gradus.isfinite(total):
        raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped.")
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(scale)
    return total


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamps every gradient to [-clip_value, clip_value]."""
    for p in [parameters] if isinstance(parameters, Tensor) else parameters:
        if p.grad is not None:
            p.grad.clamp_(-clip_value, clip_value)


def parameters_to_vector(parameters):
    import gradus
    return gradus.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vector, parameters):
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = vector[at:at + n].view_as(p)
        at += n
