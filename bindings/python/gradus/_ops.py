"""The call machinery: one Python function per PyTorch name, made at first use from the library's registry.

A name answers to one or several operations (`max`: max, max_dim, maximum). The first whose signature takes the arguments is called.
"""
import collections
import contextlib
import ctypes as C
import json
import struct
import threading
import weakref

from . import _calls, _dtype, _encode
from ._context import check, local
from ._device import check_device
from ._errors import NumberTooLarge
from ._encode import DEFAULT, ENCODERS, NONE, is_number  # noqa: F401
from ._library import Handle, lib, registry_text, release

_RESULTS = {n: C.c_uint64 * (3 * n) for n in (1, 2, 3, 4, 64)}               # of gradus_value, as words
_SYNONYMS = {"axis": "dim", "keepdims": "keepdim", "x": "self", "input": "self", "x2": "other", "a": "self", "A": "self"}
_NO_NUMBERS = {"maximum", "minimum", "fmax", "fmin"}                          # PyTorch's take two tensors
_OF_SEQUENCES = {"cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack"}   # cat([a, b])
_DROPPED = {"device", "layout", "pin_memory", "memory_format", "generator", "non_blocking"}
Tensor = None                                                              # the class, which _tensor sets
leaves = weakref.WeakValueDictionary()                                     # address: the Tensor that requires_grad_ was called on


def leaf_at(address):
    """The caller's own object for a leaf, or None."""
    found = leaves.get(address)
    return found if found is not None and found._h.value == address else None


class Operation:
    """One operation of the registry: how arguments are put into gradus_values, and results into tensors."""

    def __init__(self, record):
        self.name, self.record = record["name"], record
        text = self.name.encode()
        self.handle = Handle(lib.gradus_op_find(text, len(text)))
        arguments = record["arguments"]
        self.count = len(arguments)
        self.encoders = [_encode.whole_tensors if a["type"] == "tensor" and a["list"] and not a.get("optional_elements")
                         else ENCODERS[a["type"], a["list"]] for a in arguments]
        if self.encoders.count(_encode.tensor) == 1 or self.name in _NO_NUMBERS:         # a number alone is no tensor
            self.encoders = [_encode.tensor_only if e is _encode.tensor else e for e in self.encoders]
        self.strict_encoders = [_encode.tensor_only if e is _encode.tensor else e for e in self.encoders]
        self.optional = [a["optional"] or a["type"] == "other" for a in arguments]
        self.required = [i for i, a in enumerate(arguments) if "default" not in a and a["type"] != "other"]
        self.positional = [i for i, a in enumerate(arguments) if not a["keyword_only"] and a["type"] != "other"]
        self.places = {a["name"]: i for i, a in enumerate(arguments)}
        self.places.update({a["schema_name"]: i for i, a in enumerate(arguments)})
        for synonym, name in _SYNONYMS.items():
            if name in self.places:
                self.places.setdefault(synonym, self.places[name])
        first = arguments[0] if arguments else {"type": "", "list": False}
        rest = self.positional[1:] if first["type"] == "tensor" and not first["list"] else self.positional
        self.gathers = len(rest) == 1 and arguments[rest[0]]["list"] and arguments[rest[0]]["type"] == "int"
        self.gathers_tensors = first["type"] == "tensor" and first["list"] and self.name not in _OF_SEQUENCES
        self.in_place, self.view = record["in_place"], record["view"]
        results = record["results"]
        self.list_result = any(r["list"] for r in results)
        self.capacity = 64 if self.list_result else max(1, len(results))
        names = [r["name"] for r in results]
        self.tuple = _result_type(record["serves"], self.name, names) if len(results) > 1 and all(names) else None

    def gathering(self, args):
        """From which argument on they make up one list, as in view(2, 3); len(args): none do. None: they are too many. The types decide."""
        fixed = len(self.positional) - 1
        if self.gathers_tensors and args and all(isinstance(a, Tensor) for a in args):
            return 0
        if len(args) > len(self.positional):
            return fixed if self.gathers else None
        return fixed if self.gathers and len(args) == len(self.positional) and isinstance(args[-1], int) else len(args)

    def bind(self, args, kwargs, strict=False):
        """(encoded arguments, what must stay alive), or None where the arguments don't fit; strict: no number for a tensor."""
        positional, encoders = self.positional, self.strict_encoders if strict else self.encoders
        start = self.gathering(args)
        if start is None:
            return None
        if start < len(args):
            args = (*args[:start], args[start:])
        pieces, keep = [DEFAULT] * self.count, []
        for i, v in zip(positional, args):
            piece = encoders[i](v, keep) if v is not None or not self.optional[i] else NONE
            if piece is None:
                return None
            pieces[i] = piece
        for name, v in kwargs.items():
            i = self.places.get(name)
            if i is None:
                if name in _DROPPED:
                    if name == "device":
                        check_device(v)
                    continue
                return None
            if pieces[i] is not DEFAULT:
                return None
            piece = encoders[i](v, keep) if v is not None or not self.optional[i] else NONE
            if piece is None:
                return None
            pieces[i] = piece
        for i in self.required:
            if pieces[i] is DEFAULT:
                return None
        return b"".join(pieces), keep

    def first_of(self, kwargs):
        """The first argument, given by name, alone; () where it is not given."""
        return tuple([v for name, v in kwargs.items() if self.places.get(name) == 0])

    def run(self, bound, args):
        """Calls it; args[0] is its first argument, which comes back where the operation writes or returns that very tensor."""
        watcher = getattr(local, "watcher", None) if _watching else None
        if watcher is None:
            return self._run(bound[0], args)
        local.watcher = None                                               # what an operation of the caller does is its own
        try:
            result = self._run(bound[0], args)
        finally:
            local.watcher = watcher
        watcher.ran(self, bound, result)
        return result

    def _run(self, data, args):
        capacity = self.capacity
        if self.in_place:
            check(lib.gradus_invoke(local.ctx, self.handle, data, self.count, None, 0, None))
            return args[0]
        words, count = _RESULTS[capacity](), C.c_size_t()
        status = lib.gradus_invoke(local.ctx, self.handle, data, self.count, words, capacity, C.byref(count))
        if status and count.value > capacity:
            capacity = count.value
            words = (C.c_uint64 * (3 * capacity))()
            status = lib.gradus_invoke(local.ctx, self.handle, data, self.count, words, capacity, C.byref(count))
        if status:
            check(status)
        if capacity == 1:
            if args and isinstance(args[0], Tensor) and words[1] == args[0]._h.value:
                release(words[1])
                return args[0]
            return wrap(Handle(words[1]))
        results = tuple([wrap(Handle(words[3 * i + 1])) for i in range(count.value)])
        return self.tuple(*results) if self.tuple else results


