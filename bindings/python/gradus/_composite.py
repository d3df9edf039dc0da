"""PyTorch functions whose face differs from the operations they stand on."""
from . import _convert, _dtype, _ops

_table = {}


def composite(*names):
    def add(function):
        for name in names or (function.__name__,):
            _table[name] = function
        return function
    return add


def find(name):
    return _table.get(name)


def call(name, *args, **kwargs):
    return (_ops.functions.get(name) or _ops.function(name))(*args, **kwargs)


# ---- answers that are Python values

@composite()
def equal(input, other):
    return input.shape == other.shape and bool(call("equal", input, other))


@composite()
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    return bool(call("allclose", input, other, rtol, atol, equal_nan))


@composite()
def is_nonzero(input):
    return bool(input)


@composite()
def numel(input):
    return input.numel()


def _is(name, function):
    _table[name] = function


_is("is_floating_point", lambda input: input.dtype.is_floating_point)
_is("is_complex", lambda input: input.is_complex())
_is("is_signed", lambda input: input.dtype.is_signed)
_is("is_conj", lambda input: False)
_is("is_neg", lambda input: False)


# ---- reductions

def _spread(name):
    def function(input, dim=None, unbiased=None, keepdim=False, *, correction=None, out=None, **synonyms):
        dim, keepdim = synonyms.pop("axis", dim), synonyms.pop("keepdims", keepdim)
        correction = synonyms.pop("ddof", correction)                      # of np.std(x), which says dtype=None too
        if synonyms.get("dtype", 0) is None:
            del synonyms["dtype"]
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if correction is None:
            correction = 1 if unbiased is None else int(unbiased)
        result = call(name, input, dim, correction=correction, keepdim=keepdim, **synonyms)
        return result if out is None else _ops.put_out(name, out, result)
    function.__name__ = name
    _table[name] = function


for _name in ("var", "std", "var_mean", "std_mean"):
    _spread(_name)


@composite()
def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The vector norm over dim, over everything without one."""
    p = 2 if p is None or p == "fro" else p
    if isinstance(p, str):
        result = call("linalg_norm", input, p, dim, keepdim, dtype=dtype)
        return result if out is None else _ops.put_out("norm", out, result)
    dim = [] if dim is None else [dim] if isinstance(dim, int) else list(dim)
    result = call("norm", input, p, dim, keepdim, dtype=dtype)
    return result if out is None else _ops.put_out("norm", out, result)


@composite("unique")
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    if dim is None:
        found = call("unique", input, sorted, return_inverse, return_counts)
    else:
        found = call("unique_dim", input, dim, sorted, return_inverse, return_counts)
    return _chosen(found, return_inverse, return_counts)


@composite()
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    return _chosen(call("unique_consecutive", input, return_inverse, return_counts, dim), return_inverse, return_counts)


def _chosen(found, inverse, counts):
    kept = found[:1] + (found[1:2] if inverse else ()) + (found[2:3] if counts else ())
    return kept if len(kept) > 1 else kept[0]


def _quantile(name):
    def function(input, q, dim=None, keepdim=False, *, interpolation="linear", out=None):
        q = q if isinstance(q, _ops.Tensor) else _convert.tensor(q, dtype=input.dtype)
        result = call(name, input, q, dim, keepdim, interpolation=interpolation)
        return result if out is None else _ops.put_out(name, out, result)
    function.__name__ = name
    _table[name] = function


_quantile("quantile")
_quantile("nanquantile")


# ---- choices and indices

def _as_tensor(v, like=None):
    if isinstance(v, _ops.Tensor):
        return v
    kind = _dtype.bool_ if isinstance(v, bool) else _dtype.int64 if isinstance(v, int) else _dtype.default_dtype()
    return _convert.tensor(v, dtype=kind)


@composite()
def where(condition, input=None, other=None, *, out=None, self=None):
    """condition ? input : other, or the indices of what is not zero."""
    input = self if input is None else input
    if input is None and other is None:
        return call("nonzero_numpy", condition)
    both = [input, other]
    if not any(isinstance(v, _ops.Tensor) for v in both) and _dtype._default is not _dtype.float32:
        both = [v if isinstance(v, int) else _as_tensor(v) for v in both]
    return call("where", condition, *both, **({} if out is None else {"out": out}))


@composite()
def nonzero(input, *, as_tuple=False, out=None):
    if as_tuple:
        return call("nonzero_numpy", input)
    return call("nonzero", input) if out is None else _ops.put_out("nonzero", out, call("nonzero", input))


def _valued(name, place, last, alias):
    """Operations that take a number where the registry has a tensor: the number in the tensor's type."""
    def function(*args, **kwargs):
        if alias in kwargs:
            kwargs[last] = kwargs.pop(alias)
        source = args[0] if args else kwargs.get("input", kwargs.get("self"))
        if len(args) > place and _ops.is_number(args[place]):
            args = (*args[:place], _convert.tensor(args[place], dtype=source.dtype), *args[place + 1:])
        elif _ops.is_number(kwargs.get(last)):
            kwargs[last] = _convert.tensor(kwargs[last], dtype=source.dtype)
        return call(name, *args, **kwargs)
    function.__name__ = name
    _table[name] = function


