"""A binding made from data alone: ctypes, the registry's JSON and gradus_invoke, as ffi_test.py LIBRARY.

It builds one Python function per operation, trains a small network with them, and finds every error as an exception.
"""
import ctypes as c
import json
import math
import sys

lib = c.CDLL(sys.argv[1])
checks = 0


class Payload(c.Union):
    _fields_ = [("i64", c.c_int64), ("f64", c.c_double), ("ptr", c.c_void_p)]


class Value(c.Structure):
    _fields_ = [("kind", c.c_int32), ("aux", c.c_uint32), ("u", Payload), ("length", c.c_uint64)]


class Info(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("dtype", c.c_int32), ("rank", c.c_int32), ("flags", c.c_uint32), ("count", c.c_int64),
                ("identity", c.c_uint64), ("storage", c.c_uint64), ("version", c.c_uint64), ("shape", c.POINTER(c.c_int64)),
                ("strides", c.POINTER(c.c_int64)), ("data", c.c_void_p), ("dtype_name", c.c_char_p)]


class ErrorInfo(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("status", c.c_int32), ("argument", c.c_int32), ("reserved0", c.c_int32),
                ("message_length", c.c_uint64), ("user_code", c.c_int64), ("message", c.c_char_p), ("origin", c.c_char_p)]


class Counts(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved0", c.c_uint32)] + [
        (name, c.c_uint64) for name in ("contexts", "tensors", "graph_nodes", "foreign_blocks", "callbacks", "live", "peak", "kept")]


DEFAULT, NONE, BOOL, I64, F64, TEXT, DTYPE, TENSOR, I64_LIST, F64_LIST, TENSOR_LIST = range(11)
DTYPES = {name: number for number, name in enumerate(
    ["", "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"])}
HOOK = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p, c.POINTER(c.c_void_p))

lib.gradus_op_find.restype = c.c_void_p
lib.gradus_op_find.argtypes = [c.c_char_p, c.c_size_t]
lib.gradus_op_count.restype = c.c_size_t
lib.gradus_release.argtypes = [c.c_void_p]
lib.gradus_release.restype = None
lib.gradus_retain.argtypes = [c.c_void_p]
lib.gradus_retain.restype = None
lib.gradus_context_error.argtypes = [c.c_void_p, c.POINTER(ErrorInfo)]
lib.gradus_context_error.restype = None
lib.gradus_context_fail.argtypes = [c.c_void_p, c.c_int32, c.c_int64, c.c_char_p, c.c_size_t]
lib.gradus_invoke.argtypes = [c.c_void_p, c.c_void_p, c.POINTER(Value), c.c_size_t, c.POINTER(Value), c.c_size_t, c.POINTER(c.c_size_t)]
lib.gradus_tensor_describe.argtypes = [c.c_void_p, c.POINTER(Info)]
lib.gradus_tensor_copy_in.argtypes = [c.c_void_p, c.c_int32, c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t, c.POINTER(c.c_void_p)]
lib.gradus_tensor_copy_out.argtypes = [c.c_void_p, c.c_void_p, c.c_int32, c.c_void_p, c.c_size_t]
lib.gradus_tensor_set_requires_grad.argtypes = [c.c_void_p, c.c_void_p, c.c_int32]
lib.gradus_tensor_grad.argtypes = [c.c_void_p, c.c_void_p, c.POINTER(c.c_void_p)]
lib.gradus_tensor_set_grad.argtypes = [c.c_void_p, c.c_void_p, c.c_void_p]
lib.gradus_tensor_add_hook.argtypes = [c.c_void_p, c.c_void_p, HOOK, c.c_void_p, c.c_void_p, c.POINTER(c.c_uint64)]
lib.gradus_backward.argtypes = [c.c_void_p, c.POINTER(c.c_void_p), c.c_size_t, c.c_void_p, c.c_void_p]
lib.gradus_context_set_recording.argtypes = [c.c_void_p, c.c_int32, c.c_void_p]

context = c.c_void_p()
assert lib.gradus_context_create(None, c.byref(context)) == 0


class GradusError(Exception):
    pass


