"""What programs for PyTorch and NumPy do first: devices, generators, printing, types, samplers, hooks of modules."""
import gc
import unittest

import gradus as torch

try:
    import numpy
except ImportError:
    numpy = None

F, nn = torch.nn.functional, torch.nn


class Devices(unittest.TestCase):
    def test_ranges_by_name(self):
        self.assertEqual([torch.arange(end=3).tolist(), torch.arange(end=3.0, step=2).tolist(), torch.arange(start=1, end=3).tolist()],
                         [[0, 1, 2], [0.0, 2.0], [1, 2]])
        self.assertIs(torch.arange(end=3).dtype, torch.int64)
        for given in ({}, {"start": None}, {"step": 2}):
            with self.assertRaises(TypeError):
                torch.arange(**given)

    def test_the_usual_questions(self):
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.assertEqual((device.type, torch.cuda.device_count(), torch.backends.mps.is_available()), ("cpu", 0, False))
        self.assertEqual(nn.Linear(2, 2).to(device)(torch.ones(1, 2, device=device)).device, device)
        self.assertGreater(torch.get_num_threads(), 0)
        x = torch.ones(2)
        self.assertIs(x.pin_memory(), x)
        for call in (x.cuda, lambda: x.to("cuda"), lambda: torch.device("cuda:0"), lambda: torch.Generator("cuda")):
            with self.assertRaises(RuntimeError):
                call()
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True)
        self.assertTrue(torch.are_deterministic_algorithms_enabled())

    def test_another_device_is_refused_wherever_one_is_named(self):
        x = torch.ones(2)
        makes = {"zeros": (1,), "ones": (1,), "empty": (1,), "rand": (1,), "randn": (1,), "full": ((1,), 2), "zeros_like": (x,), "randn_like": (x,),
                 "full_like": (x, 1), "randint_like": (x, 3), "arange": (3,), "linspace": (0, 1, 3), "eye": (2,), "randint": (3, (2,)), "randperm": (3,),
                 "scalar_tensor": (1,), "tensor": ([1],), "as_tensor": ([1],), "empty_strided": ((1,), (1,)), "normal": (0.0, 1.0, (2,)), "tril_indices": (2, 2)}
        calls = {name: lambda d, name=name, args=args: getattr(torch, name)(*args, device=d) for name, args in makes.items()}
        calls.update({name: lambda d, name=name: getattr(x, name)(*(((1,), 1) if name == "new_full" else ([1],)), device=d)
                      for name in ("new_tensor", "new_zeros", "new_full", "new_empty")})
        calls.update({"Linear": lambda d: nn.Linear(1, 1, device=d), "Conv2d": lambda d: nn.Conv2d(1, 1, 1, device=d), "LSTM": lambda d: nn.LSTM(1, 1, device=d),
                      "ConvTranspose1d": lambda d: nn.ConvTranspose1d(1, 1, 1, device=d), "GRUCell": lambda d: nn.GRUCell(1, 1, device=d),
                      "RNN": lambda d: nn.RNN(1, 1, device=d), "BatchNorm1d": lambda d: nn.BatchNorm1d(1, device=d), "PReLU": lambda d: nn.PReLU(device=d),
                      "LayerNorm": lambda d: nn.LayerNorm(1, device=d), "GroupNorm": lambda d: nn.GroupNorm(1, 1, device=d),
                      "Embedding": lambda d: nn.Embedding(1, 1, device=d), "Bilinear": lambda d: nn.Bilinear(1, 1, 1, device=d),
                      "Attention": lambda d: nn.MultiheadAttention(1, 1, device=d), "to": lambda d: x.to(device=d), "module": lambda d: nn.ReLU().to(d),
                      "Decoder": lambda d: nn.TransformerDecoderLayer(1, 1, 1, device=d), "Encoder": lambda d: nn.TransformerEncoderLayer(1, 1, 1, device=d)})
        for name, call in calls.items():
            for device in ("cpu", "cpu:0", torch.device("cpu"), None):
                for _ in range(2):                                         # the second call takes the short way
                    call(device)
            for device in ("cuda", "banana", "cuda:0", 0, "cpux"):
                with self.assertRaisesRegex(RuntimeError, "only the cpu", msg=(name, device)):
                    call(device)


