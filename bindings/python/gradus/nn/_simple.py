"""Modules that only remember the arguments of one function: activations, dropout, pooling, losses."""
from . import _initial, functional as F
from ._module import Module

REQUIRED = object()


def _bind(name, settings, args, kwargs):
    """Values of the settings, from what a constructor was given."""
    if len(args) > len(settings):
        raise TypeError(f"{name}() takes at most {len(settings)} arguments ({len(args)} given)")
    given = dict(zip(settings, args))
    for key, value in kwargs.items():
        if key not in settings or key in given:
            raise TypeError(f"{name}() got {'several values for' if key in given else 'an unexpected keyword'} argument '{key}'")
        given[key] = value
    for key, usual in settings.items():
        if given.setdefault(key, usual) is REQUIRED:
            raise TypeError(f"{name}() missing a required argument: '{key}'")
    return {key: given[key] for key in settings}


class _Remembering(Module):
    settings, shown = {}, ()
    _shows_place = False

    def __init__(self, *args, **kwargs):
        super().__init__()
        for key, value in _bind(type(self).__name__, self.settings, args, kwargs).items():
            setattr(self, key, self.kernel_size if key == "stride" and value is None else value)
        if type(self).__name__ == "AvgPool1d":                             # PyTorch's keeps these as tuples, the other poolings don't
            for key in _WINDOW:
                setattr(self, key, (getattr(self, key),) if isinstance(getattr(self, key), int) else tuple(getattr(self, key)))

    def extra_repr(self):
        parts = [repr(getattr(self, k)) if k == "lambd" else f"{k}={getattr(self, k)!r}" for k in self.shown]
        return ", ".join(parts + (["inplace=True"] if self._shows_place and self.inplace else []))


def _module(name, function, settings, shown=None):
    """The class whose forward is function(inputs, the settings by name). shown: those that its text shows."""

    def forward(self, *inputs):
        return getattr(F, function)(*inputs, **{k: getattr(self, k) for k in settings})
    made = type(name, (_Remembering,), {"settings": settings, "shown": tuple(settings) if shown is None else shown, "forward": forward,
                                        "__doc__": f"nn.functional.{function} as a module.", "__module__": __name__})
    globals()[name] = made
    return made


# ---- activations
_PLACE = {"inplace": False}
for _name, _function, _settings in (
        ("ReLU", "relu", _PLACE), ("ReLU6", "relu6", _PLACE), ("SELU", "selu", _PLACE), ("SiLU", "silu", _PLACE),
        ("Mish", "mish", _PLACE), ("Hardswish", "hardswish", _PLACE), ("Hardsigmoid", "hardsigmoid", _PLACE),
        ("LeakyReLU", "leaky_relu", {"negative_slope": 0.01, **_PLACE}), ("ELU", "elu", {"alpha": 1.0, **_PLACE}),
        ("CELU", "celu", {"alpha": 1.0, **_PLACE}), ("Hardtanh", "hardtanh", {"min_val": -1.0, "max_val": 1.0, **_PLACE}),
        ("Threshold", "threshold", {"threshold": REQUIRED, "value": REQUIRED, **_PLACE}), ("GELU", "gelu", {"approximate": "none"}),
        ("Sigmoid", "sigmoid", {}), ("Tanh", "tanh", {}), ("Softsign", "softsign", {}), ("Tanhshrink", "tanhshrink", {}),
        ("LogSigmoid", "logsigmoid", {}), ("Softplus", "softplus", {"beta": 1, "threshold": 20}),
        ("Softshrink", "softshrink", {"lambd": 0.5}), ("Hardshrink", "hardshrink", {"lambd": 0.5}), ("GLU", "glu", {"dim": -1}),
        ("Softmax", "softmax", {"dim": None}), ("LogSoftmax", "log_softmax", {"dim": None}), ("Softmin", "softmin", {"dim": None})):
    _module(_name, _function, _settings, shown=tuple(k for k in _settings if k != "inplace"))._shows_place = (
        "inplace" in _settings and _name not in ("Hardswish", "Hardsigmoid"))


