"""The C functions, for checks below the Python package: a context of its own, handles as numbers, statuses as they come."""
import array
import ctypes as C
import struct

from gradus import _library as library
from gradus import _ops

lib = C.CDLL(library.path)                                                  # without the package's declarations
P, OK, E_NULL, E_HANDLE, E_STATE, E_CALLBACK, E_UNKNOWN_FIELD = C.c_void_p, 0, 0x0101, 0x0102, 0x0300, 0x0500, 0x0402
F64 = 10
INTEGER, REAL = struct.Struct("=iIqQ"), struct.Struct("=iIdQ")                # a gradus_value


class ContextOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("threads", C.c_int32), ("log_level", C.c_int32), ("seed", C.c_uint64)] + [
        (name, P) for name in ("log", "alloc", "dealloc", "interrupt", "user", "destroy")]


def declare(name, arguments, result=C.c_int32):
    f = getattr(lib, "gradus_" + name)
    f.argtypes, f.restype = arguments, result
    return f


release = declare("release", (P,), None)
retain = declare("retain", (P,), None)


def ints(*values):
    return array.array("q", values)


class Context:
    def __init__(self, **options):
        given = ContextOptions(struct_size=C.sizeof(ContextOptions), **options)
        h = P()
        assert lib.gradus_context_create(C.byref(given), C.byref(h)) == OK
        self.h = h

    def __enter__(self):
        return self

    def __exit__(self, *error):
        release(self.h)

    def error(self):
        """(status, message, origin) of the last failure."""
        info = library.ErrorInfo(struct_size=C.sizeof(library.ErrorInfo))
        declare("context_error", (P, P), None)(self.h, C.byref(info))
        return info.status, (info.message or b"").decode(), (info.origin or b"").decode()

    def write(self, name, *arguments):
        """An operation whose name ends in "_"."""
        values, text = b"".join(map(self._value, arguments)), name.encode()
        op = declare("op_find", (C.c_char_p, C.c_size_t), P)(text, len(text))
        status = declare("invoke", (P, P, C.c_char_p, C.c_size_t, P, C.c_size_t, P))(self.h, op, values, len(arguments), None, 0, None)
        assert status == OK, self.error()

    def invoke(self, name, *arguments, dtype=None):
        """The one result of an operation, as a handle; tensors are handles (int), lists array.array."""
        values = b"".join(self._value(a) for a in arguments)
        count = len(arguments)
        if dtype:
            place = [a["type"] for a in _ops.registry.records[name]["arguments"]].index("dtype")
            values += bytes(24) * (place - count) + INTEGER.pack(6, dtype, 0, 0)
            count = place + 1
        words = (C.c_uint64 * 3)()
        text = name.encode()
        op = declare("op_find", (C.c_char_p, C.c_size_t), P)(text, len(text))
        status = declare("invoke", (P, P, C.c_char_p, C.c_size_t, P, C.c_size_t, P))(self.h, op, values, count, words, 1, None)
        assert status == OK, self.error()
        return words[1]

    def sum_of_product(self, a, b):
        product = self.invoke("mul", a, b)
        result = self.invoke("sum", product)
        release(product)
        return result

    @staticmethod
    def _value(v):
        if isinstance(v, array.array):
            return INTEGER.pack(8, 0, v.buffer_info()[0], len(v))
        if isinstance(v, float):
            return REAL.pack(4, 0, v, 0)
        return INTEGER.pack(7 if v > 1 << 16 else 3, 0, v, 0)

    def tensor(self, values, requires_grad=False):
        """A float64 vector."""
        data, shape, h = (C.c_double * len(values))(*values), (C.c_int64 * 1)(len(values)), P()
        assert declare("tensor_copy_in", (P, C.c_int32, C.c_int32, P, P, P, C.c_size_t, P))(
            self.h, F64, 1, shape, None, data, C.sizeof(data), C.byref(h)) == OK, self.error()
        if requires_grad:
            assert declare("tensor_set_requires_grad", (P, P, C.c_int32))(self.h, h, 1) == OK
        return h.value

    def backward(self, tensor):
        outputs = (P * 1)(tensor)
        return declare("backward", (P, P, C.c_size_t, P, P))(self.h, outputs, 1, None, None)

    def grad(self, tensor):
        h = P()
        assert declare("tensor_grad", (P, P, P))(self.h, tensor, C.byref(h)) == OK
        return h.value


def floats(context, tensor):
    """The elements as float64; the handle is given up."""
    info = library.TensorInfo(struct_size=C.sizeof(library.TensorInfo))
    declare("tensor_describe", (P, P))(tensor, C.byref(info))
    data = array.array("d", bytes(8 * info.count))
    assert declare("tensor_copy_out", (P, P, C.c_int32, P, C.c_size_t))(context.h, tensor, F64, data.buffer_info()[0], 8 * info.count) == OK
    release(tensor)
    return data.tolist()
