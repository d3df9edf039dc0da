"""What all schedulers share: LRScheduler, from which callers derive theirs too, and the face of a scheduler of the library."""
import ctypes as C
import warnings

from .._context import check, local
from .._library import Handle, Setting, lib, release, releases
from ._optimizer import NativeOptimizer, settings_array
from ._stand_in import stand_in


def _check_first_rates(optimizer, last_epoch):
    for i, group in enumerate(optimizer.param_groups):
        if last_epoch != -1 and "initial_lr" not in group:
            raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming an optimizer")
        group.setdefault("initial_lr", group["lr"])


class LRScheduler:
    """The base: the optimizer, its first rates, the epoch. A class that derives from it defines get_lr(): the rates at last_epoch.

    >>> import gradus as torch
    >>> class Halves(LRScheduler):
    ...     def get_lr(self):
    ...         return [base * 0.5 ** self.last_epoch for base in self.base_lrs]
    >>> s = Halves(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
    >>> s.step()
    >>> s.last_epoch, s.get_last_lr()
    (1, [0.5])
    """

    def __init__(self, optimizer, last_epoch=-1, verbose="deprecated"):
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        _check_first_rates(optimizer, last_epoch)
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._begin(verbose)
        self.step()

    def _begin(self, verbose):
        if verbose not in (False, None, "deprecated"):
            warnings.warn("verbose is deprecated and prints nothing: ask get_last_lr()", stacklevel=4)
        self._step_count, self._get_lr_called_within_step = 0, False

    def get_lr(self):
        raise NotImplementedError(f"{type(self).__name__} has no get_lr()")

    def step(self, epoch=None):
        """The next epoch, or the one given."""
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self._get_lr_called_within_step = True
        try:
            rates = closed() if closed else self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        self._put(rates)

    def _put(self, rates):
        for group, lr in zip(self.optimizer.param_groups, rates):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self):
        """The rates that the last step set."""
        return list(self._last_lr)

    def _restart(self):
        self.last_epoch = -1
        self.step()

    def state_dict(self):
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict):
        self.__dict__.update(state_dict)


_COUNTS = {"last_epoch", "T_cur", "T_i", "num_bad_epochs", "cooldown_counter"}


