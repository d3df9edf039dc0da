"""Many calls in one crossing (batch), and operations of the caller, with a name and a schema, which are invoked, listed and differentiated as the
library's own.

    @gradus.library.custom_op("mylib::scaled_exp")
    def scaled_exp(x: gradus.Tensor, scale: float = 1.0) -> gradus.Tensor:
        return (x * scale).exp()

    @scaled_exp.register_autograd
    def backward(ctx, grad): ...

A registered operation lives until the process ends.
"""
import ctypes as C
import inspect
import itertools
import json
import struct
import types
import typing

from . import _dtype, _hooks, _ops
from ._batch import Batch, batch, result_of  # noqa: F401
from ._context import check, keep_pending, local
from ._library import Handle, Kind, Value, declare, lasting, lib, registry_text, retain

_P, _Z = C.c_void_p, C.c_size_t
_OP = C.CFUNCTYPE(C.c_int32, _P, _P, _P, _Z, _P, _Z, _P)
_definitions = {}                                                          # token: a CustomOpDef
_tokens = itertools.count(1)


class _Definition(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("name", C.c_char_p), ("schema", C.c_char_p), ("summary", C.c_char_p),
                ("forward", _OP), ("backward", _OP), ("user", C.c_void_p)]


declare("op_register", (_P, _P, _P))

_SCHEMA_TYPES = {int: "int", float: "float", bool: "bool", str: "str", _dtype.dtype: "ScalarType", typing.Union[int, float, bool]: "Scalar",
                 typing.Union[int, float]: "Scalar"}


# ---- schemas from signatures
def _type(annotation, where):
    """The schema's words for an annotation: (before the name, whether None is accepted)."""
    if annotation is _ops.Tensor:
        return "Tensor"
    if annotation in _SCHEMA_TYPES:
        return _SCHEMA_TYPES[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is getattr(types, "UnionType", typing.Union):
        others = [a for a in arguments if a is not type(None)]
        if len(others) < len(arguments):
            return _type(typing.Union[tuple(others)], where) + "?"
    if origin in (list, tuple) or getattr(origin, "__name__", "") == "Sequence":
        if origin is not tuple or len(arguments) == 2 and arguments[1] is Ellipsis:
            return _type(arguments[0], where) + "[]"
    raise ValueError(f"infer_schema: {where} has the annotation {annotation!r}, which has no type in a schema")


def _default(value):
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, _dtype.dtype):
        return value.name
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, (list, tuple)) else str(value)


def infer_schema(function, mutates_args=()):
    """The schema of a function whose parameters and result are annotated: "(Tensor x, float scale=1.0) -> Tensor"."""
    if tuple(mutates_args):
        raise NotImplementedError("custom_op: operations that write their arguments can't be registered")
    hints, words, keyword_only = typing.get_type_hints(function), [], False
    for p in inspect.signature(function).parameters.values():
        if p.name not in hints or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise ValueError(f"infer_schema: parameter {p.name} must have a type annotation, and be one")
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            words.append("*")
        words.append(f"{_type(hints[p.name], 'parameter ' + p.name)} {p.name}" + ("" if p.default is p.empty else "=" + _default(p.default)))
    result = hints.get("return")
    arguments = typing.get_args(result)
    if typing.get_origin(result) is tuple and Ellipsis not in arguments:
        results = "(" + ", ".join(_type(a, "the result") for a in arguments) + ")"
    else:
        results = _type(result, "the result")
    return f"({', '.join(words)}) -> {results}"


# ---- values of the library as Python's
def _list(v, kind):
    return list((kind * v.length).from_address(v.word)) if v.length else []


def _decode(v):
    if v.kind == Kind.TENSOR:
        return _hooks.borrowed(v.word)
    if v.kind == Kind.TENSOR_LIST:
        return [_hooks.borrowed(a) for a in _list(v, C.c_void_p)]
    if v.kind == Kind.F64:
        return struct.unpack("=d", struct.pack("=Q", v.word))[0]
    if v.kind == Kind.I64:
        return C.c_int64(v.word).value
    if v.kind == Kind.BOOL:
        return bool(v.word)
    if v.kind == Kind.I64_LIST:
        return _list(v, C.c_int64)
    if v.kind == Kind.F64_LIST:
        return _list(v, C.c_double)
    if v.kind == Kind.TEXT:
        return C.string_at(v.word, v.length).decode() if v.length else ""
    return _dtype.BY_NUMBER[v.aux] if v.kind == Kind.DTYPE else None


def _decoded(values, count):
    return [_decode(v) for v in (Value * count).from_address(values)] if count else []


def _give(tensors, results, capacity, count):
    C.c_size_t.from_address(count).value = len(tensors)
    if len(tensors) > capacity or not tensors:
        return
    places = (Value * capacity).from_address(results)
    for place, t in zip(places, tensors):
        if t is not None:
            retain(t._h)
            place.kind, place.word = Kind.TENSOR, t._h.value


def _callback(body):
    def run(token, ctx, values, value_count, results, capacity, count):
        try:
            _give(body(_definitions[token], _decoded(values, value_count)), results, capacity, count)
            return 0
        except BaseException as error:
            return keep_pending(ctx, error)
    return lasting(_OP(run))


@_callback
def _forward(definition, values):
    return definition._flat_results(definition._function(*values[:definition._positional], **definition._keywords(values)))


