"""Runs one trap, read as JSON from standard input; prints what came of it as JSON in the last line."""
import importlib
import json
import math
import pathlib
import sys

import translated

HERE = pathlib.Path(__file__).resolve().parent
RTOL, RTOL_ANY_OF = 1e-15, 1e-12                                            # the file's `tolerance`


def plain(v):
    """Lists and Python numbers for tensors, arrays and shapes; text for element types."""
    if hasattr(v, "tolist"):
        v = v.tolist()
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v if v is None or isinstance(v, (bool, int, float, str)) else str(v)


def number(v):
    """A float for one that JSON can only spell as text."""
    return float(v) if v in ("nan", "inf", "-inf") else v


def same_number(got, want, rtol, atol):
    if isinstance(got, int) and isinstance(want, int):
        return got == want
    got, want = float(got), float(want)
    if math.isnan(got) or math.isnan(want):
        return math.isnan(got) and math.isnan(want)
    if want == 0 and math.copysign(1, want) < 0 and atol == 0:              # -0.0 is written where the sign is the point
        return got == 0 and math.copysign(1, got) < 0
    return got == want or abs(got - want) <= atol + rtol * abs(want) < math.inf


def same(got, want, rtol, atol):
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(same(g, w, rtol, atol) for g, w in zip(got, want))
    if isinstance(want, bool) or want is None or isinstance(got, bool):
        return got is want
    if isinstance(got, (int, float)):
        return isinstance(number(want), (int, float)) and same_number(got, number(want), rtol, atol)
    return got == want


def absent(error):
    """Whether an error says only that something is not there: that is never the refusal a trap asks for."""
    return isinstance(error, (AttributeError, NameError, ImportError, SyntaxError)) or "is not there" in str(error)


def check(expect, names):
    """None, or what is wrong with one expectation."""
    if "stmt" in expect:
        try:
            exec(expect["stmt"], names)
        except Exception as error:
            return f"{expect['stmt']}: {error}" if absent(error) else None
        return f"no error from {expect['stmt']}"
    try:
        got = plain(eval(expect["expr"], names))
    except Exception as error:
        if "raises" in expect.get("any_of", ()) and not absent(error):
            return None
        return f"{expect['expr']} raised {type(error).__name__}: {str(error)[:300]}"
    if "any_of" in expect:
        rtol, atol = expect.get("rtol", RTOL_ANY_OF), expect.get("atol", 0)
        right = any(want != "raises" and same(got, want, rtol, atol) for want in expect["any_of"])
    else:
        right = same(got, expect["value"], expect.get("rtol", RTOL), expect.get("atol", 0))
    return None if right else f"{expect['expr']} -> {got!r}, not {expect.get('value', expect.get('any_of'))!r}"[:700]


def run_setup(trap):
    """Runs the program of a trap and checks what it is expected to leave; one answer."""
    names = {"torch": translated.torch, "F": translated.torch.nn.functional, "L": translated.L, "T": translated.T}
    try:
        exec(trap["setup"], names)
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "numpy":
            return {"what": "program", "state": "skipped", "reason": "numpy is not there"}
        return {"what": "program", "state": "failed", "reason": f"setup raised {error}"}
    except Exception as error:
        return {"what": "program", "state": "failed", "reason": f"setup raised {type(error).__name__}: {str(error)[:400]}"}
    wrong = [w for w in (check(e, names) for e in trap["expect"] if "property" not in e) if w]
    return {"what": "program", "state": "failed" if wrong else "passed", "reason": " | ".join(wrong)}


def run_translated(trap):
    """Runs the check written for a trap whose text is not a program, or for the property it states beside one; its answers."""
    for path in sorted((HERE / "translated").glob("[a-z]*.py")):
        importlib.import_module("translated." + path.stem)
    function = translated.checks.get(trap["id"])
    if function is None:
        return [{"what": "property", "state": "failed", "reason": "no check is written: " + trap["expect"][-1]["property"]}]
    try:
        function(trap)
    except translated.Skip as why:
        return [{"what": "property", "state": "skipped", "reason": str(why)}]
    except Exception as error:
        last = error.__traceback__
        while last.tb_next:
            last = last.tb_next
        place = f"{pathlib.Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}"
        return [{"what": "property", "state": "failed", "reason": f"{place}: {type(error).__name__}: {str(error)[:400]}"}]
    left_out = [{"what": "part", "state": "skipped", "reason": why} for why in translated.left_out]
    return [{"what": "property", "state": "passed", "reason": ""}, *left_out]


def main():
    trap = json.load(sys.stdin)
    answers = [run_setup(trap)] if trap["executable"] else []
    if any("property" in e for e in trap["expect"]):
        answers += run_translated(trap)
    sys.stdout.flush()
    print("\n" + json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
