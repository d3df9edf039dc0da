"""The caller's code inside a backward pass: hooks of tensors, leaves, groups and nodes, and hooks on saved values.

Each kind has one C callback; the user pointer is a token for the Python function.
"""
import ctypes as C
import itertools
import weakref

from . import _ops
from ._context import check, keep_pending, local
from ._library import (DEFERRED, DESTROY, DISCARD, HOOK, LEAF_HOOK, MULTI_HOOK, NODE_HOOK, PACK, UNPACK, Handle, SavedHooks, lasting, lib, retain)

BEFORE, AFTER = 0, 1
_functions = {}                                                            # token: a Python function
_tokens = itertools.count(1)


@lasting
@DESTROY
def _drop(token):
    _functions.pop(token, None)


def _registered(function, register):
    """Calls register(token, destroy) for a Python function, which stays until the library destroys it."""
    _ops.unseen("a hook")
    token = next(_tokens)
    _functions[token] = function
    try:
        check(register(token, _drop))
    except BaseException:
        _functions.pop(token, None)
        raise


def _callback(kind):
    """A C callback of a Python function; what that raises is carried through the library."""
    def make(body):
        def run(token, ctx, *rest):
            try:
                body(_functions[token], *rest)
                return 0
            except BaseException as error:
                return keep_pending(ctx, error)
        return lasting(kind(run))
    return make


def borrowed(address):
    """A tensor of an address that somebody else holds."""
    if not address:
        return None
    known = _ops.leaf_at(address)
    if known is not None:
        return known
    retain(address)
    return _ops.wrap(Handle(address))


def _give(tensor, place):
    """Puts one reference to a tensor into a place that the library reads."""
    retain(tensor._h)
    C.c_void_p.from_address(place).value = tensor._h.value


def borrowed_many(addresses, count):
    return tuple(borrowed(a) for a in (C.c_void_p * count).from_address(addresses)) if count else ()


def _checked(result, what="hook"):
    if not isinstance(result, _ops.Tensor):
        raise TypeError(f"expected Tensor, but {what} returned '{type(result).__name__}'")
    return result


@_callback(HOOK)
def _run_hook(hook, gradient, replacement):
    result = hook(borrowed(gradient))
    if result is not None:
        _give(_checked(result), replacement)


@_callback(LEAF_HOOK)
def _run_leaf_hook(hook, leaf):
    if hook(borrowed(leaf)) is not None:
        raise RuntimeError("Tensor post accumulate grad hooks should return None.")


@_callback(MULTI_HOOK)
def _run_multi_hook(hook, gradients, count):
    hook(borrowed_many(gradients, count))


@_callback(NODE_HOOK)
def _run_node_hook(hook, gradients, count, incoming, incoming_count, replacements):
    result = hook(borrowed_many(gradients, count), borrowed_many(incoming, incoming_count))
    if result is None:
        return
    result = (result,) if isinstance(result, _ops.Tensor) else tuple(result)
    if len(result) != count:
        raise RuntimeError(f"hook has returned an incorrect number of gradients (got {len(result)}, but expected {count})")
    for i, g in enumerate(result):
        if g is not None:
            _give(_checked(g), replacements + i * C.sizeof(C.c_void_p))


@_callback(DEFERRED)
def _run_deferred(function):
    function()


class RemovableHandle:
    """Of a hook: remove(), or the end of a with block, takes it away."""

    _ids = itertools.count()

    def __init__(self, *removals):
        self._removals, self.id = removals, next(self._ids)

    def remove(self):
        removals, self._removals = self._removals, ()
        for function, target, hook_id in removals:
            try:
                check(function(local.ctx, target._h, hook_id))
            except IndexError:                                             # the tensor has another history by now
                pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()


def add_tensor_hook(tensor, hook):
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    hook_id = C.c_uint64()
    _registered(hook, lambda token, drop: lib.gradus_tensor_add_hook(local.ctx, tensor._h, _run_hook, token, drop, C.byref(hook_id)))
    return RemovableHandle((lib.gradus_tensor_remove_hook, tensor, hook_id.value))


def add_leaf_hook(tensor, hook):
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not tensor.is_leaf:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    hook_id = C.c_uint64()
    _registered(hook, lambda token, drop: lib.gradus_tensor_add_grad_hook(local.ctx, tensor._h, _run_leaf_hook, token, drop, C.byref(hook_id)))
    return RemovableHandle((lib.gradus_tensor_remove_hook, tensor, hook_id.value))