class PReLU(Module):
    """max(0, x) + weight * min(0, x), weight learned: one, or one for each channel."""

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = _initial.made((num_parameters,), dtype, device)
        _initial.fill(self.weight, init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """leaky_relu with a slope drawn anew for each element in training, the middle of the range otherwise."""

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


# ---- dropout
class _Dropout(Module):
    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        return getattr(F, self.function)(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


for _name, _function in {"Dropout": "dropout", "Dropout1d": "dropout1d", "Dropout2d": "dropout2d", "Dropout3d": "dropout3d",
                         "AlphaDropout": "alpha_dropout", "FeatureAlphaDropout": "feature_alpha_dropout"}.items():
    globals()[_name] = type(_name, (_Dropout,), {"function": _function, "__module__": __name__,
                                                 "__doc__": f"nn.functional.{_function}, in training only."})

# ---- pooling
_WINDOW = {"kernel_size": REQUIRED, "stride": None, "padding": 0}
for _d in (1, 2, 3):
    _module(f"MaxPool{_d}d", f"max_pool{_d}d", {**_WINDOW, "dilation": 1, "return_indices": False, "ceil_mode": False},
            shown=("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    _module(f"AvgPool{_d}d", f"avg_pool{_d}d", {**_WINDOW, "ceil_mode": False, "count_include_pad": True,
                                                **({"divisor_override": None} if _d > 1 else {})}, shown=tuple(_WINDOW))
    _module(f"AdaptiveAvgPool{_d}d", f"adaptive_avg_pool{_d}d", {"output_size": REQUIRED})
    _module(f"AdaptiveMaxPool{_d}d", f"adaptive_max_pool{_d}d", {"output_size": REQUIRED, "return_indices": False}, shown=("output_size",))

# ---- images and distances
class Upsample(_Remembering):
    """nn.functional.interpolate as a module."""

    settings = {"size": None, "scale_factor": None, "mode": "nearest", "align_corners": None, "recompute_scale_factor": None}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.scale_factor is not None:
            self.scale_factor = tuple(map(float, self.scale_factor)) if isinstance(self.scale_factor, tuple) else float(self.scale_factor)

    def forward(self, input):
        return F.interpolate(input, **{k: getattr(self, k) for k in self.settings})

    def extra_repr(self):
        first = f"scale_factor={self.scale_factor}" if self.scale_factor is not None else f"size={self.size}"
        return f"{first}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, "bilinear", True)


_module("PixelShuffle", "pixel_shuffle", {"upscale_factor": REQUIRED})
_module("PixelUnshuffle", "pixel_unshuffle", {"downscale_factor": REQUIRED})
_module("ChannelShuffle", "channel_shuffle", {"groups": REQUIRED})


class _Pad(Module):
    """Padding of a batch of images: one number for all sides, or (before, behind) from the last dimension on."""

    mode, value = "constant", None

    def __init__(self, padding):
        super().__init__()
        self.padding = (padding,) * (2 * self.dims) if isinstance(padding, int) else tuple(padding)

    def forward(self, input):
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self):
        return str(self.padding)


class _ConstantPad(_Pad):
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


for _d in (1, 2, 3):
    for _name, _mode in {"ReflectionPad": "reflect", "ReplicationPad": "replicate", "ZeroPad": "constant", "CircularPad": "circular"}.items():
        globals()[f"{_name}{_d}d"] = type(f"{_name}{_d}d", (_Pad,), {"dims": _d, "mode": _mode, "__module__": __name__, "__doc__": _Pad.__doc__})
    globals()[f"ConstantPad{_d}d"] = type(f"ConstantPad{_d}d", (_ConstantPad,), {"dims": _d, "__module__": __name__, "__doc__": _Pad.__doc__})


class Softmax2d(Module):
    """softmax over the channels of images."""

    def forward(self, input):
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3)


