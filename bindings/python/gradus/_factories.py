"""New tensors: sizes, limits, random numbers."""
from . import _convert, _dtype, _ops
from ._device import check_device
from ._random import drawing
from ._convert import as_tensor, asarray, from_numpy, frombuffer, tensor  # noqa: F401


def _finish(made, requires_grad):
    return made.requires_grad_() if requires_grad else made


def _sized(name):
    def factory(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, generator=None, memory_format=None,
                **named):
        check_device(device)
        if named:
            size = named.pop("size", None) or size
            if named:
                raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
        if len(size) == 1 and not isinstance(size[0], int) and not hasattr(size[0], "__index__"):
            size = size[0]
        if generator is not None:
            with generator.in_force():
                return factory(*size, out=out, dtype=dtype, requires_grad=requires_grad)
        made = make(size if size.__class__ is tuple else list(size), dtype=_dtype._default if dtype is None else _convert._kind(dtype))
        if out is not None:
            made = _ops.put_out(name, out, made)
        return made.requires_grad_() if requires_grad else made
    make = _ops.exact(name)
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = _ops.registry.records[name]["doc"]
    return factory


zeros, ones, empty, rand, randn = map(_sized, ("zeros", "ones", "empty", "rand", "randn"))


def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    check_device(device)
    fill_value = fill_value.item() if isinstance(fill_value, _ops.Tensor) else fill_value
    default = _dtype.default_dtype()
    kind = _convert._kind(dtype) or (_dtype.bool_ if isinstance(fill_value, bool) else _dtype.int64 if isinstance(fill_value, int)
                                     else default.to_complex() if isinstance(fill_value, complex) else default)
    made = _ops.registry_call("full", [size] if isinstance(size, int) else list(size), fill_value, dtype=kind)
    return _finish(made if out is None else _ops.put_out("full", out, made), requires_grad)


def _like(name):
    def factory(input, *values, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, generator=None, pin_memory=False,
                **named):
        check_device(device)
        if generator is not None:
            named["generator"] = generator
        made = make(input, *values, dtype=None if dtype is None else _convert._kind(dtype), **named)
        return made.requires_grad_() if requires_grad else made
    make = _ops.exact(name)
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = _ops.registry.records[name]["doc"]
    return factory


zeros_like, ones_like, empty_like, full_like, rand_like, randn_like = map(
    _like, ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"))


def randint_like(input, low, high=None, *, generator=None, dtype=None, layout=None, device=None, pin_memory=False, memory_format=None,
                 requires_grad=False):
    check_device(device)
    low, high = (0, low) if high is None else (low, high)
    with drawing(generator):
        return _finish(_ops.registry_call("randint_like", input, low, high, dtype=_convert._kind(dtype)), requires_grad)


def _plain(v):
    return v.item() if isinstance(v, _ops.Tensor) else v


def arange(start=None, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    check_device(device)
    if not start.__class__ is end.__class__ is step.__class__ is int:
        start, end, step = map(_plain, (start, end, step))
        start, end = (0, start) if end is None else (0 if start is None else start, end)
        if end is None:
            raise TypeError("arange() missing 1 required positional argument: 'end'")
    if dtype is not None:
        kind = _convert._kind(dtype)
    else:
        kind = _dtype._default if isinstance(start, float) or isinstance(end, float) or isinstance(step, float) else _dtype.int64
    made = _ops.registry_call("arange", start, end, step, dtype=kind)
    return _finish(made if out is None else _ops.put_out("arange", out, made), requires_grad)


def _spaced(name):
    def factory(start, end, steps=None, *base, out=None, dtype=None, layout=None, device=None, requires_grad=False, **named):
        check_device(device)
        if steps is None:
            raise TypeError(f"{name}() missing 1 required positional argument: 'steps'")
        kind = _convert._kind(dtype) or _dtype.default_dtype()
        made = _ops.registry_call(name, _plain(start), _plain(end), _plain(steps), *base, dtype=kind, **named)
        return _finish(made if out is None else _ops.put_out(name, out, made), requires_grad)
    factory.__name__ = factory.__qualname__ = name
    return factory


linspace, logspace = _spaced("linspace"), _spaced("logspace")


def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    check_device(device)
    made = _ops.registry_call("eye", n, m, dtype=_convert._kind(dtype) or _dtype.default_dtype())
    return _finish(made if out is None else _ops.put_out("eye", out, made), requires_grad)


def randint(low, high=None, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """randint(high, size) or randint(low, high, size)"""
    check_device(device)
    if size is None and isinstance(high, (list, tuple)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    with drawing(generator):
        made = _ops.registry_call("randint", _plain(low), _plain(high), list(size), dtype=_convert._kind(dtype) or _dtype.int64)
    return _finish(made if out is None else _ops.put_out("randint", out, made), requires_grad)


def randperm(n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    check_device(device)
    with drawing(generator):
        made = _ops.registry_call("randperm", n, dtype=_convert._kind(dtype) or _dtype.int64)
    return _finish(made if out is None else _ops.put_out("randperm", out, made), requires_grad)


def scalar_tensor(s, *, dtype=None, layout=None, device=None, requires_grad=False):
    check_device(device)
    return _finish(_ops.registry_call("scalar_tensor", _plain(s), dtype=_convert._kind(dtype) or _dtype.default_dtype()), requires_grad)


class _TypedTensor(type):
    """FloatTensor(2, 3), FloatTensor([1.0]), and isinstance(x, FloatTensor)."""

    def __call__(cls, *data):
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=cls.dtype)
        return empty(*data, dtype=cls.dtype) if data else empty(0, dtype=cls.dtype)

    def __instancecheck__(cls, t):
        return isinstance(t, _ops.Tensor) and t.dtype is cls.dtype

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


for _name, _kind in {"Float": _dtype.float32, "Double": _dtype.float64, "Half": _dtype.float16, "BFloat16": _dtype.bfloat16, "Long": _dtype.int64,
                     "Int": _dtype.int32, "Short": _dtype.int16, "Char": _dtype.int8, "Byte": _dtype.uint8, "Bool": _dtype.bool_}.items():
    globals()[_name + "Tensor"] = _TypedTensor(_name + "Tensor", (), {"dtype": _kind, "__module__": "gradus"})


def set_default_tensor_type(kind):
    """Of a floating type's tensors: FloatTensor, or its name."""
    kind = globals()[kind.split(".")[-1]] if isinstance(kind, str) else kind
    _dtype.set_default_dtype(kind.dtype)


def normal(mean, std=1.0, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """Numbers around a mean: of two numbers and a size, or of tensors."""
    check_device(device)
    if size is not None:
        made = empty(size, dtype=dtype if out is None or dtype is not None else out.dtype).normal_(mean, std, generator=generator)
        return _finish(made if out is None else _ops.put_out("normal", out, made), requires_grad)
    if dtype is not None or requires_grad:
        raise TypeError("normal(): dtype and requires_grad go with size")
    if not isinstance(mean, _ops.Tensor) and not isinstance(std, _ops.Tensor):
        raise TypeError("normal(): one of mean and std has to be a tensor, or size given")
    mean = mean if isinstance(mean, _ops.Tensor) else full_like(std, mean)
    std = std if isinstance(std, _ops.Tensor) else full_like(mean, std)
    with drawing(generator):
        made = _ops.registry_call("normal_around", mean, std)
    return made if out is None else _ops.put_out("normal", out, made)


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    check_device(device)
    reach = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride))
    return _finish(empty(reach, dtype=dtype).as_strided(list(size), list(stride)).detach(), requires_grad)
