"""Backward passes, edges, and the nodes of the graph."""
import collections
import ctypes as C
import warnings
import weakref

from . import _dtype, _hooks, _ops
from ._context import check, local
from ._library import BackwardOptions, Edge, Handle, Kind, NodeInfo, Value, describe_node, handles, lib, release, releases

KEEP_GRAPH, RECORD, ALLOW_UNUSED, MATERIALIZE, BATCHED = 1, 2, 4, 8, 16
LEAF_NODE, FREED = 1, 2


GradientEdge = collections.namedtuple("GradientEdge", "node output_nr")


def as_tuple(x, what):
    """One or several tensors or edges, as a tuple."""
    if isinstance(x, (_ops.Tensor, GradientEdge)):
        return (x,)
    if not isinstance(x, (list, tuple)) and not hasattr(x, "__iter__"):
        raise TypeError(f"{what}: expected a tensor or a sequence of tensors")
    x = tuple(x)
    for t in x:
        if not isinstance(t, (_ops.Tensor, GradientEdge)):
            raise TypeError(f"{what}: expected a tensor or a sequence of tensors, not {type(t).__name__}")
    return x


def get_gradient_edge(tensor):
    """Where the gradient of a tensor flows: its node, and which of the node's outputs it is."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    edge = Edge()
    check(lib.gradus_tensor_edge(local.ctx, tensor._h, C.byref(edge)))
    return GradientEdge(node(Handle(edge.node)), edge.output_nr)


def _edges(items, kept):
    """Edges of tensors and edges; kept holds their nodes."""
    found = [t if isinstance(t, GradientEdge) else get_gradient_edge(t) for t in items]
    kept.extend(found)
    return (Edge * max(1, len(found)))(*[Edge(e.output_nr, e.node._h.value, None) for e in found])


def _seeds(seeds, outputs, what):
    if seeds is None:
        return None
    seeds = (seeds,) if isinstance(seeds, _ops.Tensor) else tuple(seeds)
    if len(seeds) != len(outputs):
        raise RuntimeError(f"{what}: got {len(outputs)} tensors and {len(seeds)} gradients")
    for seed, out in zip(seeds, outputs):
        if seed is not None and not isinstance(seed, _ops.Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(seed).__name__}")
    return seeds


def _seeded(seeds, outputs, batched=False):
    """Seeds of the outputs' dtypes, as PyTorch takes them."""
    if seeds is None:
        return None, None
    def fits(s, out):                                                      # as it is; what is refused is refused by the library
        return s is None or isinstance(out, GradientEdge) or (
            s.dtype is out.dtype or s.shape[batched:] != out.shape or s.dtype.is_complex != out.dtype.is_complex)
    seeds = [s if fits(s, out) else s.to(out.dtype) for s, out in zip(seeds, outputs)]
    return handles(seeds), seeds


