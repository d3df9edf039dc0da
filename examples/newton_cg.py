"""Newton's method without a Hessian: conjugate gradients need only its products with vectors, and those are one more backward.

    PYTHONPATH=bindings/python python3 examples/newton_cg.py --svg curve.svg

The function is Rosenbrock's in 100 dimensions, the sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: a long curved valley with the minimum 0 at
(1, ..., 1). Each epoch is one step of Newton's method: conjugate gradients solve H d = -g roughly, stop where a direction has negative
curvature, and the step goes along d as far as the function decreases enough. Near the minimum every step doubles the number of right digits.
Expected of the defaults (double precision, seed 1): value 0 after 263 steps and 1,789 products; every coordinate is exactly 1.
There is one more local minimum, of value 3.99 near (-1, 1, ..., 1), where other seeds may end (3 does).
"""
import gradus as torch
import learning
from gradus import nn


class Point(nn.Module):
    """Where we are; its value is Rosenbrock's function."""

    def __init__(self, dimensions):
        super().__init__()
        self.x = nn.Parameter(torch.randn(dimensions, dtype=torch.float64))
        self.register_buffer("products", torch.tensor(0))                  # of the Hessian with a vector, so far

    def forward(self):
        x = self.x
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


class NewtonCG(torch.optim.Optimizer):
    """Truncated Newton steps. step(closure): the closure gives the function's value, and no gradients yet."""

    def __init__(self, params, max_products=200):
        super().__init__(params, {"max_products": max_products})
        self.products = self.value = 0

    @staticmethod
    def _dot(a, b):
        return sum((p * q).sum().item() for p, q in zip(a, b))

    def step(self, closure):
        group = self.param_groups[0]
        params = group["params"]
        with torch.enable_grad():
            value = closure()
            grads = torch.autograd.grad(value, params, create_graph=True)
        self.value = value.item()
        direction = self._solve(params, grads, group["max_products"])
        self._search(closure, params, direction, self._dot([g.detach() for g in grads], direction))
        return value.detach()

    def _product(self, params, grads, v):
        """H v: the gradient of g . v."""
        self.products += 1
        return torch.autograd.grad(grads, params, grad_outputs=v, retain_graph=True)

    def _solve(self, params, grads, most):
        """d with |H d + g| <= min(1/2, sqrt |g|) |g|."""
        g = [t.detach() for t in grads]
        d, r = [torch.zeros_like(t) for t in g], [-t for t in g]
        p, rr = list(r), self._dot(r, r)
        enough = min(0.25, rr ** 0.5) * rr
        for k in range(most):
            hp = self._product(params, grads, p)
            curvature = self._dot(p, hp)
            if curvature <= 1e-12 * self._dot(p, p):
                return d if k else p
            alpha = rr / curvature
            d = [a + alpha * b for a, b in zip(d, p)]
            r = [a - alpha * b for a, b in zip(r, hp)]
            before, rr = rr, self._dot(r, r)
            if rr <= enough:
                break
            p = [a + rr / before * b for a, b in zip(r, p)]
        return d

    @torch.no_grad()
    def _search(self, closure, params, direction, slope):
        """Halves the step until the function falls by a part of what the slope promises."""
        start, step = [p.detach().clone() for p in params], 1.0
        while step > 1e-12:
            for p, s, d in zip(params, start, direction):
                p.copy_(s + step * d)
            if closure().item() <= self.value + 1e-4 * step * slope:
                return
            step /= 2
        for p, s in zip(params, start):
            p.copy_(s)


def main():
    args = learning.arguments(__doc__, 300)
    model = Point(10 if args.quick else 100)
    optimizer = NewtonCG(model.parameters())
    curves = {"value": []}
    epoch, end = learning.resume(args.resume, model, curves), learning.end_of(args)
    curve, optimizer.products = curves["value"], model.products.item()
    progress = learning.Progress("steps", end - epoch)
    while epoch < end and not (curve and curve[-1][1] < 1e-20):
        value = optimizer.step(model).item()
        curve.append((epoch, value))
        epoch += 1
        model.products.fill_(optimizer.products)
        learning.save(args.save, model, epoch, curves)
        progress.step(f"value {value:.3e}")
    progress.close()
    print(f"value {model().item():.2e} after {epoch} steps and {optimizer.products} products of the Hessian with a vector; "
          f"furthest from the minimum: {(model.x.detach() - 1).abs().max().item():.1e}")
    learning.expect(args, curve[-1][1] < 1e-10, "a value below 1e-10")
    if args.svg:
        learning.write_svg(args.svg, "Newton's method with conjugate gradients", "step", "Rosenbrock's function", curves, logarithmic=True)


if __name__ == "__main__":
    main()
