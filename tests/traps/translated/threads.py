"""Several threads: shared weights, graphs that wander, short-lived threads, random numbers, errors."""
import queue
import threading

from gradus.nn import functional as F

from . import L, T, c, count, equal, living, same_bits, torch, trap


def together(*functions):
    """Runs them in threads of their own; raises what one of them raised."""
    errors = []

    def run(f):
        try:
            f()
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=run, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def resident():
    """Bytes of memory in use."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


@trap("EN34")
def inference_on_shared_weights(trap):
    x = torch.randn(2, 3, 8, 8)
    w, m = torch.randn(4, 3, 3, 3).requires_grad_(), torch.randn(144, 10).requires_grad_()

    def forward():
        with torch.no_grad():
            return torch.softmax(F.conv2d(x, w).reshape(2, -1) @ m, 1)
    want, stop = forward(), threading.Event()

    def noise():
        while not stop.is_set():
            torch.randn(1000)

    def many():
        assert all(same_bits(forward(), want) for _ in range(count(100, 1000)))
    other = threading.Thread(target=noise)
    other.start()
    try:
        together(*[many] * 16)
    finally:
        stop.set()
        other.join()


@trap("EN35")
def graphs_that_wander(trap):
    n, built, done = count(2000, 10_000), queue.Queue(), queue.Queue()

    def build():
        for i in range(n):
            x = L([float(i), 2.])
            built.put((x, i, (x * x).sum()))

    def run():
        for _ in range(n):
            x, i, y = built.get()
            y.backward()
            done.put((x, i, y))

    def free():
        for _ in range(n):
            x, i, y = done.get()
            equal(x.grad, [2. * i, 4.])
    before = living()
    together(build, run, free)
    assert living() == before


@trap("EN36")
def threads_that_come_and_go(trap):
    def work():
        x = L([1., 2., 3.])
        (x.exp() * x).sum().backward()
        assert x.grad is not None
    n = count(2000, 10_000)
    for _ in range(n // 4):
        together(work)
    before, memory = torch.live_counts(), resident()
    for _ in range(n):
        together(work)
    after = torch.live_counts()
    assert after["contexts"] == before["contexts"] and after["tensors"] == before["tensors"], (before, after)
    assert resident() - memory < 4 << 20, resident() - memory
    hold = threading.Thread(target=lambda: (L([1.]).exp(), threading.Event().wait()), daemon=True)
    hold.start()                                                            # the process ends while it holds tensors


@trap("RG05")
def random_numbers_of_two_threads(trap):
    drawn = []

    def draw():                                                             # each thread has a generator of its own, seeded by the system
        drawn.append([v for _ in range(count(10, 100)) for v in torch.rand(10_000).tolist()])
    together(*[draw] * 8)
    everything = [v for numbers in drawn for v in numbers]
    assert len(set(everything)) == len(everything)                          # 53 bits each: a repeated block would show


@trap("RS06")
def errors_belong_to_their_context(trap):
    def failing(size):
        def run():
            with c.Context() as context:
                x = context.tensor([0.] * size)
                y = context.tensor([0.] * (size + 1))
                for _ in range(count(2000, 1_000_000)):
                    try:
                        context.invoke("add", x, y)
                        raise SystemError("no error")
                    except AssertionError as error:
                        assert f"[{size}]" in str(error) and f"[{size + 1}]" in str(error), error
                status, message, origin = context.error()
                c.release(context.invoke("exp", x))                         # a success does not clear it
                assert context.error() == (status, message, origin) and message
                c.release(x)
                c.release(y)
        return run
    together(failing(3), failing(50))
