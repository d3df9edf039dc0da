"""Backward passes, nodes of the graph, and hooks."""
import ctypes as C
import itertools
import weakref

from . import _ops
from ._context import check, keep_pending, local
from ._library import DESTROY, HOOK, BackwardOptions, Handle, NodeInfo, describe_node, lib, release, retain
from ._tensor import Tensor

KEEP_GRAPH, RECORD, ALLOW_UNUSED, MATERIALIZE = 1, 2, 4, 8
LEAF_NODE, FREED = 1, 2


def as_tuple(x, what):
    if isinstance(x, Tensor):
        return (x,)
    if not isinstance(x, (list, tuple)) or not all(isinstance(t, Tensor) or t is None for t in x):
        raise TypeError(f"{what}: expected a tensor or a sequence of tensors")
    return tuple(x)


def _handles(tensors):
    return (C.c_void_p * max(1, len(tensors)))(*[None if t is None else t._h.value for t in tensors])


def _seeds(seeds, outputs, what):
    if seeds is None:
        return None
    seeds = (seeds,) if isinstance(seeds, Tensor) else tuple(seeds)
    if len(seeds) != len(outputs):
        raise RuntimeError(f"{what}: got {len(outputs)} tensors and {len(seeds)} gradients")
    for seed, out in zip(seeds, outputs):
        if seed is not None and not isinstance(seed, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(seed).__name__}")
    return seeds


def _seeded(seeds, outputs):
    """Seeds of the outputs' dtypes, as PyTorch takes them."""
    if seeds is None:
        return None, None
    seeds = [s if s is None or s.dtype is out.dtype or s.shape != out.shape else s.to(out.dtype) for s, out in zip(seeds, outputs)]
    return _handles(seeds), seeds


def _options(retain_graph, create_graph, more=0):
    keep = create_graph if retain_graph is None else retain_graph
    return BackwardOptions(C.sizeof(BackwardOptions), (KEEP_GRAPH if keep else 0) | (RECORD if create_graph else 0) | more)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Adds the gradients of the tensors, each multiplied by its grad_tensor, to the .grad of the leaves (or of inputs)."""
    outputs = as_tuple(tensors, "backward")
    seeds, kept = _seeded(_seeds(grad_tensors, outputs, "backward"), outputs)
    options = _options(retain_graph, create_graph)
    if inputs is not None:
        inputs = as_tuple(inputs, "backward: inputs")
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        array = _handles(inputs)
        options.input_count, options.inputs = len(inputs), C.cast(array, C.c_void_p)
    check(lib.gradus_backward(local.ctx, _handles(outputs), len(outputs), seeds, C.byref(options)))


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None,
         is_grads_batched=False, materialize_grads=False):
    """The gradients of sum(grad_outputs * outputs) with respect to the inputs, as a tuple; no .grad changes."""
    outputs, inputs = as_tuple(outputs, "grad: outputs"), as_tuple(inputs, "grad: inputs")
    if is_grads_batched:
        return _batched(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    seeds, kept = _seeded(_seeds(grad_outputs, outputs, "grad"), outputs)
    options = _options(retain_graph, create_graph, (ALLOW_UNUSED if allow_unused else 0) | (MATERIALIZE if materialize_grads else 0))
    results = (C.c_void_p * max(1, len(inputs)))()
    check(lib.gradus_grad(local.ctx, _handles(outputs), len(outputs), _handles(inputs), len(inputs), seeds, C.byref(options), results))
    return tuple([_ops.wrap(Handle(results[i])) if results[i] else None for i in range(len(inputs))])


def _batched(outputs, inputs, seeds, retain_graph, create_graph, allow_unused, materialize_grads):
    seeds = _seeds(seeds, outputs, "grad")
    size = next(len(s) for s in seeds if s is not None)
    rows = [grad(outputs, inputs, [None if s is None else s[i] for s in seeds], True if i + 1 < size or create_graph else retain_graph,
                 create_graph, True, allow_unused, False, materialize_grads) for i in range(size)]
    stack = _ops.function("stack")
    return tuple(None if any(g is None for g in column) else stack(column) for column in zip(*rows))


# ---- nodes

_nodes = weakref.WeakValueDictionary()                                     # identity: Node
_node_types = {}


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

    @property
    def metadata(self):
        return self.__dict__.setdefault("_metadata", {})

    def _sequence_nr(self):
        return self._info().sequence

    @property
    def variable(self):
        h = Handle()
        check(lib.gradus_node_variable(local.ctx, self._h, C.byref(h)))
        if not h:
            raise AttributeError(f"'{self.name()}' object has no attribute 'variable'")
        return _ops.wrap(h)

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


# ---- hooks

_hooks = {}                                                                # token: the Python function
_tokens = itertools.count(1)


@HOOK
def _run_hook(token, ctx, gradient, replacement):
    try:
        retain(gradient)
        hook = _hooks[token]
        result = hook(_ops.wrap(Handle(gradient)))
        if result is not None:
            if not isinstance(result, Tensor):
                raise TypeError(f"expected Tensor, but hook returned '{type(result).__name__}'")
            retain(result._h)
            C.c_void_p.from_address(replacement).value = result._h.value
        return 0
    except BaseException as error:
        return keep_pending(ctx, error)


@DESTROY
def _drop_hook(token):
    _hooks.pop(token, None)


class RemovableHandle:
    """Of a hook: remove(), or the end of a with block, takes it away."""

    def __init__(self, tensor, hook_id):
        self._tensor, self.id = tensor, hook_id

    def remove(self):
        tensor, self._tensor = self._tensor, None
        if tensor is not None:
            try:
                check(lib.gradus_tensor_remove_hook(local.ctx, tensor._h, self.id))
            except IndexError:                                             # the tensor has another history by now
                pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()


def add_hook(tensor, hook):
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    token, hook_id = next(_tokens), C.c_uint64()
    _hooks[token] = hook
    try:
        check(lib.gradus_tensor_add_hook(local.ctx, tensor._h, _run_hook, token, _drop_hook, C.byref(hook_id)))
    except BaseException:
        del _hooks[token]
        raise
    return RemovableHandle(tensor, hook_id.value)