class Names(unittest.TestCase):
    """A keyword that a function doesn't know is an error, never silence."""

    def test_unknown_names(self):
        x = torch.ones(2, 3)
        for call in (lambda **k: torch.randint_like(x, 3, **k), lambda **k: torch.normal(0.0, 1.0, (2,), **k), lambda **k: torch.empty_strided((2,), (1,), **k),
                     lambda **k: x.new_zeros(2, **k), lambda **k: torch.flip(x, [0], **k), lambda **k: torch.where(x > 0, x, x, **k),
                     lambda **k: torch.autograd.profiler.profile(**k), lambda **k: torch.autograd.gradcheck(torch.sin, x.double().requires_grad_(), **k),
                     lambda **k: torch.utils.checkpoint.checkpoint_sequential([torch.sin], 1, x, **k)):
            call()
            with self.assertRaises(TypeError):
                call(dvice=None)

    def test_names_that_were_not_heard(self):
        x = torch.ones(2, 3)
        self.assertTrue(torch.normal(0.0, 1.0, (2,), requires_grad=True).requires_grad)
        out = torch.zeros(2)
        self.assertIs(torch.normal(torch.full((2,), 5.0), torch.full((2,), 0.1), out=out), out)
        self.assertTrue(bool((out > 3).all()))
        draws = [torch.randint_like(x, 1000, generator=torch.Generator().manual_seed(3)).tolist() for _ in range(2)]
        self.assertEqual(*draws)
        self.assertEqual(x.new_zeros(size=(2,)).tolist(), [0, 0])
        self.assertEqual(torch.flip(torch.tensor([[1, 2]]), dims=(1,)).tolist(), [[2, 1]])
        for call in (lambda: torch.flip(x, 0, dims=[1]), lambda: x.new_ones(2, size=(3,)), lambda: torch.normal(x, x, requires_grad=True)):
            with self.assertRaises(TypeError):
                call()

    def test_names_of_what_is_not_there(self):
        for name in ("use_cuda", "with_flops", "with_stack", "with_modules", "use_kineto", "acc_events", "experimental_config"):
            with self.assertRaisesRegex(NotImplementedError, name):
                torch.autograd.profiler.profile(**{name: True})
            torch.autograd.profiler.profile(**{name: False})
        with self.assertRaisesRegex(NotImplementedError, "use_cpu"):
            torch.autograd.profiler.profile(use_cpu=False)
        for call in (torch.utils.checkpoint.checkpoint, lambda f, x, debug: torch.utils.checkpoint.checkpoint_sequential([f], 1, x, debug=debug)):
            with self.assertRaisesRegex(NotImplementedError, "debug"):
                call(torch.sin, torch.ones(1), debug=True)


class Streams(unittest.TestCase):
    def test_a_generator_leaves_the_threads_stream_alone(self):
        torch.manual_seed(5)
        plain = torch.rand(3)
        torch.manual_seed(5)
        g = torch.Generator().manual_seed(1)
        self.assertEqual(g.initial_seed(), 1)
        made = [draw() for draw in (lambda: torch.randn(3, generator=g), lambda: torch.randperm(5, generator=g), lambda: torch.randint(0, 9, (4,), generator=g),
                                    lambda: torch.empty(3).normal_(generator=g), lambda: torch.normal(torch.zeros(3), torch.ones(3), generator=g),
                                    lambda: torch.multinomial(torch.ones(9), 3, generator=g), lambda: torch.bernoulli(torch.full((9,), 0.5), generator=g))]
        self.assertTrue(torch.equal(torch.rand(3), plain))
        again = torch.Generator().manual_seed(1)
        self.assertTrue(torch.equal(made[0], torch.randn(3, generator=again)))
        self.assertTrue(torch.equal(made[1], torch.randperm(5, generator=again)))
        state = again.get_state()
        first = torch.rand(2, generator=again)
        again.set_state(state)
        self.assertTrue(torch.equal(first, torch.rand(2, generator=again)))
        self.assertFalse(torch.equal(first, torch.rand(2, generator=again)))

    def test_the_threads_stream(self):
        g = torch.manual_seed(9)
        first = torch.rand(2)
        self.assertEqual((g.initial_seed(), torch.initial_seed(), torch.random.initial_seed()), (9, 9, 9))
        with torch.random.fork_rng():
            torch.random.manual_seed(9)
            self.assertTrue(torch.equal(torch.rand(2, generator=torch.default_generator), first))
        state = torch.random.get_rng_state()
        second = torch.rand(2)
        torch.set_rng_state(state)
        self.assertTrue(torch.equal(torch.rand(2), second))
        self.assertTrue((torch.random(torch.zeros(9), 3) < 3).all())        # the operation of that name

    def test_data_by_a_generator(self):
        data, g = torch.utils.data, torch.Generator

        def drawn():
            parts = data.random_split(range(10), [0.5, 0.5], generator=g().manual_seed(3))
            loader = data.DataLoader(torch.arange(6), 2, shuffle=True, generator=g().manual_seed(4), timeout=0, worker_init_fn=None, pin_memory=True)
            return ([list(p) for p in parts], [b.tolist() for b in loader], list(data.SubsetRandomSampler([3, 5, 7], g().manual_seed(5))),
                    list(data.WeightedRandomSampler([0.0, 1.0, 3.0], 8, generator=g().manual_seed(6))))
        first = drawn()
        self.assertEqual(first, drawn())
        self.assertEqual((sorted(sum(first[0], [])), sorted(sum(first[1], [])), sorted(first[2]), set(first[3])), (list(range(10)), list(range(6)), [3, 5, 7], {1, 2}))
        self.assertIsNone(data.get_worker_info())
        with self.assertRaises(ValueError):
            data.WeightedRandomSampler([1.0], 0)

        class Counting(data.IterableDataset):
            def __iter__(self):
                return iter(range(3))
        self.assertEqual(list(data.ChainDataset([Counting(), Counting()])), [0, 1, 2, 0, 1, 2])


