"""Less memory for more time: functions that run again in backward instead of keeping what they saved."""
import contextlib
import ctypes as C
import enum
import itertools
import threading

from .. import _graph, _hooks, _ops
from .._context import check, keep_pending, local
from .._errors import GradusError
from .._library import DESTROY, KEEP, SEGMENT, STEP, CheckpointOptions, Handle, lasting, lib, retain
from ..library import CustomOpDef

NEW_RANDOM, WHOLE, UNCHECKED = 0x1, 0x2, 0x4
_CAPACITY = 1024                                                           # tensors that a function may return
_segments = {}                                                             # token: a function with its arguments
_tokens = itertools.count(1)
_thread = threading.local()


class CheckpointPolicy(enum.Enum):
    """What a policy says of an operation's results. MUST and PREFER are the same here."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3


class SelectiveCheckpointContext:
    """For policies. They are asked in the first run alone, the second does as they said: is_recompute is False."""

    is_recompute = False


class _Selection(tuple):
    """The two contexts of a selective checkpoint, which carry the choice."""

    kept, policy = (), None


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation=False):
    """For context_fn: which results are kept for backward, and not computed again.

    A list of operations, by name ("mm") or function (gradus.mm), or policy(ctx, name, *args) that returns a CheckpointPolicy or a bool
    for each call of the first run. A kept result that is written in place later is an error in backward.
    """
    if allow_cache_entry_mutation:
        raise NotImplementedError("checkpoint: kept results that are written in place would give wrong gradients")
    made = _Selection((contextlib.nullcontext(), contextlib.nullcontext()))
    if callable(policy_fn_or_list):
        made.policy = policy_fn_or_list
        return made
    if not isinstance(policy_fn_or_list, (list, tuple, set, frozenset)):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    kept = []
    for op in policy_fn_or_list:
        name = op if isinstance(op, str) else getattr(op, "__name__", None)
        operations = [op._operation] if isinstance(op, CustomOpDef) else _ops.registry.find(name) if name else None
        found = [o.handle.value for o in operations or []]
        if not found:
            raise ValueError(f"Expected op in `op_list` to be an operation or its name but got: {op!r} of type {type(op)}.")
        kept += found
    made.kept = kept
    return made


def _taken_apart(value, tensors):
    """The value with places for its tensors, which are added to the list; tuples, lists and dicts are looked into."""
    if isinstance(value, _ops.Tensor):
        tensors.append(value)
        return _Place(len(tensors) - 1)
    if type(value) in (tuple, list):
        return type(value)(_taken_apart(v, tensors) for v in value)
    if type(value) is dict:
        return {k: _taken_apart(v, tensors) for k, v in value.items()}
    return value


class _Place:
    def __init__(self, index):
        self.index = index


def _put_together(value, tensors):
    if isinstance(value, _Place):
        return tensors[value.index]
    if type(value) in (tuple, list):
        return type(value)(_put_together(v, tensors) for v in value)
    if type(value) is dict:
        return {k: _put_together(v, tensors) for k, v in value.items()}
    return value


class _Segment:
    """A function, its arguments, and the form of what it returned the first time."""

    def __init__(self, function, form, contexts):
        self.function, self.form, self.contexts, self.returned = function, form, contexts, None

    def run(self, tensors):
        args, kwargs = _put_together(self.form, tensors)
        with self.contexts[self.returned is not None]:
            value = self.function(*args, **kwargs)
        results = []
        form = _taken_apart(value, results)
        if self.returned is None:
            self.returned = (form,)
        return results


def _callback(kind):
    """A C callback of what a token stands for. A failure of an operation is passed on: perhaps nothing more is needed."""
    def make(body):
        def run(token, ctx, *rest):
            try:
                body(_segments[token], *rest)
                return 0
            except GradusError as error:
                return error.status or keep_pending(ctx, error)
            except BaseException as error:
                return keep_pending(ctx, error)
        return lasting(kind(run))
    return make


def _give(tensors, places, capacity):
    if len(tensors) > capacity:
        raise RuntimeError(f"checkpoint: the function returned {len(tensors)} tensors, {capacity} are the most")
    array = (C.c_void_p * capacity).from_address(places)
    for i, t in enumerate(tensors):
        retain(t._h)
        array[i] = t._h.value


@_callback(SEGMENT)
def _run(segment, inputs, input_count, results, capacity, count):
    found = segment.run(_hooks.borrowed_many(inputs, input_count))
    _give(found, results, capacity)
    C.c_size_t.from_address(count).value = len(found)


@_callback(STEP)
def _run_step(step, i, state, count, results):
    found = step(i, _hooks.borrowed_many(state, count))
    if len(found) != count:
        raise ValueError(f"checkpoint_loop: a step returned {len(found)} tensors for a state of {count}")
    _give(found, results, count)


@_callback(KEEP)
def _ask(segment, op, values, count, yes):
    args = [_graph.borrowed_value(values, i) for i in range(count)]
    answer = segment.contexts.policy(SelectiveCheckpointContext(), _ops.registry.name_of(op), *args)
    if not isinstance(answer, (bool, CheckpointPolicy)):
        raise TypeError(f"checkpoint: a policy returned {type(answer).__name__}, not a CheckpointPolicy")
    keeps = answer in (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE) if isinstance(answer, CheckpointPolicy) else answer
    C.c_int32.from_address(yes).value = int(keeps)


@lasting
@DESTROY
def _drop(token):
    _segments.pop(token, None)


def _options(preserve_rng_state, determinism_check, contexts=()):
    """The options for C, and what has to live as long as they do."""
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    flags = (0 if preserve_rng_state else NEW_RANDOM) | (0 if getattr(_thread, "early_stop", True) else WHOLE) | (
        UNCHECKED if determinism_check == "none" else 0)
    kept = (C.c_void_p * len(getattr(contexts, "kept", ())))(*getattr(contexts, "kept", ()))
    policy = getattr(contexts, "policy", None)
    return CheckpointOptions(C.sizeof(CheckpointOptions), flags, len(kept), C.addressof(kept) if len(kept) else None, _ask if policy else KEEP()), kept


def _handed_over(thing, call):
    """call(token), whose library call keeps the thing until it says _drop."""
    _ops.unseen("checkpoint")
    token = next(_tokens)
    _segments[token] = thing
    try:
        check(call(token))
    except BaseException:
        _segments.pop(token, None)
        raise


def _no_trace(debug):
    if debug:
        raise NotImplementedError("checkpoint: debug=True: no trace of the operations is kept")


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, context_fn=None, determinism_check="default", debug=False, **kwargs):
    """function(*args, **kwargs), which runs a second time when backward needs what its operations saved.

    context_fn returns two context managers, for the first run and for the second, or what create_selective_checkpoint_contexts made.
    determinism_check="none": the second run may save other shapes. use_reentrant is PyTorch's choice between two ways; there is one here.
    """
    _no_trace(debug)
    tensors = []
    form = _taken_apart((args, kwargs), tensors)
    contexts = context_fn() if context_fn else (contextlib.nullcontext(), contextlib.nullcontext())
    options, held = _options(preserve_rng_state, determinism_check, contexts)
    segment, results, count = _Segment(function, form, contexts), (C.c_void_p * _CAPACITY)(), C.c_size_t()
    _handed_over(segment, lambda token: lib.gradus_checkpoint(local.ctx, _run, token, _drop, _graph.handles(tensors), len(tensors), C.byref(options),
                                                              results, _CAPACITY, C.byref(count)))
    return _put_together(segment.returned[0], [_ops.wrap(Handle(results[i])) for i in range(count.value)])


def checkpoint_loop(step, steps, state, preserve_rng_state=True, determinism_check="default"):
    """state = step(i, state) for i in range(steps), keeping O(log steps) states and running each step O(log steps) times.

    The state is a tensor, or a tuple or list of tensors.
    """
    single = isinstance(state, _ops.Tensor)
    given = [state] if single else list(state)
    options, held = _options(preserve_rng_state, determinism_check)
    results = (C.c_void_p * max(1, len(given)))()
    run = (lambda i, tensors: (step(i, *tensors),)) if single else (lambda i, tensors: step(i, type(state)(tensors)))
    _handed_over(run, lambda token: lib.gradus_checkpoint_loop(local.ctx, _run_step, token, _drop, int(steps), _graph.handles(given), len(given),
                                                               C.byref(options), results))
    found = [_ops.wrap(Handle(results[i])) for i in range(len(given))]
    return found[0] if single else type(state)(found)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, preserve_rng_state=True, context_fn=None, determinism_check="default",
                          debug=False):
    """Functions one after the other, in so many segments; all but the last are checkpoints."""
    _no_trace(debug)
    functions = list(functions)
    size = len(functions) // segments

    def run(part):
        def through(x):
            for f in part:
                x = f(x)
            return x
        return through
    for k in range(segments - 1):
        input = checkpoint(run(functions[k * size:(k + 1) * size]), input, preserve_rng_state=preserve_rng_state, context_fn=context_fn,
                           determinism_check=determinism_check)
    return run(functions[(segments - 1) * size:])(input)


@contextlib.contextmanager
def set_checkpoint_early_stop(enable):
    """Inside, checkpoints are made whose second run ends with the last value that is needed, or not."""
    before, _thread.early_stop = getattr(_thread, "early_stop", True), bool(enable)
    try:
        yield
    finally:
        _thread.early_stop = before
