"""Element types as objects, the default one, and what the library calls them."""
import ctypes as C
import struct


class dtype:
    """An element type. number is the library's, code the letter of the array and struct modules, typestr NumPy's."""

    __slots__ = ("name", "number", "itemsize", "is_floating_point", "is_complex", "is_signed", "code", "typestr", "_short")

    def __init__(self, name, number, itemsize, code, typestr, short):
        self.name, self.number, self.itemsize, self.code, self.typestr, self._short = name, number, itemsize, code, typestr, short
        self.is_floating_point, self.is_complex = name.startswith(("float", "bfloat")), name.startswith("complex")
        self.is_signed = name not in ("bool", "uint8")

    def __repr__(self):
        return "torch." + self.name

    def __reduce__(self):
        return by_name, (self.name,)

    def fits(self, other):
        """Whether values may be written into tensors of another type: nothing loses its parts, its fraction, or becomes a bool."""
        rank = lambda t: 3 if t.is_complex else 2 if t.is_floating_point else 0 if t.number == 1 else 1     # noqa: E731
        return rank(self) <= rank(other)

    def to_real(self):
        """The type of the parts of complex numbers."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self):
        return complex128 if self in (float64, complex128) else complex64


bool_ = dtype("bool", 1, 1, "?", "|b1", "bool")
uint8 = dtype("uint8", 2, 1, "B", "|u1", "uint8")
int8 = dtype("int8", 3, 1, "b", "|i1", "int8")
int16 = dtype("int16", 4, 2, "h", "<i2", "short")
int32 = dtype("int32", 5, 4, "i", "<i4", "int")
int64 = dtype("int64", 6, 8, "q", "<i8", "long")
float16 = dtype("float16", 7, 2, "e", "<f2", "half")
bfloat16 = dtype("bfloat16", 8, 2, None, None, "bfloat16")
float32 = dtype("float32", 9, 4, "f", "<f4", "float")
float64 = dtype("float64", 10, 8, "d", "<f8", "double")
complex64 = dtype("complex64", 11, 8, None, "<c8", "cfloat")
complex128 = dtype("complex128", 12, 16, None, "<c16", "cdouble")
ALL = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128)
BY_NUMBER = {d.number: d for d in ALL}
_BY_NAME = {d.name: d for d in ALL}
_BY_NAME.update({d._short: d for d in ALL if d._short not in _BY_NAME})
BY_TYPESTR = {d.typestr: d for d in ALL if d.typestr}
_BY_PYTHON = {float: float64, int: int64, bool: bool_, complex: complex128}


def by_name(name):
    return _BY_NAME[name]


def find(kind, default=None):
    """A dtype of this package, a Python type, a name or a NumPy type as the dtype it stands for; None if it is none."""
    if isinstance(kind, dtype):
        return kind
    if kind is None:
        return default
    if isinstance(kind, str):
        return _BY_NAME.get(kind.rsplit(".", 1)[-1])
    if isinstance(kind, type) and kind in _BY_PYTHON:
        return _BY_PYTHON[kind]
    if isinstance(kind, type) and kind.__module__ == "numpy":              # numpy.float64
        import numpy
        kind = numpy.dtype(kind)
    return BY_TYPESTR.get(getattr(kind, "str", None))


_default = float32


def default_changed():
    """Called when there is another default; _ops puts its own here."""


def default_dtype():
    return _default


def get_default_dtype():
    """The type of floating numbers that come without one."""
    return _default


def set_default_dtype(kind):
    global _default
    kind = find(kind)
    if kind is None or not kind.is_floating_point:
        raise TypeError("set_default_dtype: only floating-point types can be the default")
    _default = kind
    default_changed()


class finfo:
    """Limits of a floating type."""

    _BITS = {"float64": (52, 11), "float32": (23, 8), "float16": (10, 5), "bfloat16": (7, 8)}

    def __init__(self, kind=None):
        self.dtype = find(kind, _default)
        if self.dtype is None or not self.dtype.is_floating_point:
            raise TypeError("finfo: takes a floating-point type")
        mantissa, exponent = self._BITS[self.dtype.name]
        top = 2 ** (exponent - 1) - 1
        self.bits, self.eps = self.dtype.itemsize * 8, 2.0 ** -mantissa
        self.max = (2.0 - 2.0 ** -mantissa) * 2.0 ** top
        self.min, self.tiny = -self.max, 2.0 ** (1 - top)
        self.smallest_normal, self.resolution = self.tiny, 10.0 ** -int(mantissa * 0.30103)

    def __repr__(self):
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{n}={getattr(self, n):g}' for n in names)}, dtype={self.dtype.name})"


class iinfo:
    """Limits of an integer type."""

    def __init__(self, kind):
        self.dtype = find(kind)
        if self.dtype is None or self.dtype.is_floating_point or self.dtype.is_complex or self.dtype is bool_:
            raise TypeError("iinfo: takes an integer type")
        self.bits = self.dtype.itemsize * 8
        self.min = -(1 << self.bits - 1) if self.dtype.is_signed else 0
        self.max = (1 << self.bits - self.dtype.is_signed) - 1

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype.name})"


def pack(numbers, kind):
    """Python numbers as bytes of a type that struct knows; struct.error for those that do not fit."""
    if kind.is_complex:
        return pack([part for v in numbers for part in (v.real, v.imag)], kind.to_real())
    if kind is float32:                                                    # beyond the largest float: inf, as in C
        return bytes((C.c_float * len(numbers))(*numbers))
    return struct.pack(f"={len(numbers)}{kind.code}", *numbers)
