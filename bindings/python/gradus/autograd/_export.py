"""The recorded graph as text, as include/gradus/graph.h describes it."""
import ctypes as C

from .. import _graph
from .._context import check, local
from .._library import lib

DOT, JSON, TABLE = 1, 2, 3
SAVED = 1


class _Options(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("name_count", C.c_uint64), ("tensors", C.c_void_p), ("names", C.c_void_p)]


def _export(outputs, format, names, saved=False):
    outputs, names = _graph.as_tuple(outputs, "graph"), dict(names or {})
    tensors, texts = _graph.handles(list(names.values())), (C.c_char_p * max(1, len(names)))(*[name.encode() for name in names])
    options = _Options(C.sizeof(_Options), SAVED if saved else 0, len(names), C.addressof(tensors), C.addressof(texts))
    text, length = C.create_string_buffer(1 << 16), C.c_size_t()
    while True:
        check(lib.gradus_graph_export(local.ctx, _graph.handles(outputs), len(outputs), C.byref(options), format, text, len(text), C.byref(length)))
        if length.value < len(text):
            return text.value.decode()
        text = C.create_string_buffer(length.value + 1)


def graph_dot(outputs, names=None, saved=False):
    """The graph behind the outputs for Graphviz. names: {"x": tensor, ...}; saved: with what the nodes keep."""
    return _export(outputs, DOT, names, saved)


def graph_json(outputs, names=None):
    """The graph behind the outputs for programs."""
    return _export(outputs, JSON, names)


def saved_table(outputs):
    """What the graph behind the outputs keeps for backward, by operation."""
    return _export(outputs, TABLE, None)
