"""Less memory for more time: functions that run again in backward instead of keeping what they saved."""
import contextlib
import ctypes as C
import itertools
import threading

from .. import _graph, _hooks, _ops
from .._context import check, keep_pending, local
from .._errors import GradusError
from .._library import DESTROY, SEGMENT, CheckpointOptions, Handle, lasting, lib, retain

NEW_RANDOM, WHOLE, UNCHECKED = 0x1, 0x2, 0x4
_CAPACITY = 64                                                             # tensors that a function may return
_segments = {}                                                             # token: a function with its arguments
_tokens = itertools.count(1)
_thread = threading.local()


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


@lasting
@SEGMENT
def _run(token, ctx, inputs, input_count, results, capacity, count):
    try:
        found = _segments[token].run(_hooks.borrowed_many(inputs, input_count))
        if len(found) > capacity:
            raise RuntimeError(f"checkpoint: the function returned {len(found)} tensors, {capacity} are the most")
        places = (C.c_void_p * capacity).from_address(results)
        for i, t in enumerate(found):
            retain(t._h)
            places[i] = t._h.value
        C.c_size_t.from_address(count).value = len(found)
        return 0
    except GradusError as error:                                           # of an operation, perhaps because nothing more is needed
        return error.status or keep_pending(ctx, error)
    except BaseException as error:
        return keep_pending(ctx, error)


@lasting
@DESTROY
def _drop(token):
    _segments.pop(token, None)


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, context_fn=None, determinism_check="default", debug=False, **kwargs):
    """function(*args, **kwargs), which runs a second time when backward needs what its operations saved.

    context_fn returns two context managers, for the first run and for the second. determinism_check="none": the second run may save
    other shapes. use_reentrant is PyTorch's choice between two ways; there is one here.
    """
    tensors = []
    form = _taken_apart((args, kwargs), tensors)
    contexts = context_fn() if context_fn else (contextlib.nullcontext(), contextlib.nullcontext())
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    flags = (0 if preserve_rng_state else NEW_RANDOM) | (0 if getattr(_thread, "early_stop", True) else WHOLE) | (
        UNCHECKED if determinism_check == "none" else 0)
    segment, token = _Segment(function, form, contexts), next(_tokens)
    _segments[token] = segment
    options, results, count = CheckpointOptions(C.sizeof(CheckpointOptions), flags), (C.c_void_p * _CAPACITY)(), C.c_size_t()
    try:
        check(lib.gradus_checkpoint(local.ctx, _run, token, _drop, _graph.handles(tensors), len(tensors), C.byref(options), results, _CAPACITY,
                                    C.byref(count)))
    except BaseException:
        _segments.pop(token, None)
        raise
    return _put_together(segment.returned[0], [_ops.wrap(Handle(results[i])) for i in range(count.value)])


def checkpoint_sequential(functions, segments, input, use_reentrant=None, preserve_rng_state=True, **kwargs):
    """Functions one after the other, in so many segments; all but the last are checkpoints."""
    functions = list(functions)
    size = len(functions) // segments

    def run(part):
        def through(x):
            for f in part:
                x = f(x)
            return x
        return through
    for k in range(segments - 1):
        input = checkpoint(run(functions[k * size:(k + 1) * size]), input, preserve_rng_state=preserve_rng_state, **kwargs)
    return run(functions[(segments - 1) * size:])(input)


@contextlib.contextmanager
def set_checkpoint_early_stop(enable):
    """Inside, checkpoints are made whose second run ends with the last value that is needed, or not."""
    before, _thread.early_stop = getattr(_thread, "early_stop", True), bool(enable)
    try:
        yield
    finally:
        _thread.early_stop = before
