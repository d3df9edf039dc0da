"""PyTorch's nn.functional on the library's operations: reductions as words, optional sizes, train flags."""
import math

from .. import _composite, _ops
from ._grid import affine_grid, grid_sample  # noqa: F401

_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
call = _composite.call


def _reduction(word, size_average=None, reduce=None):
    if size_average is not None or reduce is not None:
        word = "none" if reduce is False else "sum" if size_average is False else "mean"
    if word not in _REDUCTIONS:
        raise ValueError(f"{word} is not a valid value for reduction")
    return _REDUCTIONS[word]


def __getattr__(name):
    found = _composite.find(name) or _ops.function(name)
    if found is None:
        raise AttributeError(f"module 'gradus.nn.functional' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *_ops.registry.names})


# ---- activations

def _with_in_place(name, defaults=()):
    names = [n for n, _ in defaults]

    def function(input, *values, inplace=False, **named):
        values = list(values)
        if len(values) > len(names):
            inplace = values.pop()
        given = {**dict(defaults), **dict(zip(names, values)), **named}
        return call(name + "_" if inplace else name, input, *[given.pop(n) for n in names], **given)
    function.__name__ = function.__qualname__ = name
    globals()[name] = function
    return function


for _name, _defaults in {"relu": (), "relu6": (), "selu": (), "silu": (), "mish": (), "hardswish": (), "hardsigmoid": (),
                         "leaky_relu": (("negative_slope", 0.01),), "elu": (("alpha", 1.0),), "celu": (("alpha", 1.0),),
                         "hardtanh": (("min_val", -1.0), ("max_val", 1.0)), "threshold": (("threshold", 0.0), ("value", 0.0))}.items():
    _with_in_place(_name, _defaults)


def relu_(input):
    return call("relu_", input)


def logsigmoid(input):
    return call("log_sigmoid", input)


def gelu(input, approximate="none"):
    return call("gelu", input, approximate=approximate)


def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    return call("rrelu_" if inplace else "rrelu", input, lower, upper, training)


def _default_dim(input):
    return 0 if input.dim() in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    return call("softmax", input, _default_dim(input) if dim is None else dim, dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    return call("log_softmax", input, _default_dim(input) if dim is None else dim, dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    return softmax(-input, dim, dtype=dtype)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample of the categorical distribution, made differentiable; hard: one-hot forward, the soft sample's gradient backward."""
    noise = -call("log", call("empty_like", logits).exponential_())
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    one = call("zeros_like", logits).scatter_(dim, soft.max(dim, keepdim=True)[1], 1.0)
    return one - soft.detach() + soft


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """input divided by its norm, or by eps where that is larger."""
    norm = _composite.find("norm")(input, p, dim, keepdim=True).clamp_min(eps)
    result = input / norm.expand_as(input)
    return result if out is None else _ops.put_out("normalize", out, result)


# ---- losses

def _loss(name, order):
    def function(input, target, *values, size_average=None, reduce=None, reduction="mean", **named):
        if not values and not named and size_average is None and reduce is None and reduction in _REDUCTIONS:
            return call(name, input, target, reduction=_REDUCTIONS[reduction])
        given = dict(zip(order, values))
        size_average, reduce, reduction = given.pop("size_average", size_average), given.pop("reduce", reduce), given.pop("reduction", reduction)
        return call(name, input, target, reduction=_reduction(reduction, size_average, reduce), **given, **named)
    function.__name__ = function.__qualname__ = name
    return function


_OLD = ("size_average", "reduce", "reduction")
mse_loss, l1_loss = _loss("mse_loss", _OLD), _loss("l1_loss", _OLD)
smooth_l1_loss, soft_margin_loss = _loss("smooth_l1_loss", (*_OLD, "beta")), _loss("soft_margin_loss", _OLD)
huber_loss = _loss("huber_loss", ("reduction", "delta"))
binary_cross_entropy = _loss("binary_cross_entropy", ("weight", *_OLD))
binary_cross_entropy_with_logits = _loss("binary_cross_entropy_with_logits", ("weight", *_OLD, "pos_weight"))
hinge_embedding_loss = _loss("hinge_embedding_loss", ("margin", *_OLD))
multilabel_soft_margin_loss = _loss("multilabel_soft_margin_loss", ("weight", *_OLD))
multilabel_margin_loss = _loss("multilabel_margin_loss", _OLD)
multi_margin_loss = _loss("multi_margin_loss", ("p", "margin", "weight", *_OLD))


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    return call("nll_loss_nd", input, target, weight, _reduction(reduction, size_average, reduce), ignore_index)


def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0):
    return call("cross_entropy_loss", input, target, weight, _reduction(reduction, size_average, reduce), ignore_index, label_smoothing)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    if reduction == "batchmean":
        loss = call("kl_div", input, target, 2, log_target=log_target)
        return loss / input.shape[0] if input.dim() else loss
    return call("kl_div", input, target, _reduction(reduction, size_average, reduce), log_target=log_target)


def _two_inputs(name):
    def function(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
        return call(name, input1, input2, target, float(margin), _reduction(reduction, size_average, reduce))
    function.__name__ = function.__qualname__ = name
    return function


margin_ranking_loss, cosine_embedding_loss = _two_inputs("margin_ranking_loss"), _two_inputs("cosine_embedding_loss")


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, size_average=None, reduce=None, reduction="mean"):
    return call("triplet_margin_loss", anchor, positive, negative, float(margin), float(p), eps, swap, _reduction(reduction, size_average, reduce))


def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction="mean"):
    return call("poisson_nll_loss", input, target, log_input, full, eps, _reduction(reduction, size_average, reduce))


def gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction="mean"):
    if isinstance(var, float):
        var = var * call("ones_like", input)
    return call("gaussian_nll_loss", input, target, var, full, eps, _reduction(reduction))


