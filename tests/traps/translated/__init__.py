"""Checks for the traps that are described in words: @trap("ID") on a function of the trap's record.

A check raises to fail, and raises Skip where what the trap is about does not exist here.
"""
import os

checks = {}
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


def count(every_day, full):
    """How often to repeat: the trap's own count only under --full."""
    return full if FULL else every_day


def refused(function, *args, **kwargs):
    """The error that a call must end with."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return error
    raise AssertionError(f"no error: {result!r}")
