"""The operators of Tensor: a direct call for two tensors, or a tensor and a float; everything else through the general function."""
import ctypes as C

from . import _convert, _dtype, _ops
from ._context import check, local
from ._library import Handle, lib
from ._tensor import Tensor


def _operand(v):
    return isinstance(v, Tensor) or _ops.is_number(v)


def _number_for(t, v):
    """A complex number beside a tensor: as precise as that."""
    kind = t.dtype if t.dtype.is_floating_point or t.dtype.is_complex else _dtype.default_dtype()
    return _convert.tensor(v, dtype=kind.to_complex())


def _typed(name, *arguments):
    function = getattr(lib, "gradus_" + name, None)
    if function is not None:
        function.argtypes, function.restype = (C.c_void_p, *arguments), C.c_int32
    return function


def _binary(name, Handle=Handle, byref=C.byref):
    tensors = _typed(name, C.c_void_p, C.c_void_p, C.c_void_p)
    number = _typed(name + "_scalar", C.c_void_p, C.c_double, C.c_void_p)
    general = _ops.function(name)

    def operator(self, other):
        kind = other.__class__
        if kind is Tensor and _ops.usual:
            h = Handle()
            status = tensors(local.ctx, self._h, other._h, byref(h))
        elif kind is float and number is not None and _ops.usual:
            h = Handle()
            status = number(local.ctx, self._h, other, byref(h))
        elif _operand(other):
            return general(self, other)
        elif isinstance(other, complex):
            return general(self, _number_for(self, other))
        else:
            return NotImplemented
        if status:
            check(status)
        t = _ops.new_tensor(Tensor)
        t._h = h
        return t
    return operator


def _reflected(name):
    general = _ops.function(name)

    def operator(self, other):
        if isinstance(other, complex):
            other = _number_for(self, other)
        return general(other, self) if _operand(other) else NotImplemented
    return operator


def _in_place(name):
    general = _ops.function(name + "_")

    def operator(self, other):
        if isinstance(other, complex):
            other = _number_for(self, other)
        return general(self, other) if _operand(other) else NotImplemented
    return operator


def _unary(name):
    general = _ops.function(name)
    return lambda self: general(self)


def _install(name, method):
    method.__name__ = name
    method.__qualname__ = "Tensor." + name
    setattr(Tensor, name, method)


for _symbol, _name in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "floordiv": "floor_divide", "mod": "remainder",
                       "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "bitwise_left_shift",
                       "rshift": "bitwise_right_shift"}.items():
    _install(f"__{_symbol}__", _binary(_name))
    _install(f"__r{_symbol}__", _reflected(_name))
    if _ops.registry.find(_name + "_"):
        _install(f"__i{_symbol}__", _in_place(_name))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _install(f"__{_name}__", _binary(_name))
for _symbol, _name in {"neg": "neg", "abs": "abs", "pos": "positive"}.items():
    _install(f"__{_symbol}__", _unary(_name))


def _matmul(self, other):
    return _ops.function("matmul")(self, other) if isinstance(other, Tensor) else NotImplemented


def _invert(self):
    return _ops.function("logical_not" if self.dtype is _dtype.bool_ else "bitwise_not")(self)


def _round(self, digits=0):
    return _ops.function("round")(self, decimals=digits)


_install("__matmul__", _matmul)
_install("__invert__", _invert)
_install("__round__", _round)
Tensor.__div__, Tensor.__idiv__ = Tensor.__truediv__, Tensor.__itruediv__