def check(status):
    if status:
        e = ErrorInfo(struct_size=c.sizeof(ErrorInfo))
        lib.gradus_context_error(context, c.byref(e))
        raise GradusError(hex(status), e.message.decode(), e.origin.decode(), e.user_code)


class Tensor:
    def __init__(self, handle):
        self.handle = handle

    def __del__(self):
        lib.gradus_release(self.handle)

    @staticmethod
    def of(numbers, *shape):
        shape = shape or (len(numbers),)
        data, sizes, handle = (c.c_double * len(numbers))(*numbers), (c.c_int64 * len(shape))(*shape), c.c_void_p()
        check(lib.gradus_tensor_copy_in(context, DTYPES["float64"], len(shape), sizes, None, data, c.sizeof(data), c.byref(handle)))
        return Tensor(handle)

    def info(self):
        i = Info(struct_size=c.sizeof(Info))
        check(lib.gradus_tensor_describe(self.handle, c.byref(i)))
        return i

    def numbers(self):
        out = (c.c_double * max(1, self.info().count))()
        check(lib.gradus_tensor_copy_out(context, self.handle, DTYPES["float64"], out, c.sizeof(out)))
        return list(out)[:self.info().count]

    def requires_grad(self):
        check(lib.gradus_tensor_set_requires_grad(context, self.handle, 1))
        return self

    @property
    def grad(self):
        g = c.c_void_p()
        check(lib.gradus_tensor_grad(context, self.handle, c.byref(g)))
        return Tensor(g) if g else None

    def backward(self):
        check(lib.gradus_backward(context, c.byref(self.handle), 1, None, None))


def value(x, kind, keep):
    """A Python object as gradus_value; keep holds what it points at."""
    v = Value()
    if x is None:
        v.kind = NONE
    elif isinstance(x, Tensor):
        v.kind, v.u.ptr = TENSOR, x.handle
    elif kind == "dtype":
        v.kind, v.aux = DTYPE, DTYPES[x]
    elif isinstance(x, bool):
        v.kind, v.u.i64 = BOOL, x
    elif isinstance(x, int):
        v.kind, v.u.i64 = I64, x
    elif isinstance(x, float):
        v.kind, v.u.f64 = F64, x
    elif isinstance(x, str):
        keep.append(x.encode())
        v.kind, v.u.ptr, v.length = TEXT, c.cast(c.c_char_p(keep[-1]), c.c_void_p), len(keep[-1])
    else:
        types = {"tensor": (TENSOR_LIST, c.c_void_p), "float": (F64_LIST, c.c_double)}
        v.kind, of = types.get(kind, (I64_LIST, c.c_int64))
        keep.append((of * max(1, len(x)))(*[item.handle if isinstance(item, Tensor) else item for item in x]))
        v.u.ptr, v.length = c.cast(keep[-1], c.c_void_p), len(x)
    return v


def bind(op):
    """The Python function of one operation, from nothing but its JSON."""
    name = op["name"].encode()
    handle = lib.gradus_op_find(name, len(name))
    assert handle, op["name"]
    arguments = op["arguments"]
    positions = {a["name"]: i for i, a in enumerate(arguments)}

    def function(*given, **named):
        values, keep = (Value * max(1, len(arguments)))(), []
        for i, x in enumerate(given):
            values[i] = value(x, arguments[i]["type"], keep)
        for key, x in named.items():
            values[positions[key]] = value(x, arguments[positions[key]]["type"], keep)
        results, count = (Value * 8)(), c.c_size_t()
        check(lib.gradus_invoke(context, handle, values, len(arguments), results, 8, c.byref(count)))
        out = [Tensor(c.c_void_p(results[i].u.ptr)) for i in range(count.value)]
        return out[0] if len(out) == 1 else out

    return function


def expect(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"ffi: {what}")


def expect_error(part, f):
    try:
        f()
    except GradusError as e:
        return expect(part in e.args[1], f"'{part}' is not in {e.args}")
    expect(False, f"no error, expected {part}")


