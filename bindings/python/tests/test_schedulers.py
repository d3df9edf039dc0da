"""Schedulers that are the package's own, alone and one after the other. PyTorch, where it is installed, says what all of them give together."""
import itertools
import unittest
import warnings

import gradus
from gradus import optim

try:
    import torch
except ImportError:
    torch = None


def optimizer(module):
    p, q = (module.nn.Parameter(module.zeros(n)) for n in (1, 2))
    return module.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.3}], lr=1.0, momentum=0.9)


def rates(module, make, steps=20, make_optimizer=optimizer):
    o = make_optimizer(module)
    scheduler, found = make(module.optim.lr_scheduler, o), []
    for _ in range(steps):
        found.append([v for g in o.param_groups for v in (g["lr"], g["momentum"])])
        o.step()
        scheduler.step()
    return found


SINGLE = {
    "lambda": lambda s, o: s.LambdaLR(o, [lambda e: 0.9 ** e, lambda e: 1 / (e + 1)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9),
    "constant": lambda s, o: s.ConstantLR(o, 0.5, 4),
    "polynomial": lambda s, o: s.PolynomialLR(o, 8, 2.0),
    "warm restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "linear": lambda s, o: s.LinearLR(o, 0.25, total_iters=5),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.8),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 6, 0.01),
    "step": lambda s, o: s.StepLR(o, 2),
    "steps": lambda s, o: s.MultiStepLR(o, [2, 5]),
}
MORE = {
    "one cycle": lambda s, o: s.OneCycleLR(o, 2.0, total_steps=30),
    "cycles": lambda s, o: s.CyclicLR(o, 0.1, [1.0, 2.0], step_size_up=3, step_size_down=5),
    "halved cycles": lambda s, o: s.CyclicLR(o, [0.1, 0.2], 1.0, step_size_up=3, mode="triangular2"),
    "falling cycles": lambda s, o: s.CyclicLR(o, 0.1, 1.0, step_size_up=3, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "cycles of a function": lambda s, o: s.CyclicLR(o, 0.1, 1.0, step_size_up=3, scale_fn=lambda x: 0.99 ** x, scale_mode="iterations"),
    "chained": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]),
    "three": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 5), s.ExponentialLR(o, 0.5)], [4, 9]),
}


def in_sequence(first, second):
    return lambda s, o: s.SequentialLR(o, [SINGLE[first](s, o), SINGLE[second](s, o)], [4])


