"""libgradus through ctypes: the generic call, gradients, and tensors in and out of numpy. No knowledge of any one operation."""
import ctypes as C
import json

import numpy as np

OK, VALUE, UNSUPPORTED, INTERNAL = 0, 0x0106, 0x0400, 0x0F00
DTYPES = {"bool": (1, "|b1"), "uint8": (2, "|u1"), "int8": (3, "|i1"), "int16": (4, "<i2"), "int32": (5, "<i4"), "int64": (6, "<i8"),
          "float16": (7, "<f2"), "bfloat16": (8, "<u2"), "float32": (9, "<f4"), "float64": (10, "<f8"),
          "complex64": (11, "<c8"), "complex128": (12, "<c16")}
DTYPE_NAMES = {number: name for name, (number, _) in DTYPES.items()}
DEFAULT, NONE, BOOL, I64, F64, TEXT, DTYPE, TENSOR, I64_LIST, F64_LIST, TENSOR_LIST, _, COMPLEX = range(13)
REQUIRES_GRAD = 0x1
RECORD, ALLOW_UNUSED = 0x2, 0x4


class Payload(C.Union):
    _fields_ = [("i64", C.c_int64), ("f64", C.c_double), ("ptr", C.c_void_p)]


class Value(C.Structure):
    _fields_ = [("kind", C.c_int32), ("aux", C.c_uint32), ("u", Payload), ("length", C.c_uint64)]


class ContextOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("threads", C.c_int32), ("log_level", C.c_int32),
                ("seed", C.c_uint64), ("pointers", C.c_void_p * 6)]


class ErrorInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("status", C.c_int32), ("argument", C.c_int32), ("reserved0", C.c_int32),
                ("message_length", C.c_uint64), ("user_code", C.c_int64), ("message", C.c_char_p), ("where", C.c_char_p)]


class TensorInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("dtype", C.c_int32), ("rank", C.c_int32), ("flags", C.c_uint32), ("count", C.c_int64),
                ("identity", C.c_uint64), ("storage", C.c_uint64), ("version", C.c_uint64), ("shape", C.POINTER(C.c_int64)),
                ("strides", C.POINTER(C.c_int64)), ("data", C.c_void_p), ("dtype_name", C.c_char_p)]


class BackwardOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("input_count", C.c_uint64), ("inputs", C.c_void_p),
                ("reserved0", C.c_void_p)]


