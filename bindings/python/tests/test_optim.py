"""gradus.optim, nn.init and nn.utils with PyTorch's face. The numbers themselves are compared in tests/optim_test.cpp."""
import math
import unittest

import gradus as torch
from gradus import optim

ALGORITHMS = {
    optim.SGD: dict(lr=0.05, momentum=0.9, nesterov=True), optim.Adam: dict(lr=0.1, amsgrad=True), optim.AdamW: dict(lr=0.1, betas=(0.8, 0.95)),
    optim.Adagrad: dict(lr=0.5), optim.RMSprop: dict(lr=0.02, centered=True, momentum=0.5), optim.Adadelta: dict(lr=50.0), optim.NAdam: dict(lr=0.1),
    optim.RAdam: dict(lr=0.2), optim.Lion: dict(lr=0.02), optim.LBFGS: dict(line_search_fn="strong_wolfe", max_iter=3)}


def problem():
    w, b = torch.nn.Parameter(torch.zeros(3, 2)), torch.nn.Parameter(torch.zeros(2))
    x = torch.arange(12.0).reshape(4, 3) / 6 - 1
    y = torch.tensor([[1.0, -1.0], [0.5, 0.25], [0.0, 1.0], [-1.0, 0.5]])

    def loss():
        return ((x @ w + b - y) ** 2).mean()
    return [w, b], loss


def train(optimizer, loss, steps):
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value
    return [optimizer.step(closure).item() for _ in range(steps)]


class Optimizers(unittest.TestCase):
    def test_each_lowers_the_loss(self):
        for cls, settings in ALGORITHMS.items():
            params, loss = problem()
            losses = train(cls(params, **settings), loss, 60)
            self.assertLess(losses[-1], 0.8 * losses[0], cls.__name__)

    def test_goes_on_from_a_state_dict_with_the_same_bits(self):
        for cls, settings in ALGORITHMS.items():
            params, loss = problem()
            first = cls(params, **settings)
            train(first, loss, 5)
            others, other_loss = problem()
            for p, q in zip(params, others):
                q.data.copy_(p.data)
            second = cls(others, lr=7.0)
            second.load_state_dict(first.state_dict())
            train(first, loss, 5)
            train(second, other_loss, 5)
            for p, q in zip(params, others):
                self.assertEqual(p.tolist(), q.tolist(), cls.__name__)

    def test_groups(self):
        (w, b), loss = problem()
        o = optim.SGD([{"params": [w], "lr": 0.5}, {"params": b, "momentum": 0.25}], lr=0.125)
        self.assertEqual([(g["lr"], g["momentum"]) for g in o.param_groups], [(0.5, 0), (0.125, 0.25)])
        o.param_groups[0]["lr"] = 0.0
        before = w.tolist()
        train(o, loss, 1)
        self.assertEqual(w.tolist(), before)
        self.assertNotEqual(b.tolist(), [0, 0])
        self.assertEqual(list(o.state[b]), ["momentum_buffer"])
        o.add_param_group({"params": torch.nn.Parameter(torch.zeros(1)), "lr": 3})
        self.assertEqual(o.param_groups[2]["lr"], 3)
        self.assertIn("lr: 3", repr(o))
        o.zero_grad()
        self.assertIsNone(w.grad)

    def test_refuses(self):
        (w, b), _ = problem()
        for wrong, error in ((lambda: optim.SGD([w], lr=-1), ValueError), (lambda: optim.SGD([w], beta=1), TypeError), (lambda: optim.SGD(w), TypeError),
                             (lambda: optim.SGD([]), ValueError), (lambda: optim.SGD([w * 2]), ValueError), (lambda: optim.SGD([w, w]), ValueError),
                             (lambda: optim.LBFGS([w]).step(), RuntimeError), (lambda: optim.Adam([1.0]), TypeError)):
            self.assertRaises(error, wrong)
        o = optim.SGD([w])
        self.assertRaises(ValueError, o.add_param_group, {"params": [w]})
        self.assertEqual(len(o.param_groups), 1)
        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            o.step(lambda: (_ for _ in ()).throw(ZeroDivisionError("mine")))

    def test_hooks_of_a_step(self):
        (w, b), loss = problem()
        for o in (optim.SGD([w], lr=0.1), optim.Adamax([b], lr=0.1)):
            seen = []
            handles = [o.register_step_pre_hook(lambda o, args, kwargs: seen.append("before")),
                       o.register_step_post_hook(lambda o, args, kwargs: seen.append("after"))]
            loss().backward()
            o.step()
            self.assertEqual(seen, ["before", "after"])
            for handle in handles:
                handle.remove()
            o.step()
            self.assertEqual(len(seen), 2)

    def test_keywords_that_choose_an_implementation_are_kept(self):
        (w, b), loss = problem()
        for cls, given in ((optim.SGD, {"foreach": True}), (optim.Adam, {"fused": False, "capturable": False}), (optim.Rprop, {"differentiable": False})):
            o = cls([w, b], lr=0.01, **given)
            self.assertEqual({k: o.param_groups[0][k] for k in given}, given)
            loss().backward()
            o.step()
            other = cls([w, b], lr=0.01)
            other.load_state_dict(o.state_dict())
            other.step()

    def test_an_optimizer_of_the_caller(self):
        class Sign(optim.Optimizer):
            def __init__(self, params, lr=0.1):
                super().__init__(params, {"lr": lr})

            @torch.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is not None:
                            p.sub_(p.grad.sign(), alpha=group["lr"])
                            self.state[p]["count"] = self.state[p].get("count", 0) + 1
        w = torch.nn.Parameter(torch.tensor([1.0, -1.0]))
        o = Sign([w])
        schedule = optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.5 ** epoch)
        (w * w).sum().backward()
        schedule.step()
        o.step()
        self.assertEqual([round(v, 6) for v in w.tolist()], [0.95, -0.95])
        self.assertEqual(o.state_dict()["state"], {0: {"count": 1}})
        o.zero_grad(set_to_none=False)
        self.assertEqual(w.grad.tolist(), [0, 0])


