"""The trace of a profile is JSON as the trace viewers read it: profile_trace_test.py LIBRARY"""
import ctypes as C
import json
import sys

lib = C.CDLL(sys.argv[1])
P = C.c_void_p
GRADUS_F64 = 10


class Options(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("max_events", C.c_uint64)]


def call(name, *arguments, result=False):
    out = P()
    status = getattr(lib, name)(ctx, *arguments, *([C.byref(out)] if result else []))
    assert status == 0, f"{name}: {status}"
    return out


def trace(profile):
    length = C.c_size_t()
    call("gradus_profile_trace", profile, None, C.c_size_t(0), C.byref(length))
    buffer = C.create_string_buffer(length.value + 1)
    call("gradus_profile_trace", profile, buffer, C.c_size_t(length.value + 1), C.byref(length))
    assert len(buffer.value) == length.value
    return json.loads(buffer.value.decode("utf-8"))


ctx = P()
assert lib.gradus_context_create(None, C.byref(ctx)) == 0
shape, data = (C.c_int64 * 1)(3), (C.c_double * 3)(1, 2, 3)
x = call("gradus_tensor_copy_in", GRADUS_F64, 1, shape, None, data, C.c_size_t(24), result=True)
call("gradus_tensor_set_requires_grad", x, 1)
profile = call("gradus_profile_start", C.byref(Options(C.sizeof(Options), 3, 0)), result=True)
assert trace(profile)["traceEvents"] == []
name = 'a "quoted" \\ name\n\tof größe \x01'.encode()
call("gradus_profile_range_begin", name, C.c_size_t(len(name)))
y = call("gradus_sum", call("gradus_sin", x, result=True), None, C.c_size_t(0), 0, 0, result=True)
call("gradus_backward", C.byref(y), C.c_size_t(1), None, None)
call("gradus_profile_range_end")
call("gradus_profile_stop", profile)

events = trace(profile)["traceEvents"]
spans = {e["name"]: e for e in events if e["ph"] == "X"}
assert name.decode() in spans, list(spans)
for wanted in ("sin", "sum", "backward", "SinBackward0", "SumBackward0", "AccumulateGrad"):
    e = spans[wanted]
    outer = spans[name.decode()]
    assert outer["ts"] <= e["ts"] and e["ts"] + e["dur"] <= outer["ts"] + outer["dur"] + 1e-3
    assert e["pid"] == outer["pid"] and e["tid"] == outer["tid"]
assert spans["sin"]["args"]["Input Dims"] == [[3]] and spans["sin"]["args"]["bytes"] == 24
assert spans["sin"]["args"]["Sequence number"] == spans["SinBackward0"]["args"]["Sequence number"]
begin = {e["id"]: e for e in events if e["ph"] == "s"}
end = {e["id"]: e for e in events if e["ph"] == "f"}
assert begin.keys() == end.keys() and len(begin) == 2, (begin, end)
links = {(b["ts"], end[i]["ts"]) for i, b in begin.items()}
assert links == {(spans[a]["ts"], spans[b]["ts"]) for a, b in (("sin", "SinBackward0"), ("sum", "SumBackward0"))}
print(f"profile_trace: {len(events)} events")