def add_multi_hook(tensors, hook, mode="all"):
    """hook(gradients) when all of the tensors have theirs, or hook(gradient) at the first with mode "any"."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    tensors = list(tensors)
    ids, handles = (C.c_uint64 * max(1, len(tensors)))(), (C.c_void_p * max(1, len(tensors)))(*[t._h.value for t in tensors])
    function = hook if mode == "all" else lambda gradients: hook(next(g for g in gradients if g is not None))
    _registered(function, lambda token, drop: lib.gradus_tensors_add_hook(local.ctx, handles, len(tensors), int(mode == "any"), _run_multi_hook,
                                                                           token, drop, ids))
    return RemovableHandle(*[(lib.gradus_tensor_remove_hook, t, i) for t, i in zip(tensors, ids)])


def add_node_hook(node, when, hook):
    hook_id = C.c_uint64()
    function = hook if when == AFTER else lambda gradients, incoming: hook(gradients)
    _registered(function, lambda token, drop: lib.gradus_node_add_hook(local.ctx, node._h, when, _run_node_hook, token, drop, C.byref(hook_id)))
    return RemovableHandle((lib.gradus_node_remove_hook, node, hook_id.value))


class _Metadata(dict):
    """A node's dict, held by the node as a hook that does nothing."""

    __slots__ = ("__weakref__",)

    def __call__(self, gradients, incoming):
        pass


_metadata = weakref.WeakValueDictionary()                                  # identity of a node: its dict


def metadata_of(node):
    identity = node._info().identity
    found = _metadata.get(identity)
    if found is None:
        found = _metadata[identity] = _Metadata()
        add_node_hook(node, AFTER, found)
    return found


def queue_callback(function):
    """Inside a backward pass: function() is called when the pass is over."""
    _registered(function, lambda token, drop: lib.gradus_backward_defer(local.ctx, _run_deferred, token, drop))


class Engine:
    """PyTorch's name for where callbacks are queued: Variable._execution_engine."""

    queue_callback = staticmethod(queue_callback)


# ---- saved values

_packed = {}                                                               # token: what a pack hook returned


@_callback(PACK)
def _run_pack(hooks, tensor, op, replacement, token):
    packed = hooks[0](borrowed(tensor))
    number = next(_tokens)
    _packed[number] = packed
    C.c_void_p.from_address(token).value = number


@_callback(UNPACK)
def _run_unpack(hooks, replacement, token, result):
    found = hooks[1](_packed[token])
    if not isinstance(found, _ops.Tensor):
        raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(found).__name__}")
    _give(found, result)


@lasting
@DISCARD
def _run_discard(token, packed):
    _packed.pop(packed, None)


class saved_tensors_hooks:
    """Inside, pack_hook(tensor) sees every value that is saved; unpack_hook gets what it returned when the value is read."""

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        def push(token, drop):
            hooks = SavedHooks(C.sizeof(SavedHooks), 0, _run_pack, _run_unpack, _run_discard, token, drop)
            return lib.gradus_context_push_saved_hooks(local.ctx, C.byref(hooks))
        _registered((self.pack_hook, self.unpack_hook), push)

    def __exit__(self, *error):
        check(lib.gradus_context_pop_saved_hooks(local.ctx))


class SavedTensor:
    """A tensor that a node keeps for its rule, where hooks of its own can be put on it (``grad_fn._raw_saved_self``)."""

    def __init__(self, *_, **__):
        raise RuntimeError("a SavedTensor can't be made by hand; grad_fn._raw_saved_NAME is the one of a node")

    @classmethod
    def _of(cls, owner, name):
        self = cls.__new__(cls)
        self._owner, self._name = owner, name
        return self

    def register_hooks(self, pack_hook, unpack_hook):
        """Packs the value at once; unpack_hook gives it back each time it is read."""
        name = self._name.encode()

        def hook(token, drop):
            hooks = SavedHooks(C.sizeof(SavedHooks), 0, _run_pack, _run_unpack, _run_discard, token, drop)
            return lib.gradus_node_hook_saved(local.ctx, self._owner._h, name, len(name), C.byref(hooks))
        _registered((pack_hook, unpack_hook), hook)


class save_on_cpu(saved_tensors_hooks):
    """Keeps copies of the saved values."""

    def __init__(self, pin_memory=False, device_type="cuda"):
        super().__init__(lambda t: t.clone(), lambda t: t)