def _options(retain_graph, create_graph, more=0):
    keep = create_graph if retain_graph is None else retain_graph
    return BackwardOptions(C.sizeof(BackwardOptions), (KEEP_GRAPH if keep else 0) | (RECORD if create_graph else 0) | more)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Adds the gradients of the tensors, each multiplied by its grad_tensor, to the .grad of the leaves (or of inputs)."""
    _ops.unseen("backward")
    if create_graph:
        warnings.warn("backward(create_graph=True) stores gradients that hold the graph, and the leaves hold them: clear .grad after use, "
                      "or take the gradients by autograd.grad", stacklevel=3)
    outputs = as_tuple(tensors, "backward")
    seeds, kept = _seeded(_seeds(grad_tensors, outputs, "backward"), outputs)
    options = _options(retain_graph, create_graph)
    if inputs is not None:
        inputs = as_tuple(inputs, "backward: inputs")
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        array = handles([_of_edge(t) for t in inputs])
        options.input_count, options.inputs = len(inputs), C.cast(array, C.c_void_p)
    if any(isinstance(t, GradientEdge) for t in outputs):
        held = []
        check(lib.gradus_backward_edges(local.ctx, _edges(outputs, held), len(outputs), C.sizeof(Edge), seeds, C.byref(options)))
        return
    check(lib.gradus_backward(local.ctx, handles(outputs), len(outputs), seeds, C.byref(options)))


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None,
         is_grads_batched=False, materialize_grads=False):
    """The gradients of sum(grad_outputs * outputs) with respect to the inputs, as a tuple; no .grad changes."""
    _ops.unseen("grad")
    outputs, inputs = as_tuple(outputs, "grad: outputs"), as_tuple(inputs, "grad: inputs")
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    seeds, kept = _seeded(_seeds(grad_outputs, outputs, "grad"), outputs, is_grads_batched)
    options = _options(retain_graph, create_graph, (ALLOW_UNUSED if allow_unused else 0) | (MATERIALIZE if materialize_grads else 0) |
                       (BATCHED if is_grads_batched else 0))
    results = (C.c_void_p * max(1, len(inputs)))()
    if any(isinstance(t, GradientEdge) for t in (*outputs, *inputs)):
        held = []
        check(lib.gradus_grad_edges(local.ctx, _edges(outputs, held), len(outputs), _edges(inputs, held), len(inputs), C.sizeof(Edge), seeds,
                                    C.byref(options), results))
    else:
        check(lib.gradus_grad(local.ctx, handles(outputs), len(outputs), handles(inputs), len(inputs), seeds, C.byref(options),
                              results))
    return tuple([_ops.wrap(Handle(results[i])) if results[i] else None for i in range(len(inputs))])


def _of_edge(item):
    """The leaf of a leaf's edge; a tensor is itself."""
    if not isinstance(item, GradientEdge):
        return item
    if not item.node._info().flags & LEAF_NODE:
        raise RuntimeError(f"backward: an edge to {item.node.name()} can't be among the inputs: only leaves have a .grad to add to")
    return item.node.variable


# ---- nodes

_nodes = weakref.WeakValueDictionary()                                     # identity: Node
_node_types = {}
function_contexts = weakref.WeakValueDictionary()                          # identity of a custom function's node: its context


