"""Compares gradients with differences of values: gradcheck, gradgradcheck. The library does the work; its report is in the error."""
import ctypes as C
import itertools
import re
import sys
import warnings

from .. import _dtype, _hooks, _ops
from .._context import check, enable_grad, keep_pending, local
from .._graph import grad
from .._library import SEGMENT, GradcheckOptions, handles, lasting, lib, retain

FAST, NO_UNDEFINED, STRIDED = 0x1, 0x2, 0x8
_REPORT = 8192                                                             # bytes: no report is longer
_checked = {}                                                              # token: a function with its inputs, while it is checked
_tokens = itertools.count(1)


class GradcheckError(RuntimeError):
    """A gradient differs from the difference quotient."""


def _tuple(x):
    return (x,) if isinstance(x, _ops.Tensor) or not hasattr(x, "__iter__") else tuple(x)


def _tensors(values):
    return [v for v in values if isinstance(v, _ops.Tensor)]


def _needing(values):
    return [t for t in _tensors(values) if t.requires_grad]


def _differentiable(returned):
    """The outputs that count: those that require grad, or all tensors if none does (then none may depend on the inputs)."""
    found = _tensors(_tuple(returned))
    return [t for t in found if t.requires_grad] or found


class _Checked:
    def __init__(self, function, inputs):
        self.function, self.inputs = function, inputs
        self.objects = {t._h.value: t for t in _tensors(inputs)}

    def outputs(self, addresses):
        """Of the inputs at these addresses: the caller's own objects, but for complex ones, whose parts the library moves."""
        tensors = iter([self.objects.get(a) if a in self.objects else _hooks.borrowed(a) for a in addresses])
        return _differentiable(self.function(*[next(tensors) if isinstance(x, _ops.Tensor) else x for x in self.inputs]))


@lasting
@SEGMENT
def _compute(token, ctx, inputs, input_count, results, capacity, count):
    try:
        found = _checked[token].outputs((C.c_void_p * input_count).from_address(inputs) if input_count else ())
        if len(found) > capacity:
            raise ValueError(f"gradcheck: the function returned {len(found)} tensors, {capacity} are the most")
        places = (C.c_void_p * capacity).from_address(results)
        for i, t in enumerate(found):
            retain(t._h)
            places[i] = t._h.value
        C.c_size_t.from_address(count).value = len(found)
        return 0
    except BaseException as error:
        return keep_pending(ctx, error)


def _run(function, func, inputs, between, options):
    """(whether it passed, the report) of a C check; between are its arguments after the inputs."""
    _ops.unseen("gradcheck")
    tensors, passed, length = _tensors(inputs), C.c_int32(), C.c_size_t()
    text, token = C.create_string_buffer(_REPORT), next(_tokens)
    _checked[token], before = _Checked(func, inputs), set(local.pending)
    try:
        check(function(local.ctx, _compute, token, handles(tensors), len(tensors), *between, C.byref(options), C.byref(passed), text, _REPORT,
                       C.byref(length)))
    finally:
        del _checked[token]
        caught = [local.pending.pop(code) for code in set(local.pending) - before]
    for error in caught:                                                   # by a check without some gradients; as in PyTorch others come through
        if not isinstance(error, RuntimeError):
            raise error
    return bool(passed.value), text.value.decode(errors="replace")


def _options(eps, atol, rtol, nondet_tol, flags):
    if not eps:
        raise ValueError("gradcheck: eps is 0, and has to be above")
    least = sys.float_info.min                                             # the library takes 0 for its default
    return GradcheckOptions(C.sizeof(GradcheckOptions), flags, eps, atol or least, rtol or least, nondet_tol, 0)


