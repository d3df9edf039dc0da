"""Learning rates as functions of the epoch, with PyTorch's names and formulas, for any optimizer. LambdaLR, MultiplicativeLR and CyclicLR are
computed here, the others by the library."""
import bisect
import ctypes as C
import math

from .._context import check, local
from .._library import Handle, Setting, lib, release, releases
from ._optimizer import NativeOptimizer, settings_array
from ._stand_in import stand_in


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


class _Formula(LRScheduler):
    """A scheduler of the package: _rates() says what the rates are at last_epoch."""

    def __init__(self, optimizer, last_epoch=-1):
        _check_first_rates(optimizer, last_epoch)
        super().__init__(optimizer)
        self.last_epoch = last_epoch
        self.step()

    def _rates(self):
        raise NotImplementedError

    def step(self):
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self._rates()):
            group["lr"] = lr

    def _restart(self):
        self.last_epoch = -1
        self.step()

    def state_dict(self):
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict):
        self.last_epoch, self.base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])


def _check_first_rates(optimizer, last_epoch):
    for i, group in enumerate(optimizer.param_groups):
        if last_epoch != -1 and "initial_lr" not in group:
            raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming an optimizer")


def _for_each_group(optimizer, name, value):
    values = list(value) if isinstance(value, (list, tuple)) else [value] * len(optimizer.param_groups)
    if len(values) != len(optimizer.param_groups):
        raise ValueError(f"Expected {len(optimizer.param_groups)} {name}, but got {len(values)}")
    return values


class LambdaLR(_Formula):
    """The first rates times lr_lambda(epoch), one function or one for each group."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        self.lr_lambdas = _for_each_group(optimizer, "lr_lambdas", lr_lambda)
        super().__init__(optimizer, last_epoch)

    def _rates(self):
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas)]


class MultiplicativeLR(LambdaLR):
    """Each epoch's rates are the last ones times lr_lambda(epoch)."""

    def _rates(self):
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return rates if self.last_epoch == 0 else [lr * f(self.last_epoch) for lr, f in zip(rates, self.lr_lambdas)]


class CyclicLR(_Formula):
    """Up from base_lr to max_lr and down again, step for step. mode "triangular2" halves the height with each cycle, "exp_range" multiplies it
    by gamma in each step; scale_fn is another factor, of the cycle's number or, with scale_mode "iterations", the step's. Momentum goes the other
    way if cycle_momentum."""

    def __init__(self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0, scale_fn=None,
                 scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1):
        scales = {"triangular": (lambda x: 1.0, "cycle"), "triangular2": (lambda x: 1 / 2.0 ** (x - 1), "cycle"),
                  "exp_range": (lambda x: gamma ** x, "iterations")}
        if scale_fn is None and mode not in scales:
            raise ValueError("mode is invalid and scale_fn is None")
        self._scale, self._scale_mode = scales[mode] if scale_fn is None else (scale_fn, scale_mode)
        if cycle_momentum and "momentum" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum with `cycle_momentum` option enabled")
        self._heights = list(zip(_for_each_group(optimizer, "base_lr", base_lr), _for_each_group(optimizer, "max_lr", max_lr)))
        self._momenta = list(zip(_for_each_group(optimizer, "base_momentum", base_momentum),
                                 _for_each_group(optimizer, "max_momentum", max_momentum))) if cycle_momentum else None
        up, down = float(step_size_up), float(step_size_up if step_size_down is None else step_size_down)
        self._length, self._turn = up + down, up / (up + down)
        if last_epoch == -1:
            for group, (low, _) in zip(optimizer.param_groups, self._heights):
                group["lr"] = low
        super().__init__(optimizer, last_epoch)

    def _rates(self):
        cycle = math.floor(1 + self.last_epoch / self._length)
        x = 1 + self.last_epoch / self._length - cycle
        part = x / self._turn if x <= self._turn else (x - 1) / (self._turn - 1)
        part *= self._scale(cycle if self._scale_mode == "cycle" else self.last_epoch)
        if self._momenta is not None:
            for group, (low, high) in zip(self.optimizer.param_groups, self._momenta):
                group["momentum"] = high - (high - low) * part
        return [low + (high - low) * part for low, high in self._heights]


