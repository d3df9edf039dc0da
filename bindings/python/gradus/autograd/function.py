"""Functions of the caller with derivatives of their own: one node of the graph each time they are applied."""
import ctypes as C
import functools
import inspect
import itertools
import warnings

from .. import _graph, _hooks, _ops
from .._context import check, keep_pending, local
from .._library import DESTROY, FUNCTION, FunctionDefinition, Handle, lasting, lib, release, retain

ONCE_DIFFERENTIABLE = 0x1
_CAPACITY = 64                                                             # results at first; more are asked for by their number
_applied = {}                                                              # token: context of an application that the graph still holds
_tokens = itertools.count(1)
_of_nodes = _graph.function_contexts                                       # identity of a node: its context


@lasting
@DESTROY
def _drop(token):
    context = _applied.pop(token, None)
    if context is not None:
        context._call = None


class FunctionCtx:
    """What forward leaves for backward. Attributes are free to use."""

    _call = None                                                           # the library's handle, as long as the graph holds it
    _saved = _for_jvp = _dirty = _constant = ()
    _in_jvp = False
    _materialize = True

    def __init__(self, function, args):
        self._function, self._arguments = function, args
        self._is_tensor = [isinstance(a, _ops.Tensor) for a in args]
        self._needs = tuple(t and a.requires_grad for t, a in zip(self._is_tensor, args))

    @property
    def needs_input_grad(self):
        """By argument, whether it is a tensor that requires grad; in backward, whether this pass asks for its gradient."""
        if self._call is None or not any(self._needs):
            return self._needs
        asked, yes, tensors = [], C.c_int32(), itertools.count()
        for is_tensor in self._is_tensor:
            if is_tensor:
                check(lib.gradus_function_needs_input_grad(local.ctx, self._call, next(tensors), C.byref(yes)))
            asked.append(is_tensor and bool(yes.value))
        return tuple(asked)

    def save_for_backward(self, *tensors):
        for t in tensors:
            if t is not None and not isinstance(t, _ops.Tensor):
                raise TypeError(f"save_for_backward can only save variables, but got an object of type {type(t).__name__}")
        self._saved = tensors

    def save_for_forward(self, *tensors):
        """What saved_tensors is in jvp, if that is not what backward has."""
        self._for_jvp = tensors

    def mark_dirty(self, *tensors):
        """The inputs that forward writes."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """The results that have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value):
        """False: backward gets None where no gradient came."""
        self._materialize = bool(value)

    @property
    def saved_tensors(self):
        if not isinstance(self._saved, int):
            return tuple(self._saved)                                      # still inside forward, or nothing was recorded
        if self._call is None:
            raise RuntimeError("Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed).")
        found = []
        split = self._saved - self._for_jvp
        for i in range(split, self._saved) if self._in_jvp and self._for_jvp else range(split):
            h = Handle()
            check(lib.gradus_function_saved(local.ctx, self._call, i, C.byref(h)))
            found.append(_graph.known(h) if h else None)
        return tuple(found)

    def _hand_over(self, call):
        """What forward said, to the library; it keeps the saved tensors from here on."""
        self._call = call
        self._saved = (*self._saved, *self._for_jvp)
        for tensors, function in ((self._saved, lib.gradus_function_save_for_backward), (self._dirty, lib.gradus_function_mark_dirty),
                                  (self._constant, lib.gradus_function_mark_non_differentiable)):
            if tensors:
                check(function(local.ctx, call, _graph.handles(tensors), len(tensors)))
        if not self._materialize:
            check(lib.gradus_function_set_materialize(local.ctx, call, 0))
        self._saved, self._for_jvp, self._dirty, self._constant = len(self._saved), len(self._for_jvp), (), ()


def _give(tensors, results, capacity, count):
    C.c_size_t.from_address(count).value = len(tensors)
    if len(tensors) > capacity:
        return
    places = (C.c_void_p * max(1, capacity)).from_address(results) if capacity else ()
    for i, t in enumerate(tensors):
        if t is not None:
            retain(t._h)
            places[i] = t._h.value


