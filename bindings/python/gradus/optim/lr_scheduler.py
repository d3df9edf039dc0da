"""Learning rates as functions of the epoch, with PyTorch's names and formulas. LambdaLR and MultiplicativeLR take any optimizer, the
others, which the library computes, those of the library."""
import ctypes as C

from .._context import check, local
from .._library import Handle, Setting, lib, release, releases
from ._optimizer import NativeOptimizer, settings_array


class LRScheduler:
    """What all share: the optimizer, its first rates, the epoch."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]

    def get_last_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups]


_LRScheduler = LRScheduler


class LambdaLR(LRScheduler):
    """The first rates times lr_lambda(epoch), one function or one for each group."""

    def __init__(self, optimizer, lr_lambda):
        super().__init__(optimizer)
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        self.last_epoch = -1
        self.step()

    def _rates(self):
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas)]

    def step(self):
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self._rates()):
            group["lr"] = lr

    def state_dict(self):
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict):
        self.last_epoch, self.base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])


class MultiplicativeLR(LambdaLR):
    """Each epoch's rates are the last ones times lr_lambda(epoch)."""

    def _rates(self):
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return rates if self.last_epoch == 0 else [lr * f(self.last_epoch) for lr, f in zip(rates, self.lr_lambdas)]


@releases
class _Native(LRScheduler):
    def __init__(self, optimizer, settings):
        self._h = Handle()
        if not isinstance(optimizer, NativeOptimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an optimizer of the library")
        super().__init__(optimizer)
        optimizer.push()
        name = type(self).__name__.encode()
        check(lib.gradus_scheduler_create(local.ctx, optimizer._h, name, len(name), *settings_array(settings), C.byref(self._h)))
        optimizer.pull()

    def __del__(self, release=release):
        release(self._h)

    def step(self):
        self.optimizer.push()
        check(lib.gradus_scheduler_step(local.ctx, self._h))
        self.optimizer.pull()

    def state_dict(self):
        found, entry = {}, Setting()
        while True:
            try:
                check(lib.gradus_scheduler_state_at(local.ctx, self._h, len(found), C.byref(entry)))
            except IndexError:
                return found
            found[entry.name.decode()] = entry.value

    def load_state_dict(self, state_dict):
        for name, value in state_dict.items():
            text = name.encode()
            check(lib.gradus_scheduler_load_state(local.ctx, self._h, text, len(text), value))

    @property
    def last_epoch(self):
        return int(self.state_dict()["last_epoch"])


class StepLR(_Native):
    def __init__(self, optimizer, step_size, gamma=0.1):
        super().__init__(optimizer, [("step_size", step_size), ("gamma", gamma)])


class MultiStepLR(_Native):
    def __init__(self, optimizer, milestones, gamma=0.1):
        super().__init__(optimizer, [("gamma", gamma)] + [("milestones", m) for m in milestones])


class ConstantLR(_Native):
    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5):
        super().__init__(optimizer, [("factor", factor), ("total_iters", total_iters)])


class LinearLR(_Native):
    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5):
        super().__init__(optimizer, [("start_factor", start_factor), ("end_factor", end_factor), ("total_iters", total_iters)])


class ExponentialLR(_Native):
    def __init__(self, optimizer, gamma):
        super().__init__(optimizer, [("gamma", gamma)])


class PolynomialLR(_Native):
    def __init__(self, optimizer, total_iters=5, power=1.0):
        super().__init__(optimizer, [("total_iters", total_iters), ("power", power)])


class CosineAnnealingLR(_Native):
    def __init__(self, optimizer, T_max, eta_min=0.0):
        super().__init__(optimizer, [("T_max", T_max), ("eta_min", eta_min)])


class CosineAnnealingWarmRestarts(_Native):
    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0):
        super().__init__(optimizer, [("T_0", T_0), ("T_mult", T_mult), ("eta_min", eta_min)])


class OneCycleLR(_Native):
    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy="cos",
                 cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        super().__init__(optimizer, [
            ("max_lr", max_lr), ("total_steps", total_steps), ("pct_start", pct_start), ("anneal_linear", anneal_strategy == "linear"),
            ("cycle_momentum", cycle_momentum), ("base_momentum", base_momentum), ("max_momentum", max_momentum), ("div_factor", div_factor),
            ("final_div_factor", final_div_factor), ("three_phase", three_phase)])


class ReduceLROnPlateau(_Native):
    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0, min_lr=0.0, eps=1e-8):
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        super().__init__(optimizer, [
            ("mode_max", mode == "max"), ("factor", factor), ("patience", patience), ("threshold", threshold),
            ("threshold_abs", threshold_mode == "abs"), ("cooldown", cooldown), ("min_lr", min_lr), ("eps", eps)])

    def step(self, metrics):
        self.optimizer.push()
        check(lib.gradus_scheduler_step_metric(local.ctx, self._h, float(metrics)))
        self.optimizer.pull()


class ChainedScheduler:
    """Steps several schedulers of one optimizer, one after the other."""

    def __init__(self, schedulers):
        self._schedulers = list(schedulers)
        self.optimizer = self._schedulers[0].optimizer

    def step(self):
        for scheduler in self._schedulers:
            scheduler.step()

    def get_last_lr(self):
        return self._schedulers[-1].get_last_lr()

    def state_dict(self):
        return {"schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict):
        for scheduler, entries in zip(self._schedulers, state_dict["schedulers"]):
            scheduler.load_state_dict(entries)
