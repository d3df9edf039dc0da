"""gradus.special.NAME is the operation special_NAME, or NAME where that is the same function."""
from . import _ops

_SAME = {"softmax", "log_softmax", "logsumexp", "polygamma", "i0", "expit", "xlogy", "log1p", "expm1", "exp2", "erf", "erfc", "erfinv", "sinc",
         "round", "digamma", "logit", "multigammaln", "gammaln", "gammainc", "gammaincc", "psi"}


def __getattr__(name):
    found = _ops.function("special_" + name) or (_ops.function(name) if name in _SAME else None)
    if found is None:
        raise AttributeError(f"module 'gradus.special' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__():
    return sorted([*globals()] + [n[8:] for n in _ops.registry.names if n.startswith("special_")])