@releases
class _Native(LRScheduler):
    _h = None

    def __init__(self, optimizer, settings, last_epoch=-1):
        self._h = Handle()
        _check_first_rates(optimizer, last_epoch)
        super().__init__(optimizer)
        self._native = optimizer if isinstance(optimizer, NativeOptimizer) else stand_in(optimizer)
        rates, self._settings = self.get_last_lr(), settings
        self._native.push()
        self._create()
        self._native.pull()
        self._native._schedulers.add(self)
        self._start = self.state_dict()
        if last_epoch != -1:
            self._go_on(last_epoch, rates)

    def _create(self):
        name = type(self).__name__.encode()
        check(lib.gradus_scheduler_create(local.ctx, self._native._h, name, len(name), *settings_array(self._settings), C.byref(self._h)))

    def _renew(self):
        """For an optimizer that was made anew."""
        state = self.state_dict()
        release(self._h)
        self._h = Handle()
        self._create()
        self.load_state_dict(state)

    def _go_on(self, epoch, rates):
        """The step after an epoch at which these were the rates."""
        self.load_state_dict({"last_epoch": epoch, **({"T_cur": epoch} if "T_cur" in self._start else {})})
        for group, lr in zip(self.optimizer.param_groups, rates):
            group["lr"] = lr
        self.step()

    def _restart(self):
        self.load_state_dict(self._start)
        self._go_on(-1, self.base_lrs)

    def __del__(self, release=release):
        release(self._h)

    def step(self):
        self._native.push()
        check(lib.gradus_scheduler_step(local.ctx, self._h))
        self._native.pull()

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
    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        super().__init__(optimizer, [("step_size", step_size), ("gamma", gamma)], last_epoch)


class MultiStepLR(_Native):
    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        super().__init__(optimizer, [("gamma", gamma)] + [("milestones", m) for m in milestones], last_epoch)


class ConstantLR(_Native):
    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        super().__init__(optimizer, [("factor", factor), ("total_iters", total_iters)], last_epoch)


class LinearLR(_Native):
    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        super().__init__(optimizer, [("start_factor", start_factor), ("end_factor", end_factor), ("total_iters", total_iters)], last_epoch)


class ExponentialLR(_Native):
    def __init__(self, optimizer, gamma, last_epoch=-1):
        super().__init__(optimizer, [("gamma", gamma)], last_epoch)


class PolynomialLR(_Native):
    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        super().__init__(optimizer, [("total_iters", total_iters), ("power", power)], last_epoch)


class CosineAnnealingLR(_Native):
    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        super().__init__(optimizer, [("T_max", T_max), ("eta_min", eta_min)], last_epoch)


class CosineAnnealingWarmRestarts(_Native):
    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        super().__init__(optimizer, [("T_0", T_0), ("T_mult", T_mult), ("eta_min", eta_min)], last_epoch)


class OneCycleLR(_Native):
    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy="cos",
                 cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False,
                 last_epoch=-1):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        super().__init__(optimizer, [
            ("max_lr", max_lr), ("total_steps", total_steps), ("pct_start", pct_start), ("anneal_linear", anneal_strategy == "linear"),
            ("cycle_momentum", cycle_momentum), ("base_momentum", base_momentum), ("max_momentum", max_momentum), ("div_factor", div_factor),
            ("final_div_factor", final_div_factor), ("three_phase", three_phase)], last_epoch)


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
        self._native.push()
        check(lib.gradus_scheduler_step_metric(local.ctx, self._h, float(metrics)))
        self._native.pull()


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


class SequentialLR:
    """One scheduler after the other: at each milestone the next one starts at its first epoch.

    >>> import gradus as torch
    >>> o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    >>> s = SequentialLR(o, [ConstantLR(o, 0.5, 10), ExponentialLR(o, 0.1)], milestones=[2])
    >>> for _ in range(4):
    ...     print(s.get_last_lr())
    ...     o.step()
    ...     s.step()
    [0.5]
    [0.5]
    [1.0]
    [0.1]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        self._schedulers, self._milestones, self.optimizer = list(schedulers), list(milestones), optimizer
        for s in self._schedulers:
            if s.optimizer is not optimizer:
                raise ValueError("SequentialLR expects all schedulers to belong to the same optimizer")
            if not hasattr(s, "_restart"):
                raise TypeError(f"SequentialLR: {type(s).__name__} can't be started by the number of the epoch")
        if len(self._milestones) != len(self._schedulers) - 1:
            raise ValueError("SequentialLR expects number of schedulers provided to be one more than the number of milestone points, but got "
                             f"number of schedulers {len(self._schedulers)} and the number of milestones to be equal to {len(self._milestones)}")
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._schedulers[0]._restart()

    def step(self):
        self.last_epoch += 1
        at = bisect.bisect_right(self._milestones, self.last_epoch)
        if at > 0 and self._milestones[at - 1] == self.last_epoch:
            self._schedulers[at]._restart()
        else:
            self._schedulers[at].step()

    def get_last_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self):
        return {"last_epoch": self.last_epoch, "milestones": list(self._milestones), "schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict):
        self.last_epoch, self._milestones = state_dict["last_epoch"], list(state_dict["milestones"])
        for scheduler, entries in zip(self._schedulers, state_dict["schedulers"]):
            scheduler.load_state_dict(entries)
