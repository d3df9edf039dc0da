"""Sampling images at places that a grid names: affine_grid and grid_sample, by operations that have derivatives."""
import itertools
import warnings

from .. import _ops


def _asked(name, align_corners):
    if align_corners is None:
        warnings.warn(f"{name}: align_corners is False where it is not given", stacklevel=3)
    return bool(align_corners)


def affine_grid(theta, size, align_corners=None):
    """Places [N, *spatial, dims], last dimension x first, of an image of that size under affine maps theta [N, dims, dims + 1]."""
    align, dims = _asked("affine_grid", align_corners), len(size) - 2
    if dims not in (2, 3) or tuple(theta.shape) != (size[0], dims, dims + 1):
        raise ValueError(f"Expected a batch of {dims}D affine matrices of shape {size[0]}x{dims}x{dims + 1} for size {tuple(size)}. "
                         f"Got {tuple(theta.shape)}.")
    make, axes = _ops.function, []
    for i, n in enumerate(size[2:]):
        at = make("linspace")(-1, 1, n, dtype=theta.dtype) if align and n > 1 else (make("arange")(0, n, 1, dtype=theta.dtype) * 2 + 1) / n - 1
        at = at * 0 if align and n == 1 else at
        axes.append(at.reshape([n if j == i else 1 for j in range(dims)]).expand(list(size[2:])))
    base = make("stack")([*reversed(axes), make("ones_like")(axes[0])], -1).reshape(1, -1, dims + 1)
    return (base @ theta.transpose(1, 2)).reshape(size[0], *size[2:], dims)


def _reflected(x, low, high):
    """x folded into [low, high] / 2."""
    if low == high:
        return x * 0
    span, least = (high - low) / 2, low / 2
    x = (x - least).abs()
    times = (x.detach() / span).floor()
    rest = x - times * span
    return _ops.function("where")(times % 2 == 0, rest + least, span - rest + least)


def _places(grid, sizes, padding_mode, align):
    """One coordinate in units of elements for each dimension."""
    found = []
    for i, n in enumerate(sizes):
        x = grid[..., len(sizes) - 1 - i]
        x = (x + 1) / 2 * (n - 1) if align else ((x + 1) * n - 1) / 2
        if padding_mode == "reflection":
            x = _reflected(x, 0, 2 * (n - 1)) if align else _reflected(x, -1, 2 * n - 1)
        found.append(x if padding_mode == "zeros" else x.clamp(0, n - 1))
    return found


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """input [N, C, *spatial] at the places of grid [N, *others, dims] in [-1, 1], x first; between elements linearly, or the nearest one's."""
    align, dims = _asked("grid_sample", align_corners), input.dim() - 2
    if mode not in ("bilinear", "nearest"):
        raise NotImplementedError(f"grid_sample: mode {mode!r}; there are 'bilinear' and 'nearest'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode {padding_mode!r}; there are 'zeros', 'border' and 'reflection'")
    if dims not in (2, 3) or grid.dim() != input.dim() or grid.shape[-1] != dims or grid.shape[0] != input.shape[0]:
        raise ValueError(f"grid_sample: an input of shape {tuple(input.shape)} and a grid of shape {tuple(grid.shape)} do not fit")
    sizes, shape = list(input.shape[2:]), [*input.shape[:2], *grid.shape[1:-1]]
    flat, places = input.flatten(2), _places(grid, sizes, padding_mode, align)
    if mode == "nearest":
        return _taken(flat, [x.detach().round() for x in places], sizes).reshape(shape)
    lows, total = [x.detach().floor() for x in places], 0
    for corner in itertools.product((0, 1), repeat=dims):
        weight = 1
        for x, low, up in zip(places, lows, corner):
            weight = weight * (x - low if up else 1 - (x - low))
        total = total + _taken(flat, [low + up for low, up in zip(lows, corner)], sizes) * weight.flatten(1).unsqueeze(1)
    return total.reshape(shape)


def _taken(flat, at, sizes):
    """The elements at whole numbers, 0 outside: [N, C, places]."""
    index, inside = 0, 1
    for x, n in zip(at, sizes):
        kept = x.clamp(0, n - 1)
        inside = inside * (kept == x)
        index = index * n + kept.long()
    index = index.flatten(1).unsqueeze(1).expand(flat.shape[0], flat.shape[1], -1)
    return flat.gather(2, index) * inside.flatten(1).unsqueeze(1)
