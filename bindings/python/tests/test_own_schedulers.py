"""Schedulers that callers derive, copies of optimizers and schedulers, and what PyTorch's programs read and write of them."""
import copy
import pickle
import unittest
import warnings

import gradus
from gradus import optim

try:
    import torch
except ImportError:
    torch = None


def warm(module):
    """A scheduler as programs for PyTorch write it."""
    class Warm(module.optim.lr_scheduler._LRScheduler):
        def __init__(self, optimizer, steps, last_epoch=-1):
            self.steps = steps
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            return [base * min(1.0, (self.last_epoch + 1) / self.steps) for base in self.base_lrs]
    return Warm


def optimizer(module, kind="SGD", **settings):
    p, q = (module.nn.Parameter(module.ones(n)) for n in (1, 2))
    made = getattr(module.optim, kind)([{"params": [p]}, {"params": [q], "lr": 0.3}], lr=1.0, **settings)
    for t in (p, q):
        t.grad = module.ones(t.shape)
    return made


class Derived(unittest.TestCase):
    def run_in(self, module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            o, found = optimizer(module), []
            s = warm(module)(o, 4)
            for _ in range(6):
                found.append((s.last_epoch, s.get_last_lr(), [g["lr"] for g in o.param_groups], s._step_count))
                s.step()
            state = s.state_dict()
            other = warm(module)(optimizer(module), 9)
            other.load_state_dict(state)
            other.step()
            return found, (other.steps, other.last_epoch, other.get_last_lr()), set(state)

    def test_get_lr_is_what_a_step_sets(self):
        found, other, names = self.run_in(gradus)
        self.assertEqual([lr for _, (lr, _), _, _ in found], [0.25, 0.5, 0.75, 1, 1, 1])
        self.assertEqual(other, (4, 7, [1.0, 0.3]))
        self.assertLessEqual({"steps", "base_lrs", "last_epoch", "_step_count", "_last_lr"}, names)
        if torch is not None:
            self.assertEqual((found, other), self.run_in(torch)[:2])

    def test_in_a_sequence_and_from_an_epoch(self):
        s, o = optim.lr_scheduler, optimizer(gradus)
        both = s.SequentialLR(o, [warm(gradus)(o, 2), s.ExponentialLR(o, 0.5)], [2])
        seen = []
        for _ in range(4):
            seen.append(both.get_last_lr()[0])
            both.step()
        self.assertEqual(seen, [0.5, 1.0, 1.0, 0.5])
        self.assertEqual(warm(gradus)(o, 8, last_epoch=4).get_last_lr()[0], 0.75)
        self.assertRaises(KeyError, warm(gradus), optimizer(gradus), 8, 4)
        with self.assertRaises(NotImplementedError):
            s.LRScheduler(o)
        self.assertRaises(TypeError, s.LRScheduler, 1)

    def test_from_a_scheduler_of_the_library(self):
        class Floor(optim.lr_scheduler.ExponentialLR):
            def get_lr(self):
                return [max(lr, 0.25) for lr in super().get_lr()]
        s = Floor(optimizer(gradus), 0.5)
        for _ in range(4):
            s.step()
        self.assertEqual(s.get_last_lr(), [0.25, 0.25])


class Copies(unittest.TestCase):
    KINDS = {"SGD": dict(momentum=0.5), "Adam": dict(amsgrad=True), "LBFGS": None, "Adamax": {}, "Rprop": {}}

    def copies(self, things):
        yield copy.deepcopy(things)
        yield pickle.loads(pickle.dumps(things))

    def go(self, p, o, steps):
        def closure():
            o.zero_grad()
            loss = ((p - 3) ** 2).sum()
            loss.backward()
            return loss
        for _ in range(steps):
            o.step(closure)
        return p.tolist()

    def test_an_optimizer_goes_on_in_its_copy(self):
        for kind, settings in self.KINDS.items():
            p = gradus.nn.Parameter(gradus.tensor([1.0, 2.0]))
            o = getattr(optim, kind)([p], lr=0.1, **(settings or {}))
            self.go(p, o, 3)
            for q, other in self.copies((p, o)):
                self.assertIs(other.param_groups[0]["params"][0], q)
                self.assertIsNot(q, p)
                kept = copy.deepcopy((p, o))
                self.assertEqual(self.go(q, other, 3), self.go(*kept, 3), kind)
            alone = copy.deepcopy(o)
            self.assertEqual(alone.param_groups[0]["params"][0].tolist(), p.tolist())
            self.assertEqual(repr(alone), repr(o))

    def test_a_scheduler_goes_on_in_its_copy(self):
        s = optim.lr_scheduler
        for make in (lambda o: s.StepLR(o, 2), lambda o: s.LinearLR(o, 0.25, total_iters=5), lambda o: s.OneCycleLR(o, [1.0, 2.0], 9),
                     lambda o: s.CyclicLR(o, 0.1, 1.0, 3), lambda o: s.CosineAnnealingWarmRestarts(o, 2), lambda o: s.LambdaLR(o, abs),
                     lambda o: s.SequentialLR(o, [s.ConstantLR(o), s.ExponentialLR(o, 0.5)], [2])):
            for kind in ("SGD", "Adamax"):
                o = optimizer(gradus, kind, **({"momentum": 0.9} if kind == "SGD" else {}))
                try:
                    first = make(o)
                except ValueError:                                         # Adamax has no momentum
                    continue
                first.step()
                for second in self.copies(first):
                    self.assertIsNot(second.optimizer, o)
                    third = copy.deepcopy(first)
                    self.assertEqual(second.get_last_lr(), first.get_last_lr())
                    self.assertEqual([g["lr"] for g in second.optimizer.param_groups], [g["lr"] for g in o.param_groups])
                    for _ in range(4):
                        second.step()
                        third.step()
                        self.assertEqual(second.get_last_lr(), third.get_last_lr())

    def test_a_plateau_goes_on_in_its_copy(self):
        first = optim.lr_scheduler.ReduceLROnPlateau(optimizer(gradus), factor=0.5, patience=1, min_lr=[0.0, 0.25])
        first.step(1.0)
        for second in self.copies(first):
            self.assertEqual((second.best, second.num_bad_epochs), (1.0, 0))
            for _ in range(4):
                second.step(2.0)
            self.assertEqual(second.get_last_lr(), [0.25, 0.25])

    def test_no_handle_is_left(self):
        import gc
        gc.collect()
        before = gradus.live_counts()
        made = copy.deepcopy(optim.lr_scheduler.StepLR(optimizer(gradus), 2))
        del made
        gc.collect()
        after = gradus.live_counts()
        self.assertEqual([after[k] - before[k] for k in ("optimizers", "schedulers", "tensors")], [0, 0, 0])


class Attributes(unittest.TestCase):
    MAKE = {
        "StepLR": lambda s, o: s.StepLR(o, 2, verbose=False), "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 3, 3]),
        "ConstantLR": lambda s, o: s.ConstantLR(o), "LinearLR": lambda s, o: s.LinearLR(o), "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.5),
        "PolynomialLR": lambda s, o: s.PolynomialLR(o), "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 3),
        "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2), "CyclicLR": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 3),
        "LambdaLR": lambda s, o: s.LambdaLR(o, lambda e: 0.5 ** e)}

    def test_settings_are_attributes_that_count(self):
        s, o = optim.lr_scheduler, optimizer(gradus)
        step = s.StepLR(o, 100)
        self.assertEqual((step.step_size, step.gamma, step.get_lr()), (100, 0.1, [1.0, 0.3]))
        step.step_size, step.gamma = 1, 0.5
        step.step()
        self.assertEqual((step.get_last_lr()[0], step.last_epoch), (0.5, 1))
        self.assertEqual(s.CosineAnnealingLR(o, 7).T_max, 7)
        self.assertEqual(sorted(s.MultiStepLR(o, [3, 1]).milestones), [1, 3])
        plateau = s.ReduceLROnPlateau(o, "max", verbose=False)
        plateau.step(3.0)
        self.assertEqual((plateau.best, plateau.num_bad_epochs, plateau.mode, plateau.in_cooldown), (3.0, 0, "max", False))
        with self.assertWarnsRegex(UserWarning, "verbose"):
            s.ExponentialLR(o, 0.5, verbose=True)
        warm_restarts = s.CosineAnnealingWarmRestarts(optimizer(gradus), 2, 2)
        warm_restarts.step(3.0)
        self.assertEqual((warm_restarts.T_i, warm_restarts.T_cur), (4, 1.0))

    def test_a_state_is_a_plain_dict(self):
        for name, make in self.MAKE.items():
            state = make(optim.lr_scheduler, optimizer(gradus, momentum=0.9)).state_dict()
            self.assertEqual((state["last_epoch"], type(state["last_epoch"]), len(state["base_lrs"])), (0, int, 2), name)
            self.assertEqual(pickle.loads(pickle.dumps(state)), state, name)

    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_goes_on_from_the_state_of_pytorchs(self):
        for name, make in self.MAKE.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = make(torch.optim.lr_scheduler, optimizer(torch, momentum=0.9))
                for _ in range(2):
                    theirs.step()
                mine = make(optim.lr_scheduler, optimizer(gradus, momentum=0.9))
                missing = set(theirs.state_dict()) - set(mine.state_dict()) - {"verbose", "_scale_fn_custom", "_scale_fn_ref"}
                self.assertEqual(missing, set(), name)
                for a, b in zip(mine.optimizer.param_groups, theirs.optimizer.param_groups):
                    a["lr"] = b["lr"]
                mine.load_state_dict(theirs.state_dict())
                for _ in range(5):
                    for a, b in zip(mine.get_last_lr(), theirs.get_last_lr()):
                        self.assertAlmostEqual(a, b, delta=1e-12, msg=name)
                    mine.step()
                    theirs.step()
                for _ in range(2):
                    if name == "CosineAnnealingWarmRestarts":
                        mine.step(2.75)
                        theirs.step(2.75)
                        self.assertAlmostEqual(mine.get_last_lr()[0], theirs.get_last_lr()[0], delta=1e-12)


if __name__ == "__main__":
    unittest.main()