@lasting
@FUNCTION
def _forward(token, ctx, call, tensors, tensor_count, results, capacity, count):
    try:
        context = _applied[token]
        outputs = context._outputs = context._function._run(context, context._arguments)
        context._hand_over(call)
        _give(context._tensors_of(outputs), results, capacity, count)
        return 0
    except BaseException as error:
        return keep_pending(ctx, error)


@lasting
@FUNCTION
def _vjp(token, ctx, call, tensors, tensor_count, results, capacity, count):
    try:
        context = _applied[token]
        context._call = call
        gradients = iter(_hooks.borrowed_many(tensors, tensor_count))
        found = context._function._rule()(context, *[next(gradients) if t else None for t in context._is_result])
        _give(context._checked(found), results, capacity, count)
        return 0
    except BaseException as error:
        return keep_pending(ctx, error)


@lasting
@FUNCTION
def _jvp(token, ctx, call, tensors, tensor_count, results, capacity, count):
    context = _applied[token]
    try:
        context._call, context._in_jvp = call, True
        tangents = iter(_hooks.borrowed_many(tensors, tensor_count))
        found = context._function.jvp(context, *[next(tangents) if t else None for t in context._is_tensor])
        _give(context._checked_tangents(found), results, capacity, count)
        return 0
    except BaseException as error:
        return keep_pending(ctx, error)
    finally:
        context._in_jvp = False


class _Context(FunctionCtx):
    """The part that Function uses."""

    _outputs = None

    def _tensors_of(self, outputs):
        """The tensors among what forward returned."""
        if isinstance(outputs, list):
            outputs = self._outputs = tuple(outputs)
        self._single = not isinstance(outputs, tuple)
        outputs = (outputs,) if self._single else outputs
        self._is_result = [isinstance(o, _ops.Tensor) for o in outputs]
        if self._single and not self._is_result[0]:
            raise TypeError(f"{self._function.__name__}.forward: expected to return tensors, but got {type(outputs[0]).__name__}")
        return [o for o in outputs if isinstance(o, _ops.Tensor)]

    def _check_saved_inputs(self, outputs):
        """Outside forward, a saved input that is an output, too, is neither for certain: the output is another tensor, with a history."""
        returned = {id(o) for o in (outputs if isinstance(outputs, tuple) else (outputs,)) if isinstance(o, _ops.Tensor)}
        returned &= {id(a) for a in self._arguments} - {id(t) for t in (*self._dirty, *self._constant)}
        if any(self._needs) and any(id(t) in returned for t in self._saved):
            raise RuntimeError("A input that has been returned as-is as output is being saved for backward. This is not supported if you override "
                               "setup_context. You should return and save a view of the input instead, e.g. with x.view_as(x) or setup ctx inside "
                               "the forward function itself.")

    def _checked(self, found):
        """One gradient per tensor among the arguments, from what backward returned."""
        name = self._function.__name__ + "Backward"
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        while len(found) > len(self._is_tensor) and found[-1] is None:
            found.pop()
        if len(found) != len(self._is_tensor):
            raise RuntimeError(f"function {name} returned an incorrect number of gradients (expected {len(self._is_tensor)}, got {len(found)})")
        for i, (g, t) in enumerate(zip(found, self._is_tensor)):
            if g is not None and not isinstance(g, _ops.Tensor):
                raise TypeError(f"{name}: expected Variable or None (got {type(g).__name__})")
            if g is not None and not t:
                raise RuntimeError(f"function {name} returned a gradient different from None at position {i + 1}, "
                                   "but the corresponding forward input was not a Variable")
        return [g for g, t in zip(found, self._is_tensor) if t]

    def _checked_tangents(self, found):
        """One tangent per tensor among the results, from what jvp returned."""
        name = self._function.__name__
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(found) != len(self._is_result):
            raise RuntimeError(f"{name}.jvp: expected {len(self._is_result)} tangents, one per output of forward, got {len(found)}")
        for t in found:
            if t is not None and not isinstance(t, _ops.Tensor):
                raise TypeError(f"{name}.jvp: expected Tensor or None (got {type(t).__name__})")
        return [t for t, r in zip(found, self._is_result) if r]

    def _returned(self, addresses, inputs):
        """What apply returns: the objects that forward returned where the library gives the same tensors."""
        outputs = (self._outputs,) if self._single else self._outputs
        same = {t._h.value: t for t in (*inputs, *[o for o in outputs if isinstance(o, _ops.Tensor)])}
        self._outputs = self._arguments = None
        addresses, made = iter(addresses), []
        for o in outputs:
            if not isinstance(o, _ops.Tensor):
                made.append(o)
                continue
            address = next(addresses)
            if address in same:
                release(address)
                made.append(same[address])
            else:
                made.append(_ops.wrap(Handle(address)))
        recorded = next((t for t in made if isinstance(t, _ops.Tensor) and t.grad_fn is not None), None)
        if recorded is not None:
            _of_nodes[recorded.grad_fn._info().identity] = self
        return made[0] if self._single else tuple(made)


