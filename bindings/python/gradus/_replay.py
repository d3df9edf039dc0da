"""replay: the operations of a function, found by running it once, as one crossing from then on."""
import ctypes as C

from . import _ops
from ._context import check, local
from ._library import Handle, Value, lib, release, retain

_RESULT_OF, _TENSOR, _TENSORS = 11, 7, 10
_VALUE = C.sizeof(Value)


class _Call(C.Structure):
    _fields_ = [("argument_count", C.c_uint64), ("result_capacity", C.c_uint64), ("result_count", C.c_uint64), ("reserved0", C.c_uint64),
                ("op", C.c_void_p), ("arguments", C.c_void_p), ("results", C.c_void_p), ("label", C.c_char_p)]


class _Step:
    """One operation of the function: its values as bytes, and where each tensor in them comes from."""

    def __init__(self, op, data, lists, results):
        self.op, self.data, self.lists, self.results = op, data, lists, results
        self.sources = []                                                  # (index of the value, source)
        self.list_sources = []                                             # (index of the value, sources of the list's tensors)


class _Trace:
    """What a function does, from its operations. A source is ("input", i), ("result", step, which) or ("constant", tensor or None)."""

    def __init__(self, inputs):
        self.steps, self.kept, self.sources = [], [], {}
        for i, t in enumerate(inputs):
            self.sources.setdefault(t._h.value, ("input", i))

    def source(self, address):
        if address and address not in self.sources:
            retain(address)                                                # a tensor that was there before: its value is read each time
            constant = _ops.wrap(Handle(address))
            self.sources[address] = ("constant", constant)
        return self.sources[address] if address else ("constant", None)

    def add(self, op, bound, result):
        data, lists = bound
        results = result if isinstance(result, tuple) else (result,)
        step = _Step(op, data, lists, len(results))
        for i, value in enumerate((Value * (len(data) // _VALUE)).from_buffer_copy(data)):
            if value.kind == _TENSOR:
                step.sources.append((i, self.source(value.word)))
            elif value.kind == _TENSORS:
                addresses = (C.c_void_p * value.length).from_address(value.word) if value.length else ()
                step.list_sources.append((i, [self.source(a) for a in addresses]))
        for which, t in enumerate(results):
            self.sources.setdefault(t._h.value, ("result", len(self.steps), which))
        self.kept.extend(results)                                          # so that no address is used twice
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
        wanted = {source[1] for source in outputs if source[0] == "result"}
        for start, end in self.parts:
            for number in range(start, end):
                wanted |= self._place(number, start)
        self.results = {number: (Value * max(1, self.steps[number].results))() for number in wanted}
        self.calls = (_Call * max(1, len(self.steps)))(*map(self._call, range(len(self.steps))))

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
                value.kind, value.aux, value.word = _RESULT_OF, source[2], source[1] - start
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
        return _Call(len(step.data) // _VALUE, 0 if results is None else step.results, 0, 0, step.op.handle.value,
                     C.addressof(self.values[number]), None if results is None else C.addressof(results), step.op.name.encode())

    def run(self, inputs):
        """The results that somebody wants: step: tensors."""
        made = {}
        try:
            for start, end in self.parts:
                for word, source in self.fills[start]:
                    word.value = inputs[source[1]]._h.value if source[0] == "input" else self.results[source[1]][source[2]].word
                if start < end:
                    check(lib.gradus_invoke_batch(local.ctx, C.byref(self.calls, start * C.sizeof(_Call)), end - start, C.sizeof(_Call), None))
        finally:
            for number, values in self.results.items():
                made[number] = [_ops.wrap(Handle(v.word)) if v.kind == _TENSOR and v.word else None for v in values]
                C.memset(values, 0, C.sizeof(values))
        return made


class Replay:
    """What `replay` returns: call it with tensors in the place of the examples."""

    def __init__(self, function, examples):
        for t in examples:
            if not isinstance(t, _ops.Tensor):
                raise TypeError(f"replay: the examples are tensors, not {type(t).__name__}; other arguments belong into the function")
        trace = _Trace(examples)
        with _ops.watched(trace.add):
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
        try:
            program = self._idle.pop()
        except IndexError:                                                 # another thread, or a hook of this run, is at it
            program = _Program(self._trace, self._outputs)
        try:
            made = program.run(inputs)
        finally:
            self._idle.append(program)
        tensors = [inputs[s[1]] if s[0] == "input" else made[s[1]][s[2]] if s[0] == "result" else s[1] for s in self._outputs]
        return _rebuilt(self._structure, tensors)

    def __repr__(self):
        return f"<replay of {len(self.operations)} operations in {self.crossings} crossings>"


def replay(function, *examples):
    """Runs function(*examples) once and returns a callable that does the same operations in one crossing, on other tensors.

    What is not an operation is fixed by that run: numbers, branches, and tensors that are neither an example nor made from one, whose
    values are read anew each time (weights). Operations are recorded for backward as they would be one by one; backward() itself, gradients
    and modes such as no_grad belong outside.

    >>> import gradus as torch
    >>> again = torch.replay(lambda x, y: (x + y).sin().sum(), torch.ones(3), torch.ones(3))
    >>> again
    <replay of 3 operations in 1 crossings>
    >>> again(torch.zeros(2), torch.zeros(2))
    tensor(0.)
    """
    return Replay(function, examples)
