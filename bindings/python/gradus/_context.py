"""One context per thread, made at first use; errors of its calls as exceptions; the modes that live in it."""
import ctypes as C
import functools
import threading

from . import _errors, _signals
from ._library import ContextInfo, ContextOptions, ErrorInfo, Handle, lib, release, releases

RECORDING, INFERENCE = 0x1, 0x2


def _new_context(interrupt, threads=0):
    made, options = Handle(), ContextOptions(struct_size=C.sizeof(ContextOptions), threads=threads, interrupt=interrupt)
    status = lib.gradus_context_create(C.byref(options), C.byref(made))
    if status:
        raise _errors.make(status, f"no context of {threads} threads could be created", "gradus_context_create")
    return made


class _Local(threading.local):
    """ctx: this thread's context. pending: exceptions on their way out of callbacks, by the code the library carries."""

    def __init__(self):
        self.raised = []                                                   # by a signal handler inside a call
        self.interrupt = _signals.interrupt(self.raised)
        self.ctx = _new_context(self.interrupt)
        self.owner = _Owner(self.ctx)
        self.pending, self.next_code = {}, 0


@releases
class _Owner:
    """Releases a context with the thread's locals."""

    def __init__(self, ctx):
        self.ctx = ctx

    def __del__(self, release=release):
        release(self.ctx)


local = _Local()


def fail():
    """Raises the context's last failure."""
    here = local
    info = ErrorInfo(struct_size=C.sizeof(ErrorInfo))
    lib.gradus_context_error(here.ctx, C.byref(info))
    category = info.status & ~0xFF
    if category == _errors.CALLBACK and info.user_code in here.pending:
        raise here.pending.pop(info.user_code)
    if category == _errors.CANCELLED and here.raised:
        raise here.raised.pop()
    message = (info.message or b"").decode(errors="replace")
    raise _errors.make(info.status, message, (info.origin or b"").decode(errors="replace"))


def check(status):
    if status:
        if status == 0x0301:
            raise _errors.make(status, "the context is inside a call on another thread", "")
        fail()


def keep_pending(ctx, error):
    """For callbacks: remembers a Python exception and tells the library; the status to return."""
    here = local
    here.next_code += 1
    here.pending[here.next_code] = error
    text = f"{type(error).__name__}: {error}".encode(errors="replace")[:1000]
    return lib.gradus_context_fail(ctx, _errors.CALLBACK, here.next_code, text, len(text))


def describe():
    info = ContextInfo(struct_size=C.sizeof(ContextInfo))
    check(lib.gradus_context_describe(local.ctx, C.byref(info)))
    return info


def is_grad_enabled():
    return describe().flags & (RECORDING | INFERENCE) == RECORDING


def is_inference_mode_enabled():
    return bool(describe().flags & INFERENCE)


def _set(function, on):
    before = C.c_int32()
    check(function(local.ctx, int(bool(on)), C.byref(before)))
    return before.value


class _Mode:
    """A context manager that is a decorator too; a generator it decorates runs each of its steps in the mode."""

    def __init__(self):
        self._before = []

    def _enter(self):
        raise NotImplementedError

    def _leave(self, before):
        _set(lib.gradus_context_set_recording, before)

    def __enter__(self):
        self._before.append(self._enter())

    def __exit__(self, *error):
        self._leave(self._before.pop())

    def clone(self):
        return type(self)()

    def __call__(self, function):
        if isinstance(function, type):
            raise TypeError(f"{type(self).__name__}: decorates functions, not classes")
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & 0x20:  # a generator function
            return self._wrap_generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)
        return wrapped

    def _wrap_generator(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            generator = function(*args, **kwargs)
            action, sent = generator.send, None
            try:
                while True:
                    with self.clone():
                        value = action(sent)
                    try:
                        action, sent = generator.send, (yield value)
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:                         # thrown into the generator
                        action, sent = generator.throw, error
            except StopIteration as stop:
                return stop.value
        return wrapped


class _PlainMode(_Mode):
    """no_grad and enable_grad decorate without parentheses as well."""

    def __new__(cls, function=None):
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function=None):
        super().__init__()


class no_grad(_PlainMode):
    """Nothing is recorded inside."""

    def _enter(self):
        return _set(lib.gradus_context_set_recording, False)


class enable_grad(_PlainMode):
    """Operations are recorded inside."""

    def _enter(self):
        return _set(lib.gradus_context_set_recording, True)


class set_grad_enabled(_Mode):
    """Switches recording at once, and back at the end of a with block."""

    def __init__(self, mode):
        super().__init__()
        self.mode, self._start = bool(mode), _set(lib.gradus_context_set_recording, mode)

    def _enter(self):
        before, self._start = self._start, None
        return _set(lib.gradus_context_set_recording, self.mode) if before is None else before

    def clone(self):
        return _Switch(self.mode)

    def __call__(self, function):
        _set(lib.gradus_context_set_recording, self._start)
        return super().__call__(function)


class _Switch(_Mode):
    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def _enter(self):
        return _set(lib.gradus_context_set_recording, self.mode)


class inference_mode(_Mode):
    """Nothing is recorded inside, and what is made there can't take part in a graph later."""

    def __new__(cls, mode=True):
        return cls()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self, mode=True):
        super().__init__()
        self.mode = mode

    def clone(self):
        return type(self)(self.mode)

    def _enter(self):
        return _set(lib.gradus_context_set_inference, self.mode)

    def _leave(self, before):
        _set(lib.gradus_context_set_inference, before)


def seed_and_offset():
    info = describe()
    return info.seed, info.random_offset


def set_seed_and_offset(seed, offset):
    check(lib.gradus_context_set_random_state(local.ctx, seed, offset))


def set_num_threads(threads):
    """How many threads an operation of this thread may use; 0: as many as there are processors. Results don't depend on it.

    The thread gets a new context with the modes and the random stream of the old one: call it before hooks on saved values or anomaly mode are on.
    """
    info, made = describe(), _new_context(local.interrupt, int(threads))
    local.ctx, local.owner = made, _Owner(made)
    set_seed_and_offset(info.seed, info.random_offset)
    _set(lib.gradus_context_set_recording, info.flags & RECORDING)
    _set(lib.gradus_context_set_inference, info.flags & INFERENCE)
