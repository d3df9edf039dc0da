"""Tensors from Python numbers, NumPy arrays and buffers, and back."""
import array
import ctypes as C
import itertools
import struct

from . import _dtype, _ops
from ._context import check, local
from ._device import check_device
from ._library import DESTROY, Handle, lasting, lib

READ_ONLY_WRAP, READ_ONLY = 0x1, 0x4
_memory = {}                                                               # token: what a wrapped tensor stands on
_tokens = itertools.count(1)


@lasting
@DESTROY
def _drop_memory(token):
    _memory.pop(token, None)


def sizes(shape):
    return (C.c_int64 * max(1, len(shape)))(*shape)


_copy_in = lib["gradus_tensor_copy_in"]                                      # given C objects alone


def from_bytes(data, shape, kind):
    """A tensor with a copy of row-major memory."""
    h = Handle()
    status = _copy_in(local.ctx, kind.number, len(shape), sizes(shape), None, data or None, C.c_size_t(len(data)), C.byref(h))
    if status:
        check(status)
    return _ops.from_numbers(h)


def on_memory(address, nbytes, shape, strides, kind, owner, read_only=False):
    """A tensor on foreign memory, which owner keeps alive."""
    h, token = Handle(), next(_tokens)
    _memory[token] = owner
    try:
        check(lib.gradus_tensor_wrap(local.ctx, kind.number, len(shape), sizes(shape), None if strides is None else sizes(strides), address, nbytes,
                                     READ_ONLY_WRAP if read_only else 0, _drop_memory, token, C.byref(h)))
    except BaseException:
        _memory.pop(token, None)
        raise
    return _ops.from_numbers(h)


# ---- Python numbers

def _shape_of(data):
    shape = []
    while isinstance(data, (list, tuple, range)):
        shape.append(len(data))
        if not data:
            break
        data = data[0]
    if _is_array(data) and not isinstance(data, (int, float)):
        shape.extend(data.shape)
    return tuple(shape)


def _is_array(v):
    return isinstance(v, _ops.Tensor) or type(v).__module__ == "numpy" and hasattr(v, "tolist") or is_foreign(v) and hasattr(v, "tolist")


def is_foreign(v):
    """Whether that is another library's array or tensor."""
    return hasattr(v, "__dlpack__") or hasattr(v, "__array__") and not isinstance(v, type)


def _from_foreign(data, share):
    """Of an array of another library, on its memory if share; by DLPack, or where that does not do by NumPy."""
    if getattr(data, "requires_grad", False) and hasattr(data, "detach"):
        data = data.detach()
    said = []
    if hasattr(data, "__dlpack__"):
        from . import _dlpack
        try:
            made = _dlpack.take(data)
            return made if share else made.clone()
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            said.append(str(error))
    if hasattr(data, "__array__"):
        try:
            array = data.__array__()
            return from_numpy(array) if share and array.shape != () and array.flags.writeable else _copy_array(array)
        except (RuntimeError, TypeError, ValueError) as error:
            said.append(str(error))
    raise TypeError(f"can't make a tensor of a {type(data).__module__}.{type(data).__qualname__}: {'; '.join(said)}")


def _flatten(data, shape, out):
    if _is_array(data):
        data = data.tolist()
    if not shape:
        if isinstance(data, (list, tuple)):
            raise ValueError(f"too many dimensions '{type(data).__name__}'")
        if not isinstance(data, (int, float, complex)):
            if data is None:
                raise RuntimeError("Could not infer dtype of NoneType")
            if hasattr(data, "__index__"):
                data = data.__index__()
            elif hasattr(data, "__float__") and not isinstance(data, str):
                data = float(data)
            else:
                raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
        out.append(data)
        return
    if not isinstance(data, (list, tuple, range)):
        raise TypeError(f"only integer tensors of a single element can be converted to an index (not a sequence: '{type(data).__name__}')")
    if len(data) != shape[0]:
        raise ValueError(f"expected sequence of length {shape[0]} at dim (got {len(data)})")
    if len(shape) == 1 and data and isinstance(data[0], (int, float)) and all(map(_PLAIN, map(type, data))):
        out.extend(data)
        return
    for item in data:
        _flatten(item, shape[1:], out)


_PLAIN_TYPES, _NUMBERS_OR_LISTS = {int, float, bool}, {int, float, bool, list, tuple}
_PLAIN = _PLAIN_TYPES.__contains__


def _inferred(numbers, data):
    kinds = set(map(type, numbers))
    if any(issubclass(k, complex) for k in kinds):
        return _common_array_dtype(data) or _dtype.default_dtype().to_complex()
    if not kinds or float in kinds or any(issubclass(k, float) for k in kinds):
        found = _common_array_dtype(data)
        return found if found is not None else _dtype.default_dtype()
    return _dtype.bool_ if kinds == {bool} else _dtype.int64


def _common_array_dtype(data):
    """Lists of NumPy numbers keep their type."""
    if _is_array(data):
        return _dtype.find(data.dtype)
    if isinstance(data, (list, tuple)) and data and all(map(_is_array, data)) and type(data[0]).__module__ == "numpy":
        return _dtype.find(data[0].dtype)
    return None