for _name in ("index_fill", "index_fill_"):
    _valued(_name, 3, "value", "value")


def _scatter(name):
    def function(*args, **kwargs):
        if "value" in kwargs:
            kwargs["src"] = kwargs.pop("value")
        return call(name, *args, **kwargs)
    function.__name__ = name
    _table[name] = function


_scatter("scatter")
_scatter("scatter_")


@composite("index_put")
def index_put(input, indices, values, accumulate=False):
    return call("index_put", input, list(indices), values, accumulate)


@composite("index_put_")
def index_put_(input, indices, values, accumulate=False):
    return call("index_put_", input, list(indices), values, accumulate)


@composite()
def searchsorted(sorted_sequence, input=None, **named):
    input = named.pop("self", input)
    alone = not isinstance(input, _ops.Tensor)
    return call("searchsorted", sorted_sequence, _convert.tensor(input, dtype=sorted_sequence.dtype) if alone else input, **named)


@composite()
def bucketize(input, boundaries, **named):
    return call("bucketize", input if isinstance(input, _ops.Tensor) else _convert.tensor(input, dtype=boundaries.dtype), boundaries, **named)


@composite()
def vander(x, N=None, increasing=False):
    powers = call("linalg_vander", x, N=N)
    return powers if increasing else call("flip", powers, [-1])


@composite()
def flip(input, *given, dims=None):
    if given and dims is not None:
        raise TypeError("flip(): got several values for argument 'dims'")
    dims = given if dims is None else (dims,)
    return call("flip", input, list(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else list(dims))


@composite()
def rot90(input, k=1, dims=(0, 1)):
    return call("rot90", input, k, list(dims))


# ---- joins and products

def _tensors(args):
    return list(args[0]) if len(args) == 1 and isinstance(args[0], (list, tuple)) else list(args)


@composite()
def einsum(equation, *operands):
    return call("einsum", equation, _tensors(operands))


@composite()
def meshgrid(*tensors, indexing="ij"):
    return call("meshgrid", _tensors(tensors), indexing=indexing)


def _at_least(name):
    def function(*tensors):
        if len(tensors) == 1 and isinstance(tensors[0], _ops.Tensor):
            return call(name, tensors[0])
        return tuple(call(name, t) for t in _tensors(tensors))
    _table[name] = function


for _name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    _at_least(_name)


@composite()
def tensordot(a, b, dims=2, out=None):
    """The product over dims pairs of dimensions, or over the two lists of them."""
    if isinstance(dims, _ops.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        left, right = list(range(a.dim() - dims, a.dim())), list(range(dims))
    else:
        left, right = [[d] if isinstance(d, int) else list(d) for d in dims]
    result = call("tensordot", a, b, left, right)
    return result if out is None else _ops.put_out("tensordot", out, result)


@composite()
def cdist(x1, x2, p=2.0, compute_mode=None):
    return call("cdist", x1, x2, float(p))


@composite()
def broadcast_shapes(*shapes):
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    from ._tensor import Size
    return Size(call("broadcast_tensors", [_ops.registry_call("empty", [1]).expand(s) for s in shapes])[0].shape) if shapes else Size()


@composite()
def result_type(a, b):
    return call("add", a, b).dtype if isinstance(a, _ops.Tensor) or isinstance(b, _ops.Tensor) else _as_tensor(a + b).dtype


@composite()
def promote_types(a, b):
    return call("mul", _ops.registry_call("empty", [1], dtype=a), _ops.registry_call("empty", [1], dtype=b)).dtype


@composite()
def can_cast(source, target):
    rank = [0 if d is _dtype.bool_ else 3 if d.is_complex else 1 if not d.is_floating_point else 2 for d in (source, target)]
    return rank[0] <= rank[1]


@composite()
def clone(input, *, memory_format=None):
    return _ops.registry_call("clone", input)
