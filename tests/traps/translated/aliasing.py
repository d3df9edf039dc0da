"""Memory that several owners see: out= on views, foreign memory, storage that changes under a saved value."""
import array
import ctypes as C


from . import L, T, c, count, equal, living, refused, torch, trap

DESTROY = C.CFUNCTYPE(None, C.c_void_p)


@trap("ST17")
def out_does_not_spread(trap):
    s = torch.zeros(4)
    out = s[2:]
    try:
        torch.add(T([10., 20., 30.]), 0, out=out)
    except RuntimeError:
        pass
    equal(s, [0., 0., 0., 0.])
    equal(torch.add(T([10., 20.]), 0, out=out), [10., 20.])
    equal(s, [0., 0., 10., 20.])


@trap("IP20")
def storage_of_a_saved_value(trap):
    y = L([1., 2.]).exp()
    total = y.sum()
    with torch.no_grad():
        refused(y.resize_, 0)
    alias = y.detach()
    equal(alias.resize_(0).shape, torch.Size([0]))                          # another tensor on the memory may get smaller: backward sees it
    refused(total.backward)
    y = L([1., 2.]).exp()
    set_data = c.declare("tensor_set_data", (c.P, c.P, c.P))
    with c.Context() as context:
        empty = torch.empty(0)
        assert set_data(context.h, y._h, empty._h) == c.E_STATE             # a computed tensor keeps its storage
        w = L([3., 4.])
        z = (w * w).sum()
        assert set_data(context.h, w._h, empty._h) == c.OK                  # of a leaf the saved value counts as changed
        refused(z.backward)
        equal(w.shape, torch.Size([0]))
    x = L([1., 2.])
    y = x.exp()
    y.sum().backward()
    equal(x.grad, y.tolist())


# ---- DLPack

class DLTensor(C.Structure):
    _fields_ = [("data", C.c_void_p), ("device_type", C.c_int32), ("device_id", C.c_int32), ("ndim", C.c_int32), ("code", C.c_uint8),
                ("bits", C.c_uint8), ("lanes", C.c_uint16), ("shape", C.c_void_p), ("strides", C.c_void_p), ("byte_offset", C.c_uint64)]


class Managed(C.Structure):
    _fields_ = [("major", C.c_uint32), ("minor", C.c_uint32), ("manager_ctx", C.c_void_p), ("deleter", DESTROY), ("flags", C.c_uint64),
                ("t", DLTensor)]


class Producer:
    """Six doubles as a 2 x 3 tensor; counts how often its deleter runs."""

    def __init__(self, **changes):
        self.deleted, self.data = 0, array.array("d", [1, 2, 3, 4, 5, 6, 7])
        self.shape, self.strides = (C.c_int64 * 2)(2, 3), (C.c_int64 * 2)(3, 1)
        self.deleter = DESTROY(self._delete)
        self.managed = Managed(1, 0, None, self.deleter, 0, DLTensor(
            self.data.buffer_info()[0], 1, 0, 2, 2, 64, 1, C.addressof(self.shape), C.addressof(self.strides), 0))
        for name, v in changes.items():
            setattr(self.managed if name == "major" else self.managed.t, name, v)

    def _delete(self, managed):
        self.deleted += 1

    def take(self, context):
        h = c.P()
        status = c.declare("tensor_from_dlpack", (c.P, c.P, C.c_uint32, c.P))(context.h, C.byref(self.managed), 0, C.byref(h))
        assert bool(h) == (status == c.OK)
        return status, h.value


@trap("ST18")
def dlpack(trap):
    with c.Context() as context:
        accepted = Producer(strides=None)
        status, h = accepted.take(context)
        assert status == c.OK and accepted.deleted == 0
        equal(c.floats(context, h), [1., 2., 3., 4., 5., 6.])
        assert accepted.deleted == 1
        for changes in (dict(shape=None), dict(ndim=-1), dict(ndim=65), dict(code=77), dict(bits=63), dict(lanes=4), dict(device_type=99),
                        dict(code=5, bits=32), dict(major=9)):
            bad = Producer(**changes)
            assert bad.take(context)[0] != c.OK, changes
            assert bad.deleted == 0, changes                                # after a failure the caller still owns it
        odd = Producer(byte_offset=4)                                       # misaligned: refused, or copied
        status, h = odd.take(context)
        if status == c.OK:
            c.release(h)
            assert odd.deleted == 1
        saved = Producer()
        status, h = saved.take(context)
        x = context.tensor([2.] * 3, requires_grad=True)
        y = context.sum_of_product(h, x)
        c.release(h)
        assert saved.deleted == 0                                           # the graph reads it yet
        assert context.backward(y) == c.OK
        equal(c.floats(context, context.grad(x)), [5., 7., 9.])
        assert saved.deleted == 1                                           # the pass freed what it had read
        c.release(y)
        c.release(x)


# ---- the caller's memory

def wrap(context, shape, data, size, destroy, user=1, strides=None, dtype=c.F64):
    h = c.P()
    f = c.declare("tensor_wrap", (c.P, C.c_int32, C.c_int32, c.P, c.P, c.P, C.c_size_t, C.c_uint32, DESTROY, c.P, c.P))
    sizes, steps = (C.c_int64 * len(shape))(*shape), (C.c_int64 * len(shape))(*strides) if strides else None
    status = f(context.h, dtype, len(shape), sizes, steps, data, size, 0, destroy, user, C.byref(h))
    assert bool(h) == (status == c.OK)
    return status, h.value


@trap("RS09")
def memory_of_the_caller(trap):
    import threading
    ended = []
    destroy = DESTROY(lambda user: ended.append((user, threading.get_ident())))
    data = (C.c_double * 6)(1, 2, 3, 4, 5, 6)
    at, before = C.addressof(data), living()
    with c.Context() as context:
        for shape, size, strides, dtype in (((7,), 48, None, c.F64), ((-1,), 48, None, c.F64), ((2**62, 8), 48, None, c.F64), ((2, 3), 47, None, c.F64),
                                            ((2, 3), 48, (4, 1), c.F64), ((2,), 48, (2**62,), c.F64), ((2,), 48, (-1,), c.F64), ((6,), 48, None, 99)):
            assert wrap(context, shape, at, size, destroy, strides=strides, dtype=dtype)[0] != c.OK, (shape, strides)
        assert wrap(context, (2,), None, 48, destroy)[0] == c.E_NULL
        assert wrap(context, (2,), at + 4, 40, destroy)[0] != c.OK and not ended   # misaligned; nothing was taken over by any of them
        status, h = wrap(context, (6,), at, 48, destroy, user=7)
        view = context.invoke("slice", h, 0, 1, 3, 1)
        x = context.tensor([2.] * 2, requires_grad=True)
        y = context.sum_of_product(view, x)
        c.release(h)
        c.release(view)
        assert not ended
        other = threading.Thread(target=c.release, args=(y,))
        other.start()
        other.join()
        c.release(x)
    assert len(ended) == 1 and ended[0][0] == 7, ended
    assert living()["foreign_blocks"] == before["foreign_blocks"]
    for _ in range(count(1000, 100_000)):
        with c.Context() as context:
            c.release(wrap(context, (6,), at, 48, destroy)[1])
    assert len(ended) == 1 + count(1000, 100_000)
