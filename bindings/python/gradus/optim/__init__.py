"""Optimizers with PyTorch's names, arguments and formulas; the steps run in the library, over all parameters in one pass."""
from . import lr_scheduler  # noqa: F401
from ._algorithms import LBFGS, SGD, Adadelta, Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop  # noqa: F401
from ._optimizer import Optimizer  # noqa: F401
from ._more import ASGD, Adamax, Rprop


def __getattr__(name):
    if name == "swa_utils":                                                # it needs gradus.nn
        import importlib
        return importlib.import_module(".swa_utils", __name__)
    raise AttributeError(f"module 'gradus.optim' has no attribute '{name}'")