class Texts(unittest.TestCase):
    def tearDown(self):
        torch.set_printoptions(profile="default")

    def shows(self, t, text, **options):
        torch.set_printoptions(**options)
        self.assertEqual(repr(t), text)
        torch.set_printoptions(profile="default")

    def test_print_options(self):
        """The texts are PyTorch's."""
        self.shows(torch.tensor([[3.14159, -100.5], [0.001, 2]], dtype=torch.float64),
                   "tensor([[ 3.14e+00, -1.00e+02],\n        [ 1.00e-03,  2.00e+00]], dtype=torch.float64)", precision=2)
        self.shows(torch.arange(30.).reshape(5, 6),
                   "tensor([[ 0.,  1.,  ...,  4.,\n          5.],\n        [ 6.,  7.,  ..., 10.,\n         11.],\n        ...,\n"
                   "        [18., 19.,  ..., 22.,\n         23.],\n        [24., 25.,  ..., 28.,\n         29.]])", threshold=5, edgeitems=2, linewidth=30)
        self.shows(torch.arange(12), "tensor([ 0,  1,  ..., 10, 11])", threshold=5, edgeitems=2)
        self.shows(torch.tensor([1., 20., float("inf")], requires_grad=True), "tensor([1.0000e+00, 2.0000e+01, inf], requires_grad=True)", sci_mode=True)
        self.shows(torch.ones(2, requires_grad=True) * 1.5, "tensor([1.50, 1.50], grad_fn=<MulBackward0>)", profile="short")
        self.shows(torch.zeros(0, 3), "tensor([], size=(0, 3))", precision=3)
        self.shows(torch.tensor([float("nan"), 1e-5]), "tensor([      nan, 1.000e-05])", precision=3)
        self.shows(torch.tensor([True, False]), "tensor([ True, False])", precision=3)
        with self.assertRaises(ValueError):
            torch.set_printoptions(profile="wide")

    def test_the_same_text_as_the_librarys_with_the_usual_options(self):
        for t in (torch.randn(3, 4), torch.arange(5), torch.tensor(2.5), torch.tensor([]), torch.ones(2, 3, 2) > 0, torch.tensor([1e9, 1.0]), torch.ones(40) / 3,
                  torch.arange(2000.0), torch.ones(3, dtype=torch.float16), torch.tensor([1.0, float("inf"), -2.0])):
            self.assertEqual(torch._printing.text(t), repr(t))

    def test_other_texts(self):
        self.assertEqual((f"{torch.tensor(3)}", f"{torch.tensor(1.5):.3f}", f"{torch.ones(1)}"), ("3", "1.500", "tensor([1.])"))
        self.assertEqual(repr(torch.tensor([3, 1]).max(0)), "torch.return_types.max(\nvalues=tensor(3),\nindices=tensor(0))")
        self.assertEqual(repr(torch.finfo(torch.float32)), "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
                                                           "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)")
        self.assertEqual(repr(torch.iinfo(torch.int8)), "iinfo(min=-128, max=127, dtype=int8)")
        self.assertEqual((torch.typename(torch.ones(1)), torch.typename(3)), ("torch.FloatTensor", "int"))


