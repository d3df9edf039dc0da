"""Derivatives of Python functions: vjp, jvp, jacobian, hessian, vhp, hvp."""
from .. import _ops
from .._context import enable_grad
from .._graph import grad

Tensor = _ops.Tensor
_call = _ops.function


def _tuple(x, what):
    """(tuple of tensors, whether it was one tensor)"""
    if isinstance(x, Tensor):
        return (x,), True
    if not isinstance(x, (list, tuple)):
        raise TypeError(f"The {what} must be either a Tensor or a tuple of Tensors but got {type(x).__name__}")
    for i, t in enumerate(x):
        if not isinstance(t, Tensor):
            raise TypeError(f"If a tuple of {what} is given, each of them must be a Tensor: {type(t).__name__} at {i}")
    return tuple(x), False


def _leaves(inputs, create_graph):
    """Inputs to differentiate by: linked to the caller's under create_graph."""
    with enable_grad():
        return tuple(t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_() for t in inputs)


def _outputs(func, inputs, what="outputs of the user-provided function"):
    with enable_grad():
        return _tuple(func(*inputs), what)


def _check_direction(v, like, what):
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if the {what} is a single Tensor with a single element.")
        return (_call("ones_like")(like[0]),)
    v, _ = _tuple(v, "vector v")
    if len(v) != len(like):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")
    for i, (a, b) in enumerate(zip(v, like)):
        if a.shape != b.shape:
            raise RuntimeError(f"Entry {i} in v has invalid size: should be {tuple(b.shape)} but got {tuple(a.shape)}.")
    return v


def _check_used(grads, outputs, strict, what):
    """Under strict every output must depend on the inputs, and every input must have a gradient."""
    if not strict:
        return
    for i, out in enumerate(outputs):
        if not out.requires_grad:
            raise RuntimeError(f"Output {i} of {what} is independent of the inputs. This is not allowed in strict mode.")
    for i, g in enumerate(grads):
        if g is None:
            raise RuntimeError(f"The output of {what} is independent of input {i}. This is not allowed in strict mode.")


def _check_recorded(results, strict, create_graph, what):
    if strict and create_graph:
        for i, g in enumerate(results):
            if not g.requires_grad:
                raise RuntimeError(f"The {what} with respect to input {i} is independent of the inputs: it can't be differentiated further in strict mode.")


def _grad(outputs, inputs, seeds, create_graph, retain_graph=None):
    """Gradients of those outputs that have a history; None where nothing flows."""
    kept = [(o, s) for o, s in zip(outputs, seeds) if o.requires_grad]
    if not kept:
        return (None,) * len(inputs)
    outs, grads = zip(*kept)
    return grad(outs, inputs, grads, retain_graph, create_graph, allow_unused=True)


def _fill(grads, like):
    return tuple(_call("zeros_like")(t) if g is None else g for g, t in zip(grads, like))