def tensor(data, dtype=None, device=None, requires_grad=False, pin_memory=False, share=False):
    """A new tensor with a copy of the data; share: on the data's own memory where that is possible."""
    kind = None if dtype is None else _kind(dtype)
    if device is not None:
        check_device(device)
    if data.__class__ in _NUMBERS_OR_LISTS:
        made = _from_numbers(data, kind)
    elif isinstance(data, _ops.Tensor):
        made = data if share else data.detach().clone()
        made = made if kind is None or made.dtype is kind else made.to(kind)
    elif _is_array(data) and hasattr(data, "__array_interface__"):
        made = from_numpy(data) if share and data.shape != () and data.flags.writeable else _copy_array(data)
        made = made if kind is None else made.to(kind)
    elif isinstance(data, (array.array, memoryview, bytearray, bytes)):
        made = _from_buffer(data, share)
        made = made if kind is None else made.to(kind)
    elif is_foreign(data) and type(data).__module__ != "numpy":
        made = _from_foreign(data, share)
        made = made if kind is None else made.to(kind)
    else:
        made = _from_numbers(data, kind)
    return made.requires_grad_() if requires_grad else made


def _kind(dtype):
    kind = _dtype.find(dtype)
    if kind is None and dtype is not None:
        raise TypeError(f"dtype must be a dtype, not {dtype!r}")
    return kind


def _from_numbers(data, kind):
    kinds = {*map(type, data)} if data.__class__ in (list, tuple) else {data.__class__}
    if len(kinds) == 1 and kinds <= _PLAIN_TYPES:                          # one number, or a list of numbers of one type
        only, = kinds
        shape, numbers = ((), (data,)) if data.__class__ is only else ((len(data),), data)
        kind = kind or (_dtype.default_dtype() if only is float else _dtype.int64 if only is int else _dtype.bool_)
        if only is float and kind.code in ("f", "d"):
            return from_bytes(_packed(numbers, kind), shape, kind)
    else:
        shape, numbers = _shape_of(data), []
        _flatten(data, shape, numbers)
        kind = kind or _inferred(numbers, data)
    if kind.is_floating_point and kind.itemsize == 2:
        return from_bytes(_packed(numbers, _dtype.float64), shape, _dtype.float64).to(kind)
    if not kind.is_complex and kind is not _dtype.bool_ and any(isinstance(v, complex) for v in numbers):
        raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow")
    if kind is _dtype.bool_:
        numbers = list(map(bool, numbers))
    elif not kind.is_complex and not kind.is_floating_point:
        numbers = list(map(_to_int, numbers))
    return from_bytes(_packed(numbers, kind), shape, kind)


def _to_int(v):
    try:
        return int(v)
    except (OverflowError, ValueError) as error:
        raise RuntimeError(f"value {v} cannot be converted to an integer type: {error}") from None


def _packed(numbers, kind):
    try:
        return _dtype.pack(numbers, kind)
    except (struct.error, OverflowError) as error:
        raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow: {error}") from None


def as_tensor(data, dtype=None, device=None):
    return tensor(data, dtype, device, share=True)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor on the object's memory where that is possible; copy: True always copies, False refuses what would have to be."""
    if copy is False and isinstance(obj, (int, float, complex, list, tuple)):
        raise ValueError("asarray: numbers and sequences can't be had without a copy")
    kind = None if dtype is None else _kind(dtype)
    made = tensor(obj, None if copy is False else kind, device, share=copy is not True)
    if copy is False and kind is not None and made.dtype is not kind:
        raise ValueError(f"asarray: {made.dtype} can't be had as {kind} without a copy")
    if requires_grad is False:
        return made.detach() if made.requires_grad else made
    return (made.detach() if made is obj else made).requires_grad_()


# ---- NumPy and buffers

def _array_dtype(a):
    kind = _dtype.BY_TYPESTR.get(a.dtype.str)
    if kind is None:
        raise TypeError(f"can't convert np.ndarray of type {a.dtype}: its element type is not supported")
    return kind


def _copy_array(a):
    if a.dtype.str.startswith(">"):
        raise ValueError("given numpy array has byte order different from the native byte order")
    return from_bytes(a.tobytes(), a.shape, _array_dtype(a))


