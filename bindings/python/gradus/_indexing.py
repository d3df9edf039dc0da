"""x[key] and x[key] = value: views for integers, slices, None and Ellipsis; index and index_put_ for tensors and lists."""
import ctypes as C

from . import _dtype, _ops
from ._context import local
from ._errors import DtypeError, GradusError, ShapeError
from ._library import Handle, TensorInfo, describe_tensor, lib, release

_INFO_SIZE = C.sizeof(TensorInfo)


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
    while len(places) > 1 and places[-1] == len(keys) - 1:                 # nothing is left for one at the end
        del keys[places.pop()]
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


_select_of, _slice_of, _unsqueeze_of = lib["gradus_select"], lib["gradus_slice"], lib["gradus_unsqueeze"]   # given C objects alone
_DIMS = [C.c_int64(i) for i in range(65)]
_ONE, _LIMIT = C.c_int64(1), 1 << 63
_INDICES = {_dtype.int64.number, _dtype.int32.number, _dtype.bool_.number}


def _basic(x, keys, byref=C.byref, i64=C.c_int64):
    """The handle of the view by integers, slices, None and Ellipsis; None where there are others or something is wrong: `_view` says what.

    The key of the whole has no handle of its own: x._h comes back.
    """
    h, dim = x._h, 0
    for at, k in enumerate(keys):
        kind, made = k.__class__, Handle()
        if kind is int:
            if not -_LIMIT <= k < _LIMIT or dim > 63 or _select_of(local.ctx, h, _DIMS[dim], i64(k), byref(made)):
                break
        elif kind is slice:
            start, stop, step = k.start, k.stop, k.step
            dim += 1
            if start is None and stop is None and step is None:
                continue
            for v in (start, stop, step):
                if v is not None and (v.__class__ is not int or not -_LIMIT <= v < _LIMIT):
                    return _dropped(x, h)
            if dim > 64 or step is not None and step <= 0 or _slice_of(
                    local.ctx, h, _DIMS[dim - 1], None if start is None else byref(i64(start)), None if stop is None else byref(i64(stop)),
                    _ONE if step is None else i64(step), byref(made)):
                break
        elif k is None:
            if dim > 63 or _unsqueeze_of(local.ctx, h, _DIMS[dim], byref(made)):
                break
            dim += 1
        elif k is Ellipsis:
            rest = keys[at + 1:]
            if any(k is Ellipsis for k in rest):
                break
            dim = _rank(h) - len(rest) + sum(k is None for k in rest)
            if dim < 0:
                break
            continue
        else:
            break
        if h is not x._h:
            release(h)
        h = made
    else:
        if dim <= 1 or dim <= _rank(h):
            return h
    return _dropped(x, h)


def _dropped(x, h):
    if h is not x._h:
        release(h)


def _rank(h):
    info = TensorInfo(_INFO_SIZE)
    describe_tensor(h, C.byref(info))
    return info.rank


def _takes(key):
    """Whether a key is one tensor that the operation index takes as it is."""
    if key.__class__ is not _ops.Tensor:
        return False
    info = key._info()
    return info.rank > 0 and info.dtype in _INDICES


def _view_of(x, key):
    """What `_view` gives, the short way for basic keys."""
    h = _basic(x, key if key.__class__ is tuple else (key,)) if key.__class__ in _BASIC and _ops.usual else None
    if h is None:
        return _view(x, key)
    return x if h is x._h else _ops.wrap(h), None


_index, _index_put, _copy, _fill, _alias = map(_ops.exact, ("index", "index_put_", "copy_", "fill_", "alias"))
_BASIC = {int, slice, tuple, type(None), type(Ellipsis)}


def get(x, key):
    if key.__class__ is int and _ops.usual and -_LIMIT <= key < _LIMIT:
        h = Handle()
        if not _select_of(local.ctx, x._h, _DIMS[0], C.c_int64(key), C.byref(h)):
            return _ops.wrap(h)                                            # what went wrong is said below
    if _takes(key):
        try:
            return _index(x, [key])
        except GradusError:                                                # said in PyTorch's words below
            pass
    view, indices = _view_of(x, key)
    if indices is None:
        return _alias(view) if view is x else view
    return _index(view, indices)


def _write(view, indices, value):
    if indices is None:
        _copy(view, value)
    else:
        _index_put(view, indices, value)


def put(x, key, value):
    view, indices = (x, [key]) if _takes(key) else _view_of(x, key)
    if not _is_tensor(value):
        if not _ops.is_number(value):
            from ._convert import tensor
            value = tensor(value, dtype=x.dtype)
        elif indices is None:
            _fill(view, value)
            return
        else:
            value = _ops.function("full")([], value, dtype=x.dtype)
    try:
        _write(view, indices, value)
    except (ShapeError, DtypeError):
        given = value
        while indices is None and value.dim() > view.dim() and value.shape[0] == 1:   # leading dimensions of size 1 do not count
            value = value[0]
        if indices is not None and value.dim() == 0:
            value = value.to(x.dtype)
        if value is given:
            raise
        _write(view, indices, value)
