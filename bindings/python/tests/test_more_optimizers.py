"""Optimizers that the package writes with tensors."""
import unittest

import gradus
from gradus import optim

try:
    import torch
except ImportError:
    torch = None

SETTINGS = {"Adamax": (dict(lr=0.05), dict(lr=0.1, betas=(0.8, 0.9), weight_decay=0.1, maximize=False)),
            "Rprop": (dict(lr=0.05), dict(lr=0.1, etas=(0.4, 1.5), step_sizes=(1e-3, 0.2))),
            "ASGD": (dict(lr=0.1), dict(lr=0.1, lambd=0.1, alpha=0.6, t0=3, weight_decay=0.1))}


def run(module, name, settings, steps=12):
    p = module.nn.Parameter(module.tensor([1.0, -2.0, 0.5], dtype=module.float64))
    o, scale = getattr(module.optim, name)([p], **settings), module.tensor([1.0, 0.1, 3.0], dtype=module.float64)
    losses = []

    def closure():
        o.zero_grad()
        loss = (scale * (p - 0.25) ** 2).sum()
        loss.backward()
        losses.append(loss.item())
        return loss
    for _ in range(steps):
        o.step(closure)
    return p.tolist(), losses, o


class More(unittest.TestCase):
    def test_each_lowers_the_loss_and_goes_on_from_its_state(self):
        for name, cases in SETTINGS.items():
            for settings in cases:
                _, losses, o = run(gradus, name, settings)
                self.assertLess(losses[-1], losses[0], name)
                p = o.param_groups[0]["params"][0]
                other = gradus.nn.Parameter(p.detach().clone())
                second = getattr(optim, name)([other], lr=9.0)
                second.load_state_dict(o.state_dict())
                for which, q in ((o, p), (second, other)):
                    q.grad = gradus.ones(3, dtype=gradus.float64)
                    which.step()
                self.assertEqual(p.tolist(), other.tolist(), name)

    def test_complex_parameters_count_as_pairs(self):
        for name in (*SETTINGS, "Adam", "SGD"):
            settings = SETTINGS.get(name, (dict(lr=0.1),))[-1]
            pairs = gradus.nn.Parameter(gradus.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=gradus.float64))
            z = gradus.nn.Parameter(gradus.view_as_complex(pairs.detach().clone()))
            first, second = getattr(optim, name)([pairs], **settings), getattr(optim, name)([z], **settings)
            for _ in range(5):
                pairs.grad = (pairs.detach() - 0.25) * 3
                z.grad = gradus.view_as_complex(pairs.grad.clone())
                first.step()
                second.step()
            self.assertEqual(gradus.view_as_real(z.detach()).tolist(), pairs.tolist(), name)
            for key, v in second.state_dict()["state"].get(0, {}).items():
                if isinstance(v, gradus.Tensor) and v.dim():
                    self.assertIs(v.dtype, gradus.complex128, (name, key))
            second.load_state_dict(second.state_dict())
            self.assertEqual(gradus.nn.utils.clip_grad_norm_([z], 1.0).item(), gradus.nn.utils.clip_grad_norm_([pairs], 1.0).item())

    def test_what_is_refused(self):
        p = [gradus.nn.Parameter(gradus.ones(1))]
        for make in (lambda: optim.Adamax(p, lr=-1), lambda: optim.Adamax(p, betas=(1.0, 0.9)), lambda: optim.Rprop(p, etas=(1.5, 2)),
                     lambda: optim.ASGD(p, weight_decay=-1), lambda: optim.ASGD([])):
            with self.assertRaises(ValueError):
                make()

    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_as_pytorch(self):
        """Up to the single precision in which PyTorch keeps ASGD's step sizes."""
        for name, cases in SETTINGS.items():
            for settings in cases:
                for mine, theirs in zip(run(gradus, name, settings)[0], run(torch, name, settings)[0]):
                    self.assertAlmostEqual(mine, theirs, delta=1e-8, msg=(name, settings))


if __name__ == "__main__":
    unittest.main()
