"""Methods of Tensor that are not operations of the registry, or take other arguments than those."""
from . import _composite, _convert, _dtype, _ops
from ._context import is_grad_enabled
from ._device import check_device, is_cpu

_NOT_METHODS = {"zeros", "ones", "empty", "full", "rand", "randn", "randint", "arange", "range", "linspace", "logspace", "eye", "cat", "stack",
                "tensor", "where_", "scalar_tensor", "randperm", "einsum", "concat", "concatenate", "hstack", "vstack", "dstack", "column_stack",
                "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"}
_OF_TENSORS_ONLY = {}


def method(function):
    _OF_TENSORS_ONLY[function.__name__] = function
    return function


def named(name):
    def add(function):
        _OF_TENSORS_ONLY[name] = function
        return function
    return add


def find(name):
    """The method of a name, or None."""
    if name in _OF_TENSORS_ONLY:
        return _OF_TENSORS_ONLY[name]
    if name.startswith("__") or name in _NOT_METHODS:
        return None
    return _composite.find(name) or _ops.function(name)


def names():
    """All names that find knows, but those that are of the library's own making: they begin with an underscore."""
    known = {*_OF_TENSORS_ONLY, *_composite._table, *_ops.registry.names}
    return {name for name in known if not name.startswith("_") and "linalg_" not in name and find(name) is not None}


_to = _ops.exact("to")


@method
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """Of another element type: a dtype, or another tensor's. The device is always the cpu."""
    if len(args) == 1 and args[0].__class__ is _dtype.dtype and dtype is None and not copy:
        return _to(self, args[0])
    check_device(device)
    for a in args:
        if isinstance(a, _ops.Tensor):
            dtype = a.dtype
        elif isinstance(a, bool):
            pass
        elif a is not None and not is_cpu(a):
            found = _dtype.find(a)
            if found is None:
                raise RuntimeError(f"to(): {a!r} is neither a dtype nor the cpu")
            dtype = found
    kind = _convert._kind(dtype)
    if kind is None or kind is self.dtype and not copy:
        return self.clone() if copy else self
    return _ops.registry_call("to", self, kind, False, copy)


def _cast(name, kind):
    def cast(self, memory_format=None):
        return _to(self, kind)
    cast.__name__ = name
    _OF_TENSORS_ONLY[name] = cast


for _name, _value in {"float": _dtype.float32, "double": _dtype.float64, "half": _dtype.float16, "bfloat16": _dtype.bfloat16, "long": _dtype.int64,
                      "int": _dtype.int32, "short": _dtype.int16, "char": _dtype.int8, "byte": _dtype.uint8, "bool": _dtype.bool_}.items():
    _cast(_name, _value)


@named("type")
def type_name(self, dtype=None, non_blocking=False):
    names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long", "int32": "Int", "int16": "Short",
             "int8": "Char", "uint8": "Byte", "bool": "Bool"}
    if dtype is None:
        return f"torch.{names[self.dtype.name]}Tensor"
    if isinstance(getattr(dtype, "dtype", None), _dtype.dtype):            # torch.LongTensor
        return to(self, dtype.dtype)
    if isinstance(dtype, str) and dtype.endswith("Tensor"):
        return to(self, {v: k for k, v in names.items()}[dtype.split(".")[-1][:-6]])
    return to(self, dtype)


@method
def type_as(self, other):
    return to(self, other.dtype)


@method
def cpu(self, memory_format=None):
    return self


@method
def cuda(self, device=None, non_blocking=False, memory_format=None):
    raise RuntimeError("cuda(): there is only the cpu")


@method
def pin_memory(self, device=None):
    """Memory that a device could read: every tensor's is the cpu's."""
    return self


@method
def is_pinned(self, device=None):
    return False


@method
def new_tensor(self, data, dtype=None, device=None, requires_grad=False):
    return _convert.tensor(data, self.dtype if dtype is None else dtype, device, requires_grad=requires_grad)


def _new(name, values):
    def new(self, *given, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
        if size is not None and given:
            raise TypeError(f"{values}(): got several values for argument 'size'")
        size = given if size is None else (size,)
        check_device(device)
        made = _ops.function(name)(*([list(size[0])] if len(size) == 1 and not isinstance(size[0], int) else [list(size)]),
                                   dtype=self.dtype if dtype is None else dtype)
        return made.requires_grad_() if requires_grad else made
    new.__name__ = values
    _OF_TENSORS_ONLY[values] = new


for _name in ("zeros", "ones", "empty"):
    _new(_name, "new_" + _name)


@method
def new_full(self, size, fill_value, dtype=None, device=None, requires_grad=False):
    check_device(device)
    made = _ops.function("full")(size, fill_value, dtype=self.dtype if dtype is None else dtype)
    return made.requires_grad_() if requires_grad else made


@method
def new(self, *data):
    if len(data) == 1 and not isinstance(data[0], int):
        sizes = isinstance(data[0], _ops.Size)
        return _ops.function("empty")(list(data[0]), dtype=self.dtype) if sizes else _convert.tensor(data[0], dtype=self.dtype)
    return _ops.function("empty")(list(data) or [0], dtype=self.dtype)


@method
def storage_offset(self):
    base = self._base
    return 0 if base is None or not self.numel() else (self.data_ptr() - base.data_ptr()) // self.element_size() + base.storage_offset()


@method
def matrix_power(self, n):
    from . import linalg
    return linalg.matrix_power(self, n)


@method
def is_set_to(self, other):
    a, b = self._info(), other._info()
    return (a.storage, a.data, self.shape, self.stride()) == (b.storage, b.data, other.shape, other.stride())


@method
def share_memory_(self):
    raise NotImplementedError("share_memory_: tensors are not shared between processes")


@method
def apply_(self, function):
    """Replaces each element by function of it."""
    return self.copy_(_convert.tensor([function(v) for v in self.flatten().tolist()], dtype=self.dtype).view(self.shape))


@method
def map_(self, other, function):
    """Replaces each element by function of it and other's."""
    values = [function(a, b) for a, b in zip(self.flatten().tolist(), other.expand_as(self).flatten().tolist())]
    return self.copy_(_convert.tensor(values, dtype=self.dtype).view(self.shape))


@method
def normal_(self, mean=0.0, std=1.0, *, generator=None):
    return _ops.registry_call("normal_", self, mean, std, generator=generator)


@method
def polygamma(self, n):
    return _ops.function("polygamma")(n, self)


@method
def where(self, condition, other):
    return _composite.find("where")(condition, self, other)


def _view_in_place(name):
    """x.unsqueeze_(0): the object becomes the view. Other names of the old tensor are the same object, so they see it too."""
    def change(self, *args, **kwargs):
        if self.is_leaf and self.requires_grad and is_grad_enabled():
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        made = _ops.function(name)(self, *args, **kwargs)
        self._h, made._h = made._h, self._h
        return self
    change.__name__ = name + "_"
    _OF_TENSORS_ONLY[name + "_"] = change


for _name in ("t", "transpose", "swapaxes", "swapdims", "squeeze", "unsqueeze", "as_strided"):
    _view_in_place(_name)
