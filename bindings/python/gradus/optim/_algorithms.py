"""The algorithms: PyTorch's arguments and defaults. What only chooses between PyTorch's implementations (foreach, fused, capturable,
differentiable) stands in param_groups if it is given, and changes nothing."""
from ._optimizer import IGNORED, NativeOptimizer


def _algorithm(class_name, doc, **defaults):
    """A class whose arguments are the settings, in this order."""
    names = list(defaults)

    def __init__(self, params, *args, **kwargs):
        if len(args) > len(names):
            raise TypeError(f"{class_name} takes at most {len(names)} settings, {len(args)} were given")
        given = {**dict(zip(names, args)), **kwargs}
        unknown = [name for name in given if name not in defaults and name not in IGNORED]
        if unknown:
            raise TypeError(f"{class_name} got an unexpected keyword argument '{unknown[0]}'")
        NativeOptimizer.__init__(self, params, {**defaults, **given})
    return type(class_name, (NativeOptimizer,), {"__init__": __init__, "__doc__": doc, "__module__": "gradus.optim", "algorithm": class_name})


SGD = _algorithm("SGD", "Stochastic gradient descent, with momentum.", lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False,
                 maximize=False)
Adam = _algorithm("Adam", "Adam, with amsgrad.", lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, maximize=False,
                  decoupled_weight_decay=False)
AdamW = _algorithm("AdamW", "Adam with a weight decay of its own.", lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False,
                   maximize=False)
Adagrad = _algorithm("Adagrad", "Adagrad.", lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, maximize=False)
RMSprop = _algorithm("RMSprop", "RMSprop, centered or with momentum.", lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
                     maximize=False)
Adadelta = _algorithm("Adadelta", "Adadelta.", lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, maximize=False)
NAdam = _algorithm("NAdam", "Adam with Nesterov's momentum.", lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
                   decoupled_weight_decay=False, maximize=False)
RAdam = _algorithm("RAdam", "Rectified Adam.", lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False,
                   maximize=False)
Lion = _algorithm("Lion", "Steps by the sign of a momentum.", lr=1e-4, betas=(0.9, 0.99), weight_decay=0, maximize=False)
LBFGS = _algorithm("LBFGS", "L-BFGS; step(closure) calls the closure several times.", lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7,
                   tolerance_change=1e-9, history_size=100, line_search_fn=None)
