"""Averages of a model's parameters over its training: AveragedModel, the statistics of batch norms anew, and SWALR."""
import copy
import math

from .. import _ops
from .._context import no_grad
from ..nn._module import Module
from ..nn._norm import _BatchNorm
from .lr_scheduler import LRScheduler


def get_ema_avg_fn(decay=0.999):
    """avg_fn of an average that fades by decay with each update."""
    return lambda averaged, p, count: decay * averaged + (1 - decay) * p


class AveragedModel(Module):
    """A copy of a model whose parameters are the mean of those at each update_parameters. avg_fn(averaged, p, count): another mean.

    >>> import gradus as torch
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> mean = AveragedModel(model)
    >>> for value in (1.0, 3.0):
    ...     _ = torch.nn.init.constant_(model.weight, value)
    ...     mean.update_parameters(model)
    >>> mean.module.weight.item(), mean.n_averaged.item()
    (2.0, 2)
    """

    def __init__(self, model, device=None, avg_fn=None, use_buffers=False):
        super().__init__()
        from .. import int64
        self.module = copy.deepcopy(model).to(device)
        self.register_buffer("n_averaged", _ops.function("zeros")([], dtype=int64))
        self.avg_fn, self.use_buffers = avg_fn or (lambda averaged, p, count: averaged + (p - averaged) / (count + 1)), use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    @staticmethod
    def _tensors(module, buffers):
        return [*module.parameters(), *(module.buffers() if buffers else ())]

    def update_parameters(self, model):
        count = self.n_averaged.item()
        with no_grad():
            for mine, given in zip(self._tensors(self.module, self.use_buffers), self._tensors(model, self.use_buffers)):
                averages = count and (given.is_floating_point() or given.is_complex())
                mine.copy_(self.avg_fn(mine.detach(), given.detach(), count) if averages else given)
            for mine, given in zip(() if self.use_buffers else self.module.buffers(), model.buffers()):
                mine.copy_(given)
            self.n_averaged.add_(1)


def update_bn(loader, model, device=None):
    """Batch norms' running statistics over what a loader gives: the mean over its mini-batches."""
    norms = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.train()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    with no_grad():
        for batch in loader:
            model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    for m, momentum in norms.items():
        m.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the rates as they are to swa_lr in anneal_epochs epochs, and there they stay."""

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(optimizer.param_groups)
        for group, lr in zip(optimizer.param_groups, rates):
            group["swa_lr"] = lr
        super().__init__(optimizer, last_epoch)

    def _share(self, t):
        t = max(0.0, min(1.0, t / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self):
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(max(0, step - 1)), self._share(step)

        def rate(group):
            if before == 1:
                return group["swa_lr"]
            first = (group["lr"] - before * group["swa_lr"]) / (1 - before)   # the rate that the last share began from
            return group["swa_lr"] * now + first * (1 - now)
        return [rate(group) for group in self.optimizer.param_groups]
