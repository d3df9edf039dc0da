"""The Backend of the conformance replay over the C functions of gradus."""
import ctypes as C

import numpy as np

import library as L

ATEN_CODES = {0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 9: "complex64", 10: "complex128",
              11: "bool", 15: "bfloat16"}
ATEN_NAMES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "cfloat": "complex64",
              "cdouble": "complex128"}


class NotServed(NotImplementedError):
    """Nothing of the library can answer the overload."""


RANKING = {"sort", "argsort", "topk", "kthvalue", "median", "nanmedian", "mode"}    # whose last result says where values are


class Refused(Exception):
    """An error that a binding reports before the library is asked."""


def row_major(shape):
    strides, step = [], 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= max(n, 1)
    return strides


class Backend:
    supports_jvp = False

    def __init__(self, library, overloads):
        self.library, self.overloads = library, overloads
        self.last_call, self.runs, self.in_grad = None, 0, False
        self.ranked = None                                                  # of the last ranking call: self, dim, places

    # ---- what the replay asks for
    def seed(self, n):
        self.library.check(self.library.c.gradus_context_set_seed(self.library.context, n))
        self.runs, self.in_grad = self.runs + 1, False

    def tensor(self, storage, dtype, shape, strides, offset, requires_grad):
        if dtype not in L.DTYPES:
            raise NotServed("dtype " + dtype)
        if offset == 0 and list(strides) == row_major(shape):
            t = self.library.make(dtype, shape, strides, storage, wrap=False)
        elif offset == 0:
            t = self.library.make(dtype, shape, strides, storage.copy(), wrap=True)
        else:
            t = self._strided(self.library.make(dtype, [storage.size], [1], storage.copy(), wrap=True), shape, strides, offset)
        if requires_grad:
            self.library.check(self.library.c.gradus_tensor_set_requires_grad(self.library.context, t.pointer, 1))
        return t

    def alias(self, h, dtype, shape, strides, offset):
        return self._strided(h, shape, strides, offset)

    def is_tensor(self, h):
        return isinstance(h, L.Tensor)

    def requires_grad(self, h):
        return bool(h.describe().flags & L.REQUIRES_GRAD)

    def export(self, h):
        return self.library.read(h)

    def grad(self, outs, cots, inputs, create_graph):
        self.in_grad = True
        return self.library.grad(outs, cots, inputs, create_graph)

    def call(self, overload, args):
        self.last_call = overload
        plan = self.overloads.plan(overload)
        if plan is None:
            raise NotServed(overload)
        keep = []
        values = [L.Value() for _ in plan.op["arguments"]]
        for place, value in zip(plan.places, args):
            if isinstance(place, int):
                values[place] = self._value(plan.op["arguments"][place], value, keep)
            elif place[0] == "correction":
                if value is not None:
                    values[place[1]] = self._value({"type": "number", "list": False}, int(value), keep)
            elif place[0] == "spread":
                for k, x in zip(place[1], value or []):
                    values[k] = self._value(plan.op["arguments"][k], x, keep)
            elif place[0] == "default" and value != place[1] and value is not None:
                raise L.GradusError(L.UNSUPPORTED, "the operation %s has no argument for %r" % (plan.op["name"], value))
        outs = [args[i] for i in plan.outs]
        outs = [t for x in outs for t in (x if isinstance(x, list) else [x])]
        results = outs or self.library.invoke(plan.op["name"], values)
        if outs:
            self.library.invoke_out(plan.op["name"], values, outs)
        if overload.removeprefix("aten::").split(".")[0] in RANKING:
            dims = [v for place, v in zip(plan.places, args) if isinstance(place, int) and plan.op["arguments"][place]["name"] == "dim"]
            self.ranked = args[0], dims[0] if dims else None, results[-1]
        return self._returned(results, plan.returns)

    # ---- arguments and results
    def _value(self, argument, v, keep):
        kind, number = argument["type"], isinstance(v, (bool, int, float))
        if v is None:
            return L.Value(kind=L.NONE)
        if kind == "other":
            return L.Value()
        if isinstance(v, L.Tensor):
            return self._pointer(L.TENSOR, v.pointer, 0, keep, v)
        if isinstance(v, str):
            text = v.encode()
            return self._pointer(L.TEXT, C.cast(C.c_char_p(text), C.c_void_p), len(text), keep, text)
        if isinstance(v, dict) and "dtype" in v:
            name = ATEN_NAMES.get(v["dtype"], v["dtype"])
            if name not in L.DTYPES:
                raise NotServed("dtype " + name)
            return L.Value(kind=L.DTYPE, aux=L.DTYPES[name][0])
        if kind == "dtype" and number:                                      # ATen's number of a dtype, where it is a default
            return L.Value(kind=L.DTYPE, aux=L.DTYPES[ATEN_CODES[v]][0])
        if isinstance(v, list):
            return self._list(argument, v, keep)
        if isinstance(v, complex):
            return L.Value(kind=L.COMPLEX, u=L.Payload(f64=v.real), length=int(np.float64(v.imag).view(np.uint64)))
        if not number:
            raise Refused("argument %r" % (v,))
        if isinstance(v, float):
            return L.Value(kind=L.F64, u=L.Payload(f64=v))
        if not -2**63 <= v < 2**63:
            raise Refused("%d does not fit int64_t" % v)
        return L.Value(kind=L.BOOL if isinstance(v, bool) else L.I64, u=L.Payload(i64=int(v)))

    def _list(self, argument, v, keep):
        if argument["type"] == "tensor":
            if not all(x is None or isinstance(x, L.Tensor) for x in v):
                raise Refused("a list of %r" % (v,))
            array = (C.c_void_p * max(len(v), 1))(*[x.pointer if x else None for x in v])
            return self._pointer(L.TENSOR_LIST, C.cast(array, C.c_void_p), len(v), keep, (array, v))
        if not all(isinstance(x, (bool, int, float)) for x in v):
            raise Refused("a list of %r" % (v,))
        reals = argument["type"] == "float" or any(isinstance(x, float) for x in v)
        array = (C.c_double * max(len(v), 1))(*v) if reals else L.longs(v)
        return self._pointer(L.F64_LIST if reals else L.I64_LIST, C.cast(array, C.c_void_p), len(v), keep, array)

    @staticmethod
    def _pointer(kind, pointer, length, keep, owner):
        keep.append(owner)
        return L.Value(kind=kind, length=length, u=L.Payload(ptr=pointer if isinstance(pointer, int) else pointer.value))

    def _returned(self, results, returns):
        if returns in ("bool", "Scalar", "int", "float"):
            return self.library.item(results[0])
        if returns.endswith("[]") or returns.startswith("("):
            return results if returns != "()" else None
        return results[0] if results else None

    def _strided(self, base, shape, strides, offset):
        keep = []
        values = [self._value({"type": "tensor", "list": False}, base, keep)]
        values += [self._list({"type": "int"}, list(x), keep) for x in (shape, strides)]
        self.library.recording(False)
        try:
            t = self.library.invoke("as_strided", values + [L.Value(kind=L.I64, u=L.Payload(i64=offset))])[0]
        finally:
            self.library.recording(True)
        t.base = base
        return t
