"""Module: names, state dicts, modes, dtypes, hooks, containers, first values."""
import copy
import math
import pickle
import unittest

import gradus as torch
from gradus import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Sequential(nn.BatchNorm1d(4), nn.ReLU())])
        self.again = self.first.weight
        self.register_buffer("scale", torch.ones(4))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)

    def forward(self, x):
        x = self.first(x) * self.scale
        for block in self.blocks:
            x = block(x)
        return x


class Names(unittest.TestCase):
    def test_parameters_once_buffers_and_modules(self):
        net = Net()
        self.assertEqual([n for n, _ in net.named_parameters()],
                         ["again", "first.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight", "blocks.1.0.bias"])
        self.assertIs(net.get_parameter("first.weight"), net.again)
        self.assertEqual([n for n, _ in net.named_buffers()], ["scale", "scratch", "blocks.1.0.running_mean", "blocks.1.0.running_var",
                                                               "blocks.1.0.num_batches_tracked"])
        self.assertEqual([n for n, _ in net.named_modules()], ["", "first", "blocks", "blocks.0", "blocks.1", "blocks.1.0", "blocks.1.1"])
        self.assertEqual([n for n, _ in net.named_children()], ["first", "blocks"])
        self.assertIs(net.get_submodule("blocks.1.0"), net.blocks[1][0])
        with self.assertRaises(AttributeError):
            net.get_submodule("blocks.7")

    def test_attributes_keep_their_kind(self):
        net = Net()
        with self.assertRaisesRegex(TypeError, "cannot assign 'Tensor' as 'again'"):
            net.again = torch.zeros(4, 3)
        net.again = None
        self.assertIsNone(net.again)
        del net.scale
        self.assertFalse(hasattr(net, "scale"))
        net.extra = nn.Parameter(torch.zeros(1))
        self.assertIn("extra", dict(net.named_parameters()))
        with self.assertRaisesRegex(KeyError, "already exists"):
            net.register_buffer("forward", torch.zeros(1))
        with self.assertRaisesRegex(KeyError, "contain"):
            net.add_module("a.b", nn.ReLU())

        class Early(nn.Module):
            def __init__(self):
                self.w = nn.Parameter(torch.zeros(1))
        with self.assertRaisesRegex(AttributeError, "before Module"):
            Early()

    def test_text_is_torchs(self):
        self.assertEqual(repr(nn.Sequential(nn.Linear(3, 4, bias=False), nn.Dropout(0.2), nn.MaxPool2d(2))), """Sequential(
  (0): Linear(in_features=3, out_features=4, bias=False)
  (1): Dropout(p=0.2, inplace=False)
  (2): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
)""")


class State(unittest.TestCase):
    def test_goes_into_another_module(self):
        net, other, x = Net(), Net(), torch.randn(5, 3)
        net(x)
        self.assertNotIn("scratch", net.state_dict())
        self.assertEqual(repr(other.load_state_dict(net.state_dict())), "<All keys matched successfully>")
        self.assertEqual(other.eval()(x).tolist(), net.eval()(x).tolist())
        self.assertFalse(net.state_dict()["first.bias"].requires_grad)
        self.assertTrue(net.state_dict(keep_vars=True)["first.bias"].requires_grad)
        net.state_dict()["first.bias"].fill_(7)
        self.assertEqual(net.first.bias.tolist(), [7] * 4)

    def test_nothing_is_written_unless_all_fits(self):
        net = nn.Linear(2, 1)
        before = net.weight.tolist()
        with self.assertRaisesRegex(RuntimeError, r"size mismatch for bias.*torch.Size\(\[3\]\)"):
            net.load_state_dict({"weight": torch.zeros(1, 2), "bias": torch.zeros(3)})
        with self.assertRaisesRegex(RuntimeError, '(?s)Unexpected.*"other".*Missing.*"bias"'):
            net.load_state_dict({"weight": torch.zeros(1, 2), "other": torch.zeros(3)})
        self.assertEqual(net.weight.tolist(), before)
        keys = net.load_state_dict({"weight": torch.ones(1, 2), "other": torch.zeros(3)}, strict=False)
        self.assertEqual((keys.missing_keys, keys.unexpected_keys, net.weight.tolist()), (["bias"], ["other"], [[1, 1]]))

    def test_copies_and_pickles(self):
        net, x = Net(), torch.randn(5, 3)
        net(x).sum().backward()
        for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            self.assertEqual(other(x).tolist(), net(x).tolist())
            self.assertIs(other.again, other.first.weight)
            self.assertIsNot(other.again, net.again)
            self.assertTrue(all(isinstance(p, nn.Parameter) and p.requires_grad for p in other.parameters()))
        self.assertEqual(copy.deepcopy(net).first.bias.grad.tolist(), net.first.bias.grad.tolist())


