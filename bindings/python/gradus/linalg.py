"""gradus.linalg.NAME is the operation linalg_NAME."""
from . import _composite, _ops

_ALSO = {"matmul": "matmul", "diagonal": "linalg_diagonal"}


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """The vector norm; of matrices the Frobenius norm."""
    import gradus
    if ord in (None, "fro"):
        return gradus.linalg_vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if isinstance(ord, str) or A.dim() != 1 and not isinstance(dim, int):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim)
    return gradus.linalg_vector_norm(A, ord, dim, keepdim, dtype=dtype)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """fro, 1, -1, inf or -inf; those by singular values are not there."""
    import gradus
    if ord == "fro":
        return gradus.linalg_vector_norm(A, 2, list(dim), keepdim, dtype=dtype)
    if not isinstance(ord, (int, float)) or abs(ord) not in (1, float("inf")):
        raise NotImplementedError(f"matrix_norm: ord={ord!r} is not there")
    rows, columns = [d % A.dim() for d in dim]
    summed, other = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(summed, keepdim=True)
    best = sums.amax(other, keepdim=True) if ord > 0 else sums.amin(other, keepdim=True)
    return best if keepdim else best.squeeze(summed if summed > other else other).squeeze(min(summed, other))


def matrix_power(A, n):
    """A multiplied n times with itself."""
    import gradus
    if n < 0:
        return matrix_power(gradus.linalg.inv(A), -n)
    if n == 0:
        return gradus.eye(A.shape[-1], dtype=A.dtype).expand(A.shape).clone()
    result = None
    while n:
        if n & 1:
            result = A if result is None else result @ A
        n >>= 1
        A = A @ A if n else A
    return result.clone() if result is A else result


def __getattr__(name):
    found = _composite.find("linalg_" + name) or _ops.function("linalg_" + name) or _ops.function(_ALSO.get(name, ""))
    if found is None:
        raise AttributeError(f"module 'gradus.linalg' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__():
    return sorted([*globals()] + [n[7:] for n in _ops.registry.names if n.startswith("linalg_")])
