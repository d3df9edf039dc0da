"""allow_mutation_on_saved_tensors: a saved value is copied when its memory is about to be written, so that backward reads what was saved."""
import contextlib
import threading
import weakref

from .. import _ops
from .._context import local, no_grad
from .._hooks import saved_tensors_hooks

_sessions = 0                                                              # in force in all threads together
_lock = threading.Lock()


class _Kept:
    """One saved value: an alias of its memory, or its copy once that was written. Shared by all that saved the same value."""

    __slots__ = ("session", "tensor", "version", "copied", "__weakref__")

    def __init__(self, session, tensor):
        self.session, self.tensor, self.version, self.copied = session, tensor, tensor._version, False


class Session:
    """What the block gives: `copies` says how many saved values had to be copied."""

    def __init__(self):
        self.copies, self._kept, self._open = 0, weakref.WeakValueDictionary(), True

    def _pack(self, tensor):
        info = tensor._info()
        key = info.storage, info.data, info.version, info.dtype, tuple(tensor.shape), tensor.stride()
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(self, tensor)
        return kept

    def _before_write(self, target):
        storage = target._info().storage
        for key, kept in list(self._kept.items()):
            if key[0] == storage and not kept.copied:
                with no_grad():
                    kept.tensor, kept.copied = kept.tensor.clone(), True
                self.copies += 1
                self._kept.pop(key, None)

    @staticmethod
    def _unpack(kept):
        if not kept.session._open:
            raise RuntimeError("Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was originally recorded.")
        if not kept.copied and kept.tensor._version != kept.version:
            raise RuntimeError("a saved tensor was changed in place by something that allow_mutation_on_saved_tensors does not see")
        return kept.tensor


def _before_write(target):
    session = getattr(local, "mutation_session", None)
    if session is not None:
        session._before_write(target)


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Inside, tensors that were saved may be changed in place by operations of this thread; backward has to run inside, too."""
    global _sessions
    if getattr(local, "mutation_session", None) is not None:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    session = Session()
    with saved_tensors_hooks(session._pack, session._unpack):
        local.mutation_session = session
        with _lock:
            _sessions += 1
            _ops.before_write = _before_write
            _ops.set_usual()
        try:
            yield session
        finally:
            with _lock:
                _sessions -= 1
                if not _sessions:
                    _ops.before_write = None
                    _ops.set_usual()
            local.mutation_session, session._open = None, False
            session._kept.clear()
