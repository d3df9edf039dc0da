"""Wrong use of the C functions: made from the headers and the registry."""
import ctypes as C
import itertools
import pathlib
import re
import resource
import time

from gradus import _ops

from . import T, c, count, living, torch, trap
from .threads import together

INCLUDE = pathlib.Path(__file__).parents[3] / "include" / "gradus"
EXTREMES = (-1, -2**63, 2**63 - 1, 2**62, 2**31, 65)


def prototypes():
    """[(name, result, [parameter text])] of all headers, comments about null kept in the parameter."""
    for path in sorted(INCLUDE.glob("*.h")):
        text = re.sub(r"/\*(?!\s*\[null ok\]).*?\*/", "", path.read_text(), flags=re.S)
        for result, name, parameters in re.findall(r"GRADUS_API\s+([\w\s*]+?)\b(gradus_\w+)\((.*?)\);", text, re.S):
            yield name, result.strip(), [" ".join(p.split()) for p in parameters.split(",")] if parameters.strip() != "void" else []


def is_pointer(parameter):
    return "*" in parameter or re.search(r"gradus_\w+_fn\b", parameter)


def plain(parameter):
    """A harmless number for a parameter that is none: 1."""
    return C.c_double(1.0) if "double" in parameter else C.c_int64(1)


def call(name, result, values):
    f = getattr(c.lib, name)
    f.restype, f.argtypes = C.c_int32 if result == "gradus_status" else C.c_void_p, None
    return f(*values)


@trap("RS04")
def nulls_and_other_kinds(trap):
    """Every function: null everywhere, null for one pointer at a time, and handles of another kind."""
    before, tried = living(), 0
    with c.Context() as context:
        tensor = context.tensor([1., 2.], True)
        product = context.invoke("mul", tensor, tensor)
        node = C.c_void_p()
        assert c.declare("tensor_grad_fn", (c.P, c.P, c.P))(context.h, product, C.byref(node)) == c.OK
        handles = {"gradus_context": context.h.value, "gradus_tensor": tensor, "gradus_node": node.value}
        for name, result, parameters in prototypes():
            if name == "gradus_context_create":
                assert call(name, result, [None, None]) == c.E_NULL
                continue
            status = result == "gradus_status"
            pointers = [i for i, p in enumerate(parameters) if is_pointer(p)]
            answer = call(name, result, [None if i in pointers else plain(p) for i, p in enumerate(parameters)])
            assert not status or not parameters or answer != c.OK, name
            tried += 1
            if not parameters or "gradus_context *ctx" not in parameters[0]:
                continue
            assert not status or call(name, result, [context.h] + [None if is_pointer(p) else plain(p) for p in parameters[1:]]) is not None
            for i, p in enumerate(parameters):                              # handles of another kind, everything else null
                kind = re.match(r"(?:const )?(gradus_(?:context|tensor|node)) \*\w+$", p)
                for other in (h for k, h in handles.items() if kind and k != kind[1]):
                    values = [None if is_pointer(q) else plain(q) for q in parameters]
                    values[0] = context.h
                    values[i] = C.c_void_p(other)
                    answer = call(name, result, values)
                    assert not status or answer != c.OK, (name, p)
                    tried += 1
        for h in (node, product, tensor):
            c.release(h)
        c.release(None)
    assert tried > 500 and living() == before, (tried, before, living())


def values_for(argument, tensors):
    """What an argument is tried with: something usable first, then the extremes."""
    kind = argument["type"], argument["list"]
    if kind[0] == "tensor":
        return [tensors] if kind[1] else tensors
    if kind == ("int", False) or kind[0] == "number":
        return [1, *EXTREMES]
    if kind == ("int", True):
        return [[1, 1], [], *([e, 2] for e in EXTREMES), [1] * 65, [2**31, 2**31, 2**31], [2**62, 4]]
    return [[0.5, 0.5], []] if kind == ("float", True) else [0.5, 1e300, -1e300] if kind[0] == "float" else ["", "sum"] if kind[0] == "text" else [None]


def samples():
    return [torch.rand(2, 3), torch.tensor([[1, 0, 1], [0, 1, 1]]), torch.rand(1, 2, 4, 4), torch.rand(2, 3).requires_grad_()]