class OtherTypes(unittest.TestCase):
    """An optimizer follows its parameters when Module.to gives them another type."""

    def run_steps(self, cls, settings, convert):
        torch.manual_seed(1)
        model = torch.nn.Linear(3, 2)
        o = cls(model.parameters(), **settings)
        schedule = optim.lr_scheduler.StepLR(o, 3, 0.5)
        x, y = torch.randn(4, 3), torch.randn(4, 2)
        for step in range(10):
            if step == 5 and convert:
                model.double()
                x, y = x.double(), y.double()

            def closure():
                o.zero_grad()
                loss = ((model(x) - y) ** 2).mean()
                loss.backward()
                return loss
            o.step(closure)
            schedule.step()
        return model, o, schedule

    def test_it_goes_on_as_if_nothing_had_happened(self):
        for cls, settings in ALGORITHMS.items():
            plain, _, _ = self.run_steps(cls, settings, False)
            model, o, schedule = self.run_steps(cls, settings, True)
            self.assertIs(model.weight.dtype, torch.float64)
            self.assertLess((model.weight - plain.weight).abs().max().item(), 1e-4, cls.__name__)
            self.assertAlmostEqual(o.param_groups[0]["lr"], settings["lr"] * 0.125 if "lr" in settings else 0.125)
            self.assertEqual(schedule.last_epoch, 10)
            for p, entries in o.state.items():
                self.assertTrue(all(v.dtype is torch.float64 for v in entries.values() if v.shape == p.shape), cls.__name__)


