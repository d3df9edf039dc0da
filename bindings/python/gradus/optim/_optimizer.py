"""Parameter groups as PyTorch has them, for optimizers of the library and for those that callers write."""
import collections
import ctypes as C
import functools
import itertools
import weakref

from .. import _convert, _ops
from .._context import check, local
from .._hooks import _callback, _functions, _give, _tokens
from .._library import CLOSURE, Handle, Setting, StateInfo, handles, lib, release, releases

Tensor = _ops.Tensor


IGNORED = {"foreach", "fused", "capturable", "differentiable"}


def settings_array(settings):
    """Pairs of a name and a number as the library takes them: the array, its length, and the size of an entry."""
    pairs = [(name.encode(), float(value)) for name, value in settings]
    return (Setting * max(1, len(pairs)))(*[(value, name) for name, value in pairs]), len(pairs), C.sizeof(Setting)


def _removable(hooks, hook):
    from ..nn._module import RemovableHandle
    return RemovableHandle(hooks, hook)


def _with_hooks(step):
    """A class's step with the hooks around it, not those of a base that it calls."""
    @functools.wraps(step)
    def stepped(self, *args, **kwargs):
        if type(self).step is not stepped or not (self.__dict__.get("_step_pre_hooks") or self.__dict__.get("_step_post_hooks")):
            return step(self, *args, **kwargs)
        for hook in list(self.__dict__.get("_step_pre_hooks", {}).values()):
            changed = hook(self, args, kwargs)
            args, kwargs = (args, kwargs) if changed is None else changed
        result = step(self, *args, **kwargs)
        for hook in list(self.__dict__.get("_step_post_hooks", {}).values()):
            hook(self, args, kwargs)
        return result
    return stepped


class Optimizer:
    """What a caller's own optimizer derives from: param_groups, defaults, state. step() is its to define."""

    def __init__(self, params, defaults):
        self.defaults, self.param_groups = dict(defaults), []
        self._begin()
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or dicts, but got " + type(params).__name__)
        params = list(params)
        if not params:
            raise ValueError("optimizer got an empty parameter list")
        for group in params if isinstance(params[0], dict) else [{"params": params}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **named):
        super().__init_subclass__(**named)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])

    def register_step_pre_hook(self, hook):
        """hook(optimizer, args, kwargs), before each step; what it returns, if anything, is what the step gets."""
        return _removable(self.__dict__.setdefault("_step_pre_hooks", {}), hook)

    def register_step_post_hook(self, hook):
        """hook(optimizer, args, kwargs), after each step."""
        return _removable(self.__dict__.setdefault("_step_post_hooks", {}), hook)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in ("_step_pre_hooks", "_step_post_hooks")}

    def _begin(self):
        self.state = collections.defaultdict(dict)

    def add_param_group(self, param_group):
        group = dict(param_group)
        params = group["params"]
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        for p in group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is " + type(p).__name__)
            if not p.is_leaf and not p.retains_grad:
                raise ValueError("can't optimize a non-leaf Tensor")
        known = {id(p) for p in self._parameters()}
        if any(id(p) in known for p in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self._added(group)
        self.param_groups.append(group)

    def _added(self, group):
        pass

    def _parameters(self):
        return itertools.chain.from_iterable(group["params"] for group in self.param_groups)

    def zero_grad(self, set_to_none=True):
        for p in self._parameters():
            if p.grad is None:
                continue
            if set_to_none:
                p.grad = None
            else:
                p.grad.detach_()
                p.grad.zero_()

    def step(self, closure=None):
        raise NotImplementedError

    def state_dict(self):
        numbers = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[id(p)]: dict(entries) for p, entries in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict):
        groups, saved = self.param_groups, state_dict["param_groups"]
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        params = list(self._parameters())
        places = dict(zip(itertools.chain.from_iterable(s["params"] for s in saved), range(len(params))))
        for group, other in zip(groups, saved):
            group.update({name: value for name, value in other.items() if name != "params"})
        self._load(params, {places[number]: entries for number, entries in state_dict["state"].items()})

    def _load(self, params, state):
        for i, entries in state.items():
            self.state[params[i]] = {name: v.detach().clone() if isinstance(v, Tensor) else v for name, v in entries.items()}

    def __repr__(self):
        lines = [type(self).__name__ + " ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join(lines) + "\n)"


@_callback(CLOSURE)
def _run_closure(call, place):
    _give(call(), place)


