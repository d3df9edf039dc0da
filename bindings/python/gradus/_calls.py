"""Callers made for the types of the arguments: the text of a Python function that packs them and crosses once, compiled at the first such call.

`x.sum(1)` and `x.sum(dim=1)` are two of them; `_ops` finds the operation for the first call by trying its overloads, and later calls of the
same types go straight there. What types alone don't decide stays with the general way.
"""
import array
import ctypes as C
import keyword
import struct

from . import _dtype
from ._context import check, local
from ._library import Handle, Kind, lib, release

_invoke = lib["gradus_invoke"]                                             # its arguments are C objects already: nothing to convert
_LETTERS = {bool: "q", int: "q", float: "d"}
_NUMBERS = {bool: Kind.BOOL, int: Kind.I64, float: Kind.F64}
_NO_ALPHA = {"add", "add_", "sub", "sub_"}                                 # their typed functions leave alpha at 1
_RESULTS = [C.c_uint64 * max(1, 3 * n) for n in range(65)]
_SIZES = [C.c_size_t(n) for n in range(65)]
_FEW = 8                                                                   # results of an operation that returns a list, as a rule
REFUSED = (TypeError, AttributeError, OverflowError, ValueError, struct.error)
SIMPLE = {bool, int, float, str, list, tuple, type(None), _dtype.dtype}    # and tensors: what a caller can be made for
Tensor = None                                                              # the class, which _tensor sets


def is_simple(kinds):
    return all(k in SIMPLE or issubclass(k, Tensor) for k in kinds)


class _Piece:
    """One gradus_value: the struct letters of its second and third word, and the expressions of the three."""

    def __init__(self, kind, letter="Q", word="0", length="0", before=()):
        self.letters, self.words, self.before = "Q" + letter + "Q", (str(kind), word, length), before


def _listed(kind, letter, expression, name):
    made = f"_{name}_ = _array('{letter}', {expression})"
    return _Piece(kind, "Q", f"_{name}_.buffer_info()[0]", f"_len(_{name}_)", (made,))


def _piece(argument, kind, name):
    """How an argument of a Python type goes into its place; None where the type alone does not say it."""
    wanted, listed = argument["type"], argument["list"]
    if kind is type(None):
        return _Piece(Kind.NONE) if argument["optional"] or wanted == "other" else None
    if listed:
        if wanted == "int" and kind is int:
            return _Piece(Kind.I64, "q", name)
        if not issubclass(kind, (list, tuple)):
            return None
        if wanted == "tensor":
            return _listed(Kind.TENSOR_LIST, "Q", f"[t._h.value for t in {name}]", name)
        return _listed(Kind.I64_LIST, "q", name, name) if wanted == "int" else None
    if issubclass(kind, Tensor):
        return _Piece(Kind.TENSOR, "Q", f"{name}._h.value") if wanted == "tensor" else None
    if wanted in ("tensor", "number", "bool", "int") and kind in _NUMBERS:
        return _Piece(_NUMBERS[kind], _LETTERS[kind], name)
    if wanted == "float" and kind in _NUMBERS:
        return _Piece(Kind.F64, "d", name)
    if wanted == "dtype" and kind is _dtype.dtype:
        return _Piece(f"{Kind.DTYPE} | {name}.number << 32")
    if wanted == "text" and kind is str:
        return _listed(Kind.TEXT, "B", f"{name}.encode()", name)
    return _Piece(Kind.NONE) if wanted == "other" else None


class _Source:
    """The parameters of a caller and what stands in each place of the operation. All other names in its text begin with _, no argument's does."""

    def __init__(self, op, args, kwargs):
        self.op, self.places = op, {}                                      # place: (argument's type, its name)
        names = [f"_{i}" for i in range(len(args))]
        self.parameters = ", ".join(names + (["*"] if kwargs else []) + list(kwargs))
        self.again = ", ".join(names + [f"{k}={k}" for k in kwargs])
        self.first = names[0] if args else next((k for k in kwargs if op.places.get(k) == 0), None)
        self.first_is_tensor = isinstance((args or op.first_of(kwargs) or (None,))[0], Tensor)
        start = op.gathering(args)
        given = list(zip(map(type, args), names))
        if start < len(args):
            given[start:] = [(tuple, "(" + ", ".join(names[start:]) + ",)")]
        for place, pair in zip(op.positional, given):
            self.places[place] = pair
        for name, v in kwargs.items():
            if name in op.places:
                self.places[op.places[name]] = type(v), name

    def typed(self):
        """A call of the typed C function, where all arguments are tensors: the handles themselves; or None."""
        op = self.op
        arguments = [a for a in op.record["arguments"] if a["name"] != "alpha"]
        if len(arguments) < op.count and op.name not in _NO_ALPHA or sorted(self.places) != list(range(len(arguments))):
            return None
        plain = all(a["type"] == "tensor" and not a["list"] and issubclass(k, Tensor) for a, (k, _) in
                    zip(arguments, (self.places[i] for i in range(len(arguments)))))
        if not plain or len(op.record["results"]) != 1 or op.list_result or not hasattr(lib, "gradus_" + op.name):
            return None
        handles = ", ".join(f"{self.places[i][1]}._h" for i in range(len(arguments)))
        return f"_typed(_local.ctx, {handles}, {'None' if op.in_place else '_byref(_h)'})"

    def pieces(self):
        """The values up to the last that is given, or None."""
        found = []
        for place in range(max(self.places, default=-1) + 1):
            kind, name = self.places.get(place, (None, ""))
            piece = _Piece(0) if kind is None else _piece(self.op.record["arguments"][place], kind, name if name.isidentifier() else f"_g{place}")
            if piece is None:
                return None
            if not name.isidentifier() and kind is not None:
                piece.before = (f"_g{place} = {name}", *piece.before)
            found.append(piece)
        return found


