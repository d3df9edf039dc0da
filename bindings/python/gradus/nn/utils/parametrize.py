"""Parameters that are computed: a module's attribute as a function of another parameter, its original."""
from ..._context import no_grad
from .._module import Module
from .._containers import ModuleDict
from ..parameter import Parameter


class ParametrizationList(Module):
    """What an attribute is computed by: original, then one module after the other."""

    def __init__(self, original):
        super().__init__()
        self.original = original

    def forward(self):
        x = self.original
        for step in self._modules.values():
            x = step(x)
        return x

    def __getitem__(self, index):
        return list(self._modules.values())[index]

    def __len__(self):
        return len(self._modules)


def is_parametrized(module, tensor_name=None):
    steps = module._modules.get("parametrizations")
    return bool(steps) and (tensor_name is None or tensor_name in steps)


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """From now on module.NAME is parametrization(original); the parameter is parametrizations.NAME.original."""
    if not is_parametrized(module):
        cls = type(module)
        module.__class__ = type("Parametrized" + cls.__name__, (cls,), {"__module__": cls.__module__, "_get_name": lambda self: type(self).__name__})
        module.parametrizations = ModuleDict()
    if not is_parametrized(module, tensor_name):
        original = module._parameters.pop(tensor_name, None)
        if original is None:
            raise ValueError(f"Module '{module}' does not have a parameter with name '{tensor_name}'")
        module.parametrizations[tensor_name] = ParametrizationList(original)
        setattr(type(module), tensor_name, property(lambda self: self._modules["parametrizations"][tensor_name]()))
    steps = module.parametrizations[tensor_name]
    steps.add_module(str(len(steps)), parametrization)
    return module


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """The attribute as a plain parameter again: with the value it has, or else the original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    steps = module.parametrizations[tensor_name]
    original = steps.original
    if leave_parametrized:
        with no_grad():
            original.copy_(getattr(module, tensor_name))
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    module.register_parameter(tensor_name, original if isinstance(original, Parameter) else Parameter(original))
    if not len(module.parametrizations):
        del module._modules["parametrizations"]
        module.__class__ = type(module).__bases__[0]
    return module