def sweep_operation(name, tensors):
    """Calls an operation with one argument after the other out of range; how often."""
    op, record, calls = _ops.registry.operation(name), _ops.registry.records[name], 0
    arguments = [a for a in record["arguments"] if a["type"] != "other"]
    for first in tensors:
        lists = [values_for(a, [first, first]) for a in arguments]
        for i, tried in enumerate(lists):
            for v in tried if arguments[i]["type"] in ("int", "number", "float") else ():
                given = {a["name"]: v if j == i else lists[j][0] for j, a in enumerate(arguments) if j == i or "default" not in a}
                if record["in_place"]:
                    given[arguments[0]["name"]] = first.detach().clone()
                calls += 1
                try:
                    op.run(op.bind((), given) or _refuse(), tuple(given.values()))
                except (RuntimeError, TypeError, ValueError, OverflowError, MemoryError, IndexError, NotImplementedError) as error:
                    assert "internal" not in str(error).lower(), (name, given, error)
    return calls


@trap("RS05")
def bad_sizes(trap):
    """Constructors and every operation of the registry with sizes, dims and counts that can't be: a status, never a crash."""
    torch.linalg_inv(torch.eye(2))                                          # a LAPACK takes its memory once, and some wait for it for ever
    room = resource.getrlimit(resource.RLIMIT_AS)
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), room[1]))   # what is merely large ends soon, by status MEMORY
    before = living()
    with c.Context() as context:
        h, data = C.c_void_p(), (C.c_double * 4)()
        for rank, shape in itertools.product((-1, 0, 1, 2, 65, 2**31 - 1, -2**31), (None, (-1, 2), (-2**63, 1), (2**63 - 1, 2**63 - 1), (2**62, 4))):
            sizes = (C.c_int64 * 64)(*(shape or ()))
            for name in ("tensor_zeros", "tensor_empty"):
                f = c.declare(name, (c.P, C.c_int32, C.c_int32, c.P, c.P))
                status = f(context.h, c.F64, rank, sizes if shape else None, C.byref(h))
                assert (status == c.OK) == (rank == 0) and bool(h) == (rank == 0), (name, rank, shape, status)
                c.release(h)
            f = c.declare("tensor_copy_in", (c.P, C.c_int32, C.c_int32, c.P, c.P, c.P, C.c_size_t, c.P))
            for strides in (None, (C.c_int64 * 64)(2**62, 2**62), (C.c_int64 * 64)(-1, 1)):
                status = f(context.h, c.F64, rank, sizes if shape else None, strides, data, 32, C.byref(h))
                assert (status == c.OK) == (rank == 0), (rank, shape, status)
                c.release(h)
    calls = sum(sweep_operation(name, samples()) for name in _ops.registry.records)
    resource.setrlimit(resource.RLIMIT_AS, room)
    assert calls > 5000 and living() == before, (calls, before, living())


def _refuse():
    raise TypeError("does not fit the schema")


class Definition(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("name", C.c_char_p), ("schema", C.c_char_p), ("summary", C.c_char_p),
                ("forward", C.c_void_p), ("backward", C.c_void_p), ("user", C.c_void_p)]


@trap("RS14")
def operations_of_the_host(trap):
    """Registered ones live until the process ends: there is no unregistering. A name ends at its first 0 by the interface."""
    register, find = c.declare("op_register", (c.P, c.P, c.P)), c.declare("op_find", (C.c_char_p, C.c_size_t), c.P)
    function = C.CFUNCTYPE(C.c_int32, c.P, c.P, c.P, C.c_size_t, c.P, C.c_size_t, c.P)(lambda *a: c.E_STATE)

    def define(context, name, schema=b"(Tensor x) -> Tensor", forward=C.cast(function, C.c_void_p)):
        op = C.c_void_p()
        d = Definition(C.sizeof(Definition), 0, name, schema, None, forward, None, None)
        status = register(context.h, C.byref(d), C.byref(op))
        assert bool(op) == (status == c.OK)
        return status
    with c.Context() as context:
        assert define(context, b"traps.one") == c.OK and define(context, b"traps.one") != c.OK
        for name in (None, b"", b"add", b"no_dot", b".", b"a.", b".a", b"a b.c", b"a.b(", b"x." + b"y" * 100_000):
            status = define(context, name)
            assert status != c.OK or len(name) > 1000, name
        for schema in (None, b"", b"(", b"()", b"() -> ", b"(Tensor", b"(Tensor x) -> ", b"(Tensor x -> Tensor", b"(Thing x) -> Tensor", b"(Tensor x) -> int",
                       b"(Tensor x, Tensor x) -> Tensor", b"(Tensor(a!) x) -> Tensor", b"(" * 100_000, b"\xff\xfe", b"(int x=) -> Tensor"):
            assert define(context, b"traps.bad", schema) != c.OK, schema
        assert define(context, b"traps.nothing", forward=None) != c.OK and not find(b"traps.bad", 9)

        def many(first):
            with c.Context() as mine:
                for i in range(first, first + each):
                    assert define(mine, b"traps.op%d" % i) == c.OK and find(b"traps.op%d" % i, len(b"traps.op%d" % i))
                    c.release(mine.invoke("exp", x))
        x, each = context.tensor([1., 2.]), count(2000, 25_000)
        together(*[lambda k=k: many(k * each) for k in range(4)])
        start = time.process_time()
        for _ in range(20_000):
            find(b"traps.op7", 9)
        assert time.process_time() - start < 1                              # no walk through them all
        c.release(x)


@trap("RS15")
def structs_that_grow(trap):
    """There is no earlier release; what later ones rest on is tried: sizes of structs, and versions of symbols."""
    class Larger(C.Structure):
        _fields_ = [("known", c.ContextOptions), ("later", C.c_uint64 * 4)]
    h = C.c_void_p()
    create = c.declare("context_create", (c.P, c.P))
    larger = Larger()
    larger.known.struct_size = C.sizeof(Larger)
    assert create(C.byref(larger), C.byref(h)) == c.OK                      # zeros that this library does not know
    for size in (0, 3, C.sizeof(Larger)):
        info = (C.c_uint8 * 256)(*[0xff] * 256)
        C.cast(info, C.POINTER(C.c_uint32))[0] = size
        status = c.declare("context_describe", (c.P, c.P))(h, info)
        known = C.cast(info, C.POINTER(C.c_uint32))[0]
        if size > 8:
            assert status == c.OK and 8 <= known <= size and not any(info[known:size]) and info[size] == 0xff
        else:
            assert status != c.OK and all(v == 0xff for v in info[max(size, 4):])
    c.release(h)
    larger.later[3] = 1
    assert create(C.byref(larger), C.byref(h)) == c.E_UNKNOWN_FIELD and not h
    small = c.ContextOptions(struct_size=8)                                 # an older caller: what lies beyond is not read
    small.alloc = 1
    assert create(C.byref(small), C.byref(h)) == c.OK
    c.release(h)
    folder = pathlib.Path(__file__).parents[3] / "capi"
    exported = set(re.findall(r"^\s+(gradus_\w+);", (folder / "gradus.map").read_text(), re.M))
    assert len(exported) > 500 and "GRADUS_1.0" in (folder / "gradus.map").read_text()
    missing = [name for name in exported if not hasattr(c.lib, name)]
    assert not missing, missing


@trap("RS16")
def text_is_bounded(trap):
    put = c.declare("tensor_print", (c.P, c.P, c.P, C.c_size_t, c.P))
    huge = torch.zeros(1).expand(1 << 40)
    deep = torch.zeros(1).reshape([1] * 60)
    many = (T([float("nan")] * 3), huge, torch.empty(0), torch.empty(3, 0, 2), T(1.), deep, torch.rand(*[3] * 12), torch.rand(7, 2000, 9), T([1e300, -1e-300, 1e5]),
            torch.zeros(1).expand(1 << 20, 1 << 20), torch.zeros(1).expand(*[2] * 40))
    with c.Context() as context:
        for t in many:
            length = C.c_size_t()
            assert put(context.h, t._h, None, 0, C.byref(length)) == c.OK
            assert 0 < length.value < 64 << 10, (t.shape, length.value)
            whole = repr(t).encode()
            assert len(whole) == length.value
            for capacity in (1, 2, 10, length.value, length.value + 1, length.value + 9):
                buffer = (C.c_char * (capacity + 8))(*b"\xee" * (capacity + 8))
                got = C.c_size_t()
                assert put(context.h, t._h, buffer, capacity, C.byref(got)) == c.OK and got.value == length.value
                assert buffer.raw[:min(capacity, len(whole) + 1)] == whole[:capacity - 1] + b"\0"
                assert buffer.raw[capacity:] == b"\xee" * 8
