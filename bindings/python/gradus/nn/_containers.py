"""Modules that hold modules or parameters."""
import operator
from collections import OrderedDict

from ._module import Module
from .parameter import Parameter


def _place(index, count):
    index = operator.index(index)
    if not -count <= index < count:
        raise IndexError(f"index {index} is out of range")
    return str(index % count)


class _Numbered(Module):
    """Modules by number: 0, 1, 2 …"""

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._of(list(self._modules.items())[index])
        return list(self._modules.values())[int(_place(index, len(self)))]

    def __setitem__(self, index, module):
        self._modules[list(self._modules)[int(_place(index, len(self)))]] = module

    def __delitem__(self, index):
        modules = list(self._modules.values())
        del modules[index]
        self._modules.clear()
        self.extend(modules)

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        for module in modules:
            self.append(module)
        return self

    def insert(self, index, module):
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._modules.clear()
        self.extend(modules)

    def pop(self, index=-1):
        module = self[index]
        del self[index]
        return module


class Sequential(_Numbered):
    """One module after the other."""

    def __init__(self, *modules):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], OrderedDict) else ((str(i), m) for i, m in enumerate(modules))
        for name, module in named:
            self.add_module(name, module)

    def _of(self, items):
        return type(self)(OrderedDict(items))

    def forward(self, input):
        for module in self:
            input = module(input)
        return input


class ModuleList(_Numbered):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, items):
        return type(self)(module for _, module in items)

    def __iadd__(self, modules):
        return self.extend(modules)


def _described(items):
    """Parameters by name, as text: their types and sizes."""
    sized = [(name, p, "x".join(map(str, p.shape))) for name, p in items]
    return "\n".join(f"  ({name}): Parameter containing: [{p.dtype} of size {size}]" for name, p, size in sized)


class _Named:
    """The methods of a dict over one of the tables of a Module."""

    def __init__(self, items=None):
        super().__init__()
        self.update(items or {})

    def _table(self):
        return self.__dict__[self._kept]

    __getitem__ = lambda self, key: self._table()[key]                     # noqa: E731
    __len__ = lambda self: len(self._table())                              # noqa: E731
    __iter__ = lambda self: iter(self._table())                            # noqa: E731
    __contains__ = lambda self, key: key in self._table()                  # noqa: E731
    keys = lambda self: self._table().keys()                               # noqa: E731
    values = lambda self: self._table().values()                           # noqa: E731
    items = lambda self: self._table().items()                             # noqa: E731
    clear = lambda self: self._table().clear()                             # noqa: E731

    def __delitem__(self, key):
        del self._table()[key]

    def pop(self, key):
        return self._table().pop(key)

    def update(self, items):
        for key, value in items.items() if hasattr(items, "items") else items:
            self[key] = value


class ModuleDict(_Named, Module):
    _kept = "_modules"

    def __setitem__(self, key, module):
        self.add_module(key, module)


class ParameterDict(_Named, Module):
    _kept = "_parameters"

    def __setitem__(self, key, value):
        self.register_parameter(key, value if isinstance(value, Parameter) else Parameter(value))

    def update(self, items):
        super().update(sorted(items.items()) if type(items) is dict else items)

    def extra_repr(self):
        return _described(self._parameters.items())


class ParameterList(Module):
    def __init__(self, values=None):
        super().__init__()
        self.extend(values or ())

    def __len__(self):
        return len(self._parameters)

    def __iter__(self):
        return iter(self._parameters.values())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._parameters[_place(index, len(self))]

    def append(self, value):
        self.register_parameter(str(len(self)), value if isinstance(value, Parameter) else Parameter(value))
        return self

    def extend(self, values):
        for value in values:
            self.append(value)
        return self

    def extra_repr(self):
        return _described(self._parameters.items())