def registry():
    length = c.c_size_t()
    check(lib.gradus_registry_json(None, 0, c.byref(length)))
    text = c.create_string_buffer(length.value + 1)
    check(lib.gradus_registry_json(text, c.c_size_t(len(text)), c.byref(length)))
    return json.loads(text.value)


def train(ops):
    """x1 xor x2 by a network of one hidden layer, every product written with broadcasting."""
    hidden = 8
    x = Tensor.of([0, 0, 0, 1, 1, 0, 1, 1], 4, 2, 1)
    y = Tensor.of([0, 1, 1, 0], 4, 1)
    start = [math.sin(1.7 * i + 0.3) for i in range(2 * hidden)]
    w1, b1 = Tensor.of(start, 1, 2, hidden).requires_grad(), Tensor.of([0.1 * math.cos(i) for i in range(hidden)]).requires_grad()
    w2, b2 = Tensor.of([math.cos(2.1 * i) for i in range(hidden)]).requires_grad(), Tensor.of([0.0], 1).requires_grad()
    losses = []
    for _ in range(600):
        h = ops["tanh"](ops["add"](ops["sum"](ops["mul"](x, w1), dim=[1]), b1))
        out = ops["add"](ops["sum"](ops["mul"](h, w2), dim=[1], keepdim=True), b2)
        loss = ops["sum"](ops["square"](ops["sub"](out, y)))
        loss.backward()
        losses.append(loss.numbers()[0])
        check(lib.gradus_context_set_recording(context, 0, None))
        for p in (w1, b1, w2, b2):
            ops["sub_"](p, p.grad, alpha=0.05)
            check(lib.gradus_tensor_set_grad(context, p.handle, None))
        check(lib.gradus_context_set_recording(context, 1, None))
    expect(losses[0] > 0.5 and losses[-1] < 0.01, f"the loss goes from {losses[0]} to {losses[-1]}")
    expect([round(v) for v in out.numbers()] == [0, 1, 1, 0], f"outputs {out.numbers()}")


def hooks(ops):
    """An exception of a hook comes back as itself."""
    pending = {}

    @HOOK
    def hook(user, ctx, grad, replacement):
        pending[user] = ValueError("of Python")
        return lib.gradus_context_fail(ctx, 0x0500, user, b"see user_code", 13)

    x = Tensor.of([1.0, 2.0]).requires_grad()
    check(lib.gradus_tensor_add_hook(context, x.handle, hook, 99, None, None))
    try:
        ops["sum"](x).backward()
        expect(False, "the hook was not called")
    except GradusError as e:
        expect(isinstance(pending.pop(e.args[3]), ValueError) and e.args[0] == "0x500", f"{e.args}")


def main():
    data = registry()
    ops = {op["name"]: bind(op) for op in data["ops"]}
    expect(len(ops) == lib.gradus_op_count(), "not every operation has a function")
    x = Tensor.of([1.0, 2.0, 3.0])
    expect(ops["add"](x, 1).numbers() == [2, 3, 4], "add with an integer")
    expect(ops["add"](x, x, alpha=-1).numbers() == [0, 0, 0], "add with alpha")
    expect(ops["ones"]([2, 2], dtype="int32").info().dtype == DTYPES["int32"], "a dtype by name")
    expect(ops["full"]([2], 2.5).numbers() == [2.5, 2.5], "full")
    expect(ops["sum"](ops["expand"](x, [2, 3]), [0]).numbers() == [2, 4, 6], "lists")
    expect_error("[3]", lambda: ops["add"](x, Tensor.of([1.0, 2.0])))
    expect_error("missing", ops["sin"])
    expect_error("tensor", lambda: ops["sin"]("text"))
    train(ops)
    hooks(ops)
    del x
    counts = Counts(struct_size=c.sizeof(Counts))
    lib.gradus_release(context)
    lib.gradus_live_counts(c.byref(counts))
    left = {name: getattr(counts, name) for name in ("contexts", "tensors", "graph_nodes", "foreign_blocks", "callbacks")}
    expect(not any(left.values()), f"left alive: {left}")
    print(f"ffi: {len(ops)} functions from the registry, {checks} checks")


main()
