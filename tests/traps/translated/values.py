"""Numbers: what the programs of the executable traps state in words beside their figures."""
import gradus.nn.functional as F

from . import L, T, count, equal, refused, same_bits, torch, trap

INF, NAN = float("inf"), float("nan")


@trap("DT08")
def floats_out_of_range_become_integers(trap):
    limits = {torch.int8: (-128, 127), torch.int16: (-2**15, 2**15 - 1), torch.int32: (-2**31, 2**31 - 1), torch.int64: (-2**63, 2**63 - 1),
              torch.uint8: (0, 255)}
    for source in (torch.float64, torch.float32):
        for dtype, (low, high) in limits.items():
            for n in (1, 67):                                               # a scalar tail; whole vectors
                got = torch.tensor([NAN, INF, -INF, 1e30, -1e30, 1.9] * n, dtype=source).to(dtype)
                equal(got, [0, high, low, high, low, 1] * n)


@trap("DT11")
def integer_power_wraps(trap):
    equal(torch.tensor([3] * 9) ** 41, [(3 ** 41 + 2 ** 63) % 2 ** 64 - 2 ** 63] * 9)


@trap("RN02")
def long_sums_of_floats(trap):
    n = 20_000_000
    a = torch.ones(n, dtype=torch.float32)
    equal(torch.dot(a, a), 2e7)
    equal(a.view(1, n) @ a.view(n, 1), [[2e7]])
    last = a.cumsum(0)[-1].item()
    assert abs(last - 2e7) <= 2, last                                       # one ulp of a float of that size


@trap("RN04")
def cancellation_does_not_depend_on_the_run(trap):
    a = T([1e16, 1., -1e16] * 1000)
    sums = {a.sum().item() for _ in range(20)}
    big = T([1e16, 1., -1e16]).repeat(200_000)
    assert len(sums) == 1 and len({big.sum().item() for _ in range(5)}) == 1


@trap("RN14")
def a_masked_row_of_attention(trap):
    q, k, v = (torch.randn(1, 1, 2, 4).requires_grad_() for _ in range(3))
    mask = T([[0., 0.], [-INF, -INF]])
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    equal(out[0, 0, 1].abs().sum(), 0.0)
    out.sum().backward()
    for t in (q, k, v):
        assert torch.isfinite(t.grad).all().item()
    equal(q.grad[0, 0, 1].abs().sum(), 0.0)


@trap("RN18")
def ties_share_one_gradient(trap):
    values = [2., 2., 1., 2.]
    for f in (lambda x: x.amax(0), lambda x: x.amin(0), torch.max, torch.min, lambda x: x.max(0)[0], lambda x: x.min(0)[0],
              lambda x: torch.maximum(x[0], x[1]), lambda x: torch.minimum(x[0], x[1]), torch.median, lambda x: torch.sort(x)[0][1]):
        x = L(values)
        f(x).backward()
        assert x.grad.sum().item() == 1, x.grad
    for name in ("max", "min", "median", "mode"):
        x = L(values)
        value, index = getattr(torch, name)(x, 0)
        value.backward()
        equal(x.grad, [float(i == index.item()) for i in range(4)])


@trap("RN20")
def nan_at_every_place(trap):
    for n in range(1, 68):
        for at in range(n):
            x = torch.arange(float(n))
            x[at] = NAN
            for t in (x, x.float()):
                assert t.max().isnan().item() and t.min().isnan().item() and t.amax().isnan().item(), (n, at)
                assert t.argmax().item() == at and t.argmin().item() == at, (n, at)
            assert torch.sort(x)[0][-1].isnan().item() and torch.topk(x, 1)[1].item() == at, (n, at)
            assert torch.maximum(x, torch.zeros(n)).isnan().sum().item() == 1, (n, at)


FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "erf", "tanh", "sigmoid", "log1p", "expm1", "sqrt", "rsqrt", "atan", "lgamma")


@trap("EL16")
def the_same_at_every_index(trap):
    for dtype in (torch.float64, torch.float32):
        for v in (1e22, 1e5, 0.7, 3e-5):
            x = torch.full((131,), v, dtype=dtype)
            for name in FUNCTIONS:
                y = getattr(torch, name)(x)
                one = getattr(torch, name)(x[:1]).item()
                assert y.unique().numel() == 1 and y[0].item() == one, (name, v, dtype)
            assert torch.pow(x, 1.3).unique().numel() == 1
    # The errors in ulp against MPFR and the published bounds: tests/accuracy_test.cpp, tests/math_table.cpp.


@trap("EL23")
def the_same_bits_for_every_layout(trap):
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for n in range(1, 132, count(7, 1)):
            for offset in (0, 1, 2, 3, 5, 8, 15):
                room = torch.linspace(-3, 3, 3 * (n + 16)).to(dtype)
                strided, shifted = room[offset::3][:n], room[offset::3][:n].clone()
                moved = torch.zeros(n + 16, dtype=dtype)
                moved[offset:offset + n] = shifted
                for f in (torch.exp, torch.tanh, torch.sigmoid, F.gelu, torch.log1p, torch.sin):
                    want = f(shifted)
                    assert same_bits(f(strided), want) and same_bits(f(moved[offset:offset + n]), want), (f.__name__, dtype, n, offset)


