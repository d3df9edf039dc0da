"""The fundamentals of autograd with gradus in Python, step by step. Prints what it does and checks it.

    PYTHONPATH=bindings/python python3 examples/tutorial.py

Only the first line would differ with PyTorch, and the model of step 4, which torch.nn writes shorter.
"""
import math

import gradus as torch
from gradus.autograd import functional, profiler


def title(text):
    print(f"\n==== {text}\n")


def walk(node, depth=0):
    if node is None:
        return
    print("  " * depth + node.name())
    for following, _ in node.next_functions:
        walk(following, depth + 1)


def a_simple_example():
    """Steps 1 to 3: a computation is recorded, looked at, and run backwards."""
    title("1. A leaf that requires grad, and a function of it")
    a = torch.linspace(0.0, 2.0 * math.pi, steps=25, requires_grad=True)
    print(a)
    b = torch.sin(a)
    print(b)

    title("2. The graph behind the result")
    c = 2 * b
    d = c + 1
    out = d.sum()
    print(out)
    walk(out.grad_fn)
    assert d.grad_fn.next_functions[0][0] is c.grad_fn
    assert a.grad_fn is None and a.is_leaf
    assert b.grad_fn.next_functions[0][0].next_functions == ()              # AccumulateGrad is where the graph ends

    title("3. Backward")
    out.backward()
    print(a.grad)
    assert torch.allclose(a.grad, 2 * torch.cos(a.detach()), atol=1e-6)
    assert b.grad is None                                                   # only leaves keep their gradient


class TinyModel:
    def __init__(self):
        self.w1, self.b1 = (0.03 * torch.randn(100, 1000)).requires_grad_(), torch.zeros(100, requires_grad=True)
        self.w2, self.b2 = (0.1 * torch.randn(10, 100)).requires_grad_(), torch.zeros(10, requires_grad=True)

    def __call__(self, x):
        linear = torch.nn.functional.linear
        return linear(linear(x, self.w1, self.b1).relu(), self.w2, self.b2)

    def parameters(self):
        return self.w1, self.b1, self.w2, self.b2

    def zero_grad(self):
        for p in self.parameters():
            p.grad = None


def training():
    """Steps 4 and 5: training, and gradients that add up."""
    title("4. One step of training")
    model, some_input, ideal_output = TinyModel(), torch.randn(16, 1000), torch.randn(16, 10)
    prediction = model(some_input)
    loss = (ideal_output - prediction).pow(2).sum()
    print(loss)
    print(model.w2[0][0:10], model.w2.grad)
    assert model.w2.grad is None                                            # no gradient before the first backward
    loss.backward()
    print(model.w2.grad[0][0:10])
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.001 * p.grad
    print(model.w2[0][0:10])
    after = (ideal_output - model(some_input)).pow(2).sum()
    print(f"the loss goes from {loss.item():.1f} to {after.item():.1f}")
    assert after < loss

    title("5. Gradients add up until they are cleared")
    model.zero_grad()
    last = 0.0
    for i in range(5):
        (ideal_output - model(some_input)).pow(2).sum().backward()
        now = model.w2.grad.norm().item()
        print(f"pass {i + 1}: the norm of w2.grad is {now:.2f}")
        assert now > last
        last = now
    model.zero_grad()
    assert model.w2.grad is None


def control():
    """Steps 6 to 8: switching recording off, detaching, and what in-place operations may not do."""
    title("6. Recording on and off")
    a = torch.ones(2, 3, requires_grad=True)
    print(2 * a)
    a.requires_grad = False
    print(2 * a)
    a.requires_grad = True
    b = 2 * a
    with torch.no_grad():
        c = a + b
        with torch.enable_grad():
            d = a + b
    assert (b.requires_grad, c.requires_grad, d.requires_grad) == (True, False, True)

    @torch.no_grad()
    def add_tensors(x, y):
        return x + y
    assert not add_tensors(a, b).requires_grad

    title("7. Detach")
    x = torch.rand(5, requires_grad=True)
    y = x.detach()
    print(x, y, sep="\n")
    assert not y.requires_grad and y.data_ptr() == x.data_ptr()

    title("8. In place on a leaf")
    try:
        torch.sin_(x)
        raise SystemExit("sin_ on a leaf that requires grad has to be refused")
    except RuntimeError as error:
        print("refused:", error)


def profile():
    """Step 9: where the time goes."""
    title("9. The profiler")
    x, y, z = torch.randn(2, 3, requires_grad=True), torch.rand(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    with profiler.profile() as prf:
        for _ in range(1000):
            z = (z / x) * y
    print(prf.key_averages().table(sort_by="self_cpu_time_total"))
    assert {e.key: e.count for e in prf.key_averages()} == {"div": 1000, "mul": 1000}


def doubled(x):
    y = x * 2
    while y.data.norm() < 1000:
        y = y * 2
    return y


DIRECTION = torch.tensor([0.1, 1.0, 0.0001])


def vector_jacobian_product():
    """Step 10: a loop whose length depends on the data, and an output that is not one number."""
    title("10. A result with three elements")
    x = torch.randn(3, requires_grad=True)
    y = doubled(x)
    print(y)
    y.backward(DIRECTION)                                                   # stand-in for the gradients
    print(x.grad)
    assert torch.allclose(x.grad, DIRECTION * (y / x).detach())


def functions():
    """Steps 11 and 12: derivatives of functions."""
    title("11. The Jacobian of a function")

    def exp_adder(x, y):
        return 2 * x.exp() + 3 * y
    for inputs in ((torch.rand(1), torch.rand(1)), (torch.rand(3), torch.rand(3))):
        found = functional.jacobian(exp_adder, inputs)
        print(inputs, found, sep="\n")
        assert torch.allclose(found[0], torch.diag(2 * inputs[0].exp()))
        assert torch.allclose(found[1], 3 * torch.eye(len(inputs[0])))

    title("12. A vector times the Jacobian")
    x = torch.rand(3)
    outputs, product = functional.vjp(doubled, x, v=DIRECTION)
    print(outputs, product, sep="\n")
    assert torch.allclose(product, DIRECTION * (outputs / x))


if __name__ == "__main__":
    torch.manual_seed(17)
    a_simple_example()
    training()
    control()
    profile()
    vector_jacobian_product()
    functions()
    print("\nAll twelve steps hold.")