def _finish(values, create_graph, single):
    values = values if create_graph else tuple(v.detach() for v in values)
    return values[0] if single else values


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v times the Jacobian)"""
    inputs, single_in = _tuple(inputs, "inputs")
    inputs = _leaves(inputs, create_graph)
    outputs, single_out = _outputs(func, inputs)
    v = _check_direction(v, outputs, "output")
    with enable_grad():
        found = _grad(outputs, inputs, v, create_graph)
    _check_used(found, outputs, strict, "the function")
    found = _fill(found, inputs)
    _check_recorded(found, strict, create_graph, "vjp")
    return _finish(outputs, create_graph, single_out), _finish(found, create_graph, single_in)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the Jacobian times v), by differentiating the vjp in its own direction"""
    inputs, _ = _tuple(inputs, "inputs")
    v = _check_direction(v, inputs, "input")
    inputs = _leaves(inputs, create_graph)
    outputs, single_out = _outputs(func, inputs)
    with enable_grad():
        probes = tuple(_call("zeros_like")(o).requires_grad_() for o in outputs)
        rows = _grad(outputs, inputs, probes, True)
        _check_used(rows, outputs, strict, "the function")
        rows = _fill(rows, inputs)
        found = _grad(rows, probes, v, create_graph)
    found = _fill(found, outputs)
    _check_recorded(found, strict, create_graph, "jvp")
    return _finish(outputs, create_graph, single_out), _finish(found, create_graph, single_out)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """d output / d input, of shape output.shape + input.shape; tuples of tuples for several."""
    inputs, single_in = _tuple(inputs, "inputs")
    inputs = _leaves(inputs, create_graph)
    outputs, single_out = _outputs(func, inputs)
    result = []
    for n, out in enumerate(outputs):
        rows = [[] for _ in inputs]
        if strict and not out.requires_grad:
            raise RuntimeError(f"Output {n} of the user-provided function is independent of the inputs. This is not allowed in strict mode.")
        for k in range(out.numel()):
            with enable_grad():
                found = _grad([out.reshape(-1)[k]], inputs, [None], create_graph, True)
            if strict:
                _check_used(found, [out], strict, f"output {n} of the user-provided function")
                _check_recorded(_fill(found, inputs), strict, create_graph, "jacobian")
            for row, g in zip(rows, _fill(found, inputs)):
                row.append(g)
        with enable_grad():
            parts = tuple((_call("stack")(row) if row else t.new_zeros((0, *t.shape))).view(out.shape + t.shape) for row, t in zip(rows, inputs))
        result.append(_finish(parts, create_graph, single_in))
    return result[0] if single_out else tuple(result)


def _scalar(func, inputs):
    outputs, single = _outputs(func, inputs)
    if not single:
        raise RuntimeError("The function given to hessian should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError("The Tensor returned by the function given to hessian should contain a single element")
    return outputs[0]


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """Second derivatives of a function with one number as its result."""
    inputs, single = _tuple(inputs, "inputs")

    def first(*xs):
        if not create_graph:
            xs = tuple(x if x.requires_grad else x.requires_grad_() for x in xs)
        out = _scalar(func, xs)
        found = _grad([out], xs, [None], True)
        _check_used(found, [out], strict, "the function")
        found = _fill(found, xs)
        _check_recorded(found, strict, True, "jacobian")
        return tuple(g.reshape(x.shape) for g, x in zip(found, xs))
    found = jacobian(first, inputs, create_graph, strict)
    return found[0][0] if single else found


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v times the Hessian)"""
    inputs, single = _tuple(inputs, "inputs")
    v = _check_direction(v, inputs, "input")
    inputs = _leaves(inputs, create_graph)
    with enable_grad():
        out = _scalar(func, inputs)
        first = _grad([out], inputs, [None], True)
        _check_used(first, [out], strict, "the function")
        found = _grad(_fill(first, inputs), inputs, v, create_graph)
    if strict:
        _check_used(found, [], strict, "the jacobian")
    found = _fill(found, inputs)
    _check_recorded(found, strict, create_graph, "vhp")
    return _finish((out,), create_graph, True), _finish(found, create_graph, single)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the Hessian times v)"""
    inputs, single = _tuple(inputs, "inputs")
    v = _check_direction(v, inputs, "input")
    inputs = _leaves(inputs, create_graph)
    with enable_grad():
        out = _scalar(func, inputs)
        first = _grad([out], inputs, [None], True)
        _check_used(first, [out], strict, "the function")
        first = _fill(first, inputs)
        probes = tuple(_call("zeros_like")(g).requires_grad_() for g in first)
        rows = _grad(first, inputs, probes, True)
        found = _grad(_fill(rows, inputs), probes, v, create_graph)
    if strict:
        _check_used(rows, [], strict, "the jacobian")
    found = _fill(found, inputs)
    _check_recorded(found, strict, create_graph, "hvp")
    return _finish((out,), create_graph, True), _finish(found, create_graph, single)