def _one(source, result):
    """The lines that return one tensor; an argument that comes back is the caller's own object."""
    same = [f"    if {result} == {source.first}._h.value:", f"        _release({result})", f"        return {source.first}"]
    return (same if source.first_is_tensor else []) + ["    _t = _new(_Tensor)"]


def _text(source):
    """The caller's text and the struct of its values, or None."""
    op, typed = source.op, source.typed()
    if typed:
        body = [] if op.in_place else ["    _h = _Handle()"]
        body += [f"    _status = {typed}", "    if _status:", "        _check(_status)"]
        body += [f"    return {source.first}"] if op.in_place else [*_one(source, "_h.value"), "    _t._h = _h", "    return _t"]
        return body, None
    pieces = source.pieces()
    if pieces is None or len(pieces) > 64:
        return None
    body = ["    try:", *[f"        {line}" for p in pieces for line in p.before],
            "        _data = _pack(" + ", ".join(w for p in pieces for w in p.words) + ")",
            "    except _REFUSED:", "        _data = None", "    if _data is None:", f"        return _general({source.again})"]
    if op.in_place:
        body += [f"    _status = _invoke(_local.ctx, _op, _data, _sizes[{len(pieces)}], None, _zero, None)"]
    else:
        room = "_byref(_n)" if op.list_result else "None"
        body += ["    _w = _results()", *(["    _n = _Size()"] if op.list_result else []),
                 f"    _status = _invoke(_local.ctx, _op, _data, _count, _w, _capacity, {room})"]
    if op.list_result:                                                     # more than there is room for is the general way's
        body += [f"    if _n.value > {_FEW}:", f"        return _general({source.again})"]
    body += ["    if _status:", "        _check(_status)"]
    if op.in_place:
        body += [f"    return {source.first}"]
    elif op.capacity == 1:
        body += [*_one(source, "_w[1]"), "    _t._h = _Handle(_w[1])", "    return _t"]
    elif op.list_result:
        body += ["    return _tuple([_wrap(_Handle(_a)) for _a in _w[1:3 * _n.value:3]])"]
    else:
        tensors = ", ".join(f"_wrap(_Handle(_w[{3 * i + 1}]))" for i in range(op.capacity))
        body += [f"    return _made({tensors})" if op.tuple else f"    return ({tensors})"]
    return body, struct.Struct("=" + "".join(p.letters for p in pieces))


def caller(op, args, kwargs, general, wrap):
    """A function for arguments of these types, which `op` takes; None where none can be made."""
    if any(map(keyword.iskeyword, kwargs)):
        return None
    source = _Source(op, args, kwargs)
    found = _text(source)
    if found is None:
        return None
    body, packer = found
    count, room = len(packer.format) // 3 if packer else 0, _FEW if op.list_result else op.capacity
    space = {"pack": packer and packer.pack, "general": general, "invoke": _invoke, "op": op.handle, "local": local, "check": check,
             "release": release, "len": len, "tuple": tuple,
             "Handle": Handle, "Tensor": Tensor, "new": object.__new__, "wrap": wrap, "array": array.array, "REFUSED": REFUSED, "byref": C.byref,
             "results": _RESULTS[room], "capacity": _SIZES[room], "Size": C.c_size_t, "zero": _SIZES[0], "sizes": _SIZES, "count": _SIZES[count],
             "made": op.tuple, "typed": lib["gradus_" + op.name] if packer is None else None}
    space = {"_" + name: value for name, value in space.items()}
    exec("\n".join([f"def call({source.parameters}):", *body]), space)
    return space["call"]
