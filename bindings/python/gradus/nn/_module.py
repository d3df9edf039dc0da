"""Module: parameters, buffers and modules by name, and what is done to all of them."""
from collections import OrderedDict, namedtuple

from .. import _convert, _ops
from .._context import no_grad
from .._device import check_device
from ._backward_hooks import Pass
from .parameter import Buffer, Parameter

Tensor = _ops.Tensor
_Keys = namedtuple("_IncompatibleKeys", ("missing_keys", "unexpected_keys"))


class IncompatibleKeys(_Keys):
    def __repr__(self):
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"


class RemovableHandle:
    """A hook that can be taken away again."""

    _next = 0

    def __init__(self, hooks, hook):
        RemovableHandle._next += 1
        self.id, self._hooks = RemovableHandle._next, hooks
        hooks[self.id] = hook

    def remove(self):
        self._hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()


def _replace(t, made):
    """t becomes another tensor: the object stays, so whoever holds it sees the new one. An optimizer made before holds the old one."""
    t._h, made._h = made._h, t._h


class Module:
    """The base of layers. Parameters, buffers and modules that are assigned to attributes are found by their names."""

    training = True

    def __init__(self):
        for name in ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            object.__setattr__(self, name, OrderedDict())
        object.__setattr__(self, "_non_persistent", set())
        self.training = True

    def forward(self, *input):
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        if not (self._forward_pre_hooks or self._forward_hooks or self._backward_hooks or self._backward_pre_hooks):
            return self.forward(*args, **kwargs)
        for hook, with_kwargs in list(self._forward_pre_hooks.values()):
            changed = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if changed is not None and with_kwargs:
                args, kwargs = changed
            elif changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        watched = Pass(self) if self._backward_hooks or self._backward_pre_hooks else None
        if watched:
            args = watched.inputs(args)
        result = self.forward(*args, **kwargs)
        for hook, with_kwargs in list(self._forward_hooks.values()):
            changed = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            result = result if changed is None else changed
        return watched.outputs(result) if watched else result

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False):
        """hook(module, args, output), after forward; what it returns, if anything, is the output."""
        return _hooked(self._forward_hooks, (hook, with_kwargs), prepend)

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """hook(module, args), before forward; what it returns, if anything, are the arguments."""
        return _hooked(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """hook(module, grad_input, grad_output), when the gradients of the inputs are known; what it returns, if anything, takes their place."""
        return _hooked(self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """hook(module, grad_output), before the module's part of the pass; what it returns, if anything, takes their place."""
        return _hooked(self._backward_pre_hooks, hook, prepend)

    # ---- attributes

    def _tables(self):
        found = self.__dict__.get("_parameters")
        if found is None:
            raise AttributeError(f"{type(self).__name__}: cannot assign parameters or modules before Module.__init__() call")
        return self._parameters, self._buffers, self._modules

    def __setattr__(self, name, value):
        if isinstance(value, (Parameter, Buffer, Module)):
            parameters, buffers, modules = self._tables()
            mine = parameters if isinstance(value, Parameter) else buffers if isinstance(value, Buffer) else modules
            self.__dict__.pop(name, None)
            for table in (parameters, buffers, modules):
                if table is not mine:
                    table.pop(name, None)
            mine[name] = value
            if mine is buffers and not value.persistent:
                self._non_persistent.add(name)
            return
        for table, kind in (("_parameters", "torch.nn.Parameter"), ("_modules", "torch.nn.Module"), ("_buffers", "torch.Tensor")):
            if name in self.__dict__.get(table, ()):
                if value is not None and not (table == "_buffers" and isinstance(value, Tensor)):
                    raise TypeError(f"cannot assign '{type(value).__name__}' as '{name}' ({kind} or None expected)")
                self.__dict__[table][name] = value
                return
        object.__setattr__(self, name, value)

    def __getattr__(self, name):
        for table in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(table)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*object.__dir__(self), *self._parameters, *self._buffers, *self._modules})

    def _check_name(self, name, what):
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f'{what} name can\'t {"contain " + chr(34) + "." + chr(34) if name else "be empty string " + chr(34) * 2}, got: {name!r}')
        if hasattr(self, name) and not any(name in table for table in self._tables()):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name, param):
        self._check_name(name, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{type(param).__name__}' object to parameter '{name}' (torch.nn.Parameter or None required)")
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """A tensor that is state but no parameter. persistent: state_dict holds it."""
        self._check_name(name, "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = tensor
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def add_module(self, name, module):
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name(name, "module")
        self._modules[name] = module

    register_module = add_module

    # ---- what it holds

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self):
        return (module for _, module in self.named_modules())

    def named_children(self):
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        return (module for _, module in self.named_children())

    def _named(self, table, prefix, recurse, remove_duplicate):
        seen = set()
        for path, module in self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]:
            for name, t in module.__dict__[table].items():
                if t is None or id(t) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(t))
                yield f"{path}.{name}" if path else name, t

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        return (p for _, p in self.named_parameters(recurse=recurse))

    def buffers(self, recurse=True):
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target):
        found = self
        for name in filter(None, target.split(".")):
            found = getattr(found, name, None)
            if not isinstance(found, Module):
                raise AttributeError(f"{type(self).__name__} has no module '{target}'")
        return found

    def _get(self, table, target):
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__[table].get(name)
        if found is None:
            raise AttributeError(f"{type(self).__name__} has no '{target}' among its {table[1:]}")
        return found

    def get_parameter(self, target):
        return self._get("_parameters", target)

    def get_buffer(self, target):
        return self._get("_buffers", target)

    # ---- what is done to all

    def train(self, mode=True):
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = p.grad.detach().zero_()

    def apply(self, function):
        for module in self.children():
            module.apply(function)
        function(self)
        return self

    def _convert(self, function):
        for p in self.parameters():
            with no_grad():
                made = function(p.detach())
            if made.dtype is p.dtype:
                continue
            grad, wanted = p.grad, p.requires_grad
            _replace(p, made.requires_grad_(wanted))
            p.grad = None if grad is None else function(grad.detach())
        for b in self.buffers():
            made = function(b)
            if made is not b:
                _replace(b, made)
        return self

    def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False):
        """Floating-point parameters and buffers of another dtype, in place. The only device is the cpu."""
        for a in args:
            if isinstance(a, Tensor):
                dtype = a.dtype
            elif hasattr(a, "is_floating_point"):
                dtype = a
            else:
                check_device(None if isinstance(a, bool) else a)
        check_device(device)
        if dtype is None:
            return self
        if not dtype.is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
        return self._convert(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def type(self, dtype):
        return self._convert(lambda t: t.to(dtype))

    def _to_named(name):                                                    # noqa: N805
        def method(self):
            import gradus
            return self.to(getattr(gradus, name))
        method.__name__ = name
        return method

    float, double, half, bfloat16 = map(_to_named, ("float32", "float64", "float16", "bfloat16"))
    del _to_named

    def cpu(self):
        return self

    def cuda(self, device=None):
        raise RuntimeError("Module.cuda(): there is only the cpu")

    def to_empty(self, *, device, recurse=True):
        """The values are anything from here on: those that were."""
        check_device(device)
        return self

    # ---- state

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """Parameters and persistent buffers by name: the same memory."""
        found = OrderedDict() if destination is None else destination
        for table in (self._parameters, self._buffers):
            for name, t in table.items():
                if t is not None and not (table is self._buffers and name in self._non_persistent):
                    found[prefix + name] = t if keep_vars else t.detach()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return found

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copies values into the parameters and buffers of those names. Nothing is written unless everything fits."""
        mine = self.state_dict(keep_vars=True)
        state_dict = {k: _convert.as_tensor(t) if not isinstance(t, Tensor) and _convert.is_foreign(t) else t for k, t in state_dict.items()}
        missing, unexpected = [k for k in mine if k not in state_dict], [k for k in state_dict if k not in mine]
        wrong = []
        if strict and unexpected:
            wrong.append("Unexpected key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in unexpected)))
        if strict and missing:
            wrong.append("Missing key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in missing)))
        for k, t in mine.items():
            given = state_dict.get(k, t)
            if not isinstance(given, Tensor):
                wrong.append(f'While copying the parameter named "{k}", expected torch.Tensor from checkpoint but received {type(given).__name__}')
            elif given.shape != t.shape:
                wrong.append(f"size mismatch for {k}: copying a param with shape {given.shape} from checkpoint, "
                             f"the shape in current model is {t.shape}.")
        if wrong:
            raise RuntimeError("Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__, "\n\t".join(wrong)))
        with no_grad():
            for k, t in mine.items():
                if k in state_dict and assign:
                    _replace(t, state_dict[k].detach().requires_grad_(t.requires_grad))
                elif k in state_dict:
                    t.copy_(state_dict[k])
        return IncompatibleKeys(missing, unexpected)

    # ---- as text

    def extra_repr(self):
        return ""

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        lines = [line for line in self.extra_repr().split("\n") if line]
        inner = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not inner and len(lines) < 2 and not "".join(lines).startswith(" "):
            return f"{self._get_name()}({''.join(lines)})"
        return "{}(\n  {}\n)".format(self._get_name(), "\n  ".join(lines + inner))


def _hooked(hooks, hook, prepend):
    handle = RemovableHandle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle
