"""DLPack: tensors to and from other libraries without a copy, as versioned capsules and as those from before version 1."""
import ctypes as C

from . import _convert, _dtype, _ops
from ._context import check, local
from ._library import Handle, lasting, lib, releases

COPY, NEVER_COPY = 0x1, 0x2
CPU = 1
_CODES = {(0, 8): _dtype.int8, (0, 16): _dtype.int16, (0, 32): _dtype.int32, (0, 64): _dtype.int64, (1, 8): _dtype.uint8, (2, 16): _dtype.float16,
          (2, 32): _dtype.float32, (2, 64): _dtype.float64, (4, 16): _dtype.bfloat16, (5, 64): _dtype.complex64, (5, 128): _dtype.complex128,
          (6, 8): _dtype.bool_}
_DELETER = C.CFUNCTYPE(None, C.c_void_p)


class _Tensor(C.Structure):
    _fields_ = [("data", C.c_void_p), ("device_type", C.c_int32), ("device_id", C.c_int32), ("ndim", C.c_int32), ("code", C.c_uint8),
                ("bits", C.c_uint8), ("lanes", C.c_uint16), ("shape", C.POINTER(C.c_int64)), ("strides", C.POINTER(C.c_int64)),
                ("byte_offset", C.c_uint64)]


class _Legacy(C.Structure):
    _fields_ = [("tensor", _Tensor), ("context", C.c_void_p), ("deleter", C.c_void_p)]


class _Versioned(C.Structure):
    _fields_ = [("major", C.c_uint32), ("minor", C.c_uint32), ("context", C.c_void_p), ("deleter", C.c_void_p), ("flags", C.c_uint64),
                ("tensor", _Tensor)]


_api = C.pythonapi
_new = C.PYFUNCTYPE(C.py_object, C.c_void_p, C.c_char_p, C.c_void_p)(("PyCapsule_New", _api))
_pointer = C.PYFUNCTYPE(C.c_void_p, C.py_object, C.c_char_p)(("PyCapsule_GetPointer", _api))
_rename = C.PYFUNCTYPE(C.c_int, C.py_object, C.c_char_p)(("PyCapsule_SetName", _api))
_is = C.PYFUNCTYPE(C.c_int, C.c_void_p, C.c_char_p)(("PyCapsule_IsValid", _api))
_pointer_of_dying = C.PYFUNCTYPE(C.c_void_p, C.c_void_p, C.c_char_p)(("PyCapsule_GetPointer", _api))
LEGACY, VERSIONED = b"dltensor", b"dltensor_versioned"
_USED = {LEGACY: b"used_dltensor", VERSIONED: b"used_dltensor_versioned"}   # capsules keep the pointer to their name
_KINDS = {LEGACY: _Legacy, VERSIONED: _Versioned}
_exported = {}                                                             # address of a legacy struct: (it, the versioned one's address)


def _delete(address, kind):
    deleter = kind.from_address(address).deleter
    if deleter:
        _DELETER(deleter)(address)


@lasting
@C.PYFUNCTYPE(None, C.c_void_p)
def _capsule_dies(capsule):
    """Nobody took the tensor out of it."""
    for name, kind in _KINDS.items():
        if _is(capsule, name):
            _delete(_pointer_of_dying(capsule, name), kind)


@lasting
@_DELETER
def _delete_legacy(address):
    _, versioned = _exported.pop(address)
    _delete(versioned, _Versioned)


def export(t, max_version=None, copy=None):
    """A capsule on the tensor's memory: versioned if the consumer says it knows version 1."""
    if t.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    managed = C.c_void_p()
    flags = 0 if copy is None else COPY if copy else NEVER_COPY
    check(lib.gradus_tensor_to_dlpack(local.ctx, t._h, flags, C.byref(managed)))
    if max_version is not None and max_version[0] >= 1:
        return _new(managed, VERSIONED, C.cast(_capsule_dies, C.c_void_p))
    old = _Legacy(_Versioned.from_address(managed.value).tensor, None, C.cast(_delete_legacy, C.c_void_p))
    _exported[C.addressof(old)] = (old, managed.value)
    return _new(C.addressof(old), LEGACY, C.cast(_capsule_dies, C.c_void_p))


def take(source):
    """A tensor on the memory of a capsule, or of an object that makes one."""
    capsule = source
    if hasattr(source, "__dlpack__"):
        if hasattr(source, "__dlpack_device__") and source.__dlpack_device__()[0] != CPU:
            raise BufferError("from_dlpack: the tensor is not in the processor's memory")
        try:
            capsule = source.__dlpack__(max_version=(1, 0))
        except TypeError:                                                  # a producer from before version 1
            capsule = source.__dlpack__()
    if type(capsule).__name__ != "PyCapsule":
        raise TypeError(f"from_dlpack: {type(source).__name__} has no __dlpack__")
    if _is(id(capsule), VERSIONED):
        h = Handle()
        check(lib.gradus_tensor_from_dlpack(local.ctx, _pointer(capsule, VERSIONED), 0, C.byref(h)))
        _rename(capsule, _USED[VERSIONED])
        return _ops.from_numbers(h)
    if not _is(id(capsule), LEGACY):
        raise ValueError("from_dlpack: the capsule holds no tensor, or it was taken before")
    return _take_legacy(capsule)


@releases
class _Taken:
    """Calls the producer's deleter when the last view is gone."""

    def __init__(self, address):
        self.address = address

    def __del__(self, delete=_delete, kind=_Legacy):
        delete(self.address, kind)


def _take_legacy(capsule):
    address = _pointer(capsule, LEGACY)
    t = _Legacy.from_address(address).tensor
    kind = _CODES.get((t.code, t.bits))
    if kind is None or t.lanes != 1 or t.device_type != CPU:
        raise BufferError(f"from_dlpack: type code {t.code} of {t.bits} bits and {t.lanes} lanes on device {t.device_type} is no tensor here")
    shape = tuple(t.shape[:t.ndim]) if t.ndim else ()
    strides = tuple(t.strides[:t.ndim]) if t.strides and t.ndim else None
    if 0 in shape:
        made = _convert.from_bytes(b"", shape, kind)
        _rename(capsule, _USED[LEGACY])
        _delete(address, _Legacy)
        return made
    steps = strides
    if steps is None:
        steps, step = [], 1
        for size in reversed(shape):
            steps.insert(0, step)
            step *= size
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, steps))
    owner = _Owner()
    made = _convert.on_memory(t.data + t.byte_offset, reach * kind.itemsize, shape, strides, kind, owner)
    owner.taken = _Taken(address)
    _rename(capsule, _USED[LEGACY])
    return made


class _Owner:
    """Of a legacy tensor: gets it only when nothing can fail any more."""

    taken = None
