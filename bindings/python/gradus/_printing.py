"""Tensors as text with other settings than the usual ones, which the library prints itself."""
import math

_USUAL = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
_PROFILES = {"default": _USUAL, "short": {**_USUAL, "precision": 2, "edgeitems": 2}, "full": {**_USUAL, "threshold": math.inf}}
_options = dict(_USUAL)


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """How tensors are printed: digits after the point, from how many elements on and with how many at the ends they are shortened, the width of
    a line, and whether numbers are written as 1.0e+02. profile: "default", "short" or "full".

    >>> import gradus as torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([3.14159, 2.71828])
    tensor([3.14, 2.72])
    >>> torch.set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"profile {profile!r} is none of {', '.join(_PROFILES)}")
        _options.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({k: v for k, v in given.items() if v is not None})
    _options["sci_mode"] = sci_mode


def get_printoptions():
    return dict(_options)


def is_usual():
    return _options == _USUAL


class _Cut:
    """Stands for the elements between the two ends."""


def _ends(t, dims):
    """The elements as nested lists, with _Cut where a dimension is shortened."""
    edge, size = _options["edgeitems"], t.shape[0] if dims else 0
    if not dims:
        return t.item()
    if size <= 2 * edge:
        return [_ends(t[i], dims - 1) for i in range(size)]
    return [*(_ends(t[i], dims - 1) for i in range(edge)), _Cut, *(_ends(t[i], dims - 1) for i in range(size - edge, size))]


def _numbers(data):
    if data is _Cut:
        return
    if isinstance(data, list):
        for item in data:
            yield from _numbers(item)
    else:
        yield data


class _Format:
    """One form for all numbers of a tensor."""

    def __init__(self, numbers, floating):
        self.floating, self.whole, self.scientific, self.width = floating, True, False, 1
        digits = self.digits = _options["precision"]
        if not floating:
            self.width = max([len(str(v)) for v in numbers], default=1)
            return
        finite = [v for v in numbers if math.isfinite(v) and v != 0]
        if not finite:
            self.scientific = bool(_options["sci_mode"])
            return
        sizes = [abs(v) for v in finite]
        self.whole = all(v == math.floor(v) for v in finite)
        self.scientific = max(sizes) / min(sizes) > 1000 or max(sizes) > 1e8 or not self.whole and min(sizes) < 1e-4
        if self.scientific:
            self.width = max(len(f"{v:.{digits}e}") for v in finite)
        else:
            self.width = max(len(f"{v:.0f}") + 1 if self.whole else len(f"{v:.{digits}f}") for v in finite)
        if _options["sci_mode"] is not None:
            self.scientific = _options["sci_mode"]

    def __call__(self, v):
        if not self.floating:
            text = str(v)
        elif self.scientific:
            text = f"{v:{self.width}.{self.digits}e}"
        elif self.whole:
            text = f"{v:.0f}" + ("." if math.isfinite(v) else "")
        else:
            text = f"{v:.{self.digits}f}"
        return text.rjust(self.width)


def _text(data, dims, indent, form):
    if not dims:
        return form(data)
    if dims > 1:
        rows = ["..." if row is _Cut else _text(row, dims - 1, indent + 1, form) for row in data]
        return "[" + ("," + "\n" * (dims - 1) + " " * (indent + 1)).join(rows) + "]"
    items = [" ..." if v is _Cut else form(v) for v in data]
    count = max(1, (_options["linewidth"] - indent) // (form.width + 2))
    lines = [", ".join(items[i:i + count]) for i in range(0, len(items), count)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def text(t):
    """repr of a tensor by the options."""
    from . import _dtype
    plain, dims, floating = t.detach(), t.dim(), t.dtype.is_floating_point
    notes, usual = [], t.dtype in (_dtype.default_dtype(), _dtype.int64, _dtype.bool_)
    if not t.numel():
        body = "[]"
        notes = [f"size={tuple(t.shape)}"] if dims != 1 else []
        usual = t.dtype is _dtype.default_dtype()
    else:
        data = _ends(plain, dims) if t.numel() > _options["threshold"] else plain.tolist()
        body = _text(data, dims, 7, _Format(list(_numbers(data)), floating))
    notes += [] if usual else [f"dtype={t.dtype}"]
    if t.grad_fn is not None:
        notes.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        notes.append("requires_grad=True")
    made, last = "tensor(" + body, len(body) + 7 - (("tensor(" + body).rfind("\n") + 1) + 1
    for note in notes:
        if last + len(note) + 2 > _options["linewidth"]:
            made, last = f"{made},\n       {note}", 7 + len(note)
        else:
            made, last = f"{made}, {note}", last + len(note) + 2
    return made + ")"
