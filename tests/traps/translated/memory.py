"""Sizes: beyond what fits 32 bits, beyond what can be had, and the same after a million steps."""
import resource

from . import FULL, L, Skip, c, count, equal, leave_out, living, refused, torch, trap
from .threads import resident

HUGE = 2 ** 63 - 1


def free_memory():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("MemAvailable"))


@trap("IX15")
def more_than_32_bits_of_elements(trap):
    """Copy, cumsum and selection by the mask only under --full: each takes many seconds."""
    n = 2 ** 31 + 8
    if free_memory() < 10 << 30:
        raise Skip("takes 10 GiB of free memory")
    torch.set_default_dtype(torch.float32)                                  # with another one the package tries ops on integers twice
    x = torch.zeros(n, dtype=torch.int8)
    x[-1] = 1
    assert x[-1].item() == 1 and x[2**31 - 1].item() == 0 and x.argmax().item() == n - 1
    assert x.gather(0, torch.tensor([n - 1, 0])).tolist() == [1, 0]
    assert x.sum().item() == 1
    mask = x != 0
    assert torch.count_nonzero(mask).item() == 1
    if not FULL:
        return leave_out("nonzero, selection by the mask, copy and cumsum are for --full")
    assert mask.nonzero().tolist() == [[n - 1]] and x[mask].tolist() == [1]
    del mask
    copied = x.clone()
    assert copied[-1].item() == 1
    sums = torch.cumsum(x, 0, dtype=torch.int8)
    assert sums[-1].item() == 1 and sums[-2].item() == 0


@trap("RS01")
def nothing_times_a_huge_size(trap):
    for shape in ((0, HUGE, 2), (HUGE, 0, 2), (0, HUGE, HUGE), (HUGE, HUGE, 0)):
        try:
            t = torch.empty(*shape)
        except (RuntimeError, MemoryError):
            continue
        assert t.numel() == 0 and tuple(t.shape) == shape and (t * 2).sum().item() == 0


@trap("RS03")
def more_memory_than_there_is(trap):
    before = torch.live_counts()["bytes_live"]
    for n in (2 ** 43, 2 ** 44):
        error = refused(torch.empty, n)
        assert str(n) in str(error) or str(8 * n) in str(error), error
        refused(torch.zeros, n)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for f in (lambda: torch.empty(1 << 29), lambda: torch.ones(1 << 13).reshape(-1, 1) @ torch.ones(1, 1 << 16),
              lambda: torch.ones(1 << 15, 1) + torch.ones(1, 1 << 14)):
        assert isinstance(refused(f), MemoryError)
    x = L([1., 2.])
    with_room = (x * 2).sum()
    with_room.backward()
    equal(x.grad, [2., 2.])
    del x, with_room
    assert torch.live_counts()["bytes_live"] == before


@trap("RS13")
def a_long_training(trap):
    """Of a network of two layers, through the C functions: memory and handles stay where they are after the first thousand steps."""
    steps, before = count(60_000, 1_000_000), living()
    with c.Context(seed=3) as context:
        w = [context.invoke("randn", c.ints(*shape), dtype=c.F64) for shape in ((4, 8), (8, 1))]
        x = context.invoke("randn", c.ints(16, 4), dtype=c.F64)
        for t in w:
            assert c.declare("tensor_set_requires_grad", (c.P, c.P, c.C.c_int32))(context.h, t, 1) == c.OK
        recording, clear = c.declare("context_set_recording", (c.P, c.C.c_int32, c.P)), c.declare("tensor_set_grad", (c.P, c.P, c.P))
        peak, live = 0, None
        for step in range(steps):
            h = [context.invoke("matmul", x, w[0])]
            for name, more in (("tanh", ()), ("matmul", (w[1],)), ("square", ()), ("mean", ())):
                h.append(context.invoke(name, h[-1], *more))
            assert context.backward(h[-1]) == c.OK
            for t in h:
                c.release(t)
            recording(context.h, 0, None)
            for t in w:
                g = context.grad(t)
                change = context.invoke("mul", g, -1e-4)
                context.write("add_", t, change)
                for used in (g, change):
                    c.release(used)
                clear(context.h, t, None)
            recording(context.h, 1, None)
            if step == 1000:
                peak, live = resident(), living()
            assert live is None or step % 1000 or living() == live
        assert resident() <= 1.01 * peak + (1 << 18), (peak, resident())
        for t in (*w, x):
            c.release(t)
    assert living() == before
