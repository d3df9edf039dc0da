"""Statuses of the library as exceptions. Each is also a RuntimeError, which is what PyTorch raises."""
import errno
import os


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


class MissingFile(IoError, FileNotFoundError):
    pass


class IsFolder(IoError, IsADirectoryError):
    pass


class NotFolder(IoError, NotADirectoryError):
    pass


class NotAllowed(IoError, PermissionError):
    pass


class LinAlgError(ArgumentError):
    """A matrix that is singular, or not positive-definite, or for which a method did not converge."""


class InternalError(GradusError):
    pass


CALLBACK, CANCELLED = 0x0500, 0x0600
BY_STATUS = {0x0102: DtypeError, 0x0103: ShapeError, 0x0104: DtypeError, 0x0105: IndexOutOfRange, 0x0302: GraphFreed, 0x0303: InPlaceError,
             0x0304: AnomalyError}
BY_CATEGORY = {0x0100: ArgumentError, 0x0200: OutOfMemory, 0x0300: StateError, 0x0400: Unsupported, 0x0500: CallbackError,
               CANCELLED: Cancelled, 0x0700: IoError, 0x0F00: InternalError}


_FILES = {errno.ENOENT: MissingFile, errno.EISDIR: IsFolder, errno.ENOTDIR: NotFolder, errno.EACCES: NotAllowed, errno.EPERM: NotAllowed}
_OF_MATRICES = ("is singular", "is not positive-definite", "has not full rank", "did not converge")


def of_file(error, path):
    """An IoError with errno and filename, as the system's own have them."""
    number = next((n for n in sorted(errno.errorcode) if str(error).endswith(os.strerror(n))), 0)
    if not number:
        error.filename = path
        return error
    made = _FILES.get(number, IoError)(number, os.strerror(number), path)
    made.errno, made.strerror, made.filename = number, os.strerror(number), path          # RuntimeError's __new__ leaves them empty
    made.status, made.origin = error.status, error.origin
    return made


def make(status, message, origin):
    if status == 0x0302:
        message += " (Specify retain_graph=True when calling .backward() or autograd.grad() the first time.)"
    if status == 0x0106 and message.endswith(_OF_MATRICES):
        error = LinAlgError(message)
        error.status, error.origin = status, origin
        return error
    error = (BY_STATUS.get(status) or BY_CATEGORY.get(status & ~0xFF, GradusError))(message)
    error.status, error.origin = status, origin
    return error