@trap("IX04")
def duplicate_indices_have_one_winner(trap):
    index = torch.tensor([0, 1, 0, 1, 0])
    for f in (lambda z, s: z.scatter(0, index, s), lambda z, s: z.index_put((index,), s), lambda z, s: z.index_copy(0, index, s)):
        s = L([1., 2., 3., 4., 5.])
        out = f(torch.zeros(2), s)
        (out * T([10., 100.])).sum().backward()
        winner = [s.tolist().index(v) for v in out.tolist()]
        equal(s.grad, [10. if i == winner[0] else 100. if i == winner[1] else 0. for i in range(5)])
        for _ in range(5):
            equal(f(torch.zeros(2), s.detach()), out.tolist())


@trap("LA11")
def products_of_halves_accumulate_wide(trap):
    a = torch.ones(1, 4096, dtype=torch.float16)
    equal(a @ a.t(), [[4096.0]])
    for k, want in ((65503, 65504.), (65505, 65504.), (65519, 65504.), (65520, INF), (70000, INF)):
        a = torch.ones(1, k, dtype=torch.float16)
        equal(a @ a.t(), [[want]])


@trap("RG01")
def random_numbers_are_the_same_for_any_number_of_threads(trap):
    from . import c
    streams = []
    for threads in (1, 2, 16):
        with c.Context(threads=threads, seed=0xFEDCBA9876543210) as context:
            streams.append([c.floats(context, context.invoke(name, c.ints(200_000), dtype=10)) for name in ("rand", "randn")])
    assert streams[0] == streams[1] == streams[2]
    with c.Context(seed=0x7EDCBA9876543210) as context:                     # differs in the top bit
        assert c.floats(context, context.invoke("rand", c.ints(5), dtype=10)) != streams[0][0][:5]
    for name in ("rand", "randn"):                                          # the prefix rule: a longer draw starts with the shorter one
        torch.manual_seed(5)
        short = getattr(torch, name)(8)
        torch.manual_seed(5)
        equal(getattr(torch, name)(20)[:8], short.tolist())


@trap("RG02")
def uniform_stays_below_one(trap):
    n = 1 << count(22, 26)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        u = torch.rand(n, dtype=dtype)
        assert 0 <= u.min().item() and u.max().item() < 1, (dtype, u.max())
        assert torch.isfinite(torch.randn(n, dtype=dtype)).all().item()
        assert torch.isfinite(torch.empty(n, dtype=dtype).exponential_()).all().item()
    halves = torch.rand(1 << 20, dtype=torch.float16)                       # here the largest pattern certainly came
    assert halves.max().item() == 1 - 2 ** -11 and halves.min().item() == 0


@trap("RG03")
def a_fill_follows_logical_order(trap):
    torch.manual_seed(1)
    a = torch.rand(3, 4)
    torch.manual_seed(1)
    b = torch.empty(4, 3).t()
    b.uniform_()
    equal(b, a.tolist())


@trap("NN03")
def no_groups(trap):
    x, w = torch.ones(1, 2, 3, 3), torch.ones(2, 2, 3, 3)
    for groups in (0, -1, -2**63, 2**62):
        refused(F.conv2d, x, w, groups=groups)


@trap("NN16")
def offsets_of_bags(trap):
    w, none = L([[1., 1.], [3., 3.]]), torch.empty(0, dtype=torch.int64)
    for mode in ("sum", "mean", "max"):
        refused(F.embedding_bag, none, w, torch.tensor([0, 2, 0]), mode=mode)
        refused(F.embedding_bag, torch.tensor([0, 1]), w, torch.tensor([0, 2, 1]), mode=mode)
        refused(F.embedding_bag, torch.tensor([0, 1]), w, torch.tensor([-1, 0]), mode=mode)
        refused(F.embedding_bag, torch.tensor([0, 2]), w, torch.tensor([0]), mode=mode)


@trap("NN17")
def states_of_the_wrong_size(trap):
    x, good = torch.ones(2, 4), dict(h=torch.zeros(2, 3), c=torch.zeros(2, 3), wi=torch.ones(12, 4), wh=torch.ones(12, 3), bi=torch.ones(12))
    bad = dict(h=[(3, 3), (2, 4), (2,)], c=[(3, 3), (2, 2)], wi=[(11, 4), (12, 5), (9, 4)], wh=[(11, 3), (12, 4), (3, 12)], bi=[(11,), (12, 1)])

    def lstm(h, c, wi, wh, bi):
        return torch.lstm_cell(x, (h, c), wi, wh, bi, bi)
    assert lstm(**good)[0].shape == (2, 3)
    for name, shapes in bad.items():
        for shape in shapes:
            refused(lstm, **dict(good, **{name: torch.ones(*shape)}))
    for cell, rows in (("gru_cell", 9), ("rnn_tanh_cell", 3), ("rnn_relu_cell", 3)):
        f = getattr(torch, cell)
        f(x, torch.zeros(2, 3), torch.ones(rows, 4), torch.ones(rows, 3))
        for h, wi, wh in (((3, 3), (rows, 4), (rows, 3)), ((2, 3), (rows - 1, 4), (rows, 3)), ((2, 3), (rows, 4), (rows - 1, 3))):
            refused(f, x, torch.zeros(*h), torch.ones(*wi), torch.ones(*wh))


@trap("NN18")
def coordinates_that_are_no_numbers(trap):
    x = torch.arange(4.).view(1, 1, 2, 2)
    for v in (NAN, INF, -INF, 1e30, -1e30):
        for mode in ("bilinear", "nearest"):
            for padding in ("zeros", "border", "reflection"):
                grid = torch.full((1, 1, 3, 2), v).requires_grad_()
                F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=False).sum().backward()