def _validate(inputs):
    """Differences need double precision and elements that change one at a time."""
    if not _needing(inputs):
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.")
    for n, x in enumerate(inputs):
        if not isinstance(x, _ops.Tensor) or not x.requires_grad:
            continue
        if x.dtype not in (_dtype.float64, _dtype.complex128):
            warnings.warn(f"Input #{n} requires gradient and is not a double precision floating point or complex. This check will likely fail "
                          "if all the inputs are not of double precision floating point or complex.", stacklevel=3)
        if any(step == 0 and size > 1 for size, step in zip(x.shape, x.stride())):
            raise RuntimeError(f"The {n}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to be "
                               "able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                               "passing it to gradcheck.")


def _only_backward(masked, **asked):
    """Refuses what PyTorch has and this has not."""
    for name, value in asked.items():
        if value:
            raise NotImplementedError(f"{name}=True: forward mode is not there, only backward is checked")
    if masked:
        raise NotImplementedError("masked=True: there are no sparse tensors")


# The report's first words, and PyTorch's for the same.
_WORDS = (
    (r"the gradient of .* is wrong", "Jacobian mismatch for output {0} with respect to input {1}"),
    (r"backward is not deterministic", "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different "
                                       "values. The tolerance for nondeterminism was {nondet_tol}"),
    (r"backward (does not multiply|is not linear)", "backward not multiplied by grad_output"),
    (r"backward (is wrong where only|fails without)", "Expected backward function to handle undefined output grads: a missing one counts as zeros"),
    (r".* does not require grad, but depends on", "Numerical gradient for function expected to be zero"),
)


def _message(report, numbers, nondet_tol):
    """The report under PyTorch's words. numbers: what the report calls an output or input, and PyTorch's number of it."""
    for pattern, words in _WORDS:
        if re.match(pattern, report):
            pair = re.match(r"the gradient of (.*) with respect to (.*) is wrong", report)
            places = [numbers.get(name, name) for name in pair.groups()] if pair else ()
            named = report.replace("\n  by backward, a row", "\n  analytical: by backward, a row").replace("\n  by differences:", "\n  numerical:")
            return words.format(*places, nondet_tol=nondet_tol) + ",\n" + named
    return report


def _verdict(message, raise_exception):
    if message is not None and raise_exception:
        raise GradcheckError(message)
    return message is None


def _numbers(inputs):
    """By the report's name of an input, which counts tensors: its number among those that require grad, as PyTorch counts."""
    needing = [i for i, t in enumerate(_tensors(inputs)) if t.requires_grad]
    return {f"input {i}": n for n, i in enumerate(needing)}


def _batched(func, inputs, atol, rtol):
    """What is wrong with gradients of a batch of seeds: they are not those of the seeds one by one. None: nothing."""
    with enable_grad():
        outputs, leaves = _needing(_tuple(func(*inputs))), _needing(inputs)
    for m, out in enumerate(outputs):
        seeds = [_random_like(out) for _ in range(2)]
        rows = [grad([out], leaves, [s], retain_graph=True, allow_unused=True) for s in seeds]
        try:
            batch = grad([out], leaves, [_ops.function("stack")(seeds)], retain_graph=True, allow_unused=True, is_grads_batched=True)
        except RuntimeError as error:
            return f"While computing batched gradients, got: {error}"
        for n, (got, *wanted) in enumerate(zip(batch, *rows)):
            if not _rows_agree(got, wanted, atol, rtol):
                return (f"For output {m} and input {n}: the gradients of a batch are not those of its rows (check_batched_grad).\n"
                        f"got:\n{got}\nexpected:\n{wanted}")
    return None


def _random_like(x):
    x = x.detach()
    if not x.dtype.is_complex:
        return _ops.function("randn_like")(x)
    return _ops.function("view_as_complex")(_ops.function("randn_like")(_ops.function("view_as_real")(x))).detach()


def _rows_agree(got, wanted, atol, rtol):
    if got is None or any(w is None for w in wanted):
        return all(t is None or not bool((t != 0).any()) for t in (got, *wanted))
    parts = [_ops.function("view_as_real")(t) if t.dtype.is_complex else t for t in (got, _ops.function("stack")(wanted))]
    return parts[0].shape == parts[1].shape and bool(_ops.function("isclose")(*parts, rtol, atol, equal_nan=True).all())


def gradcheck(func, inputs, *, eps=1e-06, atol=1e-05, rtol=0.001, raise_exception=True, nondet_tol=0.0, check_undefined_grad=True,
              check_grad_dtypes=False, check_batched_grad=False, check_batched_forward_grad=False, check_forward_ad=False, check_backward_ad=True,
              fast_mode=False, masked=None):
    """Whether the gradients of func by those inputs that require grad agree with central differences, of both parts where they are complex.

    fast_mode compares one projection of each Jacobian, and its entries only where that differs. A gradient's dtype is looked at in any case.
    """
    _only_backward(masked, check_forward_ad=check_forward_ad, check_batched_forward_grad=check_batched_forward_grad)
    if not check_backward_ad:
        raise ValueError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    inputs = _tuple(inputs)
    _validate(inputs)
    flags = (FAST if fast_mode else 0) | (0 if check_undefined_grad else NO_UNDEFINED)
    passed, report = _run(lib.gradus_gradcheck, func, inputs, (), _options(eps, atol, rtol, nondet_tol, flags))
    if not passed:
        outputs = {f"output {k}": k for k in range(64)}
        return _verdict(_message(report, {**outputs, **_numbers(inputs)}, nondet_tol), raise_exception)
    return _verdict(_batched(func, inputs, atol, rtol) if check_batched_grad else None, raise_exception)


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-06, atol=1e-05, rtol=0.001, gen_non_contig_grad_outputs=False, raise_exception=True,
                  nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False, check_fwd_over_rev=False,
                  check_rev_over_rev=True, fast_mode=False, masked=False):
    """gradcheck of the gradients themselves, by the inputs and by the gradients of the outputs, which are random if not given."""
    _only_backward(masked, check_fwd_over_rev=check_fwd_over_rev)
    if not check_rev_over_rev:
        raise ValueError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    inputs = _tuple(inputs)
    _validate(inputs)
    given = None if grad_outputs is None else _tuple(grad_outputs)
    flags = (FAST if fast_mode else 0) | (0 if check_undefined_grad else NO_UNDEFINED) | (STRIDED if gen_non_contig_grad_outputs else 0)
    between = (None, 0) if given is None else (handles(given), len(given))
    passed, report = _run(lib.gradus_gradgradcheck, func, inputs, between, _options(eps, atol, rtol, nondet_tol, flags))
    if not passed:
        numbers = _numbers(inputs)
        gradients = {f"the gradient of {name}": n for name, n in numbers.items()}
        seeds = [k for k in range(64) if given is None or k < len(given) and given[k].requires_grad]
        numbers.update({f"the gradient of output {k}": len(gradients) + n for n, k in enumerate(seeds)})
        return _verdict(_message(report, {**numbers, **gradients}, nondet_tol), raise_exception)
    return _verdict(_batched(*_gradients(func, inputs, given), atol, rtol) if check_batched_grad else None, raise_exception)


def _gradients(func, inputs, given):
    """The gradients of func as a function of its inputs and of the gradients of its outputs, and those."""
    if given is None:
        with enable_grad():
            given = [_random_like(o).requires_grad_() for o in _needing(_tuple(func(*inputs)))]
    count = len(inputs)

    def first(*args):
        outputs = _needing(_tuple(func(*args[:count])))
        found = grad(outputs, _needing(args[:count]), args[count:], create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)
    return first, (*inputs, *given)
