"""Where did a NaN come from? Anomaly mode of this thread's context."""
import ctypes as C

from .._context import check, local
from .._library import lib

NAN, INF, FORWARD, TRACE = 0x1, 0x2, 0x4, 0x8


def _set(flags):
    before = C.c_uint32()
    check(lib.gradus_context_set_anomaly(local.ctx, flags, C.byref(before)))
    return before.value


def _current():
    flags = _set(0)
    _set(flags)
    return flags


def is_anomaly_enabled():
    return bool(_current() & TRACE)


def is_anomaly_check_nan_enabled():
    return bool(_current() & NAN)


class set_detect_anomaly:
    """Switches it at once, and back at the end of a with block.

    A backward pass ends with an error as soon as a node makes a NaN (with check_inf an infinity, too); errors of a pass name the call that
    recorded the node. With forward, operations are looked at, too.
    """

    def __init__(self, mode=True, check_nan=True, *, check_inf=False, forward=False):
        flags = TRACE | (NAN if check_nan else 0) | (INF if check_inf else 0) | (FORWARD if forward else 0) if mode else 0
        self._before = _set(flags)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        _set(self._before)


class detect_anomaly(set_detect_anomaly):
    """A with block in anomaly mode."""

    def __init__(self, check_nan=True, *, check_inf=False, forward=False):
        self._mode, self._options = check_nan, {"check_inf": check_inf, "forward": forward}

    def __enter__(self):
        super().__init__(True, self._mode, **self._options)
        return self