@releases
class NativeOptimizer(Optimizer):
    """An optimizer of the library. Settings are read from param_groups before each step."""

    algorithm = None
    _h = None

    def _begin(self):
        self._h, self._known = Handle(), []                                # the settings that the library has, by group
        self._addresses, self._schedulers = [], weakref.WeakSet()

    def __del__(self, release=release):
        release(self._h)

    def __getstate__(self):
        own = {name: value for name, value in super().__getstate__().items() if name not in ("_h", "_known", "_addresses", "_schedulers")}
        return {**own, "state": self.state}

    def __setstate__(self, state):
        state = dict(state)
        entries = state.pop("state")
        self._begin()
        self.__dict__.update(state)
        for group in self.param_groups:
            self._added(group)
        self._load(list(self._parameters()), {i: entries[p] for i, p in enumerate(self._parameters()) if p in entries})

    def _settings(self, group):
        for name in self.defaults:
            if name in IGNORED:
                continue
            value = group[name]
            if name == "betas":
                yield from zip(("beta1", "beta2"), value)
            elif name == "line_search_fn":
                if value not in (None, "strong_wolfe"):
                    raise RuntimeError("only 'strong_wolfe' is supported")
                yield name, value is not None
            else:
                yield name, value or 0

    def _added(self, group):
        params, settings = group["params"], list(self._settings(group))
        arguments = handles(params), len(params), *settings_array(settings)
        if self._h:
            check(lib.gradus_optimizer_add_group(local.ctx, self._h, *arguments))
        else:
            name = self.algorithm.encode()
            check(lib.gradus_optimizer_create(local.ctx, name, len(name), *arguments, C.byref(self._h)))
        self._known.append(dict(settings))
        self._addresses += [p._h.value for p in params]

    def _follow(self):
        """After Module.to(dtype) parameters stand on new memory: the library's optimizer is made anew, with the state that it had."""
        params = list(self._parameters())
        if [p._h.value for p in params] == self._addresses:
            return
        numbers = {id(p): i for i, p in enumerate(params)}
        state = {numbers[id(p)]: {name: v.to(p.dtype) if v.shape == p.shape and v.dim() else v for name, v in entries.items()}
                 for p, entries in self._state().items()}
        before = [dict(group) for group in self.param_groups]
        release(self._h)
        self._h, self._known, self._addresses = Handle(), [], []
        for group in self.param_groups:
            self._added(group)
        self._load(params, state)
        for scheduler in list(self._schedulers):
            scheduler._renew()
        for group, settings in zip(self.param_groups, before):
            group.update(settings)

    def push(self):
        """Tells the library what the groups' settings are now."""
        self._follow()
        for i, group in enumerate(self.param_groups):
            for name, value in self._settings(group):
                if self._known[i][name] != value:
                    text = name.encode()
                    check(lib.gradus_optimizer_set(local.ctx, self._h, i, text, len(text), float(value)))
                    self._known[i][name] = value

    def pull(self):
        """Reads back what a scheduler of the library has set."""
        value = C.c_double()
        for i, group in enumerate(self.param_groups):
            for name in ("lr", "momentum", "beta1"):
                if name not in self._known[i]:
                    continue
                text = name.encode()
                check(lib.gradus_optimizer_get(local.ctx, self._h, i, text, len(text), C.byref(value)))
                if value.value == self._known[i][name]:
                    continue
                self._known[i][name] = value.value
                if name == "beta1":
                    group["betas"] = (value.value, *group["betas"][1:])
                else:
                    group[name] = value.value

    def step(self, closure=None):
        _ops.unseen("an optimizer's step")
        self.push()
        if closure is None:
            check(lib.gradus_optimizer_step(local.ctx, self._h))
            return None
        first = []

        def call():
            loss = closure()
            first.append(loss)
            return loss if isinstance(loss, Tensor) else _ops.function("scalar_tensor")(float(loss))
        token = next(_tokens)
        _functions[token] = call
        loss = Handle()
        try:
            check(lib.gradus_optimizer_step_closure(local.ctx, self._h, _run_closure, token, C.byref(loss)))
        finally:
            _functions.pop(token)
            release(loss)
        return first[0]

    def zero_grad(self, set_to_none=True):
        self._follow()
        check(lib.gradus_optimizer_zero_grad(local.ctx, self._h, int(bool(set_to_none))))

    @property
    def state(self):
        """For each parameter that was stepped, its entries by name. Tensors are the optimizer's own."""
        self._follow()
        return self._state()

    def _state(self):
        params, count, info, found = list(self._parameters()), C.c_size_t(), StateInfo(struct_size=C.sizeof(StateInfo)), {}
        check(lib.gradus_optimizer_state_count(local.ctx, self._h, C.byref(count)))
        for i in range(count.value):
            handle = Handle()
            check(lib.gradus_optimizer_state_at(local.ctx, self._h, i, C.byref(info), C.byref(handle)))
            found.setdefault(params[info.param], {})[info.name.decode()] = _ops.wrap(handle)
        return found

    def _load(self, params, state):
        self.push()
        for i, entries in state.items():
            for name, value in entries.items():
                if value is None:
                    continue
                value = _convert.as_tensor(value) if _convert.is_foreign(value) and not isinstance(value, Tensor) else value
                tensor = value if isinstance(value, Tensor) else _ops.function("scalar_tensor")(float(value), dtype=_float64())
                text = name.encode()
                check(lib.gradus_optimizer_load_state(local.ctx, self._h, i, text, len(text), tensor._h))


def _float64():
    from .. import float64
    return float64
