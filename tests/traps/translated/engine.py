"""The graph and its backward pass: size, lifetime, hooks and other callbacks."""
import ctypes as C
import itertools
import pathlib
import time

from . import L, T, c, count, equal, living, refused, torch, trap
from gradus import _library as library


@trap("EN05")
def a_leaf_with_many_consumers(trap):
    x = L(1.)
    y = torch.stack([x * 1 for _ in range(100_000)]).sum()
    start = time.process_time()
    y.backward()
    assert time.process_time() - start < 2
    equal(x.grad, 100_000.)


def ladder(n):
    x = L([1., 1.])
    b = x.clone()
    for _ in range(n):
        b[0].add_(1.)
    start = time.process_time()
    b.sum().backward()
    equal(x.grad, [1., 1.])
    return time.process_time() - start


@trap("EN06")
def a_ladder_of_writes(trap):
    def both():
        return min(ladder(10_000) for _ in range(2)), min(ladder(1_000) for _ in range(3))
    ratios = []
    for _ in range(3):                                                      # caches and clock rates differ
        long, short = both()
        ratios.append(long / short)
        if ratios[-1] < 30:
            return
    raise AssertionError(f"10 times the steps take {ratios} times as long")


@trap("EN19")
def a_hook_drops_the_graph(trap):
    held = {}

    def hook(g):
        held.clear()
        junk = [torch.full((64,), float("nan")) for _ in range(2000)]
        del junk
    x = L([0.5, 1.5])
    held["a"] = x.exp()
    held["b"] = held["a"] * x
    held["y"] = held["b"].sin().sum()
    want = (((x.exp() * x).cos()) * (x.exp() * (x + 1))).tolist()
    held["a"].register_hook(hook)
    x.register_hook(hook)
    held["y"].backward()
    assert torch.allclose(x.grad, T(want), rtol=1e-14)


@trap("EN28")
def second_derivatives_leave_nothing(trap):
    def once():
        x = L([1.])
        y = x.tanh()
        g, = torch.autograd.grad(y, x, torch.ones(1), create_graph=True)
        del g, y
        y = x.tanh()
        y.backward(torch.ones(1), create_graph=True)
        x.grad = None                                                       # the call that frees the cycle x -> x.grad -> graph -> x
    once()
    before = living()
    for _ in range(count(20_000, 100_000)):
        once()
        assert living() == before
    x = L([1.])                                                             # and without it?
    x.tanh().backward(torch.ones(1), create_graph=True)
    del x
    assert living()["tensors"] - before["tensors"] < 10


@trap("EN29")
def a_write_through_a_view_makes_no_cycle(trap):
    def once():
        x = L([1.] * 4)
        b = x * 1
        b[0:2].relu_()
    once()
    before = living()
    for _ in range(count(5000, 100_000)):
        once()
        assert living() == before


@trap("EN30")
def any_order_of_release(trap):
    names = ("x", "w", "y", "z", "loss")
    before = living()
    with c.Context() as context:
        for order in itertools.permutations(names):
            for loss_last in (True, False):
                h = {"x": context.tensor([1., 2.], True), "w": context.tensor([3., 4.], True)}
                h["y"] = context.invoke("mul", h["x"], h["w"])
                h["z"] = context.invoke("exp", h["y"])
                h["loss"] = context.invoke("sum", h["z"])
                if loss_last:                                               # release the others first, the leaves' gradients are asked for by x2
                    x2 = h["x"]
                    c.retain(x2)
                    for name in order:
                        if name != "loss":
                            c.release(h[name])
                    assert context.backward(h["loss"]) == c.OK
                    g = c.floats(context, context.grad(x2))
                    assert torch.allclose(T(g), T([3., 4.]) * T([3., 8.]).exp(), rtol=1e-14)
                    c.release(h["loss"])
                    c.release(x2)
                else:
                    assert context.backward(h["loss"]) == c.OK
                    for name in order:
                        c.release(h[name])
    assert living() == before


@trap("EN38")
def anomaly_names_the_operation(trap):
    x = L([0.])
    with torch.autograd.detect_anomaly():
        y = (x.sqrt() * 0).sum()
        error = refused(y.backward)
    assert "sqrt" in str(error).lower(), error


# ---- callbacks that misbehave

def hooked(context, function):
    """(status of backward, its error) with a hook on x of x * x summed."""
    x = context.tensor([1., 2.], True)
    y = context.sum_of_product(x, x)
    hook, destroyed = library.HOOK(function), []
    destroy = library.DESTROY(destroyed.append)
    add = c.declare("tensor_add_hook", (c.P, c.P, library.HOOK, c.P, library.DESTROY, c.P))
    assert add(context.h, x, hook, 5, destroy, None) == c.OK
    status = context.backward(y)
    error = context.error()
    for t in (x, y):
        c.release(t)
    assert destroyed == [5], destroyed
    return status, error


@trap("RS07")
def callbacks_that_fail(trap):
    fail = c.declare("context_fail", (c.P, C.c_int32, C.c_int64, C.c_char_p, C.c_size_t))
    with c.Context() as context:
        for status in (c.E_CALLBACK, 0x0106, 0x0200, -5, 0x7fffffff):
            got, (_, message, _) = hooked(context, lambda user, ctx, g, replacement: fail(ctx, status, 1, b"so it goes", 10))
            assert got != c.OK and "so it goes" in message, (hex(status), got, message)
            assert hooked(context, lambda user, ctx, g, replacement: status)[0] != c.OK   # without a word
            assert hooked(context, lambda user, ctx, g, replacement: c.OK)[0] == c.OK     # and the context works again
    x = L([1.])
    x.register_hook(lambda g: 1 / 0)
    error = refused((x * 2).sum().backward)
    assert isinstance(error, ZeroDivisionError), error
    header = (pathlib.Path(__file__).parents[3] / "include" / "gradus" / "base.h").read_text()
    assert "longjmp" in header                                              # forbidden in words


@trap("RS08")
def callbacks_that_call_back(trap):
    before = living()
    w = L([3.])

    def nested(g):
        with torch.enable_grad():
            (w * w).sum().backward()

    def modes(g):
        torch.set_grad_enabled(True)

    def hooks(g):
        w.register_hook(lambda h: h)
        handles[0].remove()

    def frees(g):
        kept.clear()
    for callbacks in itertools.chain(itertools.permutations((nested, modes, hooks, frees), 2), [(nested, modes, hooks, frees)]):
        x = L([1., 2.])
        y = x.exp()
        kept, handles = [y], [x.register_hook(f) for f in callbacks]
        loss = (y * x).sum()
        del y
        want = ((x + 1) * x.exp()).detach()
        loss.backward()
        assert torch.allclose(x.grad, want, rtol=1e-14)
        assert torch.is_grad_enabled()
        with torch.no_grad():
            y = None
        del loss, x, handles, kept
    equal(w.grad.numel(), 1)
    with torch.no_grad():                                                   # the mode of the caller comes back whatever the hook sets
        x = L([1.])
        with torch.enable_grad():
            y = (x * 2).sum()
        x.register_hook(modes)
        y.backward()
        assert not torch.is_grad_enabled()
    del w, x, y, want
    assert living()["graph_nodes"] == before["graph_nodes"]
