"""What ran on this thread, how often and for how long."""
import collections
import contextlib
import ctypes as C

from .._context import check, local
from .._library import Handle, ProfileEvent, ProfileInfo, ProfileOptions, TableOptions, lib, release, releases

SHAPES, MEMORY = 0x1, 0x2
BY_SHAPE = 0x1
KINDS = {1: "op", 2: "node", 3: "pass", 4: "range"}
_NS = 1000.0                                                               # times are in microseconds, as PyTorch's


class FunctionEvent:
    """One operation, node of a pass, pass or range. Times are in microseconds."""

    def __init__(self, id, info, parent):
        self.id, self.name, self.kind, self.thread = id, info.name.decode(), KINDS.get(info.kind, "?"), info.thread
        self.start, self.cpu_time_total, self.self_cpu_time_total = info.start_ns / _NS, max(0, info.duration_ns) / _NS, info.self_ns / _NS
        self.sequence_nr = info.sequence or -1
        self.input_shapes, self.cpu_memory_usage, self.failed = info.shapes.decode(), info.memory, bool(info.flags & 1)
        self.cpu_parent, self.cpu_children, self.count = parent, [], 1
        if parent is not None:
            parent.cpu_children.append(self)

    key = property(lambda self: self.name)
    cpu_time = property(lambda self: self.cpu_time_total)

    def __repr__(self):
        return f"<FunctionEvent {self.name}: {self.cpu_time_total:.3f}us, self {self.self_cpu_time_total:.3f}us {self.input_shapes}>"


class FunctionEventAvg:
    """The sum of events of one name."""

    def __init__(self, key=None, input_shapes=""):
        self.key, self.input_shapes, self.count = key, input_shapes, 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = 0

    def add(self, other):
        """Adds an event, or another sum."""
        self.key = other.key if self.key is None else self.key
        self.count += other.count
        self.self_cpu_time_total += other.self_cpu_time_total
        self.cpu_memory_usage += other.cpu_memory_usage
        if not _inside_its_name(other):
            self.cpu_time_total += other.cpu_time_total
        return self

    __iadd__ = add
    cpu_time = property(lambda self: self.cpu_time_total / self.count if self.count else 0.0)

    def __repr__(self):
        return f"<FunctionEventAvg {self.key}: {self.count} times, {self.cpu_time_total:.3f}us, self {self.self_cpu_time_total:.3f}us>"


def _inside_its_name(event):
    """Time inside an event of the same name is in that one's already."""
    at = getattr(event, "cpu_parent", None)
    while at is not None:
        if at.name == event.name:
            return True
        at = at.cpu_parent
    return False


class EventList(list):
    """Events or sums of them."""

    def __init__(self, items, profile):
        super().__init__(items)
        self._profile = profile

    self_cpu_time_total = property(lambda self: sum(e.self_cpu_time_total for e in self))

    def key_averages(self, group_by_input_shape=False):
        found = collections.OrderedDict()
        for e in self:
            key = (e.name, e.input_shapes if group_by_input_shape else "")
            found.setdefault(key, FunctionEventAvg(*key)).add(e)
        made = EventList(found.values(), self._profile)
        made._by_shape = group_by_input_shape
        return made

    def total_average(self):
        total = FunctionEventAvg()
        for e in self:
            total.add(e)
        total.key = "Total"
        return total

    _by_shape = False

    def table(self, sort_by=None, row_limit=100):
        return self._profile._table(sort_by, row_limit, self._by_shape)

    __str__ = table


@releases
class _Recording:
    """The library's profile."""

    def __init__(self, flags):
        self.handle = Handle()
        options = ProfileOptions(C.sizeof(ProfileOptions), flags)
        check(lib.gradus_profile_start(local.ctx, C.byref(options), C.byref(self.handle)))

    def __del__(self, release=release):
        release(self.handle)

    def text(self, function, *arguments):
        length = C.c_size_t()
        check(function(local.ctx, self.handle, *arguments, None, 0, C.byref(length)))
        text = C.create_string_buffer(length.value + 1)
        check(function(local.ctx, self.handle, *arguments, text, length.value + 1, C.byref(length)))
        return text.value.decode()


def not_there(**asked):
    """Refuses what PyTorch's profiler has and this has not."""
    for name, value in asked.items():
        if value:
            raise NotImplementedError(f"profile: {name} is not there")


class profile:
    """with profile() as prof: ...; then prof.function_events, prof.key_averages(), prof.table(), prof.export_chrome_trace(path)."""

    def __init__(self, enabled=True, *, use_cuda=False, use_device=None, record_shapes=False, with_flops=False, profile_memory=False, with_stack=False,
                 with_modules=False, use_kineto=False, use_cpu=True, experimental_config=None, acc_events=False, custom_trace_id_callback=None):
        not_there(use_cuda=use_cuda, use_device=use_device not in (None, "cpu"), with_flops=with_flops, with_stack=with_stack, with_modules=with_modules,
                  use_kineto=use_kineto, experimental_config=experimental_config, acc_events=acc_events,
                  custom_trace_id_callback=custom_trace_id_callback)
        if not use_cpu:
            raise NotImplementedError("profile: use_cpu=False: there is no other device to profile")
        self.enabled, self._flags = enabled, (SHAPES if record_shapes else 0) | (MEMORY if profile_memory else 0)
        self._recording, self.function_events = None, None

    def __enter__(self):
        if self.enabled:
            if self._recording is not None:
                raise RuntimeError("Profiler context manager is not reentrant")
            self._recording = _Recording(self._flags)
        return self

    def __exit__(self, *error):
        if self.enabled:
            check(lib.gradus_profile_stop(local.ctx, self._recording.handle))
            self.function_events = EventList(self._events(), self)

    def _events(self):
        info, found = ProfileInfo(C.sizeof(ProfileInfo)), []
        check(lib.gradus_profile_describe(local.ctx, self._recording.handle, C.byref(info)))
        for i in range(info.event_count):
            event = ProfileEvent(C.sizeof(ProfileEvent))
            check(lib.gradus_profile_event_at(local.ctx, self._recording.handle, i, C.byref(event)))
            found.append(FunctionEvent(i, event, found[event.parent] if event.parent >= 0 else None))
        return found

    def _finished(self):
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self.function_events

    def _table(self, sort_by, row_limit, by_shape):
        name = (sort_by or "self_cpu_time_total").encode()
        options = TableOptions(C.sizeof(TableOptions), BY_SHAPE if by_shape else 0, max(0, row_limit), len(name), name)
        return self._recording.text(lib.gradus_profile_table, C.byref(options))

    def table(self, sort_by=None, row_limit=100):
        return self._finished().table(sort_by, row_limit)

    def key_averages(self, group_by_input_shape=False):
        return self._finished().key_averages(group_by_input_shape)

    def total_average(self):
        return self._finished().total_average()

    self_cpu_time_total = property(lambda self: self._finished().self_cpu_time_total)

    def export_chrome_trace(self, path):
        """The events for chrome://tracing or Perfetto."""
        self._finished()
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._recording.text(lib.gradus_profile_trace))

    def __str__(self):
        return "<unfinished profile>" if self.function_events is None else self.table()


class record_function(contextlib.ContextDecorator):
    """Names what runs inside; profiles list it, and messages of anomaly mode name it."""

    def __init__(self, name, args=None):
        self.name = name

    def __enter__(self):
        name = self.name.encode()
        check(lib.gradus_profile_range_begin(local.ctx, name, len(name)))
        return self

    def __exit__(self, *error):
        check(lib.gradus_profile_range_end(local.ctx))