@releases
class Node:
    """One recorded operation. Its class is named after it: MulBackward0, AccumulateGrad."""

    __slots__ = ("_h", "__weakref__", "__dict__")

    def __del__(self, release=release):
        release(self._h)

    def _info(self):
        info = NodeInfo(C.sizeof(NodeInfo))
        describe_node(self._h, C.byref(info))
        return info

    def name(self):
        return _name(self._h)

    @property
    def next_functions(self):
        found = []
        for i in range(self._info().edge_count):
            h, nr = Handle(), C.c_uint32()
            check(lib.gradus_node_next(local.ctx, self._h, i, C.byref(h), C.byref(nr)))
            found.append((node(h) if h else None, nr.value))
        return tuple(found)

    def __call__(self, *gradients):
        """The node's rule by itself, outside of a pass and without hooks: the gradient of its input, or a tuple of them where there are several."""
        _ops.unseen("calling a node")
        info = self._info()
        if len(gradients) != info.output_count:
            raise TypeError(f"{self.name()}: expected {info.output_count} arguments, got {len(gradients)} instead")
        for i, g in enumerate(gradients):
            if g is not None and not isinstance(g, _ops.Tensor):
                raise TypeError(f"{self.name()}: argument {i} is not a Tensor")
        given = (C.c_void_p * len(gradients))(*[None if g is None else g._h.value for g in gradients])
        results = (C.c_void_p * max(1, info.edge_count))()
        check(lib.gradus_node_call(local.ctx, self._h, given, len(gradients), results, info.edge_count, None))
        found = tuple([_ops.wrap(Handle(results[i])) if results[i] else None for i in range(info.edge_count)])
        return found[0] if len(found) == 1 else found

    @property
    def metadata(self):
        """A dict for anything, which lives as long as the node does."""
        return _hooks.metadata_of(self)

    def _sequence_nr(self):
        return self._info().sequence

    @property
    def variable(self):
        h = Handle()
        check(lib.gradus_node_variable(local.ctx, self._h, C.byref(h)))
        if not h:
            raise AttributeError(f"'{self.name()}' object has no attribute 'variable'")
        return known(h)

    def register_hook(self, hook):
        """hook(grad_inputs, grad_outputs) after the node's rule; what it returns takes the place of grad_inputs."""
        return _hooks.add_node_hook(self, _hooks.AFTER, hook)

    def register_prehook(self, hook):
        """hook(grad_outputs) before the node's rule; what it returns takes their place."""
        return _hooks.add_node_hook(self, _hooks.BEFORE, hook)

    def __getattr__(self, name):
        context = function_contexts.get(self._info().identity) if not name.startswith("__") else None
        if context is not None and hasattr(type(context), name) or name in getattr(context, "__dict__", ()):
            return getattr(context, name)
        if name.startswith("_raw_saved_"):
            from ._hooks import SavedTensor
            return SavedTensor._of(self, name[11:])
        if not name.startswith("_saved_"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return _saved(self, name[7:])

    def __setattr__(self, name, value):
        if name.startswith("_saved_"):
            raise AttributeError(f"attribute '{name}' of '{type(self).__name__}' objects is not writable")
        object.__setattr__(self, name, value)

    def __dir__(self):
        return sorted([*object.__dir__(self), *(f"_saved_{n}" for n in _saved_names(self))])

    def __repr__(self):
        return f"<{self.name()} object at {self._info().identity:#x}>"


def _name(h):
    text, length = C.create_string_buffer(200), C.c_size_t()
    check(lib.gradus_node_name(local.ctx, h, text, 200, C.byref(length)))
    return text.value.decode()


def node(h):
    """The Node of an owned handle; the same object as long as it lives."""
    info = NodeInfo(C.sizeof(NodeInfo))
    describe_node(h, C.byref(info))
    known = _nodes.get(info.identity)
    if known is not None:
        release(h)
        return known
    name = _name(h)
    made = object.__new__(_node_types.setdefault(name, type(name, (Node,), {"__slots__": (), "__module__": "gradus"})))
    made._h = h
    _nodes[info.identity] = made
    return made


def known(h):
    """The tensor of an owned handle: the leaf that the caller made, if it is one that lives."""
    found = _ops.leaf_at(h.value)
    if found is None:
        return _ops.wrap(h)
    release(h)
    return found


def _saved_names(owner):
    base = owner.name().rstrip("0123456789")
    for record in _ops.registry.records.values():
        if record["name"].replace("_", "").lower() + "backward" == base.lower():
            return [a["schema_name"] for a in record["arguments"]] + ["result"]
    return []


def _saved(owner, name):
    """An argument or result that a node keeps for its rule."""
    _ops.unseen("reading a saved value")
    value, text = Value(), name.encode()
    try:
        check(lib.gradus_node_saved(local.ctx, owner._h, text, len(text), C.byref(value)))
    except IndexError:
        raise AttributeError(f"'{owner.name()}' object has no attribute '_saved_{name}'") from None
    if value.kind == Kind.TENSOR_LIST:
        return tuple(_saved(owner, f"{name}[{i}]") for i in range(value.length))
    return _from_value(value)


def borrowed_value(values, index):
    """One of the arguments of an operation, as Python has it."""
    value = Value.from_address(values + index * C.sizeof(Value))
    if value.kind == Kind.TENSOR:
        return _hooks.borrowed(value.word)
    if value.kind == Kind.TENSOR_LIST:
        return list(_hooks.borrowed_many(value.word, value.length))
    return _from_value(value)


def _from_value(value):
    kind, word = value.kind, value.word
    if kind == Kind.TENSOR:
        return known(Handle(word))
    if kind == Kind.BOOL:
        return bool(word)
    if kind == Kind.I64:
        return C.c_int64(word).value
    if kind == Kind.F64:
        return C.c_double.from_buffer(C.c_uint64(word)).value
    if kind == Kind.TEXT:
        return C.string_at(word, value.length).decode()
    if kind == Kind.DTYPE:
        return _dtype.BY_NUMBER[value.aux]
    if kind in (Kind.I64_LIST, Kind.F64_LIST):
        of = C.c_int64 if kind == Kind.I64_LIST else C.c_double
        return tuple((of * value.length).from_address(word)) if value.length else ()
    return None
