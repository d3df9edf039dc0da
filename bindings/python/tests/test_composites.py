"""What is made of other parts: sampling by grids, parametrizations, averages of models. PyTorch, where it is installed, says what they give."""
import copy
import unittest
import warnings

import gradus as torch
from gradus import optim

try:
    import torch as pytorch
except ImportError:
    pytorch = None

F, nn = torch.nn.functional, torch.nn


class Grids(unittest.TestCase):
    def test_the_identity(self):
        x = torch.arange(12.0).reshape(1, 1, 3, 4)
        for align in (True, False):
            grid = F.affine_grid(torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, 3, 4), align)
            for mode in ("bilinear", "nearest"):
                self.assertLess((F.grid_sample(x, grid, mode, align_corners=align) - x).abs().max().item(), 1e-5)
        self.assertEqual(F.grid_sample(x, torch.full((1, 1, 1, 2), 9.0), align_corners=True).tolist(), [[[[0]]]])
        for wrong in (lambda: F.grid_sample(x, torch.zeros(1, 1, 1, 3), align_corners=True), lambda: F.grid_sample(x, grid, "cubic", align_corners=True),
                      lambda: F.affine_grid(torch.zeros(1, 2, 2), (1, 1, 3, 4), True), lambda: F.grid_sample(x, grid, "bilinear", "wrap", True)):
            with self.assertRaises((ValueError, NotImplementedError)):
                wrong()

    def test_gradients(self):
        x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
        grid = (torch.rand(1, 2, 3, 2, dtype=torch.float64) * 2.4 - 1.2).requires_grad_()
        for padding in ("zeros", "border", "reflection"):
            self.assertTrue(torch.autograd.gradcheck(lambda x, g: F.grid_sample(x, g, "bilinear", padding, False), (x, grid)))

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_as_pytorchs(self):
        pytorch.manual_seed(1)
        for dims in (2, 3):
            x = pytorch.randn(2, 3, *(4, 5, 3)[:dims], dtype=pytorch.float64)
            theta = pytorch.randn(2, dims, dims + 1, dtype=pytorch.float64)
            for align in (True, False):
                size = (2, 3, *(3, 2, 4)[:dims])
                grid = pytorch.nn.functional.affine_grid(theta, size, align)
                self.assertLess((F.affine_grid(torch.tensor(theta), size, align) - torch.tensor(grid)).abs().max().item(), 1e-12)
                for mode in ("bilinear", "nearest"):
                    for padding in ("zeros", "border", "reflection"):
                        theirs = pytorch.nn.functional.grid_sample(x, grid, mode, padding, align)
                        mine = F.grid_sample(torch.tensor(x), torch.tensor(grid), mode, padding, align)
                        self.assertLess((mine - torch.tensor(theirs)).abs().max().item(), 1e-10, (dims, align, mode, padding))


class Parametrizations(unittest.TestCase):
    def test_spectral_norm(self):
        torch.manual_seed(2)
        layer = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 3))
        self.assertEqual([n for n, _ in layer.named_parameters()], ["bias", "parametrizations.weight.original"])
        for _ in range(50):
            layer.weight
        self.assertAlmostEqual(torch.linalg.matrix_norm(layer.weight.detach(), 2).item(), 1, 4)
        layer(torch.ones(2, 5)).sum().backward()
        self.assertEqual(layer.parametrizations.weight.original.grad.shape, (3, 5))
        other = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 3)).eval()
        other.load_state_dict(layer.state_dict())
        self.assertEqual(other.weight.tolist(), copy.deepcopy(layer).eval().weight.tolist())
        value = other.weight.tolist()
        nn.utils.parametrize.remove_parametrizations(other, "weight")
        self.assertEqual((type(other), other.weight.tolist(), isinstance(other.weight, nn.Parameter)), (nn.Linear, value, True))
        with self.assertRaises(ValueError):
            nn.utils.parametrize.remove_parametrizations(other, "weight")

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_as_pytorchs(self):
        for make in (lambda t: t.nn.Linear(5, 3), lambda t: t.nn.Conv2d(2, 3, 2), lambda t: t.nn.ConvTranspose1d(2, 3, 2)):
            theirs = pytorch.nn.utils.parametrizations.spectral_norm(make(pytorch))
            mine = nn.utils.parametrizations.spectral_norm(make(torch))
            self.assertEqual(list(mine.state_dict()), list(theirs.state_dict()))
            mine.load_state_dict(theirs.state_dict())
            for _ in range(3):
                self.assertLess((mine.weight - torch.tensor(theirs.weight)).abs().max().item(), 1e-6)