class ForAll(unittest.TestCase):
    def test_train_and_eval(self):
        net = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(1.0)))
        x = torch.ones(4)
        self.assertEqual(net(x).tolist(), [0] * 4)
        self.assertEqual(net.eval()(x).tolist(), [1] * 4)
        self.assertFalse(any(m.training for m in net.modules()))
        self.assertTrue(all(m.training for m in net.train().modules()))

    def test_to_another_dtype_keeps_objects_and_gradients(self):
        net = Net()
        net(torch.randn(5, 3)).sum().backward()
        bias, scale = net.first.bias, net.scale
        grad = bias.grad.tolist()
        self.assertIs(net.double(), net)
        self.assertIs(net.first.bias, bias)
        self.assertEqual({t.dtype for t in (bias, bias.grad, scale, *net.parameters())}, {torch.float64})
        self.assertEqual(bias.grad.tolist(), grad)
        self.assertTrue(bias.requires_grad and bias.is_leaf)
        self.assertIs(net.blocks[1][0].num_batches_tracked.dtype, torch.int64)
        self.assertIs(net(torch.randn(5, 3, dtype=torch.float64)).dtype, torch.float64)
        with self.assertRaises(TypeError):
            net.to(torch.int64)
        with self.assertRaisesRegex(RuntimeError, "only the cpu"):
            net.to("cuda:0")

    def test_gradients_apply_and_freeze(self):
        net = Net()
        net(torch.randn(5, 3)).sum().backward()
        net.zero_grad(set_to_none=False)
        self.assertEqual(net.first.bias.grad.tolist(), [0] * 4)
        net.zero_grad()
        self.assertTrue(all(p.grad is None for p in net.parameters()))
        net.requires_grad_(False)
        self.assertFalse(net(torch.randn(5, 3)).requires_grad)
        seen = []
        net.apply(lambda m: seen.append(type(m).__name__))
        self.assertEqual(seen, ["Linear", "Linear", "BatchNorm1d", "ReLU", "Sequential", "ModuleList", "Net"])

    def test_hooks_see_and_replace(self):
        net, seen = nn.Linear(2, 2), []
        x = torch.ones(1, 2)
        before = net(x)
        zero, look = (lambda m, args: args[0] * 0), (lambda m, args, out: seen.append(args[0].tolist()))
        with net.register_forward_pre_hook(zero), net.register_forward_hook(look):
            self.assertEqual(net(x).tolist(), [net.bias.tolist()])
        self.assertEqual(seen, [[[0, 0]]])
        handle = net.register_forward_hook(lambda m, args, kwargs, out: out + len(kwargs), with_kwargs=True)
        self.assertEqual(net(input=x).tolist(), (before + 1).tolist())
        handle.remove()
        self.assertEqual(net(x).tolist(), before.tolist())


class Containers(unittest.TestCase):
    def test_lists_and_sequences(self):
        net = nn.Sequential(*[nn.Linear(n, n + 1) for n in range(1, 5)])
        self.assertEqual(net[1:3](torch.zeros(2, 2)).shape, (2, 4))
        self.assertIs(net[-1], net[3])
        with self.assertRaises(IndexError):
            net[4]
        last = net.pop()
        self.assertEqual((len(net), last.in_features), (3, 4))
        net.append(last).insert(0, nn.Identity())
        self.assertEqual(list(net._modules), ["0", "1", "2", "3", "4"])
        several = nn.ModuleList()
        several += [nn.ReLU(), nn.Tanh()]
        del several[0]
        self.assertEqual([type(m) for m in several], [nn.Tanh])

    def test_dicts_and_parameters(self):
        d = nn.ModuleDict({"a": nn.Linear(1, 2), "b": nn.ReLU()})
        self.assertEqual(list(d), ["a", "b"])
        self.assertEqual([n for n, _ in d.named_parameters()], ["a.weight", "a.bias"])
        ps = nn.ParameterList([torch.zeros(2), nn.Parameter(torch.ones(3))])
        self.assertEqual([(n, p.numel()) for n, p in ps.named_parameters()], [("0", 2), ("1", 3)])
        pd = nn.ParameterDict({"w": torch.ones(2)})
        self.assertTrue(pd["w"].requires_grad)