@releases
class Native(LRScheduler):
    """A scheduler of the library. Its settings are attributes; what they are counts at each step."""

    _h = None
    _internal = {"optimizer", "_h", "_native", "_start", "_made_of"}       # what neither state_dict nor pickle holds
    _names = ()                                                            # the settings' names, which are the attributes' too

    def __init__(self, optimizer, last_epoch=-1, verbose="deprecated", **settings):
        _check_first_rates(optimizer, last_epoch)
        self.optimizer = optimizer
        self.__dict__.update(settings)
        self._begin(verbose)
        rates = self._rates()
        self._attach()
        self._start = self._read()
        if last_epoch == -1:
            self._stepped()
        else:
            self._go_on(last_epoch, rates)

    def _rates(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def _settings(self):
        return [(name, getattr(self, name)) for name in self._names]

    def _attach(self):
        """Makes the library's scheduler, which takes its first step."""
        self._native = self.optimizer if isinstance(self.optimizer, NativeOptimizer) else stand_in(self.optimizer)
        self._native.push()
        self._create()
        self._native.pull()
        self._native._schedulers.add(self)
        self._base()

    def _base(self):
        """The first rates are those before any scheduler, which the library knows only of its own."""
        known = self._read()
        first = {f"base_lrs.{i}": group.get("initial_lr", group["lr"]) for i, group in enumerate(self.optimizer.param_groups)}
        self._write({name: lr for name, lr in first.items() if name in known})

    def _create(self):
        name, self._h, self._made_of = self._kind().encode(), Handle(), self._settings()
        check(lib.gradus_scheduler_create(local.ctx, self._native._h, name, len(name), *settings_array(self._made_of), C.byref(self._h)))

    def _kind(self):
        """The library's name of the class."""
        return next(c.__name__ for c in type(self).__mro__ if c.__module__ == "gradus.optim.lr_scheduler")

    def _renew(self, state=None):
        """For an optimizer or settings that were made anew: the rates stay what they are."""
        state = self._read() if state is None else state
        before = [dict(group) for group in self.optimizer.param_groups]
        release(self._h)
        self._h = None
        self._attach()
        self._write(state)
        for group, settings in zip(self.optimizer.param_groups, before):
            group.update(settings)

    def _go_on(self, epoch, rates):
        """The step after an epoch at which these were the rates."""
        self._write({"last_epoch": epoch, **({"T_cur": epoch} if "T_cur" in self._start else {})})
        for group, lr in zip(self.optimizer.param_groups, rates):
            group["lr"] = lr
        self.step()

    def _restart(self):
        self._write(self._start)
        self._go_on(-1, self.base_lrs)

    def __del__(self, release=release):
        release(self._h)

    # ---- steps

    def get_lr(self):
        """The rates as they are. A class that derives from this one may define it: the library's rates of the epoch stand in param_groups then."""
        return self._rates()

    def step(self):
        self._run(lib.gradus_scheduler_step)

    def _run(self, function, *arguments):
        if self._made_of != self._settings():
            self._renew()
        self._native.push()
        check(function(local.ctx, self._h, *arguments))
        self._native.pull()
        self._stepped()

    def _stepped(self):
        self._step_count += 1
        self._put(self.get_lr())

    # ---- state

    def _read(self):
        """The library's state by name."""
        found, entry = {}, Setting()
        while True:
            try:
                check(lib.gradus_scheduler_state_at(local.ctx, self._h, len(found), C.byref(entry)))
            except IndexError:
                return found
            found[entry.name.decode()] = entry.value

    def _write(self, state):
        for name, value in state.items():
            text = name.encode()
            check(lib.gradus_scheduler_load_state(local.ctx, self._h, text, len(text), value))

    def _state(self, name):
        value = self._read()[name]
        return int(value) if name in _COUNTS and value == int(value) else value

    @property
    def base_lrs(self):
        state = self._read()
        return [state.get(f"base_lrs.{i}", group.get("initial_lr", group["lr"])) for i, group in enumerate(self.optimizer.param_groups)]

    @base_lrs.setter
    def base_lrs(self, rates):
        self._write({f"base_lrs.{i}": lr for i, lr in enumerate(rates)})

    def state_dict(self):
        kept = {name: value for name, value in self.__dict__.items() if name not in self._internal}
        counts = {name: self._state(name) for name in self._read() if "." not in name}
        return {**kept, **counts, "base_lrs": self.base_lrs}

    def load_state_dict(self, state_dict):
        """What a scheduler has: its own state_dict or PyTorch's. Other entries are passed over."""
        known = self._read()
        given = {name: value for name, value in state_dict.items() if name in known}
        for i, lr in enumerate(state_dict.get("base_lrs", ())):
            if f"base_lrs.{i}" in known:
                given[f"base_lrs.{i}"] = lr
        self.__dict__.update({name: value for name, value in state_dict.items() if name in self.__dict__ and name not in self._internal})
        if self._made_of != self._settings():
            self._renew()
        self._write(given)

    def __getstate__(self):
        kept = {name: value for name, value in self.__dict__.items() if name not in ("_h", "_native", "_made_of")}
        return {**kept, "_native_state": self._read()}

    def __setstate__(self, state):
        state = dict(state)
        numbers = state.pop("_native_state")
        self.__dict__.update(state)
        self._renew(numbers)


def _entry(name):
    """A number of the library's state as an attribute."""
    return property(lambda self: self._state(name), lambda self, value: self._write({name: value}))


Native.last_epoch = _entry("last_epoch")
entry = _entry
