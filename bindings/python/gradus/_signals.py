"""Signals during a long call: Python runs no handlers while the library computes, so the library asks, and what a handler raises ends the call."""
import ctypes as C
import threading

from ._library import lasting

_INTERRUPT = C.CFUNCTYPE(C.c_int32, C.c_void_p)
_CheckSignals = C.pythonapi.PyErr_CheckSignals


def _answers(raised):
    """Each send() runs the handlers of the signals that came; 1: one of them raised, and the exception is in raised.

    A suspended generator takes them up inside its try. A function would run them as it begins, before any try of its own.
    """
    answer = 0
    while True:
        try:
            yield answer
            _CheckSignals()
            answer = 0
        except GeneratorExit:
            raise
        except BaseException as error:
            raised.append(error)
            answer = 1


def interrupt(raised):
    """The address of a C callback for the contexts of this thread, or None: handlers run on the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        return None
    answers = _answers(raised)
    next(answers)
    return C.cast(lasting(_INTERRUPT(answers.send)), C.c_void_p)
