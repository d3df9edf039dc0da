"""Parametrizations that are ready: spectral_norm."""
from ... import _ops
from ..._context import no_grad
from .._module import Module
from . import parametrize


def _unit(v, eps):
    return v / v.norm().clamp_min(eps)


class _SpectralNorm(Module):
    """A weight over its largest singular value, which a power iteration follows in training."""

    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim if dim >= 0 else dim + weight.dim(), eps, n_power_iterations
        if weight.dim() > 1:
            matrix = self._matrix(weight.detach())
            self.register_buffer("_u", _unit(matrix.new_empty([matrix.shape[0]]).normal_(), eps))
            self.register_buffer("_v", _unit(matrix.new_empty([matrix.shape[1]]).normal_(), eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight):
        return weight.transpose(0, self.dim).flatten(1)

    def _iterate(self, matrix, count):
        with no_grad():
            for _ in range(count):
                self._u.copy_(_unit(matrix @ self._v, self.eps))
                self._v.copy_(_unit(matrix.t() @ self._u, self.eps))

    def forward(self, weight):
        if weight.dim() == 1:
            return weight / weight.norm().clamp_min(self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()                            # the next step writes into them
        return weight / _ops.function("dot")(u, matrix @ v)


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """The parameter of that name over its largest singular value. dim: that of the matrix's rows."""
    weight = getattr(module, name)
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    return parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