# ---- layers

def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05):
    return call("layer_norm", input, list(normalized_shape), weight, bias, eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    return call("rms_norm", input, list(normalized_shape), weight, eps)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05):
    return call("group_norm", input, num_groups, weight, bias, eps)


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05):
    if training:
        count = input.numel() // input.shape[1] if input.numel() else 0
        if count == 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
    return call("batch_norm", input, weight, bias, running_mean, running_var, training, momentum, eps, False)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-05):
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    return call("instance_norm", input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False)


def _dropping(name, operation, default):
    def function(input, p=default, training=True, inplace=False):
        if p < 0.0 or p > 1.0:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        return call(operation + "_" if inplace else operation, input, float(p), training)
    function.__name__ = function.__qualname__ = name
    return function


dropout, alpha_dropout = _dropping("dropout", "dropout", 0.5), _dropping("alpha_dropout", "alpha_dropout", 0.5)
dropout1d = dropout2d = dropout3d = _dropping("feature_dropout", "feature_dropout", 0.5)
feature_alpha_dropout = _dropping("feature_alpha_dropout", "feature_alpha_dropout", 0.5)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """Rows of weight. max_norm rewrites those whose norm is larger, in place."""
    if padding_idx is not None and not -weight.shape[0] <= padding_idx < weight.shape[0]:
        raise ValueError("Padding_idx must be within num_embeddings")
    padding_idx = -1 if padding_idx is None else padding_idx % weight.shape[0]
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return call("embedding", weight, input, padding_idx, scale_grad_by_freq, sparse)


def _renormalize(weight, indices, max_norm, norm_type):
    from .._context import no_grad
    with no_grad():
        rows = _composite.find("unique")(indices.reshape(-1))
        weight.index_copy_(0, rows, weight.detach().index_select(0, rows).renorm(norm_type, 0, max_norm))


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean", sparse=False, per_sample_weights=None,
                  include_last_offset=False, padding_idx=None):
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences")
        offsets = call("arange", 0, input.numel(), input.shape[1], dtype=input.dtype) if input.shape[1] else input.new_zeros([input.shape[0]])
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return call("embedding_bag", weight, input, offsets, scale_grad_by_freq, {"sum": 0, "mean": 1, "max": 2}[mode], sparse, per_sample_weights,
                include_last_offset, padding_idx)[0]


