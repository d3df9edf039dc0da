"""Compares gradients with differences of values: gradcheck, gradgradcheck."""
import warnings

from .. import _dtype, _ops
from .._context import no_grad
from .._graph import grad


class GradcheckError(RuntimeError):
    """A gradient differs from the difference quotient."""


def _tensors(x):
    return (x,) if isinstance(x, _ops.Tensor) else tuple(x)


def _outputs(func, inputs):
    found = func(*inputs)
    return tuple(o for o in _tensors(found) if isinstance(o, _ops.Tensor) and o.requires_grad)


def _is_complex(x):
    return isinstance(x, _ops.Tensor) and x.dtype.is_complex


def _pairs(x):
    """The same leaf as pairs of real numbers, in the same memory; what is not complex is itself."""
    return _ops.function("view_as_real")(x.detach()).detach().requires_grad_(x.requires_grad) if _is_complex(x) else x


def _over_pairs(func, inputs):
    """func and its inputs with pairs of real numbers for complex ones, so that each part is moved by itself."""
    kinds = [_is_complex(x) for x in inputs]

    def over(*pairs):
        found = _tensors(func(*(_ops.function("view_as_complex")(p) if kind else p for p, kind in zip(pairs, kinds))))
        return tuple(_ops.function("view_as_real")(o) if _is_complex(o) else o for o in found)
    return over, tuple(map(_pairs, inputs))


def _numerical(func, inputs, x, eps, count):
    """Per output a matrix of differences: a row for each element of x, a column for each element of the output."""
    rows = [[] for _ in range(count)]
    flat = x.detach().reshape(-1) if x.is_contiguous() else None
    for k in range(x.numel()):
        with no_grad():
            place = flat[k] if flat is not None else _element(x.detach(), k)
            before = place.item()
            values = []
            for step in (eps, -eps):
                place.fill_(before + step)
                values.append([o.detach().clone().double().reshape(-1) for o in _call(func, inputs)])
            place.fill_(before)
        for row, high, low in zip(rows, *values):
            row.append((high - low) / (2 * eps))
    return rows


def _call(func, inputs):
    from .._context import enable_grad
    with enable_grad():                                                    # which outputs count is told by requires_grad
        return _outputs(func, inputs)


