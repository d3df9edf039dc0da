"""Learning rates as functions of the epoch, with PyTorch's names and formulas, for any optimizer. LambdaLR, MultiplicativeLR and CyclicLR are
computed here, the others by the library."""
import bisect
import collections
import math
import types

from .._library import lib
from ._schedule import LRScheduler, Native, entry

_LRScheduler = LRScheduler


def _for_each_group(optimizer, name, value):
    values = list(value) if isinstance(value, (list, tuple)) else [value] * len(optimizer.param_groups)
    if len(values) != len(optimizer.param_groups):
        raise ValueError(f"Expected {len(optimizer.param_groups)} {name}, but got {len(values)}")
    return values


class LambdaLR(LRScheduler):
    """The first rates times lr_lambda(epoch), one function or one for each group."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1, verbose="deprecated"):
        self.lr_lambdas = _for_each_group(optimizer, "lr_lambdas", lr_lambda)
        super().__init__(optimizer, last_epoch, verbose)

    def get_lr(self):
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas)]

    def state_dict(self):
        """Of the functions those that are objects: their attributes."""
        kept = [None if isinstance(f, types.FunctionType) else dict(f.__dict__) if hasattr(f, "__dict__") else None for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict):
        functions = self.lr_lambdas
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        for f, attributes in zip(functions, state_dict.get("lr_lambdas", ())):
            if attributes is not None:
                f.__dict__.update(attributes)


class MultiplicativeLR(LambdaLR):
    """Each epoch's rates are the last ones times lr_lambda(epoch)."""

    def get_lr(self):
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return rates if self.last_epoch == 0 else [lr * f(self.last_epoch) for lr, f in zip(rates, self.lr_lambdas)]


class CyclicLR(LRScheduler):
    """Up from base_lr to max_lr and down again, step for step. mode "triangular2" halves the height with each cycle, "exp_range" multiplies it
    by gamma in each step; scale_fn is another factor, of the cycle's number or, with scale_mode "iterations", the step's. Momentum goes the other
    way if cycle_momentum."""

    def __init__(self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0, scale_fn=None,
                 scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1, verbose="deprecated"):
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError("mode is invalid and scale_fn is None")
        if cycle_momentum and "momentum" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum with `cycle_momentum` option enabled")
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        lows, self.max_lrs = _for_each_group(optimizer, "base_lr", base_lr), _for_each_group(optimizer, "max_lr", max_lr)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = _for_each_group(optimizer, "base_momentum", base_momentum)
            self.max_momentums = _for_each_group(optimizer, "max_momentum", max_momentum)
        up, down = float(step_size_up), float(step_size_up if step_size_down is None else step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lows):
                group["lr"] = group["initial_lr"] = low
        super().__init__(optimizer, last_epoch, verbose)
        self.base_lrs = lows

    def scale_fn(self, x):
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma ** x

    def get_lr(self):
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        part *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                group["momentum"] = high - (high - low) * part
        return [low + (high - low) * part for low, high in zip(self.base_lrs, self.max_lrs)]

    def state_dict(self):
        return {name: value for name, value in super().state_dict().items() if name != "_scale_fn_custom"}


class StepLR(Native):
    """Times gamma every step_size epochs."""

    _names = ("step_size", "gamma")

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, step_size=step_size, gamma=gamma)


