"""First values of parameters, in place, with PyTorch's names and formulas."""
import ctypes as C

from .. import _ops
from .._context import check, local, no_grad
from .._library import lib

_UNIFORM, _NORMAL = 0, 1
_FANS = {"fan_in": 0, "fan_out": 1}


def calculate_gain(nonlinearity, param=None):
    gain, name = C.c_double(), nonlinearity.encode()
    check(lib.gradus_init_gain(local.ctx, name, len(name), 0.01 if param is None else float(param), C.byref(gain)))
    return gain.value


def uniform_(tensor, a=0.0, b=1.0):
    with no_grad():
        return tensor.uniform_(a, b)


def normal_(tensor, mean=0.0, std=1.0):
    with no_grad():
        return tensor.normal_(mean, std)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0):
    _ops.unseen("nn.init")
    check(lib.gradus_init_trunc_normal(local.ctx, tensor._h, mean, std, a, b))
    return tensor


def constant_(tensor, val):
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor):
    return constant_(tensor, 1.0)


def zeros_(tensor):
    return constant_(tensor, 0.0)


def eye_(tensor):
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    import gradus
    with no_grad():
        return tensor.copy_(gradus.eye(*tensor.shape))


def xavier_uniform_(tensor, gain=1.0):
    _ops.unseen("nn.init")
    check(lib.gradus_init_xavier(local.ctx, tensor._h, _UNIFORM, gain))
    return tensor


def xavier_normal_(tensor, gain=1.0):
    _ops.unseen("nn.init")
    check(lib.gradus_init_xavier(local.ctx, tensor._h, _NORMAL, gain))
    return tensor


def _kaiming(tensor, draw, a, mode, nonlinearity):
    fan = _FANS.get(mode.lower())
    if fan is None:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(_FANS)}")
    name = nonlinearity.encode()
    _ops.unseen("nn.init")
    check(lib.gradus_init_kaiming(local.ctx, tensor._h, draw, a, fan, name, len(name)))
    return tensor


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _kaiming(tensor, _UNIFORM, a, mode, nonlinearity)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _kaiming(tensor, _NORMAL, a, mode, nonlinearity)


def orthogonal_(tensor, gain=1):
    _ops.unseen("nn.init")
    check(lib.gradus_init_orthogonal(local.ctx, tensor._h, gain))
    return tensor


def dirac_(tensor, groups=1):
    """Convolutions of that weight keep their input, group by group: 1 in the middle of each channel's own kernel, else 0."""
    shape = tuple(tensor.shape)
    if len(shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    rows, middle = shape[0] // groups, [n // 2 for n in shape[2:]]
    with no_grad():
        tensor.zero_()
        for g in range(groups):
            for i in range(min(rows, shape[1])):
                tensor[(g * rows + i, i, *middle)] = 1
    return tensor