def _element(x, k):
    for size, step in zip(x.shape, _row_major(x.shape)):
        x = x.select(0, k // step % size)
    return x


def _row_major(shape):
    steps, step = [], 1
    for size in reversed(shape):
        steps.insert(0, step)
        step *= max(1, size)
    return steps


def _analytical(out, x):
    """A row for each element of the output: the gradient of x."""
    rows = []
    for k in range(out.numel()):
        seed = _ops.function("zeros_like")(out)
        seed.reshape(-1)[k] = 1
        g, = grad([out], [x], [seed], retain_graph=True, allow_unused=True)
        rows.append((_ops.function("zeros_like")(x) if g is None else g).double().reshape(-1))
    return rows


def _fail(message, raise_exception):
    if raise_exception:
        raise GradcheckError(message)
    return False


def gradcheck(func, inputs, eps=1e-06, atol=1e-05, rtol=0.001, raise_exception=True, nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False,
              **ignored):
    """Whether the gradients of func by those inputs that require grad agree with central differences, of both parts where they are complex."""
    func, inputs = _over_pairs(func, _tensors(inputs))
    leaves = [x for x in inputs if isinstance(x, _ops.Tensor) and x.requires_grad]
    if not leaves:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.")
    _validate(inputs)
    outputs = _outputs(func, inputs)
    if not outputs:
        return _plain(func, inputs, leaves, eps, raise_exception)
    all_differences = [_numerical(func, inputs, x, eps, len(outputs)) for x in leaves]
    outputs = _outputs(func, inputs)                                       # the differences wrote into what the first ones saved
    for n, (x, differences) in enumerate(zip(leaves, all_differences)):
        for m, out in enumerate(outputs):
            rows = _analytical(out, x)
            again = _analytical(out, x)
            for k, (row, second) in enumerate(zip(rows, again)):
                column = _ops.function("stack")([d[k] for d in differences[m]]) if differences[m] else row
                if not _ops.function("isclose")(row, column, rtol, atol, equal_nan=True).all():
                    return _fail(f"Jacobian mismatch for output {m} with respect to input {n},\nnumerical: {column}\nanalytical: {row} "
                                 f"(element {k} of the output)", raise_exception)
                if not _ops.function("isclose")(row, second, 0.0, nondet_tol, equal_nan=True).all():
                    return _fail(f"Backward is not reentrant: two passes give different gradients for output {m} and input {n}", raise_exception)
    return _scales(func, inputs, leaves, raise_exception) and (not check_undefined_grad or _undefined(func, inputs, leaves, raise_exception))


def _validate(inputs):
    """Differences need double precision and elements that change one at a time."""
    for n, x in enumerate(inputs):
        if not isinstance(x, _ops.Tensor) or not x.requires_grad:
            continue
        if x.dtype is not _dtype.float64:
            warnings.warn(f"Input #{n} requires gradient and is not a double precision floating point. This check will likely fail.", stacklevel=3)
        if any(step == 0 and size > 1 for size, step in zip(x.shape, x.stride())):
            raise RuntimeError(f"The {n}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping.")


def _scales(func, inputs, leaves, raise_exception):
    """Zero gradients of the outputs give zero gradients of the inputs."""
    outputs = _outputs(func, inputs)
    zeros = [_ops.function("zeros_like")(o) for o in outputs]
    for g in grad(outputs, leaves, zeros, retain_graph=True, allow_unused=True):
        if g is not None and not (g == 0).all():
            return _fail("backward not multiplied by grad_output", raise_exception)
    return True


def _plain(func, inputs, leaves, eps, raise_exception):
    """No output requires grad: then none may depend on the inputs."""
    before = [o.detach().clone() for o in _tensors(func(*inputs)) if isinstance(o, _ops.Tensor)]
    for x in leaves:
        with no_grad():
            kept = x.detach().clone()
            x.detach().add_(eps)
            after = [o for o in _tensors(func(*inputs)) if isinstance(o, _ops.Tensor)]
            x.detach().copy_(kept)
        if not all(_ops.function("isclose")(a.double(), b.double(), 0.0, 0.0, equal_nan=True).all() for a, b in zip(before, after)):
            return _fail("Numerical gradient for function expected to be zero: its outputs do not require grad", raise_exception)
    return True


def _undefined(func, inputs, leaves, raise_exception):
    """One output's gradient at a time: the others have none, which has to count as zeros."""
    outputs = _outputs(func, inputs)
    if len(outputs) < 2:
        return True
    zeros = [_ops.function("zeros_like")(o) for o in outputs]
    for m, out in enumerate(outputs):
        seed = _ops.function("ones_like")(out)
        alone = grad([out], leaves, [seed], retain_graph=True, allow_unused=True)
        filled = grad(outputs, leaves, [seed if k == m else z for k, z in enumerate(zeros)], retain_graph=True, allow_unused=True)
        for a, b in zip(alone, filled):
            if not _equal_or_zero(a, b):
                return _fail(f"Expected a missing gradient to count as zeros: output {m}", raise_exception)
    return True


def _equal_or_zero(a, b):
    a, b = (b, a) if a is None else (a, b)
    if a is None:
        return True
    return bool((a == 0).all() if b is None else _ops.function("isclose")(a, b, 0.0, 0.0, equal_nan=True).all())


def gradgradcheck(func, inputs, grad_outputs=None, eps=1e-06, atol=1e-05, rtol=0.001, gen_non_contig_grad_outputs=False, raise_exception=True,
                  nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False, **ignored):
    """gradcheck of the gradients themselves."""
    func, inputs = _over_pairs(func, _tensors(inputs))
    outputs = _outputs(func, inputs)
    if grad_outputs is None:
        seeds = [_ops.function("randn_like")(o.detach()).requires_grad_() for o in outputs]
    else:
        seeds = [_pairs(g) for g in _tensors(grad_outputs)]
    count = len(inputs)

    def first(*args):
        xs, given = args[:count], args[count:]
        leaves = [x for x in xs if isinstance(x, _ops.Tensor) and x.requires_grad]
        found = grad(_outputs(func, xs), leaves, given, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)
    return gradcheck(first, (*inputs, *seeds), eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad)