class Schedulers(unittest.TestCase):
    def rates(self, scheduler, steps=6):
        rates = []
        for epoch in range(steps):
            rates.append(scheduler.get_last_lr()[0])
            scheduler.optimizer.step()
            if isinstance(scheduler, optim.lr_scheduler.ReduceLROnPlateau):
                scheduler.step(1.0)
            else:
                scheduler.step()
        return [round(r, 6) for r in rates]

    def test_formulas(self):
        s = optim.lr_scheduler

        def make(cls, *args, **settings):
            return cls(optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9), *args, **settings)
        self.assertEqual(self.rates(make(s.StepLR, 2)), [1, 1, 0.1, 0.1, 0.01, 0.01])
        self.assertEqual(self.rates(make(s.MultiStepLR, [1, 4], gamma=0.5)), [1, 0.5, 0.5, 0.5, 0.25, 0.25])
        self.assertEqual(self.rates(make(s.LinearLR, 0.25, total_iters=3)), [0.25, 0.5, 0.75, 1, 1, 1])
        self.assertEqual(self.rates(make(s.ConstantLR, 0.5, 2)), [0.5, 0.5, 1, 1, 1, 1])
        self.assertEqual(self.rates(make(s.ExponentialLR, 0.5)), [0.5 ** i for i in range(6)])
        self.assertEqual(self.rates(make(s.PolynomialLR, 4)), [1, 0.75, 0.5, 0.25, 0, 0])
        self.assertEqual(self.rates(make(s.CosineAnnealingLR, 4)), [round((1 + math.cos(math.pi * i / 4)) / 2, 6) for i in range(6)])
        self.assertEqual(self.rates(make(s.CosineAnnealingWarmRestarts, 2)), [1, 0.5, 1, 0.5, 1, 0.5])
        self.assertEqual(self.rates(make(s.ReduceLROnPlateau, patience=1, factor=0.5)), [1, 1, 1, 0.5, 0.5, 0.25])
        self.assertEqual(self.rates(make(s.LambdaLR, lambda e: 1 / (e + 1)), 3), [1, 0.5, round(1 / 3, 6)])
        self.assertEqual(self.rates(make(s.MultiplicativeLR, lambda e: 0.5), 3), [1, 0.5, 0.25])
        one = make(s.OneCycleLR, 2.0, total_steps=6, pct_start=0.5)
        self.assertEqual(self.rates(one)[2], 2)
        self.assertAlmostEqual(one.optimizer.param_groups[0]["momentum"], 0.95)

    def test_state(self):
        o = optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        first = optim.lr_scheduler.StepLR(o, 3)
        first.step()
        first.step()
        second = optim.lr_scheduler.StepLR(o, 3)
        second.load_state_dict(first.state_dict())
        self.assertEqual(second.last_epoch, 2)
        second.step()
        self.assertAlmostEqual(o.param_groups[0]["lr"], 0.1)
        chained = optim.lr_scheduler.ChainedScheduler([second, optim.lr_scheduler.ExponentialLR(o, 0.5)])
        chained.step()
        self.assertAlmostEqual(chained.get_last_lr()[0], 0.05)


class FirstValues(unittest.TestCase):
    def test_spread(self):
        torch.manual_seed(3)
        init, t = torch.nn.init, torch.nn.Parameter(torch.empty(200, 100))
        for fill, std in ((lambda: init.xavier_uniform_(t), math.sqrt(2 / 300)), (lambda: init.xavier_normal_(t, 2.0), 2 * math.sqrt(2 / 300)),
                          (lambda: init.kaiming_uniform_(t, math.sqrt(5)), math.sqrt(1 / 300)),
                          (lambda: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 200)),
                          (lambda: init.trunc_normal_(t), 0.8796), (lambda: init.normal_(t, 1, 3), 3), (lambda: init.uniform_(t), math.sqrt(1 / 12))):
            self.assertIs(fill(), t)
            self.assertAlmostEqual(t.std().item() / std, 1, delta=0.03)
        q = init.orthogonal_(torch.empty(3, 5, dtype=torch.float64))
        self.assertLess((q @ q.t() - torch.eye(3)).abs().max().item(), 1e-14)
        self.assertEqual(init.eye_(torch.empty(2, 2)).tolist(), [[1, 0], [0, 1]])
        self.assertEqual(init.ones_(torch.empty(1)).tolist() + init.zeros_(torch.empty(1)).tolist(), [1, 0])
        self.assertAlmostEqual(init.calculate_gain("leaky_relu"), math.sqrt(2 / (1 + 0.0001)))


if __name__ == "__main__":
    unittest.main()