def bilinear(input1, input2, weight, bias=None):
    out = call("einsum", "...i,oij,...j->...o", [input1, weight, input2])
    return out if bias is None else out + bias


# ---- pooling

def _max_pool(dims):
    def function(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        found = call(f"max_pool{dims}d_with_indices", input, kernel_size, stride if stride is not None else [], padding, dilation, ceil_mode)
        return found if return_indices else found[0]
    function.__name__ = function.__qualname__ = f"max_pool{dims}d"
    return function


def _adaptive_max_pool(dims):
    def function(input, output_size, return_indices=False):
        found = call(f"adaptive_max_pool{dims}d", input, _sizes(input, output_size, dims))
        return found if return_indices else found[0]
    function.__name__ = function.__qualname__ = f"adaptive_max_pool{dims}d"
    return function


def _adaptive_avg_pool(dims):
    def function(input, output_size):
        return call(f"adaptive_avg_pool{dims}d", input, _sizes(input, output_size, dims))
    function.__name__ = function.__qualname__ = f"adaptive_avg_pool{dims}d"
    return function


def _sizes(input, output_size, dims):
    """None stands for the input's own size."""
    if isinstance(output_size, int):
        return [output_size] * dims
    return [input.shape[i - dims] if n is None else n for i, n in enumerate(output_size)]


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    return call("avg_pool1d", input, kernel_size, [] if stride is None else stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    return call("avg_pool2d", input, kernel_size, [] if stride is None else stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    return call("avg_pool3d", input, kernel_size, [] if stride is None else stride, padding, ceil_mode, count_include_pad, divisor_override)


# ---- images

def pad(input, pad, mode="constant", value=None):
    return call("pad", input, list(pad), mode, None if value is None else float(value))


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    return call("col2im", input, output_size, kernel_size, dilation, padding, stride)


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    return call("im2col", input, kernel_size, dilation, padding, stride)


_RESAMPLING = {("nearest", 3): "upsample_nearest1d", ("nearest", 4): "upsample_nearest2d", ("nearest", 5): "upsample_nearest3d",
               ("nearest-exact", 3): "_upsample_nearest_exact1d", ("nearest-exact", 4): "_upsample_nearest_exact2d",
               ("nearest-exact", 5): "_upsample_nearest_exact3d", ("linear", 3): "upsample_linear1d", ("bilinear", 4): "upsample_bilinear2d",
               ("trilinear", 5): "upsample_trilinear3d", ("bicubic", 4): "upsample_bicubic2d"}


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False):
    """Resamples to a size, or by factors; without recompute_scale_factor the factors themselves set the step."""
    dims = input.dim() - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("only one of size or scale_factor should be defined")
    if antialias:
        raise NotImplementedError("interpolate: antialias is not there")
    if mode == "area":
        size = _scaled(input, scale_factor, dims) if size is None else size
        return [adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d][dims - 1](input, size)
    if (mode, input.dim()) not in _RESAMPLING:
        raise NotImplementedError(f"interpolate: mode {mode} on an input of {input.dim()} dimensions")
    factors = [None] * dims
    if scale_factor is not None:
        size = _scaled(input, scale_factor, dims)
        if not recompute_scale_factor:
            factors = [float(f) for f in (scale_factor if isinstance(scale_factor, (list, tuple)) else [scale_factor] * dims)]
    size = [size] * dims if isinstance(size, int) else list(size)
    corners = () if mode.startswith("nearest") else (bool(align_corners),)
    return call(_RESAMPLING[mode, input.dim()], input, size, *corners, *factors)


upsample = interpolate


def _scaled(input, factor, dims):
    factors = factor if isinstance(factor, (list, tuple)) else [factor] * dims
    return [int(n * f) for n, f in zip(input.shape[2:], factors)]