class Averages(unittest.TestCase):
    def test_the_mean_of_models(self):
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        mean, fading = optim.swa_utils.AveragedModel(model), optim.swa_utils.AveragedModel(model, avg_fn=optim.swa_utils.get_ema_avg_fn(0.5))
        for value in (1.0, 2.0, 6.0):
            nn.init.constant_(model[0].weight, value)
            mean.update_parameters(model)
            fading.update_parameters(model)
        self.assertEqual((mean.module[0].weight[0, 0].item(), fading.module[0].weight[0, 0].item(), mean.n_averaged.item()), (3.0, 3.75, 3))
        optim.swa_utils.update_bn([torch.tensor([[1.0, 2.0], [3.0, 4.0]])], mean)
        self.assertEqual(mean.module[1].num_batches_tracked.item(), 1)
        self.assertEqual(mean(torch.ones(2, 2)).shape, (2, 2))

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_rates_as_pytorchs(self):
        def rates(t, **settings):
            o = t.optim.SGD([t.nn.Parameter(t.zeros(1))], lr=1.0)
            s, found = t.optim.swa_utils.SWALR(o, 0.1, **settings), []
            for _ in range(6):
                o.step()
                s.step()
                found.append(o.param_groups[0]["lr"])
            return found
        for settings in ({"anneal_epochs": 4}, {"anneal_epochs": 3, "anneal_strategy": "linear"}, {"anneal_epochs": 0}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for a, b in zip(rates(torch, **settings), rates(pytorch, **settings)):
                    self.assertAlmostEqual(a, b, 12)


class Others(unittest.TestCase):
    def test_a_transformer(self):
        torch.manual_seed(0)
        model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
        src, tgt = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
        mask = nn.Transformer.generate_square_subsequent_mask(4)
        out = model(src, tgt, tgt_mask=mask)
        changed = tgt.clone()
        changed[:, 3] += 1
        self.assertEqual(out.shape, (2, 4, 8))
        self.assertLess((model(src, changed, tgt_mask=mask) - out)[:, :3].abs().max().item(), 1e-6)
        with self.assertRaises(RuntimeError):
            model(src[:1], tgt)

    @unittest.skipIf(pytorch is None, "PyTorch is not installed")
    def test_a_transformer_as_pytorchs(self):
        theirs, mine = (t.nn.Transformer(8, 2, 1, 2, 16, dropout=0.0).eval() for t in (pytorch, torch))
        mine.load_state_dict(theirs.state_dict())
        src, tgt = pytorch.randn(5, 2, 8), pytorch.randn(4, 2, 8)
        mask = theirs.generate_square_subsequent_mask(4)
        wanted = theirs(src, tgt, tgt_mask=mask)
        self.assertLess((mine(torch.tensor(src), torch.tensor(tgt), tgt_mask=torch.tensor(mask)) - torch.tensor(wanted)).abs().max().item(), 1e-5)

    def test_upsampling(self):
        x = torch.arange(4.0).reshape(1, 1, 2, 2)
        self.assertEqual(nn.UpsamplingNearest2d(scale_factor=2)(x)[0, 0, 0].tolist(), [0, 0, 1, 1])
        self.assertEqual(nn.UpsamplingBilinear2d(size=(3, 3))(x)[0, 0, 1].tolist(), [1, 1.5, 2])

    def test_dirac(self):
        x = torch.randn(1, 4, 5)
        self.assertEqual(F.conv1d(x, nn.init.dirac_(torch.empty(4, 4, 3)), padding=1).tolist(), x.tolist())
        self.assertEqual(F.conv1d(x, nn.init.dirac_(torch.empty(4, 2, 3), groups=2), padding=1, groups=2).tolist(), x.tolist())
        self.assertRaises(ValueError, nn.init.dirac_, torch.empty(2, 2))

    def test_devices_and_memory(self):
        with self.assertRaisesRegex(RuntimeError, "only the cpu"):
            nn.Linear(1, 1).cuda()
        with self.assertRaisesRegex(RuntimeError, "only the cpu"):
            nn.Linear(1, 1).to_empty(device="cuda")
        self.assertEqual(nn.Linear(1, 1).to_empty(device="cpu")(torch.ones(1, 1)).shape, (1, 1))
        x = torch.ones(2)
        again = torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x))
        again[0] = 5.0
        self.assertEqual((x.tolist(), torch.asarray(x) is x, torch.asarray(x, copy=True) is x), ([5, 1], True, False))
        self.assertEqual((torch.asarray([1, 2]).tolist(), torch.asarray(1.5, dtype=torch.float64).dtype), ([1, 2], torch.float64))
        self.assertRaises(ValueError, torch.asarray, [1], copy=False)
        self.assertRaises(ValueError, torch.asarray, x, copy=False, dtype=torch.float64)


if __name__ == "__main__":
    unittest.main()