class FirstValues(unittest.TestCase):
    def between(self, t, bound):
        """Evenly between -bound and bound: no value outside, mean and variance as they should be, within six standard errors."""
        n, t = t.numel(), t.detach().double()
        self.assertLessEqual(t.abs().max().item(), bound)
        self.assertGreater(t.abs().max().item(), bound * (1 - 10 / n))
        self.assertLess(abs(t.mean().item()), 6 * bound / math.sqrt(3 * n))
        self.assertLess(abs((t * t).mean().item() - bound ** 2 / 3), 6 * bound ** 2 * math.sqrt(4 / 45 / n))

    def test_by_torchs_formulas(self):
        torch.manual_seed(1)
        self.between(nn.Linear(100, 60).weight, 0.1)
        self.between(nn.Linear(100, 600).bias, 0.1)
        self.between(nn.Conv2d(8, 40, 5, groups=2).weight, 0.1)
        self.between(nn.ConvTranspose2d(40, 8, 5, groups=2).weight, 0.1)
        self.between(nn.LSTM(10, 25).weight_hh_l0, 0.2)
        self.between(nn.MultiheadAttention(48, 2).in_proj_weight, math.sqrt(6 / (4 * 48)))
        weight = nn.Embedding(100, 50, padding_idx=3).weight.detach()
        self.assertEqual(weight[3].tolist(), [0] * 50)
        self.assertLess(abs((weight * weight).mean().item() * 100 / 99 - 1), 6 * math.sqrt(2 / 4950))
        self.assertEqual(nn.LayerNorm(3).weight.tolist(), [1] * 3)

    def test_seed_decides(self):
        made = []
        for seed in (5, 5, 6):
            torch.manual_seed(seed)
            made.append(nn.GRU(3, 4).weight_ih_l0.tolist())
        self.assertEqual(made[0], made[1])
        self.assertNotEqual(made[0], made[2])

    def test_have_the_default_dtype(self):
        torch.set_default_dtype(torch.float64)
        try:
            for made in (nn.Linear(2, 3), nn.Conv2d(1, 2, 3), nn.BatchNorm1d(2), nn.LayerNorm(2), nn.Embedding(3, 2), nn.LSTM(2, 3), nn.PReLU()):
                kinds = {t.dtype for t in made.state_dict().values() if t.is_floating_point()}
                self.assertEqual(kinds, {torch.float64}, type(made).__name__)
            self.assertIs(nn.Linear(2, 3, dtype=torch.float32).weight.dtype, torch.float32)
        finally:
            torch.set_default_dtype(torch.float32)


class Errors(unittest.TestCase):
    def test_say_what_is_wrong(self):
        for made, wanted in ((lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible"), (lambda: nn.Dropout(2), "between 0 and 1"),
                             (lambda: nn.BatchNorm2d(2)(torch.zeros(3, 2)), "expected 4D input"), (lambda: nn.MaxPool2d(), "kernel_size"),
                             (lambda: nn.LSTM(3, 2)(torch.zeros(4, 1, 5)), "Expected 3, got 5"), (lambda: nn.GroupNorm(2, 3), "divisible"),
                             (lambda: nn.MultiheadAttention(5, 2), "divisible"), (lambda: nn.Module()(1), "forward"),
                             (lambda: nn.Linear(3, 2)(torch.zeros(2, 4)), "linear"), (lambda: nn.RMSNorm(4)(torch.zeros(2, 3)), "rms_norm"),
                             (lambda: nn.ConvTranspose2d(1, 1, 2, stride=2)(torch.zeros(1, 1, 2, 2), [9, 9]), "valid sizes")):
            with self.assertRaisesRegex((ValueError, RuntimeError, TypeError, AssertionError, NotImplementedError), wanted):
                made()

    def test_one_value_has_no_variance(self):
        for module, shape in ((nn.BatchNorm1d(2), (1, 2)), (nn.InstanceNorm1d(2, track_running_stats=True), (3, 2, 1))):
            with self.assertRaisesRegex(ValueError, "Expected more than 1"):
                module(torch.ones(*shape))
            self.assertEqual(module.running_mean.tolist(), [0, 0])
            self.assertEqual(list(module.eval()(torch.ones(*shape)).shape), list(shape))

    def test_rms_norm_divides_by_the_root_of_the_mean_square(self):
        self.assertEqual(nn.RMSNorm(2, eps=0.0)(torch.tensor([[3.0, 4.0]])).mul(12.5 ** 0.5).round().tolist(), [[3, 4]])


if __name__ == "__main__":
    unittest.main()
