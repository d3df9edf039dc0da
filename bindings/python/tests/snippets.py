"""What PyTorch answers to the expressions of snippets.txt; `python3 snippets.py < EXPRESSIONS > snippets.txt` writes it, with PyTorch.

A line is an expression (statements before it end with ";"), a tab, and the answer as JSON: a tensor is {"type", "shape", "values", "grad"},
an error {"error": name}. test_snippets.py asks gradus the same.
"""
import json
import math
import sys
import warnings

SETUP = """
x = torch.arange(24.).reshape(2, 3, 4) / 7 - 1
m = torch.tensor([[1., 2.], [3., 4.]])
v = torch.tensor([1., 2., 3.])
i = torch.tensor([2, 0])
b = torch.tensor([True, False, True])
n = torch.arange(6).reshape(2, 3)
u = torch.tensor(3)
s = torch.tensor(2.5)
"""


def plain(result, torch):
    """An answer as JSON has it."""
    if isinstance(result, torch.Tensor):
        values = result.detach()
        values = values.tolist() if not values.dtype.is_floating_point else values.double().tolist()
        return {"type": str(result.dtype), "shape": list(result.shape), "values": values, "grad": result.requires_grad}
    if isinstance(result, (list, tuple)):
        return [plain(r, torch) for r in result]
    if isinstance(result, (bool, int, float, str, type(None))):
        return result
    return str(result)


def answer(code, torch, numpy):
    """(plain answer, the exception if there was one)"""
    scope = {"torch": torch, "F": torch.nn.functional, "np": numpy, "math": math}
    *statements, last = code.split(";")
    try:
        exec(SETUP, scope)
        exec("\n".join(line.strip() for line in statements), scope)
        return plain(eval(last.strip(), scope), torch), None
    except Exception as error:
        return {"error": type(error).__name__}, error


def main():
    import numpy
    import torch
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        code = line.strip()
        if code and not code.startswith("#"):
            print(code + "\t" + json.dumps(answer(code, torch, numpy)[0]))


if __name__ == "__main__":
    main()
