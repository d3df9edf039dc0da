"""The process around the library: loading and unloading, what a guest leaves alone, locales. Each check starts processes of its own."""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from . import Skip, c, count, leave_out, trap

ROOT = pathlib.Path(__file__).parents[3]


def python(program, **environment):
    """What a new Python prints; it must end by itself with status 0, and in silence."""
    done = subprocess.run([sys.executable, "-c", program], env=dict(os.environ, **environment), capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, (done.returncode, done.stderr[-600:])
    assert not done.stderr, done.stderr[-600:]
    return done.stdout


LOADS = """
import ctypes as C, _ctypes, os, sys
def once():
    lib = C.CDLL(PATH)
    P, ctx, h, y = C.c_void_p, C.c_void_p(), C.c_void_p(), C.c_void_p()
    for name in ("context_create", "tensor_zeros", "exp", "backward", "sum"): getattr(lib, "gradus_" + name).restype = C.c_int32
    assert lib.gradus_context_create(None, C.byref(ctx)) == 0
    assert lib.gradus_tensor_zeros(ctx, 10, 1, (C.c_int64 * 1)(100000), C.byref(h)) == 0
    assert lib.gradus_exp(ctx, h, C.byref(y)) == 0
    for p in (y, h, ctx): lib.gradus_release(p)
    _ctypes.dlclose(lib._handle)
def state():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
for _ in range(20): once()
before = state()
for _ in range(COUNT): once()
assert state() == before, (before, state())
"""
EXITS = """
import threading, time, atexit, gradus as torch
x = torch.randn(500, 500).requires_grad_()
y = (x @ x).exp().sum()
atexit.register(lambda: (y.backward(), x.grad.sum().item()))
def work():
    while True: torch.randn(200000).exp()
for _ in range(3): threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""


@trap("RS10")
def loaded_again_and_again(trap):
    python(LOADS.replace("PATH", repr(c.library.path)).replace("COUNT", str(count(300, 1000))))
    for _ in range(count(3, 30)):
        python(EXITS)


STATE = r"""
import ctypes as C, locale, os, re, signal, sys, gradus as torch
libm = C.CDLL("libm.so.6")
class Environment(C.Structure): _fields_ = [("words", C.c_uint32 * 7), ("mxcsr", C.c_uint32)]
def state():
    e = Environment()
    libm.fegetenv(C.byref(e))
    mask = os.umask(0); os.umask(mask)
    # Of the signal masks 32 and 33 are glibc's, for threads.
    control = (e.words[0] & 0xffff, e.mxcsr & ~0x3f)                        # rounding, masks, flushing; not the flags of what happened
    return ([signal.getsignal(s) for s in sorted(signal.valid_signals())], [int(mask, 16) & ~(3 << 31) for mask in re.findall(r"Sig(?:Blk|Ign|Cgt):\t(\w+)", open("/proc/self/status").read())], control, mask,
            os.getcwd(), dict(os.environ), locale.setlocale(locale.LC_ALL), sorted(os.listdir("/proc/self/fd")))
torch.ones(2)
before = state()
operations = torch._ops.registry
x, t = torch.rand(2, 3), [torch.rand(2, 3).requires_grad_(), torch.tensor([[1, 0, 1], [0, 1, 1]])]
called = 0
for name in sorted(operations.records):
    record = operations.records[name]
    for given in t:
        args = [given if a["type"] == "tensor" and not a["list"] else [given, given] if a["type"] == "tensor" else
                1 if a["type"] in ("int", "number", "float") and not a["list"] else [1, 1] if a["type"] in ("int", "float") else None
                for a in record["arguments"] if "default" not in a and a["type"] != "other"]
        try:
            called += 1
            result = torch._ops.call(name, [operations.operation(name)], [a.clone().detach() if record["in_place"] and a is given else a for a in args], {})
            if isinstance(result, torch.Tensor) and result.requires_grad: result.sum().backward()
        except Exception: pass
after = state()
assert called > 500
assert before == after, [(a, b) for a, b in zip(before, after) if a != b]
"""


@trap("RS11")
def the_process_is_left_alone(trap):
    assert python(STATE) == ""
    if not shutil.which("nm"):
        return leave_out("the exported names: no nm")
    names = subprocess.run(["nm", "-D", "--defined-only", c.library.path], capture_output=True, text=True, check=True)
    exported = [line.split()[-1].split("@")[0] for line in names.stdout.splitlines()]
    foreign = [n for n in exported if not n.startswith(("gradus_", "GRADUS_"))]
    assert exported and not foreign, foreign


PRINTS = """
import locale
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
import gradus as torch                                                      # the library reads its schemas now
assert locale.localeconv()["decimal_point"] == ","
x = torch.tensor([0.5, 1e-9, 12345.75])
text = repr(x)
assert "," in text and "0,5" not in text and "5.0000e-01" in text, text
assert repr(torch.tensor([0.5, 2.25])) == "tensor([0.5000, 2.2500])", repr(torch.tensor([0.5, 2.25]))
import json
from gradus._library import registry_text
assert any(a.get("default") == 0.01 for op in json.loads(registry_text())["ops"] for a in op["arguments"])
assert torch.nn.functional.leaky_relu(torch.tensor([-1.0], dtype=torch.float64)).item() == -0.01
try: torch.nn.functional.dropout(x, 1.5)
except Exception as e: assert "1.5" in str(e), e
else: raise SystemExit("no error")
"""


@trap("RS12")
def decimal_commas(trap):
    installed = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    if any(re.fullmatch(r"de_DE\.utf-?8", name, re.I) for name in installed):
        return python(PRINTS)
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", folder + "/de_DE.UTF-8"], capture_output=True)
        if not glob.glob(folder + "/*/LC_NUMERIC"):
            raise Skip(f"no locale with a decimal comma, and none can be made: {made.stderr.decode().strip()[:100]}")
        python(PRINTS, LOCPATH=folder)
