"""assert_close and assert_allclose, as PyTorch's."""
from . import _convert, _dtype, _ops

_TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False, check_device=True, check_dtype=True,
                 check_layout=True, check_stride=False, msg=None):
    """AssertionError unless both have the same shape and dtype, and |actual - expected| <= atol + rtol * |expected|."""
    if isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        if len(actual) != len(expected):
            raise AssertionError(msg or f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        for a, b in zip(actual, expected):
            assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, check_stride=check_stride, msg=msg)
        return
    if isinstance(actual, dict) and isinstance(expected, dict):
        if actual.keys() != expected.keys():
            raise AssertionError(msg or f"The keys of the mappings do not match: {list(actual)} and {list(expected)}")
        for key in actual:
            assert_close(actual[key], expected[key], rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, msg=msg)
        return
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    a, b = (_convert.tensor(v, share=True).detach() for v in (actual, expected))
    if a.shape != b.shape:
        raise AssertionError(msg or f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}.")
    if check_dtype and a.dtype is not b.dtype:
        raise AssertionError(msg or f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}.")
    if check_stride and a.stride() != b.stride():
        raise AssertionError(msg or f"The values for attribute 'stride()' do not match: {a.stride()} != {b.stride()}.")
    if rtol is None:
        both = [_TOLERANCES.get(t.dtype.name, (0.0, 0.0)) for t in (a, b)]
        rtol, atol = max(t[0] for t in both), max(t[1] for t in both)
    widest = _dtype.complex128 if a.dtype.is_complex or b.dtype.is_complex else _dtype.float64
    wide = [t.to(widest) if widest.is_complex or t.dtype.is_floating_point or a.dtype is not b.dtype else t for t in (a, b)]
    wide = [t.to(_dtype.int64) if t.dtype is _dtype.bool_ else t for t in wide]
    close = _ops.function("isclose")(*wide, rtol, atol, equal_nan=equal_nan)
    if not close.all():
        wrong = int((~close).sum())
        raise AssertionError(msg or f"Tensor-likes are not close!\n\nMismatched elements: {wrong} / {a.numel()}\nactual: {a}\nexpected: {b}")


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)