class MultiStepLR(Native):
    """Times gamma at each milestone."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, milestones=collections.Counter(milestones), gamma=gamma)

    def _settings(self):
        return [("gamma", self.gamma)] + [("milestones", m) for m in sorted(collections.Counter(self.milestones).elements())]


class ConstantLR(Native):
    """Times factor for total_iters epochs."""

    _names = ("factor", "total_iters")

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, factor=factor, total_iters=total_iters)


class LinearLR(Native):
    """Times a factor that goes from start_factor to end_factor in total_iters epochs."""

    _names = ("start_factor", "end_factor", "total_iters")

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)


class ExponentialLR(Native):
    """Times gamma in each epoch."""

    _names = ("gamma",)

    def __init__(self, optimizer, gamma, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, gamma=gamma)


class PolynomialLR(Native):
    """To zero in total_iters epochs, as a power of what is left of them."""

    _names = ("total_iters", "power")

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, total_iters=total_iters, power=power)


class CosineAnnealingLR(Native):
    """Half a cosine down to eta_min in T_max epochs, and up again."""

    _names = ("T_max", "eta_min")

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, T_max=T_max, eta_min=eta_min)


class CosineAnnealingWarmRestarts(Native):
    """Half a cosine down to eta_min in T_0 epochs, then from the top again, each time T_mult times as long. step(epoch) may lie between epochs."""

    _names = ("T_0", "T_mult", "eta_min")
    T_cur, T_i = entry("T_cur"), entry("T_i")

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1, verbose="deprecated"):
        super().__init__(optimizer, last_epoch, verbose, T_0=T_0, T_mult=T_mult, eta_min=eta_min)

    def step(self, epoch=None):
        if epoch is None:
            return super().step()
        if epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        length, passed = self.T_0, epoch
        while passed >= length and self.T_mult > 1:
            passed, length = passed - length, length * self.T_mult
        self._write({"last_epoch": math.floor(epoch), "T_cur": passed % length, "T_i": length})
        share = (1 + math.cos(math.pi * (passed % length) / length)) / 2
        self._step_count += 1
        self._put([self.eta_min + (base - self.eta_min) * share for base in self.base_lrs])


class OneCycleLR(Native):
    """Up from max_lr / div_factor to max_lr and down to far below, in total_steps steps; momentum the other way."""

    _names = ("total_steps", "pct_start", "cycle_momentum", "base_momentum", "max_momentum", "div_factor", "final_div_factor", "three_phase")

    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy="cos",
                 cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False,
                 last_epoch=-1, verbose="deprecated"):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.max_lrs = _for_each_group(optimizer, "max_lr", max_lr)
        super().__init__(optimizer, last_epoch, verbose, total_steps=total_steps, pct_start=pct_start, anneal_strategy=anneal_strategy,
                         cycle_momentum=cycle_momentum, base_momentum=base_momentum, max_momentum=max_momentum, div_factor=div_factor,
                         final_div_factor=final_div_factor, three_phase=three_phase)

    def _settings(self):
        return [("max_lr", self.max_lrs[0]), ("anneal_linear", self.anneal_strategy == "linear"), *super()._settings()]

    def _base(self):
        self._write({f"base_lrs.{i}": high for i, high in enumerate(self.max_lrs)})        # the library's base is the top
        for group, high in zip(self.optimizer.param_groups, self.max_lrs):
            group["lr"] = group["initial_lr"] = high / self.div_factor

    base_lrs = property(lambda self: [group["initial_lr"] for group in self.optimizer.param_groups])

    def load_state_dict(self, state_dict):
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "base_lrs"})


class ReduceLROnPlateau(Native):
    """Times factor when the metric has not become better for more than patience epochs."""

    _names = ("factor", "patience", "threshold", "cooldown", "eps")
    best, num_bad_epochs, cooldown_counter = entry("best"), entry("num_bad_epochs"), entry("cooldown_counter")
    in_cooldown = property(lambda self: self.cooldown_counter > 0)
    _restart = property()                                                  # not by the number of the epoch

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0, min_lr=0.0, eps=1e-8,
                 verbose="deprecated"):
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.mode, self.threshold_mode, self.min_lrs = mode, threshold_mode, _for_each_group(optimizer, "min_lrs", min_lr)
        super().__init__(optimizer, -1, verbose, factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, eps=eps)

    def _settings(self):
        return [("mode_max", self.mode == "max"), ("threshold_abs", self.threshold_mode == "abs"), ("min_lr", min(self.min_lrs)),
                *super()._settings()]

    def step(self, metrics, epoch=None):
        before = self._rates()
        self._run(lib.gradus_scheduler_step_metric, float(metrics))
        for group, lr, least in zip(self.optimizer.param_groups, before, self.min_lrs):    # the library knows the least of them
            if group["lr"] != lr and group["lr"] < least:
                group["lr"] = lr if lr - least <= self.eps else least
        self._last_lr = self._rates()
        if epoch is not None:
            self.last_epoch = epoch


class _Several:
    """What holds schedulers: their states one after the other."""

    def get_last_lr(self):
        return list(self._last_lr)

    def state_dict(self):
        own = {name: value for name, value in self.__dict__.items() if name not in ("optimizer", "_schedulers")}
        return {**own, "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict):
        own = self.__dict__.keys() - {"optimizer", "_schedulers"}
        self.__dict__.update({name: value for name, value in state_dict.items() if name in own})
        for scheduler, entries in zip(self._schedulers, state_dict["_schedulers"]):
            scheduler.load_state_dict(entries)


class ChainedScheduler(_Several):
    """Steps several schedulers of one optimizer, one after the other."""

    def __init__(self, schedulers):
        self._schedulers = list(schedulers)
        self.optimizer = self._schedulers[0].optimizer
        if any(s.optimizer is not self.optimizer for s in self._schedulers):
            raise ValueError("ChainedScheduler expects all schedulers to belong to the same optimizer")
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self):
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


class SequentialLR(_Several):
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

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1, verbose="deprecated"):
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
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self):
        self.last_epoch += 1
        at = bisect.bisect_right(self._milestones, self.last_epoch)
        if at > 0 and self._milestones[at - 1] == self.last_epoch:
            self._schedulers[at]._restart()
        else:
            self._schedulers[at].step()
        self._last_lr = self._schedulers[at].get_last_lr()
