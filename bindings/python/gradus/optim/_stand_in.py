"""How the library's schedulers serve optimizers that are written in Python."""
import weakref

from .. import _ops
from . import _algorithms

_known = weakref.WeakKeyDictionary()                                       # schedulers of one optimizer share one: it has the first rates


class _StandIn:
    """An optimizer of the library without elements, with the rates and momenta of another one: schedulers compute from these, and set them."""

    def __init__(self, optimizer):
        defaults = optimizer.defaults
        self._of, self._momentum = weakref.ref(optimizer), "betas" if "betas" in defaults else "momentum" if "momentum" in defaults else None
        kind = {"betas": _algorithms.Adam, "momentum": _algorithms.SGD, None: _algorithms.Adadelta}[self._momentum]
        self._native = kind([self._group(group) for group in optimizer.param_groups])
        self._schedulers = self._native._schedulers

    def _group(self, group):
        return {"params": [_ops.function("zeros")([0])], **self._settings(group)}

    def _settings(self, group):
        found = {"lr": float(group["lr"])}
        if self._momentum is not None:
            found[self._momentum] = (group["betas"][0], 0.999) if self._momentum == "betas" else group["momentum"]
        return found

    @property
    def _h(self):
        return self._native._h

    def push(self):
        groups, mine = self._of().param_groups, self._native.param_groups
        for group in groups[len(mine):]:
            self._native.add_param_group(self._group(group))
        for group, own in zip(groups, mine):
            own.update(self._settings(group))
        self._native.push()

    def pull(self):
        self._native.pull()
        for group, own in zip(self._of().param_groups, self._native.param_groups):
            for name, before in self._settings(group).items():
                if own[name] == before:
                    continue
                group[name] = own[name] if name != "betas" else (own["betas"][0], *group["betas"][1:])


def stand_in(optimizer):
    """What a scheduler of the library is made for where the optimizer is not the library's."""
    found = _known.get(optimizer)
    if found is None:
        found = _known[optimizer] = _StandIn(optimizer)
    return found