_module("Fold", "fold", {"output_size": REQUIRED, "kernel_size": REQUIRED, "dilation": 1, "padding": 0, "stride": 1})
_module("Unfold", "unfold", {"kernel_size": REQUIRED, "dilation": 1, "padding": 0, "stride": 1})
_module("CosineSimilarity", "cosine_similarity", {"dim": 1, "eps": 1e-8}, shown=())
_module("PairwiseDistance", "pairwise_distance", {"p": 2.0, "eps": 1e-6, "keepdim": False}, shown=())


# ---- losses
_OLD = {"size_average": None, "reduce": None, "reduction": "mean"}
for _name, _function, _settings in (
        ("MSELoss", "mse_loss", _OLD), ("L1Loss", "l1_loss", _OLD), ("SmoothL1Loss", "smooth_l1_loss", {**_OLD, "beta": 1.0}),
        ("MultiLabelMarginLoss", "multilabel_margin_loss", _OLD), ("SoftMarginLoss", "soft_margin_loss", _OLD),
        ("HuberLoss", "huber_loss", {"reduction": "mean", "delta": 1.0}),
        ("KLDivLoss", "kl_div", {**_OLD, "log_target": False}), ("HingeEmbeddingLoss", "hinge_embedding_loss", {"margin": 1.0, **_OLD}),
        ("MarginRankingLoss", "margin_ranking_loss", {"margin": 0.0, **_OLD}),
        ("CosineEmbeddingLoss", "cosine_embedding_loss", {"margin": 0.0, **_OLD}),
        ("TripletMarginLoss", "triplet_margin_loss", {"margin": 1.0, "p": 2.0, "eps": 1e-6, "swap": False, **_OLD}),
        ("PoissonNLLLoss", "poisson_nll_loss", {"log_input": True, "full": False, "size_average": None, "eps": 1e-8, "reduce": None,
                                                "reduction": "mean"}),
        ("GaussianNLLLoss", "gaussian_nll_loss", {"full": False, "eps": 1e-6, "reduction": "mean"})):
    _module(_name, _function, _settings, shown=())


class _Weighted(_Remembering):
    """A loss with weights: buffers, so that they follow the module. state_dict holds them as PyTorch's does."""

    def __init__(self, *args, **kwargs):
        Module.__init__(self)
        for key, value in _bind(type(self).__name__, self.settings, args, kwargs).items():
            if key in ("weight", "pos_weight"):
                self.register_buffer(key, value)
            else:
                setattr(self, key, value)

    def forward(self, input, target):
        return getattr(F, self.function)(input, target, **{k: getattr(self, k) for k in self.settings})


_WEIGHT = {"weight": None, "size_average": None}
for _name, _function, _settings in (
        ("CrossEntropyLoss", "cross_entropy", {**_WEIGHT, "ignore_index": -100, "reduce": None, "reduction": "mean", "label_smoothing": 0.0}),
        ("NLLLoss", "nll_loss", {**_WEIGHT, "ignore_index": -100, "reduce": None, "reduction": "mean"}),
        ("BCELoss", "binary_cross_entropy", {**_WEIGHT, "reduce": None, "reduction": "mean"}),
        ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", {**_WEIGHT, "reduce": None, "reduction": "mean", "pos_weight": None}),
        ("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", {**_WEIGHT, "reduce": None, "reduction": "mean"}),
        ("MultiMarginLoss", "multi_margin_loss", {"p": 1, "margin": 1.0, **_WEIGHT, "reduce": None, "reduction": "mean"})):
    globals()[_name] = type(_name, (_Weighted,), {"settings": _settings, "function": _function, "__module__": __name__,
                                                  "__doc__": f"nn.functional.{_function} as a module."})

__all__ = [n for n, v in list(globals().items()) if isinstance(v, type) and issubclass(v, Module) and n[0] != "_" and v is not Module]
