"""x[key] and x[key] = value: views for integers, slices, None and Ellipsis; index and index_put_ for tensors and lists."""
import ctypes as C

from . import _dtype, _ops
from ._context import local
from ._library import Handle, lib


def _is_tensor(k):
    return isinstance(k, _ops.Tensor)


def _as_index(k):
    """Lists and arrays as tensors; the rest unchanged."""
    if isinstance(k, (list, range)) or type(k).__module__ == "numpy" and getattr(k, "shape", ()) != ():
        from ._convert import tensor
        t = tensor(list(k) if isinstance(k, range) else k)
        return t.to(_dtype.int64) if t.numel() == 0 and t.dtype.is_floating_point else t
    if isinstance(k, tuple):
        from ._convert import tensor
        return tensor(list(k))
    return k


def _consumes(k):
    """Dimensions of the tensor that a key takes up."""
    if k is None or k is Ellipsis or k is True or k is False:
        return 0
    if _is_tensor(k) and k.dtype in (_dtype.bool_, _dtype.uint8):
        return k.dim()
    return 1


def _keys(x, key):
    keys = key if isinstance(key, tuple) else (key,)
    if isinstance(key, list) and len(key) < 32 and any(isinstance(k, (slice, list, tuple, range)) or k is None or k is Ellipsis or _is_tensor(k)
                                                       for k in key):
        keys = tuple(key)                                                  # a list of keys counts as a tuple of them
    keys = [_as_index(k) for k in keys]
    taken, rank = sum(map(_consumes, keys)), x.dim()
    if taken > rank:
        raise IndexError(f"too many indices for tensor of dimension {rank}")
    places = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if places:
        keys[places[0]:places[0] + 1] = [slice(None)] * (rank - taken)
    return keys


def _view(x, key):
    """(view by the basic keys, indices for the others or None)."""
    if key.__class__ is int:
        return _select(x, 0, key), None
    dim, indices = 0, []
    for k in _keys(x, key):
        if k is None:
            x, dim = _ops.function("unsqueeze")(x, dim), dim + 1
        elif isinstance(k, slice):
            x, dim = _slice(x, dim, k), dim + 1
        elif k is True or k is False or _is_tensor(k) and k.dim() == 0 and k.dtype is _dtype.bool_:
            x = _ops.function("unsqueeze")(x, dim)                         # a scalar mask is an index over a new dimension
            indices += [None] * (dim - len(indices)) + [_ops.function("full")([1 if k else 0], 0, dtype=_dtype.int64)]
            dim += 1
        elif _is_tensor(k):
            if k.dtype.is_floating_point:
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
            if k.dim() == 0 and k.dtype is not _dtype.uint8:
                x = _select(x, dim, k.item())
                continue
            indices += [None] * (dim - len(indices)) + [k.to(_dtype.bool_) if k.dtype is _dtype.uint8 else k]
            dim += max(1, k.dim()) if indices[-1].dtype is _dtype.bool_ else 1
            if indices[-1].dtype is _dtype.bool_:
                indices += [_SPANNED] * (k.dim() - 1)
        elif hasattr(k, "__index__"):
            x = _select(x, dim, k.__index__())
        else:
            raise IndexError("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                             f"(got {type(k).__name__})")
    return x, [k for k in indices if k is not _SPANNED] or None


_SPANNED = object()                                                        # a further dimension of a mask


def _select(x, dim, index):
    info = x._info()
    if not info.rank:
        raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim tensor to a number")
    size = info.shape[dim]
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")
    return _ops.function("select")(x, dim, index)


def _slice(x, dim, k):
    if k.start is None and k.stop is None and k.step is None:
        return x
    start, stop, step = [None if v is None else v.__index__() for v in (k.start, k.stop, k.step)]
    if step is not None and step <= 0:
        raise ValueError("step must be greater than zero")
    return _ops.function("slice")(x, dim, start, stop, 1 if step is None else step)


_typed_select = lib.gradus_select
_typed_select.argtypes, _typed_select.restype = (C.c_void_p, C.c_void_p, C.c_int64, C.c_int64, C.c_void_p), C.c_int32


def get(x, key):
    if key.__class__ is int and -1 << 63 <= key < 1 << 63:
        h = Handle()
        if not _typed_select(local.ctx, x._h, 0, key, C.byref(h)):
            return _ops.wrap(h)                                            # what went wrong is said below
    view, indices = _view(x, key)
    if indices is None:
        return _ops.function("alias")(view) if view is x else view
    return _ops.function("index")(view, indices)


def put(x, key, value):
    view, indices = _view(x, key)
    if not _is_tensor(value):
        if not _ops.is_number(value):
            from ._convert import tensor
            value = tensor(value, dtype=x.dtype)
        elif indices is None:
            view.fill_(value)
            return
        else:
            value = _ops.function("full")([], value, dtype=x.dtype)
    target = view.shape if indices is None else None
    if target is not None:
        while value.dim() > len(target) and value.shape[0] == 1:           # leading dimensions of size 1 do not count
            value = value[0]
        view.copy_(value)
    else:
        if value.dtype is not x.dtype and value.dim() == 0:
            value = value.to(x.dtype)
        view.index_put_(indices, value)