class Types(unittest.TestCase):
    def tearDown(self):
        torch.set_default_dtype(torch.float32)

    def test_tensors_of_a_type(self):
        self.assertTrue(isinstance(torch.ones(1), torch.FloatTensor) and not isinstance(torch.ones(1), torch.LongTensor))
        self.assertEqual((torch.LongTensor([1, 2]).dtype, torch.FloatTensor(2, 3).shape), (torch.int64, (2, 3)))
        self.assertIs(torch.ones(1).type(torch.LongTensor).dtype, torch.int64)
        torch.set_default_tensor_type(torch.DoubleTensor)
        self.assertIs(torch.ones(1).dtype, torch.float64)
        torch.set_default_tensor_type("torch.FloatTensor")
        self.assertIs(torch.ones(1).dtype, torch.float32)

    def test_methods_by_the_class(self):
        self.assertEqual(list(map(torch.Tensor.neg, [torch.tensor(1.0)]))[0].item(), -1)
        self.assertEqual(torch.Tensor.add(torch.tensor(1), 2).item(), 3)
        with self.assertRaises(AttributeError):
            torch.Tensor.no_such_method

    @unittest.skipIf(numpy is None, "NumPy is not installed")
    def test_numpy(self):
        self.assertIs(torch.tensor(numpy.int32(3)).dtype, torch.int32)
        self.assertIs(torch.tensor(numpy.float64(3)).dtype, torch.float64)
        self.assertEqual(float(numpy.sum(torch.ones(3))), 3)
        self.assertEqual(numpy.linalg.norm(torch.ones(4)), 2)
        self.assertEqual((torch.ones(3)[numpy.array([0, 2])].shape, torch.arange(3)[numpy.int64(1)].item()), ((2,), 1))
        self.assertEqual(torch.ones(3)[..., numpy.array([0, 2])].shape, (2,))
        self.assertEqual(torch.sum(torch.ones(2), out=None).item(), 2)
        batch = torch.utils.data.default_collate([(numpy.arange(2, dtype="int32"), numpy.float32(1))] * 3)
        self.assertEqual([(b.dtype, b.shape) for b in batch], [(torch.int32, (3, 2)), (torch.float32, (3,))])


