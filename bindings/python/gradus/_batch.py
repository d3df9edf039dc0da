"""Many calls in one crossing: what a program gains that makes many small ones."""
import ctypes as C

from . import _encode, _ops
from ._context import check, local
from ._library import Call, Handle, lib

_ROOM = 64                                                                 # results of the last call


def result_of(call, index=0):
    """In a batch: a result of an earlier call, which are counted from 0."""
    return _encode.Result(call, index)


def _bound(name, *args):
    """The operation that answers a name of PyTorch's, or of custom_op's, with the bytes of its arguments and what they point at."""
    kwargs = {}
    if args and isinstance(args[-1], dict):
        *args, kwargs = args
    operations = _ops.registry.find(name.replace("::", "."))
    if operations is None:
        raise AttributeError(f"batch: there is no operation {name}")
    op, bound = _ops._resolve(operations, args, kwargs)
    if bound is None:
        _ops.refuse(name, operations, args, kwargs)
    return (op, *bound)


class Batch:
    """Calls, each (name, arguments...) with a dict for those by name at the end, to be made in one crossing as often as wanted.

        step = Batch([("mul", x, x), ("sum", result_of(0), {"dim": 1})])
        y = step()                                                         # what the last call gives

    The tensors are those that were given, with the values that they have at the time. Integers become float32 where they become floating
    numbers, whatever the default type. A failure ends the batch at that call. The last call may give up to 64 results.
    """

    def __init__(self, calls):
        self._calls = [tuple(call) for call in calls]                      # they hold the tensors
        self._bound = [_bound(*call) for call in self._calls]
        self._values = bytearray().join([data for _, data, _ in self._bound])
        self._results = (C.c_uint64 * (3 * _ROOM))()
        self._records = (Call * len(self._bound))(*self._made())

    def _made(self):
        address, last = C.addressof(C.c_char.from_buffer(self._values)) if self._values else 0, len(self._bound) - 1
        for i, (op, data, _) in enumerate(self._bound):
            room, results = (_ROOM, C.addressof(self._results)) if i == last else (0, 0)
            yield Call(op.count, room, 0, 0, op.handle.value, address, results, None)
            address += len(data)

    def __call__(self):
        _ops.unseen("a batch")
        if not self._bound:
            return ()
        check(lib.gradus_invoke_batch(local.ctx, self._records, len(self._bound), C.sizeof(Call), None))
        words, op = self._results, self._bound[-1][0]
        count = self._records[-1].result_count
        made = tuple([_ops.wrap(Handle(words[3 * i + 1])) for i in range(count)])
        return made[0] if op.capacity == 1 else op.tuple(*made) if op.tuple else made


def batch(calls):
    """Makes the calls of a Batch once."""
    return Batch(calls)()
