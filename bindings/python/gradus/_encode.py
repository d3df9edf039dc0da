"""Python values as the library's arguments: each encoder returns the 24 bytes of a gradus_value, or None for a value of another kind."""
import array
import struct

from . import _dtype
from ._library import Kind

_INTEGER, _REAL, _COMPLEX = (struct.Struct("=iI" + rest) for rest in ("qQ", "dQ", "dd"))    # a gradus_value
_I64, _F64, _TENSOR, _RESULT_OF, _TEXT = Kind.I64, Kind.F64, Kind.TENSOR, Kind.RESULT_OF, Kind.TEXT
_I64_LIST, _F64_LIST, _TENSOR_LIST = Kind.I64_LIST, Kind.F64_LIST, Kind.TENSOR_LIST
DEFAULT, NONE = _INTEGER.pack(Kind.DEFAULT, 0, 0, 0), _INTEGER.pack(Kind.NONE, 0, 0, 0)
_FALSE, _TRUE = _INTEGER.pack(Kind.BOOL, 0, 0, 0), _INTEGER.pack(Kind.BOOL, 0, 1, 0)
number_types = (int, float)
Tensor = None                                                              # the class, which tensor sets
complex_tensor = None                                                      # a Python complex number as a tensor without dimensions


def is_number(v):
    return isinstance(v, number_types) or _is_numpy_scalar(v)


def _is_numpy_scalar(v):
    return type(v).__module__ == "numpy" and getattr(v, "shape", None) == () and hasattr(v, "item")


def _number(v, keep):
    if v is True:
        return _TRUE
    if v is False:
        return _FALSE
    if isinstance(v, int):
        return _INTEGER.pack(_I64, 0, v, 0)
    if isinstance(v, float):
        return _REAL.pack(_F64, 0, v, 0)
    if _is_numpy_scalar(v):
        return _number(v.item(), keep)
    return None


def _scalar(v, keep):
    if (isinstance(v, Tensor) and v.dim() == 0) or _is_numpy_scalar(v):
        v = v.item()
    return _COMPLEX.pack(Kind.COMPLEX, 0, v.real, v.imag) if isinstance(v, complex) else _number(v, keep)


class Result:
    """In a batch: a result of an earlier call, where a tensor is wanted."""

    def __init__(self, call, index):
        self.value = _INTEGER.pack(_RESULT_OF, index, call, 0)


def tensor(v, keep):
    if isinstance(v, complex):
        v = complex_tensor(v)
        keep.append(v)
    if isinstance(v, Tensor):
        return _INTEGER.pack(_TENSOR, 0, v._h.value, 0)
    if isinstance(v, Result):
        return v.value
    return _number(v, keep)


def tensor_only(v, keep):
    return tensor(v, keep) if isinstance(v, (Tensor, Result)) else None


def _whole(v):
    """The int that v stands for, or None."""
    if isinstance(v, int):
        return None if isinstance(v, bool) else v
    if isinstance(v, Tensor) and (v.dim() or v.dtype.is_floating_point):
        return None
    if isinstance(v, (float, str)) or not hasattr(v, "__index__"):
        return None
    try:
        return v.__index__()
    except TypeError:                                                      # an array
        return None


def _int(v, keep):
    v = _whole(v)
    return None if v is None else _INTEGER.pack(_I64, 0, v, 0)


def _float(v, keep):
    if isinstance(v, Tensor):
        v = v.item() if v.dim() == 0 else None
    v = v.item() if _is_numpy_scalar(v) else v
    return _REAL.pack(_F64, 0, v, 0) if isinstance(v, number_types) else None


def _bool(v, keep):
    if v is True:
        return _TRUE
    if v is False:
        return _FALSE
    return _bool(bool(v), keep) if type(v).__name__ in ("bool_", "bool") and _is_numpy_scalar(v) else None


def _list(letter, kind, items, keep):
    data = array.array(letter, items)
    keep.append(data)
    return _INTEGER.pack(kind, 0, data.buffer_info()[0] if items else 0, len(items))


def _ints(v, keep):
    if isinstance(v, int):
        return None if isinstance(v, bool) else _INTEGER.pack(_I64, 0, v, 0)
    if isinstance(v, (list, tuple, range)):
        try:
            return _list("q", _I64_LIST, v, keep)
        except TypeError:
            v = [_whole(item) for item in v]
            return None if None in v else _list("q", _I64_LIST, v, keep)
    return _int(v, keep)


def _floats(v, keep):
    return _list("d", _F64_LIST, v, keep) if isinstance(v, (list, tuple)) and all(map(is_number, v)) else None


def _bools(v, keep):
    return _list("q", _I64_LIST, [int(x) for x in v], keep) if isinstance(v, (list, tuple)) else None


def _tensors(v, keep):
    if not isinstance(v, (list, tuple)) or not all(item is None or isinstance(item, Tensor) for item in v):
        return None
    keep.append(v)
    return _list("Q", _TENSOR_LIST, [0 if item is None else item._h.value for item in v], keep)


def whole_tensors(v, keep):
    """A list without gaps."""
    return None if isinstance(v, (list, tuple)) and any(item is None for item in v) else _tensors(v, keep)


def _text(v, keep):
    if not isinstance(v, str):
        return None
    data = v.encode()
    return _list("B", _TEXT, data, keep)


def _dtype_value(v, keep):
    kind = _dtype.find(v)
    return None if kind is None else _INTEGER.pack(Kind.DTYPE, kind.number, 0, 0)


ENCODERS = {("tensor", False): tensor, ("tensor", True): _tensors, ("int", False): _int, ("int", True): _ints, ("float", False): _float,
             ("float", True): _floats, ("number", False): _scalar, ("bool", False): _bool, ("bool", True): _bools, ("text", False): _text,
             ("dtype", False): _dtype_value, ("number", True): _floats, ("other", False): lambda v, keep: NONE}