class Formulas(unittest.TestCase):
    def of(self, make, steps):
        return [round(r[0], 6) for r in rates(gradus, make, steps)]

    def test_cycles(self):
        s = optim.lr_scheduler
        self.assertEqual(self.of(lambda _, o: s.CyclicLR(o, 0.0, 1.0, 2, 4), 8), [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0.5])
        self.assertEqual(self.of(lambda _, o: s.CyclicLR(o, 0.0, 1.0, 2, mode="triangular2"), 8), [0, 0.5, 1, 0.5, 0, 0.25, 0.5, 0.25])
        momenta = [r[1] for r in rates(gradus, lambda _, o: s.CyclicLR(o, 0.0, 1.0, 2, base_momentum=0.5, max_momentum=0.75), 3)]
        self.assertEqual(momenta, [0.75, 0.625, 0.5])

    def test_one_after_the_other(self):
        s = optim.lr_scheduler
        self.assertEqual(self.of(lambda _, o: s.SequentialLR(o, [s.ConstantLR(o, 0.5, 10), s.ExponentialLR(o, 0.5)], [2]), 5), [0.5, 0.5, 1, 0.5, 0.25])

    def test_a_state_goes_on(self):
        for name, make in {**MORE, "two": in_sequence("warm restarts", "lambda"), "again": in_sequence("exponential", "warm restarts")}.items():
            s, o = optim.lr_scheduler, optimizer(gradus)
            first = make(s, o)
            for _ in range(3):
                o.step()
                first.step()
            other = optimizer(gradus)
            second = make(s, other)
            other.load_state_dict(o.state_dict())
            second.load_state_dict(first.state_dict())
            for _ in range(8):
                for scheduler, of in ((first, o), (second, other)):
                    of.step()
                    scheduler.step()
                self.assertEqual(first.get_last_lr(), second.get_last_lr(), name)

    def test_optimizers_of_ones_own(self):
        class Own(optim.Optimizer):
            def step(self, closure=None):
                pass

        def own(module):
            groups = [{"params": [module.nn.Parameter(module.zeros(1))]}, {"params": [module.nn.Parameter(module.zeros(2))], "lr": 0.3}]
            return Own(groups, {"lr": 1.0, "momentum": 0.9})
        for name, make in {**SINGLE, **MORE}.items():
            self.assertEqual(rates(gradus, make), rates(gradus, make, make_optimizer=own), name)

    def test_optimizers_written_with_tensors(self):
        s, p = optim.lr_scheduler, gradus.nn.Parameter(gradus.zeros(1))
        for kind in (optim.Adamax, optim.Rprop, optim.ASGD):
            o = kind([p], lr=1.0, foreach=None)
            steps, plateau = s.StepLR(o, 1, 0.5), s.ReduceLROnPlateau(o, factor=0.5, patience=0)
            steps.step()
            for metric in (1.0, 2.0):
                plateau.step(metric)
            self.assertEqual((o.param_groups[0]["lr"], steps.get_last_lr(), s.ExponentialLR(o, 0.5).base_lrs), (0.25, [0.5], [1.0]), kind)
        o = optim.Adamax([p], betas=(0.9, 0.99))
        cycle, seen = s.OneCycleLR(o, 1.0, 4), []
        for _ in range(4):
            seen.append(o.param_groups[0]["betas"])
            cycle.step()
        self.assertEqual((seen[0][0], {b for _, b in seen}), (0.95, {0.99}))
        self.assertLess(min(a for a, _ in seen), 0.9)
        with self.assertRaisesRegex(ValueError, "momentum or beta1"):
            s.OneCycleLR(optim.Rprop([p]), 1.0, 4)
        s.OneCycleLR(optim.Rprop([p]), 1.0, 4, cycle_momentum=False).step()

    def test_what_is_refused(self):
        s, o = optim.lr_scheduler, optimizer(gradus)
        for make in (lambda: s.CyclicLR(o, 0.1, 1.0, mode="square"), lambda: s.CyclicLR(o, [0.1], 1.0), lambda: s.LambdaLR(o, [abs]),
                     lambda: s.SequentialLR(o, [s.StepLR(o, 1), s.StepLR(o, 1)], []),
                     lambda: s.SequentialLR(o, [s.StepLR(optimizer(gradus), 1)], []),
                     lambda: s.CyclicLR(optim.Adam([gradus.nn.Parameter(gradus.zeros(1))]), 0.1, 1.0)):
            with self.assertRaises(ValueError):
                make()
        with self.assertRaises(KeyError):
            s.StepLR(optimizer(gradus), 2, last_epoch=3)
        with self.assertRaises(TypeError):
            s.SequentialLR(o, [s.ReduceLROnPlateau(o)], [])


@unittest.skipIf(torch is None, "PyTorch is not installed")
class AsPyTorch(unittest.TestCase):
    def same(self, name, make):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = rates(torch, make)
        for a, b in zip(itertools.chain(*rates(gradus, make)), itertools.chain(*theirs)):
            self.assertAlmostEqual(a, b, delta=1e-12, msg=name)

    def test_each(self):
        for name, make in {**SINGLE, **MORE}.items():
            self.same(name, make)

    def test_each_pair(self):
        for pair in itertools.product(SINGLE, SINGLE):
            self.same(pair, in_sequence(*pair))

    def test_going_on_at_an_epoch(self):
        def going_on(make):
            def made(s, o):
                for group in o.param_groups:
                    group["initial_lr"], group["lr"] = group["lr"], group["lr"] * 0.7
                return make(s, o)
            return made
        for name, make in {"step": lambda s, o: s.StepLR(o, 3, last_epoch=4), "exponential": lambda s, o: s.ExponentialLR(o, 0.8, last_epoch=4),
                           "linear": lambda s, o: s.LinearLR(o, total_iters=9, last_epoch=4),
                           "lambda": lambda s, o: s.LambdaLR(o, lambda e: 0.9 ** e, last_epoch=4)}.items():
            self.same(name, going_on(make))


if __name__ == "__main__":
    unittest.main()
