"""Optimizers written with tensors: seldom used ones, and examples of how one is written. foreach, capturable and differentiable, which choose
between PyTorch's implementations, stand in param_groups and change nothing."""
from .. import _ops
from .._context import enable_grad, no_grad
from .._tensor import Tensor
from ._optimizer import Optimizer


def _pairs(v):
    return v.view_as_real() if isinstance(v, Tensor) and v.is_complex() else v


def _complex(v):
    return v.view_as_complex() if isinstance(v, Tensor) else v


class _Stepwise(Optimizer):
    """update(p, gradient, state, group) for each parameter that has a gradient. Complex ones are shown to it as pairs of real numbers."""

    def __init__(self, params, lr, weight_decay, maximize, **settings):
        for name, value in (("learning rate", lr), ("weight_decay", weight_decay)):
            if value < 0:
                raise ValueError(f"Invalid {name}: {value}")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "maximize": maximize, **settings})

    def begin(self, p, group):
        """The state before the first step."""
        raise NotImplementedError

    def update(self, p, gradient, state, group):
        raise NotImplementedError

    def step(self, closure=None):
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    gradient = -p.grad if group["maximize"] else p.grad
                    if group["weight_decay"]:
                        gradient = gradient + p * group["weight_decay"]
                    state = self.state[p]
                    like = _complex if p.is_complex() else lambda v: v
                    if not state:
                        state.update(step=0, **{k: like(v) for k, v in self.begin(_pairs(p), group).items()})
                    state["step"] += 1
                    shown = {k: _pairs(v) for k, v in state.items()}
                    self.update(_pairs(p), _pairs(gradient), shown, group)
                    state.update((k, like(v)) for k, v in shown.items())
        return loss


def _zeros(p):
    return _ops.function("zeros_like")(p.detach())


def _check_betas(betas):
    for i, beta in enumerate(betas):
        if not 0 <= beta < 1:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


class Adamax(_Stepwise):
    """Adam with the largest of the past gradients, which fade, in the place of their root mean square."""

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False,
                 differentiable=False, capturable=False):
        _check_betas(betas)
        super().__init__(params, lr, weight_decay, maximize, betas=betas, eps=eps,
                         foreach=foreach, differentiable=differentiable, capturable=capturable)

    def begin(self, p, group):
        return {"exp_avg": _zeros(p), "exp_inf": _zeros(p)}

    def update(self, p, gradient, state, group):
        beta1, beta2 = group["betas"]
        mean, largest = state["exp_avg"].lerp_(gradient, 1 - beta1), state["exp_inf"]
        largest.copy_(_ops.function("maximum")(largest * beta2, gradient.abs() + group["eps"]))
        p.addcdiv_(mean, largest, value=-group["lr"] / (1 - beta1 ** state["step"]))


class Rprop(_Stepwise):
    """Steps whose size goes by the gradient's sign alone: etas are the factors after a change of sign and without one."""

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None, maximize=False,
                 differentiable=False):
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, lr, 0, maximize, etas=etas, step_sizes=step_sizes,
                         foreach=foreach, differentiable=differentiable, capturable=capturable)

    def begin(self, p, group):
        return {"prev": _zeros(p), "step_size": _zeros(p).fill_(group["lr"])}

    def update(self, p, gradient, state, group):
        (less, more), (least, most) = group["etas"], group["step_sizes"]
        same = gradient * state["prev"]
        factor = _zeros(p).fill_(1).masked_fill_(same > 0, more).masked_fill_(same < 0, less)
        state["step_size"].mul_(factor).clamp_(least, most)
        state["prev"] = gradient.masked_fill(same < 0, 0)
        p.addcmul_(state["prev"].sign(), state["step_size"], value=-1)


class ASGD(_Stepwise):
    """Gradient descent with falling steps; the mean of the parameters from step t0 on is in state[p]["ax"]."""

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False, differentiable=False,
                 capturable=False):
        super().__init__(params, lr, weight_decay, maximize, lambd=lambd, alpha=alpha, t0=t0,
                         foreach=foreach, differentiable=differentiable, capturable=capturable)

    def begin(self, p, group):
        return {"eta": group["lr"], "mu": 1.0, "ax": _zeros(p)}

    def update(self, p, gradient, state, group):
        p.mul_(1 - group["lambd"] * state["eta"]).add_(gradient, alpha=-state["eta"])
        state["ax"].add_((p - state["ax"]) * state["mu"])
        state["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * state["step"]) ** group["alpha"]
        state["mu"] = 1 / max(1, state["step"] - group["t0"])