class Modules(unittest.TestCase):
    def test_backward_hooks(self):
        layer, seen = nn.Linear(2, 1, bias=False), []
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[1.0, 2.0]]))
        x = torch.ones(1, 2, requires_grad=True)
        with layer.register_full_backward_hook(lambda m, gi, go: seen.append((m, gi[0].tolist(), go[0].tolist()))):
            layer(x).sum().backward()
        self.assertEqual(seen, [(layer, [[1, 2]], [[1]])])
        with layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,)), layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,)):
            x.grad = None
            layer(x).sum().backward()
            self.assertEqual(x.grad.tolist(), [[30, 60]])
            with torch.no_grad():
                self.assertEqual(layer(x).item(), 3)
        x.grad = None
        layer(x).sum().backward()
        self.assertEqual(x.grad.tolist(), [[1, 2]])

    def test_backward_hooks_hold_nothing(self):
        layer = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        for module in layer.modules():
            module.register_full_backward_hook(lambda m, gi, go: None)
            module.register_full_backward_pre_hook(lambda m, go: None)
        layer(torch.ones(1, 2)).sum().backward()
        gc.collect()
        before = torch.live_counts()["graph_nodes"]
        for x in (torch.ones(4, 2), torch.ones(4, 2, requires_grad=True)):
            layer(x).sum().backward()
            layer(x)
        del x
        self.assertEqual(torch.live_counts()["graph_nodes"], before)

    def test_backward_hooks_where_only_weights_learn(self):
        layer, seen = nn.LSTM(2, 3), []
        layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, len(go))))
        layer(torch.ones(4, 1, 2))[0].sum().backward()
        self.assertEqual(seen, [((None,), 2)])
        layer.register_full_backward_hook(lambda m, gi, go: gi)
        with self.assertRaisesRegex(RuntimeError, "no input requires gradient"):
            layer(torch.ones(4, 1, 2))[0].sum().backward()

    def test_clipping_holds_the_parameters_of_a_generator(self):
        self.assertEqual(nn.utils.clip_grad_norm_((nn.Parameter(torch.ones(2)) for _ in range(3)), 1.0).item(), 0)
        nn.utils.clip_grad_value_((nn.Parameter(torch.ones(2)) for _ in range(3)), 1.0)

    def test_weight_norm(self):
        layer = nn.Linear(3, 2)
        x, before = torch.randn(4, 3), None
        before = layer(x)
        nn.utils.weight_norm(layer)
        self.assertTrue(torch.allclose(layer(x), before, atol=1e-6))
        layer(x).sum().backward()
        self.assertEqual((layer.weight_g.grad.shape, layer.weight_v.grad.shape), ((2, 1), (2, 3)))
        with torch.no_grad():
            layer.weight_g.mul_(2)
        doubled = layer(x)
        nn.utils.remove_weight_norm(layer)
        self.assertEqual(sorted(layer.state_dict()), ["bias", "weight"])
        self.assertTrue(torch.allclose(layer(x), doubled, atol=1e-6))
        with self.assertRaises(ValueError):
            nn.utils.remove_weight_norm(layer)

    def test_layers(self):
        x = torch.arange(4.0).reshape(1, 1, 2, 2)
        self.assertEqual(nn.ReflectionPad2d(1)(x)[0, 0, 0].tolist(), [3, 2, 3, 2])
        self.assertEqual(nn.ReplicationPad2d((1, 0, 0, 0))(x)[0, 0].tolist(), [[0, 0, 1], [2, 2, 3]])
        self.assertEqual(nn.ConstantPad1d(1, 5.0)(x[0]).tolist(), [[[5, 0, 1, 5], [5, 2, 3, 5]]])
        self.assertEqual((repr(nn.ZeroPad2d(1)), repr(nn.ConstantPad1d(1, 2.0))), ("ZeroPad2d((1, 1, 1, 1))", "ConstantPad1d(padding=(1, 1), value=2.0)"))
        self.assertTrue(torch.allclose(nn.Softmax2d()(torch.randn(2, 3, 2, 2)).sum(1), torch.ones(2, 2, 2)))
        bag = nn.EmbeddingBag(4, 2, mode="sum", _weight=torch.arange(8.0).reshape(4, 2))
        self.assertEqual(bag(torch.tensor([0, 1, 3]), torch.tensor([0, 2])).tolist(), [[2, 4], [6, 7]])
        torch.manual_seed(1)
        hard = F.gumbel_softmax(torch.randn(5, 3, requires_grad=True), hard=True)
        self.assertEqual((hard.sum(1).tolist(), hard.requires_grad), ([1] * 5, True))
        slopes = nn.RReLU()(torch.full((100,), -1.0))
        self.assertGreater(slopes.std().item(), 0)
        self.assertAlmostEqual(nn.RReLU().eval()(torch.tensor(-1.0)).item(), -(1 / 8 + 1 / 3) / 2, places=6)

    def test_a_program_in_the_style_of_the_tutorials(self):
        torch.manual_seed(0)
        x = torch.randn(60, 4)
        y = (x.sum(1) > 0).long()
        train, test = torch.utils.data.random_split(torch.utils.data.TensorDataset(x, y), [50, 10])

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1, self.fc2 = nn.Linear(4, 16), nn.Linear(16, 2)

            def forward(self, x):
                return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))
        net, criterion = Net(), nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for epoch in range(20):
            for inputs, labels in torch.utils.data.DataLoader(train, batch_size=10, shuffle=True):
                optimizer.zero_grad()
                loss = criterion(net(inputs), labels)
                loss.backward()
                optimizer.step()
        correct = total = 0
        with torch.no_grad():
            for inputs, labels in torch.utils.data.DataLoader(test, batch_size=10):
                _, predicted = torch.max(net(inputs).data, 1)
                total += labels.size(0)
                correct += (predicted == labels).sum().item()
        self.assertGreaterEqual(correct / total, 0.8)


if __name__ == "__main__":
    unittest.main()
