"""Tensor: a handle of the library with PyTorch's face. Operations that are not written here come from the registry at first use."""
import copy
import ctypes as C

from . import _calls, _convert, _dtype, _encode, _indexing, _ops, _printing
from ._context import check, local
from ._device import CPU, device  # noqa: F401
from ._gradients import Gradients
from ._library import Handle, TensorInfo, describe_tensor, lib, release, releases

CONTIGUOUS, INFERENCE, VIEW = 8, 16, 32
_INFO_SIZE = C.sizeof(TensorInfo)


class Size(tuple):
    """A shape."""

    def numel(self):
        n = 1
        for size in self:
            n *= size
        return n

    def __repr__(self):
        return f"torch.Size({list(self)})"

    def __getitem__(self, key):
        found = super().__getitem__(key)
        return Size(found) if isinstance(key, slice) else found

    def __add__(self, other):
        return Size(super().__add__(tuple(other)))


class _TensorType(type):
    """Methods that are not there yet, by the class: Tensor.add."""

    def __getattr__(cls, name):
        method = _method(name)
        if method is None:
            raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'")
        return method

    def __dir__(cls):
        from . import _methods
        return sorted({*type.__dir__(cls), *_methods.names()})


@releases
class Tensor(Gradients, metaclass=_TensorType):
    """A multi-dimensional array that remembers how it was computed."""

    __slots__ = ("_h", "__weakref__", "__dict__")

    def __new__(cls, *args, **kwargs):
        t = object.__new__(cls)
        t._h = Handle()
        return t

    def __init__(self, data=None, *more):
        if data is None or isinstance(data, int) or more:
            source = _ops.function("empty")([data, *more] if data is not None else [0], dtype=_dtype.default_dtype())
        else:
            source = _convert.tensor(data, dtype=None if isinstance(data, Tensor) else _dtype.default_dtype(), share=True)
        self._h, source._h = source._h, self._h

    def __del__(self, release=release):
        release(self._h)

    # ---- what it is

    def _info(self, byref=C.byref):
        info = TensorInfo(_INFO_SIZE)
        if describe_tensor(self._h, byref(info)):
            raise RuntimeError("a tensor that was never made")
        return info

    @property
    def shape(self):
        info = self._info()
        return Size(info.shape[:info.rank]) if info.rank else Size()

    def size(self, dim=None):
        if dim is None:
            return self.shape
        shape = self.shape
        if not -len(shape) <= dim < len(shape):
            raise IndexError(f"Dimension out of range: {dim} of {len(shape)} dimensions")
        return shape[dim]

    def stride(self, dim=None):
        info = self._info()
        strides = tuple(info.strides[:info.rank]) if info.rank else ()
        return strides if dim is None else strides[dim]

    def dim(self):
        return self._info().rank

    def numel(self):
        return self._info().count

    def element_size(self):
        return self.dtype.itemsize

    def data_ptr(self):
        return self._info().data or 0

    def is_contiguous(self, memory_format=None):
        return bool(self._info().flags & CONTIGUOUS)

    def is_floating_point(self):
        return self.dtype.is_floating_point

    def is_complex(self):
        return self.dtype.is_complex

    def is_signed(self):
        return self.dtype.is_signed

    def is_inference(self):
        return bool(self._info().flags & INFERENCE)

    def is_same_size(self, other):
        return self.shape == other.shape

    def _is_view(self):
        return bool(self._info().flags & VIEW)

    ndimension, nelement = dim, numel
    ndim = property(dim)
    itemsize = property(element_size)
    nbytes = property(lambda self: self.numel() * self.element_size())
    dtype = property(lambda self: _dtype.BY_NUMBER[self._info().dtype])
    device = property(lambda self: CPU)
    layout = property(lambda self: strided)
    is_cpu = True
    is_cuda = is_sparse = is_quantized = is_meta = is_nested = False
    names = property(lambda self: (None,) * self.dim())

    @property
    def _version(self):
        info = self._info()
        if info.flags & INFERENCE:
            raise RuntimeError("Inference tensors do not track version counter.")
        return info.version

    @property
    def T(self):
        return _ops.function("numpy_T")(self)

    @property
    def mT(self):
        return _ops.function("mT")(self)

    @property
    def mH(self):
        return _ops.function("mH")(self)

    H = mH

    @property
    def real(self):
        return _ops.function("real")(self)

    @real.setter
    def real(self, value):
        _ops.function("real")(self).copy_(value)

    @property
    def imag(self):
        if not self.dtype.is_complex:
            raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
        return _ops.function("imag")(self)

    @imag.setter
    def imag(self, value):
        self.imag.copy_(value)

    def is_conj(self):
        return False                                                       # conjugates are computed at once

    is_neg = is_conj

    # ---- values

    def item(self):
        info = self._info()
        if info.count != 1:
            raise RuntimeError(f"a Tensor with {info.count} elements cannot be converted to Scalar")
        if info.dtype >= 11:
            parts = (C.c_double * 2)()
            check(lib.gradus_tensor_copy_out(local.ctx, self._h, _dtype.complex128.number, parts, C.sizeof(parts)))
            return complex(*parts)
        if info.dtype >= 7:
            value = C.c_double()
            check(lib.gradus_tensor_item_f64(local.ctx, self._h, C.byref(value)))
            return value.value
        value = C.c_int64()
        check(lib.gradus_tensor_item_i64(local.ctx, self._h, C.byref(value)))
        return bool(value.value) if info.dtype == 1 else value.value

    def tolist(self):
        return _convert.to_list(self)

    def numpy(self, *, force=False):
        return _convert.to_numpy(self.detach() if force else self)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return _convert.tensor(array, share=True)

    __array_priority__ = 1000

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        from . import _dlpack
        return _dlpack.export(self, max_version, copy)

    def __dlpack_device__(self):
        return (1, 0)

    def __bytes__(self):
        """The elements, row-major, in the tensor's own type: what bytes(array) of NumPy gives."""
        return _convert.to_bytes(self)

    def __buffer__(self, flags):
        """memoryview(t), from Python 3.12 on: the tensor's own memory if it is row-major, with its shape."""
        return _convert.to_memoryview(self)

    def __bool__(self):
        count = self._info().count
        if count != 1:
            raise RuntimeError("Boolean value of Tensor with " + ("no values" if not count else "more than one value") + " is ambiguous")
        return bool(self.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __complex__(self):
        return complex(self.item())

    def __index__(self):
        info = self._info()
        if info.dtype >= 7 or info.count != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self):
        info = self._info()
        if not info.rank:
            raise TypeError("len() of a 0-d tensor")
        return info.shape[0]

    def __iter__(self):
        if not self.dim():
            raise TypeError("iteration over a 0-d tensor")
        return iter(_ops.function("unbind")(self, 0))

    def __contains__(self, value):
        return bool((self == value).any())

    def __reversed__(self):
        return _ops.function("flip")(self, [0]) if self.dim() else self

    def __getitem__(self, key):
        return _indexing.get(self, key)

    def __setitem__(self, key, value):
        _indexing.put(self, key, value)

    # ---- as text and as bytes

    def __repr__(self):
        if not _printing.is_usual() and not self.dtype.is_complex:
            return _printing.text(self)
        length = C.c_size_t()
        check(lib.gradus_tensor_print(local.ctx, self._h, None, 0, C.byref(length)))
        text = C.create_string_buffer(length.value + 1)
        check(lib.gradus_tensor_print(local.ctx, self._h, text, length.value + 1, C.byref(length)))
        return text.value.decode()

    def __format__(self, form):
        return format(self.item() if self.dim() == 0 else str(self), form)

    def __reduce_ex__(self, protocol):
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be pickled: detach() it first")
        state = {k: v for k, v in self.__dict__.items() if k != "_grad"}
        return _convert.rebuild, (type(self), _convert.to_bytes(self), tuple(self.shape), self.dtype, self.requires_grad), state or None

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment")
        copied = object.__new__(type(self))
        copied._h = self.detach().clone()._take()
        copied.requires_grad = self.requires_grad
        memo[id(self)] = copied
        copied.__dict__.update({k: v for k, v in self.__dict__.items() if k != "_grad"})
        if self.grad is not None:
            copied.grad = copy.deepcopy(self.grad, memo)                   # keeps the gradient's object alive: memo goes by its id
        return copied

    def _take(self):
        """The handle, which this object gives up."""
        h, self._h = self._h, Handle()
        return h

    def __hash__(self):
        return id(self)

    def __dir__(self):
        from . import _methods
        return sorted({*object.__dir__(self), *_methods.names()})


def _method(name):
    """A method made from the registry and kept in the class, or None."""
    from . import _methods
    method = _methods.find(name)
    if method is not None:
        setattr(Tensor, name, method)
    return method


def _missing(self, name):
    method = _method(name)
    if method is None:
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
    return method.__get__(self)


Tensor.__getattr__ = _missing
_ops.Tensor = _encode.Tensor = _calls.Tensor = Tensor
_encode.complex_tensor = lambda v: _convert.tensor(v, dtype=_dtype.complex128)
_ops.Size = Size


class _Layout:
    def __repr__(self):
        return "torch.strided"


strided = _Layout()

from . import _operators                                                   # noqa: E402,F401  needs Tensor
