"""allow_mutation_on_saved_tensors: a saved value is copied when its memory is about to be written, so that backward reads what was saved."""
import contextlib

from .._context import _set, describe
from .._library import lib


class Session:
    """What the block gives: `copies` says how many saved values had to be copied."""

    def __init__(self):
        self._copies = None

    @property
    def copies(self):
        return describe().saved_copies if self._copies is None else self._copies


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Inside, tensors that were saved may be changed in place by this thread; backward has to run inside, too."""
    if _set(lib.gradus_context_set_mutation_on_saved, True):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    session = Session()
    try:
        yield session
    finally:
        session._copies = session.copies
        _set(lib.gradus_context_set_mutation_on_saved, False)
