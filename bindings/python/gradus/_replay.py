"""replay: the operations of a function, found by running it once, as one crossing from then on."""
import ctypes as C

from . import _ops
from ._context import INFERENCE, RECORDING, check, describe, local
from ._library import Call, Handle, Kind, Value, lib, retain

_VALUE = C.sizeof(Value)


def _mode():
    return describe().flags & (RECORDING | INFERENCE)


def _owned(address):
    retain(address)
    return _ops.wrap(Handle(address))


class _Step:
    """One operation of the function: its values as bytes, and where each tensor in them comes from."""

    def __init__(self, op, data, lists, results):
        self.op, self.data, self.lists, self.results = op, data, lists, results
        self.same = []                                                     # (which result, source of the argument that it is)
        self.sources = []                                                  # (index of the value, source)
        self.list_sources = []                                             # (index of the value, sources of the list's tensors)


class _Trace:
    """What a function does, from its operations. A source is ("input", i), ("result", step, which) or ("constant", tensor or None)."""

    def __init__(self, inputs):
        self.steps, self.kept, self.mode, self.numbers = [], [], _mode(), set()
        self.sources = {t._h.value: ("input", i) for i, t in enumerate(inputs)}
        if len(self.sources) < len(inputs):
            raise ValueError("replay: the examples are different tensors")

    def source(self, address):
        if address and address not in self.sources:
            self.sources[address] = ("constant", _owned(address))          # a tensor that was there before: its value is read each time
        return self.sources[address] if address else ("constant", None)

    def made(self, tensor):
        """A tensor made from numbers: the same each time, so nothing may write it."""
        self.numbers.add(tensor._info().storage)
        self.kept.append(_owned(tensor._h.value))                          # so that no other has its storage

    def ran(self, op, bound, result):
        if _mode() != self.mode:
            raise RuntimeError("replay: another recording mode inside the function can't be replayed")
        data, lists = bound
        results = result if isinstance(result, tuple) else (result,)
        step = _Step(op, data, lists, len(results))
        for i, value in enumerate((Value * (len(data) // _VALUE)).from_buffer_copy(data)):
            if value.kind == Kind.TENSOR:
                step.sources.append((i, self.source(value.word)))
            elif value.kind == Kind.TENSOR_LIST:
                addresses = (C.c_void_p * value.length).from_address(value.word) if value.length else ()
                step.list_sources.append((i, [self.source(a) for a in addresses]))
        if op.in_place and result._info().storage in self.numbers:
            raise RuntimeError(f"replay: {op.name} writes in place to a tensor that the function made from numbers: it would keep what the example "
                               "left in it; torch.zeros and torch.full make a new one each time")
        for which, t in enumerate(() if op.in_place else results):
            source = self.sources.setdefault(t._h.value, ("result", len(self.steps), which))
            if source[:2] != ("result", len(self.steps)):
                step.same.append((which, source))
        self.kept.extend([_owned(t._h.value) for t in results])            # so that no address is used twice
        self.steps.append(step)


def _leaves(structure, found):
    """The structure of what a function returned, with numbers for the tensors, which go into found."""
    if isinstance(structure, _ops.Tensor):
        found.append(structure)
        return len(found) - 1
    if isinstance(structure, dict):
        return {k: _leaves(v, found) for k, v in structure.items()}
    if isinstance(structure, (list, tuple)):
        items = [_leaves(v, found) for v in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)
    raise TypeError(f"replay: the function returned a {type(structure).__name__}; tensors, and lists, tuples and dicts of them, can be returned")


def _rebuilt(structure, tensors):
    if isinstance(structure, int):
        return tensors[structure]
    if isinstance(structure, dict):
        return {k: _rebuilt(v, tensors) for k, v in structure.items()}
    items = [_rebuilt(v, tensors) for v in structure]
    return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)


class _Program:
    """The calls of a trace laid out for the library. A run writes into it, so one run at a time uses it."""

    def __init__(self, trace, outputs):
        self.steps, self.kept = trace.steps, []
        self.parts = self._parts()
        self.values = [(Value * max(1, len(s.data) // _VALUE)).from_buffer_copy(s.data.ljust(_VALUE, b"\0")) for s in self.steps]
        self.fills = {start: [] for start, _ in self.parts}                # part: what is written before it: (word, source)
        self.lists = [number for number, s in enumerate(self.steps) if s.op.list_result]
        self.same = [(("result", number, which), source) for number, s in enumerate(self.steps) for which, source in s.same]
        wanted = {source[1] for source in [*outputs, *[s for pair in self.same for s in pair]] if source[0] == "result"}.union(self.lists)
        for start, end in self.parts:
            for number in range(start, end):
                wanted |= self._place(number, start)
        self.results = {number: (Value * max(1, self.steps[number].results))() for number in wanted}
        self.calls = (Call * max(1, len(self.steps)))(*map(self._call, range(len(self.steps))))

    def _parts(self):
        """A list of tensors takes no result of its own crossing: another one begins there."""
        starts = [0]
        for number, step in enumerate(self.steps):
            if any(s[0] == "result" and s[1] >= starts[-1] for _, sources in step.list_sources for s in sources):
                starts.append(number)
        return list(zip(starts, [*starts[1:], len(self.steps)]))

    def _place(self, number, start):
        """Puts a step's tensors into its values; the earlier steps whose results it needs from another crossing."""
        needed = set()

        def put(address, source):
            if source[0] == "constant":
                C.c_uint64.from_address(address).value = source[1]._h.value if source[1] is not None else 0
                return
            self.fills[start].append((C.c_uint64.from_address(address), source))
            if source[0] == "result":
                needed.add(source[1])

        step = self.steps[number]
        for i, source in step.sources:
            value = self.values[number][i]
            if source[0] == "result" and source[1] >= start:
                value.kind, value.aux, value.word = Kind.RESULT_OF, source[2], source[1] - start
            else:
                put(C.addressof(value) + Value.word.offset, source)
        for i, sources in step.list_sources:
            addresses = (C.c_uint64 * max(1, len(sources)))()
            self.kept.append(addresses)
            self.values[number][i].word = C.addressof(addresses)
            for k, source in enumerate(sources):
                put(C.addressof(addresses) + 8 * k, source)
        return needed

    def _call(self, number):
        step, results = self.steps[number], self.results.get(number)
        return Call(len(step.data) // _VALUE, 0 if results is None else step.results, 0, 0, step.op.handle.value,
                     C.addressof(self.values[number]), None if results is None else C.addressof(results), step.op.name.encode())

    def run(self, inputs):
        """The results that somebody wants: step: tensors."""
        made = {}
        try:
            for start, end in self.parts:
                for word, source in self.fills[start]:
                    word.value = self._address(source, inputs)
                if start < end:
                    self._cross(start, end)
            for result, source in self.same:
                if self._address(result, inputs) != self._address(source, inputs):
                    raise RuntimeError(f"replay: {self.steps[result[1]].op.name} returned its argument for the example and makes a tensor now")
        finally:
            for number, values in self.results.items():
                made[number] = [_ops.wrap(Handle(v.word)) if v.kind == Kind.TENSOR and v.word else None for v in values]
                C.memset(values, 0, C.sizeof(values))
        return made

    def _address(self, source, inputs):
        if source[0] == "constant":
            return source[1]._h.value
        return inputs[source[1]]._h.value if source[0] == "input" else self.results[source[1]][source[2]].word

    def _cross(self, start, end):
        status = lib.gradus_invoke_batch(local.ctx, C.byref(self.calls, start * C.sizeof(Call)), end - start, C.sizeof(Call), None)
        for number in self.lists:
            step, count = self.steps[number], self.calls[number].result_count
            if start <= number < end and count != step.results and (count or not status):   # 0 after a failure: not reached
                raise RuntimeError(f"replay: {step.op.name} gives {count} tensor{'s' * (count != 1)}, the example gave {step.results}")
        check(status)


class Replay:
    """What `replay` returns: call it with tensors in the place of the examples."""

    def __init__(self, function, examples):
        for t in examples:
            if not isinstance(t, _ops.Tensor):
                raise TypeError(f"replay: the examples are tensors, not {type(t).__name__}; other arguments belong into the function")
        _ops.unseen("a replay")
        trace = _Trace(examples)
        with _ops.watched(trace):
            returned = function(*examples)
        found = []
        self._structure = _leaves(returned, found)
        self._outputs = [trace.source(t._h.value) for t in found]
        self._trace, self._count, self._idle = trace, len(examples), []
        trace.kept.clear()
        self._idle.append(_Program(trace, self._outputs))
        self.operations = [s.op.name for s in trace.steps]
        self.crossings = len(self._idle[0].parts)

    def __call__(self, *inputs):
        if len(inputs) != self._count or not all(isinstance(t, _ops.Tensor) for t in inputs):
            raise TypeError(f"replay: takes {self._count} tensors, as when it was made")
        _ops.unseen("a replay")
        made = self._run(inputs)
        tensors = [inputs[s[1]] if s[0] == "input" else made[s[1]][s[2]] if s[0] == "result" else s[1] for s in self._outputs]
        return _rebuilt(self._structure, tensors)

    def _run(self, inputs):
        try:
            program = self._idle.pop()
        except IndexError:                                                 # another thread, or a hook of this run, is at it
            program = _Program(self._trace, self._outputs)
        try:
            return program.run(inputs)
        finally:
            self._idle.append(program)

    def __repr__(self):
        return f"<replay of {len(self.operations)} operations in {self.crossings} crossings>"


def replay(function, *examples):
    """Runs function(*examples) once and returns a callable that does the same operations in one crossing, on other tensors.

    What is not an operation is fixed by that run: numbers, branches, and tensors that are neither an example nor made from one, whose
    values are read anew each time (weights). Operations are recorded for backward as they would be one by one.

    What the operations don't show is refused when the function is run: hooks, autograd.Function, backward and gradients, requires_grad_ and
    detach_, modes such as no_grad, generators and seeds, checkpoints, optimizers, batches and other replays, and writes in place to tensors
    made from numbers. A call is refused where an operation that returned its argument itself (`x.float()`) makes a tensor now, and where one
    that returns a list returns more or fewer. item(), tolist() and numpy() give the numbers of the example.

    >>> import gradus as torch
    >>> again = torch.replay(lambda x, y: (x + y).sin().sum(), torch.ones(3), torch.ones(3))
    >>> again
    <replay of 3 operations in 1 crossings>
    >>> again(torch.zeros(2), torch.zeros(2))
    tensor(0.)
    """
    return Replay(function, examples)