def _result_type(serves, name, fields):
    """The class of several results with names, called as PyTorch's function is."""
    name = serves[0].split(".")[0] if serves else name

    def text(self):
        return f"torch.return_types.{name}(" + ",".join(f"\n{k}={v!r}" for k, v in zip(fields, self)) + ")"
    return type(name, (collections.namedtuple(name, fields),), {"__slots__": (), "__repr__": text, "__module__": "gradus"})


def wrap(handle):
    """A tensor that owns the reference."""
    t = new_tensor(Tensor)
    t._h = handle
    return t


new_tensor = object.__new__
usual = True                                                               # callers may be used: no other default type, nobody who watches
_watching, _lock = 0, threading.Lock()


def set_usual():
    global usual
    usual = _dtype._default is _dtype.float32 and not _watching


_dtype.default_changed = set_usual


@contextlib.contextmanager
def watched(watcher):
    """Inside, of this thread, watcher.ran(operation, bound, result) hears of every operation, watcher.made(tensor) of those made from numbers."""
    global _watching
    before, local.watcher = getattr(local, "watcher", None), watcher
    with _lock:
        _watching += 1
        set_usual()
    try:
        yield
    finally:
        local.watcher = before
        with _lock:
            _watching -= 1
            set_usual()


def unseen(what):
    """For what is no operation: refuses while this thread's operations are recorded to be replayed, which would leave it out."""
    if _watching and getattr(local, "watcher", None) is not None:
        raise RuntimeError(f"replay: {what} inside the function can't be replayed")


def from_numbers(handle):
    """A tensor that owns the reference, made of values of the caller's."""
    t = wrap(handle)
    if _watching and getattr(local, "watcher", None) is not None:
        local.watcher.made(t)
    return t


class Registry:
    """The operations by PyTorch's names."""

    def __init__(self):
        self.records = {r["name"]: r for r in json.loads(registry_text())["ops"]}
        self.names = collections.defaultdict(list)                         # PyTorch name: names of operations, the best first
        for name in self.records:
            self.names[name].append(name)
        for name, record in self.records.items():
            if record["in_place"]:
                continue
            written = name + "_" if name + "_" in self.records else None
            for overload in record["serves"]:
                base = overload.split(".")[0]
                if base.endswith("_") and not base.startswith("__"):
                    self._add(base, written)
                else:
                    self._add(base, name)
                    if not base.startswith("__"):
                        self._add(base + "_", written)
        self.operations, self.addresses = {}, {}

    def _add(self, base, name):
        if name and name not in self.names[base]:
            self.names[base].append(name)

    def operation(self, name):
        if name not in self.operations:
            self.operations[name] = Operation(self.records[name])
        return self.operations[name]

    def name_of(self, handle):
        """Of an operation's address."""
        if handle not in self.addresses:
            self.addresses = {lib.gradus_op_find(name.encode(), len(name.encode())): name for name in self.records}
        return self.addresses.get(handle, "")

    def find(self, name):
        """The operations that answer a PyTorch name, or None."""
        return [self.operation(n) for n in self.names[name]] if name in self.names else None


registry = Registry()


def _kind(v):
    if isinstance(v, (list, tuple)):
        return f"{type(v).__name__} of {', '.join(sorted({_kind(x) for x in v})) or 'nothing'}"
    return type(v).__name__