class GradusError(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Tensor:
    """Owns one reference; `memory` is the numpy array under a wrapped tensor."""

    def __init__(self, library, pointer, memory=None):
        self.library, self.pointer, self.memory = library, pointer, memory

    def __del__(self):
        self.library.c.gradus_release(self.pointer)

    def describe(self):
        info = TensorInfo(struct_size=C.sizeof(TensorInfo))
        self.library.c.gradus_tensor_describe(self.pointer, C.byref(info))
        return info

    def shape(self):
        info = self.describe()
        return info.shape[:info.rank] if info.rank else []


def longs(numbers):
    return (C.c_int64 * max(len(numbers), 1))(*numbers)


class Library:
    def __init__(self, path):
        self.c = C.CDLL(path)
        pointer, size = C.c_void_p, C.c_size_t
        for name, kinds in {
                "context_create": [pointer, pointer], "context_error": [pointer, pointer], "context_set_seed": [pointer, C.c_uint64],
                "context_set_recording": [pointer, C.c_int32, pointer], "release": [pointer], "op_find": [C.c_char_p, size],
                "invoke": [pointer, pointer, pointer, size, pointer, size, pointer],
                "invoke_out": [pointer, pointer, pointer, size, pointer, size], "registry_json": [C.c_char_p, size, pointer],
                "tensor_copy_in": [pointer, C.c_int32, C.c_int32, pointer, pointer, pointer, size, pointer],
                "tensor_wrap": [pointer, C.c_int32, C.c_int32, pointer, pointer, pointer, size, C.c_uint32, pointer, pointer, pointer],
                "tensor_copy_out": [pointer, pointer, C.c_int32, pointer, size], "tensor_describe": [pointer, pointer],
                "tensor_set_requires_grad": [pointer, pointer, C.c_int32],
                "tensor_item_f64": [pointer, pointer, pointer], "tensor_item_i64": [pointer, pointer, pointer],
                "grad": [pointer, pointer, size, pointer, size, pointer, pointer, pointer]}.items():
            getattr(self.c, "gradus_" + name).argtypes = kinds
        self.c.gradus_op_find.restype = pointer
        self.c.gradus_release.restype = None
        self.context = None
        self.results, self.count = (Value * 256)(), C.c_size_t()

    def registry(self):
        length = C.c_size_t()
        self.c.gradus_registry_json(None, 0, C.byref(length))
        text = C.create_string_buffer(length.value + 1)
        self.c.gradus_registry_json(text, length.value + 1, C.byref(length))
        return json.loads(text.value.decode())["ops"]

    def open(self, threads=1):
        options = ContextOptions(struct_size=C.sizeof(ContextOptions), threads=threads, seed=7)
        self.context = C.c_void_p()
        if self.c.gradus_context_create(C.byref(options), C.byref(self.context)) != OK:
            raise GradusError(INTERNAL, "no context")

    def check(self, status):
        if status == OK:
            return
        error = ErrorInfo(struct_size=C.sizeof(ErrorInfo))
        self.c.gradus_context_error(self.context, C.byref(error))
        raise GradusError(status, "status %#x: %s" % (status, (error.message or b"").decode(errors="replace")))

    def make(self, dtype, shape, strides, array, wrap):
        """A tensor with a copy of the array's memory, or on that memory."""
        out, memory = C.c_void_p(), array if array.size else np.zeros(8, array.dtype)
        sizes, steps = longs(shape), longs(strides)
        where = memory.ctypes.data_as(C.c_void_p)
        if wrap:
            status = self.c.gradus_tensor_wrap(self.context, DTYPES[dtype][0], len(shape), sizes, steps, where, memory.nbytes, 0, None, None,
                                               C.byref(out))
        else:
            status = self.c.gradus_tensor_copy_in(self.context, DTYPES[dtype][0], len(shape), sizes, steps, where, memory.nbytes, C.byref(out))
        self.check(status)
        return Tensor(self, out.value, memory if wrap else None)

    def read(self, t):
        """(array, dtype name, strides); bfloat16 as its 16 bits."""
        info = t.describe()
        name = DTYPE_NAMES[info.dtype]
        shape = info.shape[:info.rank] if info.rank else []
        strides = info.strides[:info.rank] if info.rank else []
        array = np.zeros(shape, DTYPES[name][1])
        self.check(self.c.gradus_tensor_copy_out(self.context, t.pointer, 0, array.ctypes.data_as(C.c_void_p), array.nbytes))
        return array, name, strides

    def item(self, t):
        info = t.describe()
        if DTYPE_NAMES[info.dtype].startswith("complex"):
            return complex(self.read(t)[0].reshape(()).item())
        real = DTYPE_NAMES[info.dtype] in ("float16", "bfloat16", "float32", "float64")
        value = C.c_double() if real else C.c_int64()
        get = self.c.gradus_tensor_item_f64 if real else self.c.gradus_tensor_item_i64
        self.check(get(self.context, t.pointer, C.byref(value)))
        return bool(value.value) if DTYPE_NAMES[info.dtype] == "bool" else value.value

    def invoke(self, name, values):
        """Calls an operation with ready-made Values; the results as tensors."""
        op = self.c.gradus_op_find(name.encode(), len(name.encode()))
        arguments = (Value * max(len(values), 1))(*values)
        results, room = self.results, len(self.results)
        status = self.c.gradus_invoke(self.context, op, arguments, len(values), results, room, C.byref(self.count))
        if status == VALUE and self.count.value > room:
            results, room = (Value * self.count.value)(), self.count.value
            status = self.c.gradus_invoke(self.context, op, arguments, len(values), results, room, C.byref(self.count))
        self.check(status)
        return [Tensor(self, results[i].u.ptr) for i in range(self.count.value)]

    def invoke_out(self, name, values, outs):
        """Calls an operation that writes its results into the tensors `outs`."""
        op = self.c.gradus_op_find(name.encode(), len(name.encode()))
        targets = (C.c_void_p * max(len(outs), 1))(*[t.pointer for t in outs])
        self.check(self.c.gradus_invoke_out(self.context, op, (Value * max(len(values), 1))(*values), len(values), targets, len(outs)))

    def grad(self, outputs, seeds, inputs, record):
        def pointers(tensors):
            return (C.c_void_p * max(len(tensors), 1))(*[t.pointer for t in tensors])
        options = BackwardOptions(struct_size=C.sizeof(BackwardOptions), flags=ALLOW_UNUSED | (RECORD if record else 0))
        results = (C.c_void_p * max(len(inputs), 1))()
        self.check(self.c.gradus_grad(self.context, pointers(outputs), len(outputs), pointers(inputs), len(inputs), pointers(seeds),
                                      C.byref(options), results))
        return [Tensor(self, results[i]) if results[i] else None for i in range(len(inputs))]

    def recording(self, on):
        self.check(self.c.gradus_context_set_recording(self.context, int(on), None))
