"""A network solves a partial differential equation: no data, only what its second derivatives have to be.

    PYTHONPATH=bindings/python python3 examples/pinn.py --svg error.svg

Poisson's equation on the unit square, u_xx + u_yy = -f with f = 2 pi^2 sin(pi x) sin(pi y) and u = 0 on the border; its solution is
u = sin(pi x) sin(pi y). The network's output times x (1 - x) y (1 - y) is 0 on the border by itself, so the loss is the equation alone, at
points that are drawn anew for each step: the mean of (u_xx + u_yy + f)^2. The second derivatives come from two calls of autograd.grad, and
backward goes through both. An epoch is 50 steps. Expected of the defaults (20 epochs, seed 1):
a relative error of 1.04e-03, in 7 s on one processor.
"""
import math

import gradus as torch
import learning
from gradus import nn, optim


class Solution(nn.Module):
    def __init__(self, width=32, layers=3):
        super().__init__()
        sizes = [2] + [width] * layers
        hidden = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), nn.Tanh())]
        self.net = nn.Sequential(*hidden, nn.Linear(width, 1))

    def forward(self, points):
        x, y = points.unbind(1)
        right, top = 1 - x, 1 - y
        return self.net(points).squeeze(1) * x * right * y * top


def laplacian(u, points):
    """u_xx + u_yy at each point, still a function of the parameters."""
    first, = torch.autograd.grad(u.sum(), points, create_graph=True)
    xx, yy = (torch.autograd.grad(first[:, k].sum(), points, create_graph=True)[0][:, k] for k in (0, 1))
    return xx + yy


def exact(points):
    x, y = points.unbind(1)
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


def residual(model, points):
    points = points.detach().requires_grad_()
    return ((laplacian(model(points), points) + 2 * math.pi ** 2 * exact(points.detach())) ** 2).mean()


@torch.no_grad()
def error(model, side=41):
    """The relative error over a grid: the root of the sum of squares, divided by the solution's."""
    line = torch.linspace(0, 1, side)
    points = torch.stack([line.repeat_interleave(side), line.repeat(side)], 1)
    right = exact(points)
    return (((model(points) - right) ** 2).sum() / (right ** 2).sum()).sqrt().item()


def main():
    args = learning.arguments(__doc__, 20)
    args.epochs, steps, count = (3, 20, 64) if args.quick else (args.epochs, 50, 256)
    model = Solution()
    before = error(model)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    rates = optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs * steps)
    curves = {"residual": [], "relative error": []}
    epoch = learning.resume(args.resume, model, curves, optimizer, rates)
    end = learning.end_of(args)
    progress = learning.Progress("epochs", end - epoch)
    while epoch < end:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = residual(model, torch.rand(count, 2))
            loss.backward()
            optimizer.step()
            rates.step()
        epoch += 1
        curves["residual"].append((epoch, loss.item()))
        curves["relative error"].append((epoch, error(model)))
        learning.save(args.save, model, epoch, curves, optimizer, rates)
        progress.step(f"residual {loss.item():.2e}  relative error {curves['relative error'][-1][1]:.2e}")
    after = error(model)
    print(f"relative error: {after:.2e}, at the start {before:.2e}")
    learning.expect(args, after < 0.7, "a relative error below 0.7")
    if args.svg:
        learning.write_svg(args.svg, "A network solves Poisson's equation", "epoch", "", curves, logarithmic=True)


if __name__ == "__main__":
    main()