def refuse(name, operations, args, kwargs):
    given = ", ".join([_kind(a) for a in args] + [f"{k}={_kind(v)}" for k, v in kwargs.items()])
    forms = "".join("\n  " + op.record["schema"] for op in operations)
    raise TypeError(f"{name}(): got an invalid combination of arguments: ({given}); it takes{forms}")


def _resolve(operations, args, kwargs):
    """The first operation that takes the arguments; one that takes a number for a tensor comes last."""
    for strict in (True, False) if len(operations) > 1 else (False,):
        for op in operations:
            bound = op.bind(args, kwargs, strict)
            if bound is not None:
                return op, bound
    return None, None


def call(name, operations, args, kwargs, plans=None):
    """The general way; plans [null ok] receives a caller for later arguments of the same types."""
    given = kwargs
    if kwargs.get("generator") is not None:
        with kwargs["generator"].in_force():
            return call(name, operations, args, {k: v for k, v in kwargs.items() if k != "generator"})
    if "out" in kwargs:
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
    try:
        op, bound = _resolve(operations, args, kwargs)
    except (OverflowError, struct.error) as error:
        raise NumberTooLarge(f"{name}(): {error}") from None
    if bound is None and any(name in kwargs and kwargs[name] is None for name in ("axis", "dtype")):   # np.max(x) names all that it has
        return call(name, operations, args, {k: v for k, v in given.items() if v is not None or k not in ("axis", "dtype")})
    if bound is None:
        refuse(name, operations, args, kwargs)
    if _dtype._default is not _dtype.float32 and "dtype" not in kwargs:
        args, bound = with_default_dtype(op, args, kwargs, bound)
    result = op.run(bound, args or op.first_of(kwargs))
    if given is not kwargs and given["out"] is not None:
        return put_out(name, given["out"], result)
    if plans is not None and usual and given is kwargs and kwargs.get("device") is None:
        kinds = [type(v) for v in (*args, *kwargs.values())]
        if _calls.is_simple(kinds):
            def general(*args, **kwargs):
                return call(name, operations, args, kwargs)
            plans[key_of(args, kwargs)] = _calls.caller(op, args, kwargs, general, wrap) or general
    return result


def key_of(args, kwargs):
    return (*map(type, args), *kwargs, *map(type, kwargs.values())) if kwargs else tuple(map(type, args))


def with_default_dtype(op, args, kwargs, bound):
    """Integers that become floating numbers become ones of the default type: the library's rule is float32."""
    tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, Tensor)]
    if op.in_place or op.record["random"] or not tensors or any(t.dtype.is_floating_point or t.dtype.is_complex for t in tensors):
        return args, bound
    probe = op.run(bound, args or op.first_of(kwargs))
    if isinstance(probe, Tensor) and probe.dtype is _dtype.float32:
        def real(v):
            return v.to(_dtype._default) if isinstance(v, Tensor) and (op.name != "where" or v.dtype is not _dtype.bool_) else v
        args, kwargs = tuple(map(real, args)), {k: real(v) for k, v in kwargs.items()}
        bound = op.bind(args, kwargs)
    return args, bound


def put_out(name, out, result):
    """out= after the fact: the values go into the given tensors, which take the result's shape: the library resizes those that no other tensor sees."""
    if isinstance(result, tuple):
        return type(result)(*[put_out(name, o, r) for o, r in zip(out, result)]) if hasattr(result, "_fields") else tuple(
            put_out(name, o, r) for o, r in zip(out, result))
    if out.requires_grad or result.requires_grad:
        raise RuntimeError(f"{name}(): functions with out=... arguments don't support automatic differentiation, "
                           "but one of the arguments requires grad.")
    if not result.dtype.fits(out.dtype):
        raise RuntimeError(f"{name}(): result type {result.dtype} can't be cast to the desired output type {out.dtype}")
    if out.shape != result.shape:
        unseen("out= with a tensor of another shape")
        op, outs = registry.operation("clone"), Handle(out._h.value)
        data, _ = op.bind((result,), {})
        check(lib.gradus_invoke_out(local.ctx, op.handle, data, op.count, C.byref(outs), 1))
        return out
    return out.copy_(result)


def make(name, operations):
    """The function of a name: by a caller for the types of its arguments, the first time by trying its operations."""
    plans = {}
    plan_of = plans.get

    def function(*args, **kwargs):
        plan = plan_of((*map(type, args), *kwargs, *map(type, kwargs.values())) if kwargs else tuple(map(type, args)))
        if plan is not None and usual:
            return plan(*args, **kwargs)
        return call(name, operations, args, kwargs, plans)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "\n".join(f"{op.record['schema']}\n\n{op.record['doc']}" for op in operations)
    function.__module__ = "gradus"
    return function


functions = {}


def function(name):
    """The function of a PyTorch name, or None."""
    if name not in functions:
        operations = registry.find(name)
        functions[name] = make(name, operations) if operations else None
    return functions[name]


_exact = {}


def exact(name):
    """The function of the operation of exactly that name."""
    if name not in _exact:
        _exact[name] = make(name, [registry.operation(name)])
    return _exact[name]


def registry_call(name, *args, **kwargs):
    """Calls the operation of exactly that name."""
    return (_exact.get(name) or exact(name))(*args, **kwargs)