@_callback
def _backward(definition, values):
    return definition._gradients(values)


class _BackwardContext:
    """What setup_context leaves for backward."""

    saved_tensors = ()

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    def set_materialize_grads(self, value):
        if not value:
            raise NotImplementedError("the gradients of a registered operation are always materialised")


class CustomOpDef:
    """A registered operation. Calling it invokes it through the library."""

    def __init__(self, name, function, schema):
        self._name, self._function = name, function
        self._setup = self._rule = None
        token = next(_tokens)
        _definitions[token] = self
        plain, doc = name.replace("::", "."), (inspect.getdoc(function) or "").split("\n")[0]
        handle = Handle()
        definition = _Definition(C.sizeof(_Definition), 0, plain.encode(), schema.encode(), doc.encode(), _forward, _backward, token)
        try:
            check(lib.gradus_op_register(local.ctx, C.byref(definition), C.byref(handle)))
        except BaseException:
            del _definitions[token]
            raise
        record = next(r for r in reversed(json.loads(registry_text())["ops"]) if r["name"] == plain)
        record["results"] = [{**r, "name": ""} for r in record["results"]]
        arguments = record["arguments"]
        self._names = [a["schema_name"] for a in arguments]
        self._positional = sum(not a["keyword_only"] for a in arguments)
        self._kinds = [(a["type"] == "tensor", a["list"]) for a in arguments]
        self._list_result = any(r["list"] for r in record["results"])
        _ops.registry.records[plain] = record
        _ops.registry.names[plain].append(plain)
        self._operation = _ops.Operation(record)
        self.__name__, self.__doc__ = plain.split(".")[-1], inspect.getdoc(function)

    def __call__(self, *args, **kwargs):
        return _ops.call(self._name, [self._operation], args, kwargs)

    def __repr__(self):
        return f"<CustomOpDef({self._name})>"

    @property
    def _opoverload_schema(self):
        return self._operation.record["schema"]

    def register_autograd(self, backward, /, *, setup_context=None):
        """backward(ctx, *gradients) returns one gradient or None per argument; setup_context(ctx, inputs, output) saves for it.

        Its gradients are recorded under create_graph, so a rule made of operations has any number of derivatives. setup_context runs when
        the backward pass arrives, on the arguments and results as the library kept them.
        """
        self._rule, self._setup = backward, setup_context
        return backward

    def _keywords(self, values):
        return dict(zip(self._names[self._positional:], values[self._positional:len(self._names)]))

    def _flat_results(self, results):
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        for r in results:
            if not isinstance(r, _ops.Tensor):
                raise TypeError(f"{self._name}: its implementation returned {type(r).__name__}, where a Tensor is needed")
        return results

    def _gradients(self, values):
        if self._rule is None:
            raise RuntimeError(f"Trying to backward through {self._name} but no autograd formula was registered. "
                               "Please use register_autograd to add one.")
        n = len(self._names)
        inputs, rest = values[:n], values[n:]
        outputs, grads = rest[:len(rest) // 2], rest[len(rest) // 2:]
        ctx = _BackwardContext()
        ctx.needs_input_grad = tuple(isinstance(v, _ops.Tensor) and v.requires_grad for v in inputs)
        if self._setup is not None:
            more = {"keyword_only_inputs": self._keywords(values)} if self._positional < n else {}
            self._setup(ctx=ctx, inputs=tuple(inputs[:self._positional]), output=outputs[0] if len(outputs) == 1 else tuple(outputs), **more)
        found = self._rule(ctx, *grads)
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(found) != self._positional:
            raise RuntimeError(f"{self._name}: its backward returned {len(found)} gradients for {self._positional} arguments")
        return self._flat_gradients(found + [None] * (n - self._positional), inputs)

    def _flat_gradients(self, found, inputs):
        flat = []
        for name, (is_tensor, is_list), given, g in zip(self._names, self._kinds, inputs, found):
            if not is_tensor:
                if g is not None:
                    raise RuntimeError(f"{self._name}: its backward returned a gradient for {name}, which is no tensor")
            elif not is_list:
                flat.append(g)
            elif given is not None:
                members = [None] * len(given) if g is None else list(g)
                if len(members) != len(given):
                    raise RuntimeError(f"{self._name}: its backward returned {len(members)} gradients for the {len(given)} members of {name}")
                flat += members
        for g in flat:
            if g is not None and not isinstance(g, _ops.Tensor):
                raise TypeError(f"{self._name}: its backward returned {type(g).__name__}, where a Tensor or None is needed")
        return flat


def custom_op(name, fn=None, /, *, mutates_args=(), schema=None):
    """Registers a function as the operation "namespace::name"; the schema comes from its annotations unless it is given."""
    def register(function):
        return CustomOpDef(name, function, infer_schema(function, mutates_args) if schema is None else schema)
    return register if fn is None else register(fn)


def register_autograd(op, backward, /, *, setup_context=None):
    """The same as op.register_autograd; op may be the name."""
    find(op).register_autograd(backward, setup_context=setup_context)


def find(op):
    """The operation of a name that custom_op registered."""
    if isinstance(op, CustomOpDef):
        return op
    for definition in _definitions.values():
        if definition._name.replace("::", ".") == op.replace("::", "."):
            return definition
    raise LookupError(f"no operation {op} was registered by custom_op")