def from_numpy(a):
    """A tensor on the array's memory."""
    if not hasattr(a, "__array_interface__") or type(a).__module__ != "numpy":
        raise TypeError(f"expected np.ndarray (got {type(a).__name__})")
    if a.dtype.str.startswith(">"):
        raise ValueError("given numpy array has byte order different from the native byte order")
    kind = _array_dtype(a)
    if any(step < 0 for step in a.strides):
        raise ValueError("at least one stride in the given numpy array is negative: make a copy of it (array.copy())")
    if any(step % kind.itemsize for step in a.strides):
        raise ValueError("a stride of the array is not a multiple of its element size")
    strides = tuple(step // kind.itemsize for step in a.strides)
    reach = 0 if a.size == 0 else 1 + sum((n - 1) * s for n, s in zip(a.shape, strides))
    address = a.__array_interface__["data"][0]
    if not a.size:
        return from_bytes(b"", a.shape, kind)
    return on_memory(address, reach * kind.itemsize, a.shape, strides, kind, a, not a.flags.writeable)


def to_numpy(t):
    """An array on the tensor's memory."""
    info = t._info()
    kind = _dtype.BY_NUMBER[info.dtype]
    if info.flags & 1:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    import numpy
    if kind.typestr is None:
        raise TypeError(f"Got unsupported ScalarType {kind.name}")
    shape, strides = info.shape[:info.rank] if info.rank else [], info.strides[:info.rank] if info.rank else []
    if not info.count:
        return numpy.empty(shape, kind.typestr)
    return numpy.asarray(_Shared(t, info.data, tuple(shape), tuple(s * kind.itemsize for s in strides), kind, bool(info.flags & READ_ONLY)))


class _Shared:
    """What NumPy reads an array's place from; the array keeps it, and it keeps the tensor."""

    def __init__(self, t, address, shape, strides, kind, read_only):
        self.tensor = t
        self.__array_interface__ = {"version": 3, "data": (address, read_only), "shape": shape, "strides": strides, "typestr": kind.typestr}


def _from_buffer(data, share):
    view = memoryview(data)
    kind = _dtype.BY_TYPESTR.get({"?": "|b1", "B": "|u1", "b": "|i1", "c": "|u1"}.get(view.format) or "<" + {
        "h": "i2", "i": "i4", "l": f"i{view.itemsize}", "q": "i8", "n": "i8", "e": "f2", "f": "f4", "d": "f8"}.get(view.format.lstrip("<=@"), "")) 
    if kind is None:
        raise TypeError(f"a buffer of format {view.format!r} is no tensor")
    if share and view.c_contiguous and not view.readonly and view.nbytes:
        return on_memory(C.addressof(C.c_char.from_buffer(view)), view.nbytes, view.shape, None, kind, view)
    return from_bytes(view.tobytes(), view.shape, kind)


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A one-dimensional tensor on the memory of a buffer."""
    view, kind = memoryview(buffer).cast("B"), _kind(dtype)
    count = (view.nbytes - offset) // kind.itemsize if count < 0 else count
    if count <= 0 or offset < 0 or offset + count * kind.itemsize > view.nbytes:
        raise ValueError(f"frombuffer: {count} elements of {kind} from offset {offset} of {view.nbytes} bytes")
    part = view[offset:offset + count * kind.itemsize]
    if part.readonly:
        made = from_bytes(part.tobytes(), (count,), kind)
    else:
        made = on_memory(C.addressof(C.c_char.from_buffer(part)), part.nbytes, (count,), None, kind, part)
    return made.requires_grad_() if requires_grad else made


# ---- back to Python

def to_bytes(t):
    """The elements row-major, in the tensor's own type."""
    info = t._info()
    size = info.count * _dtype.BY_NUMBER[info.dtype].itemsize
    data = C.create_string_buffer(max(1, size))
    check(lib.gradus_tensor_copy_out(local.ctx, t._h, 0, data, size))
    return data.raw[:size]


def to_memoryview(t):
    """The memory of a row-major tensor, which the view keeps alive."""
    info = t._info()
    kind = _dtype.BY_NUMBER[info.dtype]
    if info.flags & 1:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if not t.is_contiguous() or kind.code is None:
        raise BufferError(f"a buffer of {kind.name}: the tensor is not row-major" if kind.code else f"a buffer of {kind.name} has no format")
    shape = tuple(info.shape[:info.rank]) if info.rank else ()
    if not info.count:
        return memoryview(b"").cast(kind.code)
    block = (C.c_char * (info.count * kind.itemsize)).from_address(info.data)
    block.tensor = t
    view = memoryview(block).cast("B").cast(kind.code, shape) if shape else memoryview(block).cast("B").cast(kind.code, ())
    return view.toreadonly() if info.flags & READ_ONLY else view


def to_list(t):
    info = t._info()
    kind = _dtype.BY_NUMBER[info.dtype]
    shape = info.shape[:info.rank] if info.rank else []
    read = kind if kind.is_complex or kind.code and kind.code != "e" else _dtype.float64
    data = C.create_string_buffer(max(1, info.count * read.itemsize))
    check(lib.gradus_tensor_copy_out(local.ctx, t._h, read.number, data, info.count * read.itemsize))
    if kind.is_complex:
        parts = struct.unpack_from(f"={2 * info.count}{kind.to_real().code}", data)
        numbers = tuple(map(complex, parts[::2], parts[1::2]))
    else:
        numbers = struct.unpack_from(f"={info.count}{read.code}", data)
    for size in reversed(shape):
        if not size:
            break
        numbers = [list(numbers[i:i + size]) for i in range(0, len(numbers), size)]
    if 0 in shape:
        return _empty_list(shape)
    return numbers[0]


def _empty_list(shape):
    return [_empty_list(shape[1:]) for _ in range(shape[0])] if shape[0] else []


def rebuild(cls, data, shape, kind, requires_grad):
    made = object.__new__(cls)
    made._h = from_bytes(data, shape, kind)._take()
    made.requires_grad = requires_grad
    return made
