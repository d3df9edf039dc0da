"""Statuses of the library as exceptions. Each is also a RuntimeError, which is what PyTorch raises."""


class GradusError(RuntimeError):
    """status is the library's number, origin the operation or function that refused."""

    status = 0
    origin = ""


class ArgumentError(GradusError, ValueError):
    pass


class ShapeError(ArgumentError):
    pass


class DtypeError(GradusError, TypeError):
    pass


class IndexOutOfRange(GradusError, IndexError):
    pass


class OutOfMemory(GradusError, MemoryError):
    pass


class NumberTooLarge(GradusError, OverflowError):
    """An integer beyond 64 bits."""


class StateError(GradusError):
    pass


class GraphFreed(StateError):
    pass


class InPlaceError(StateError):
    pass


class AnomalyError(StateError):
    """Anomaly mode found a NaN or an infinity."""


class Unsupported(GradusError, NotImplementedError):
    pass


class CallbackError(GradusError):
    pass


class Cancelled(KeyboardInterrupt):
    """A call ended because its context was cancelled."""

    status = 0
    origin = ""


class IoError(GradusError, OSError):
    pass


class InternalError(GradusError):
    pass


CALLBACK, CANCELLED = 0x0500, 0x0600
BY_STATUS = {0x0102: DtypeError, 0x0103: ShapeError, 0x0104: DtypeError, 0x0105: IndexOutOfRange, 0x0302: GraphFreed, 0x0303: InPlaceError,
             0x0304: AnomalyError}
BY_CATEGORY = {0x0100: ArgumentError, 0x0200: OutOfMemory, 0x0300: StateError, 0x0400: Unsupported, 0x0500: CallbackError,
               CANCELLED: Cancelled, 0x0700: IoError, 0x0F00: InternalError}


def make(status, message, origin):
    if status == 0x0302:
        message += " (Specify retain_graph=True when calling .backward() or autograd.grad() the first time.)"
    error = (BY_STATUS.get(status) or BY_CATEGORY.get(status & ~0xFF, GradusError))(message)
    error.status, error.origin = status, origin
    return error