_signature = functools.lru_cache(maxsize=None)(inspect.signature)


def _with_defaults(forward, args):
    """The arguments with forward's defaults, which setup_context and backward count, too."""
    bound = _signature(forward).bind(*args)
    bound.apply_defaults()
    return bound.args


class Function:
    """Derive from it: forward(ctx, *args) and backward(ctx, *gradients) are static methods; call it by apply(*args).

    With setup_context(ctx, inputs, output), forward takes the arguments alone.
    """

    def __init__(self, *args, **kwargs):
        warnings.warn(f"{type(self).__name__} should not be instantiated: its methods are static; call apply", DeprecationWarning, stacklevel=2)

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx, inputs, output):
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError("You must implement either the backward or vjp method for your custom autograd.Function "
                                  "to use it with backward mode AD.")

    vjp = backward

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """The tangents of the outputs. Jacobian-vector products go by it through a backward that is once_differentiable."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")

    @classmethod
    def _rule(cls):
        """backward or vjp: a class has one of them."""
        if cls.vjp is Function.vjp:
            return cls.backward
        if cls.backward is not Function.backward:
            raise RuntimeError("Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of them.")
        return cls.vjp

    @classmethod
    def _run(cls, context, args):
        if cls.setup_context is Function.setup_context:
            return cls.forward(context, *args)
        outputs = cls.forward(*args)
        cls.setup_context(context, args, outputs)
        context._check_saved_inputs(outputs)
        return outputs

    @classmethod
    def apply(cls, *args):
        _ops.unseen("autograd.Function.apply")
        cls._rule()
        if cls.setup_context is not Function.setup_context:
            args = _with_defaults(cls.forward, args)
        context, token = _Context(cls, args), next(_tokens)
        inputs = [a for a in args if isinstance(a, _ops.Tensor)]
        _applied[token] = context
        once = ONCE_DIFFERENTIABLE if any(getattr(rule, "once_differentiable", False) for rule in (cls.backward, cls.vjp)) else 0
        name = cls.__name__.encode()
        definition = FunctionDefinition(C.sizeof(FunctionDefinition), once, name, _forward, _vjp, token, _drop,
                                        FUNCTION() if cls.jvp is Function.jvp else _jvp)
        results, count = (C.c_void_p * _CAPACITY)(), C.c_size_t()
        try:
            check(lib.gradus_function_apply(local.ctx, C.byref(definition), _graph.handles(inputs), len(inputs), results, _CAPACITY, C.byref(count)))
        except BaseException:
            _applied.pop(token, None)
            raise
        return context._returned([results[i] for i in range(count.value)], inputs)


def once_differentiable(backward):
    """Decorates a backward whose gradients can't be differentiated again."""
    @functools.wraps(backward)
    def wrapped(ctx, *grads):
        return backward(ctx, *grads)
    wrapped.once_differentiable = True
    return wrapped


InplaceFunction = Function
