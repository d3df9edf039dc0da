"""Checks for the traps that are described in words: @trap("ID") on a function of the trap's record.

A check raises to fail, and raises Skip where the machine lacks what it needs; leave_out() names a part that a check leaves out.
Like the programs of the executable traps they see `torch` (this is gradus), L (a float64 leaf) and T (a float64 tensor); the default type is float64.
"""
import os

import gradus as torch

torch.set_default_dtype(torch.float64)
checks = {}
left_out = []                                                               # reasons; each is a part that is reported as skipped
FULL = "GRADUS_TRAPS_FULL" in os.environ


class Skip(Exception):
    pass


def trap(*ids):
    def add(function):
        for name in ids:
            assert name not in checks, name
            checks[name] = function
        return function
    return add


def leave_out(reason):
    left_out.append(reason)


def count(every_day, full):
    """How often to repeat: the trap's own count only under --full."""
    return full if FULL else every_day


def L(v):
    return torch.tensor(v, dtype=torch.float64, requires_grad=True)


def T(v):
    return torch.tensor(v, dtype=torch.float64)


def refused(function, *args, **kwargs):
    """The error that a call must end with: one of the library, not a name that is not there."""
    try:
        result = function(*args, **kwargs)
    except (AttributeError, NameError, ImportError):
        raise
    except Exception as error:
        return error
    raise AssertionError(f"no error: {result!r}"[:300])


def equal(got, want):
    got = got.tolist() if hasattr(got, "tolist") else got
    assert got == want, f"{got!r}, not {want!r}"[:300]


def same_bits(a, b):
    from gradus import _convert
    return a.shape == b.shape and a.dtype is b.dtype and _convert.to_bytes(a) == _convert.to_bytes(b)


def living():
    """Tensors, graph nodes, callbacks and foreign blocks that exist."""
    counts = torch.live_counts()
    return {name: counts[name] for name in ("tensors", "graph_nodes", "callbacks", "foreign_blocks")}
