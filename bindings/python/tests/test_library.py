"""gradus.library: operations written in Python."""
import threading
import typing
import unittest

import gradus as torch
from gradus import Tensor, library


def setUpModule():
    if not hasattr(torch._library.lib, "gradus_op_register"):
        raise unittest.SkipTest("the library has no operations of the host")


def leaf(*numbers):
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


@library.custom_op("pytest::scaled_exp", mutates_args=())
def scaled_exp(x: Tensor, scale: float = 1.0) -> Tensor:
    """exp(scale * x)"""
    assert not torch.is_grad_enabled()
    return (x * scale).exp()


def keep(ctx, inputs, output):
    _, ctx.scale = inputs
    ctx.save_for_backward(output)


@library.custom_op("pytest::everything")
def everything(parts: typing.List[Tensor], weight: typing.Optional[Tensor], sizes: typing.List[int], flag: bool = True, mode: str = "plain",
               kind: torch.dtype = torch.float32, *, factor: typing.Union[int, float] = 2) -> typing.Tuple[Tensor, Tensor]:
    seen.append((len(parts), weight is None, sizes, flag, mode, kind, factor))
    return sum(parts[1:], parts[0].clone()) * factor, parts[0] * parts[0]


seen = []
scaled_exp.register_autograd(lambda ctx, g: (g * ctx.saved_tensors[0] * ctx.scale, None), setup_context=keep)


class Custom(unittest.TestCase):
    def test_schema_and_registry(self):
        self.assertEqual(library.infer_schema(scaled_exp._function), "(Tensor x, float scale=1.0) -> Tensor")
        self.assertEqual(scaled_exp._opoverload_schema, "pytest.scaled_exp(Tensor x, float scale=1.0) -> Tensor")
        self.assertEqual(scaled_exp._operation.record["doc"], "exp(scale * x)")
        self.assertEqual(torch._ops.registry_call("pytest.scaled_exp", torch.zeros(2)).tolist(), [1, 1])

    def test_gradients_of_any_order(self):
        x = leaf(0, 0)
        y = scaled_exp(x, 3)
        self.assertEqual(y.grad_fn.name(), "PytestScaledExpBackward0")
        for order in (1, 2, 3):
            y, = torch.autograd.grad(y.sum(), x, create_graph=True)
            self.assertEqual(y.tolist(), [3 ** order] * 2)
        self.assertTrue(torch.autograd.gradcheck(lambda x: scaled_exp(x, scale=0.5), (leaf(0.3, -1.2),)))

    def test_training(self):
        w, x = leaf(0.0), torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
        goal = scaled_exp(x * 0.8)
        for _ in range(300):
            loss = ((scaled_exp(x * w) - goal) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.3 * w.grad
            w.grad = None
        self.assertAlmostEqual(w.item(), 0.8, places=4)

    def test_arguments_of_every_type(self):
        a, b = leaf(1, 2), leaf(3, 4)
        everything.register_autograd(lambda ctx, g, h: ([g * 2 + 2 * h * ctx.first, g * 2], None, None, None, None, None),
                                     setup_context=lambda ctx, inputs, keyword_only_inputs, output: setattr(ctx, "first", inputs[0][0]))
        total, square = everything([a, b], None, [5, 6], flag=False, mode="é", factor=2)
        self.assertEqual(seen[-1], (2, True, [5, 6], False, "é", torch.float32, 2))
        self.assertEqual((total.tolist(), square.tolist()), ([8, 12], [1, 4]))
        (total + square).sum().backward()
        self.assertEqual((a.grad.tolist(), b.grad.tolist()), ([4, 6], [2, 2]))

    def test_errors(self):
        class Mine(Exception):
            pass

        @library.custom_op("pytest::fails", schema="(Tensor x, int how) -> Tensor")
        def fails(x, how):
            if how == 0:
                raise Mine("forward")
            return x.clone() if how == 1 else 3

        with self.assertRaises(Mine):
            fails(leaf(1), 0)
        with self.assertRaisesRegex(TypeError, "pytest::fails.*int"):
            fails(leaf(1), 2)
        with self.assertRaisesRegex(RuntimeError, "no autograd formula"):
            fails(leaf(1), 1).sum().backward()
        for backward, error, text in ((lambda ctx, g: (g, g), RuntimeError, "no tensor"), (lambda ctx, g: g, RuntimeError, "1 gradients for 2"),
                                      (lambda ctx, g: (3, None), TypeError, "int"), (lambda ctx, g: 1 / 0, ZeroDivisionError, ""),
                                      (lambda ctx, g: (g.repeat(3), None), RuntimeError, "shape")):
            library.register_autograd("pytest::fails", backward)
            with self.assertRaisesRegex(error, text):
                fails(leaf(1, 2), 1).sum().backward()
        library.register_autograd("pytest::fails", lambda ctx, g: (None, None))
        x = leaf(1)
        fails(x, 1).sum().backward()
        self.assertIsNone(x.grad)

    def test_what_can_not_be_registered(self):
        for name, schema in (("pytest::scaled_exp", "(Tensor x) -> Tensor"), ("nodot", "(Tensor x) -> Tensor"), ("pytest::bad", "(Tensor x) -> "),
                             ("pytest::bad", "(Tensor(a!) x) -> ()")):
            with self.assertRaises(ValueError):
                library.custom_op(name, lambda x: x, schema=schema)
        with self.assertRaises(ValueError):
            library.custom_op("pytest::bad", lambda x: x)
        with self.assertRaises(NotImplementedError):
            library.custom_op("pytest::bad", mutates_args=("x",))(scaled_exp._function)
        with self.assertRaises(LookupError):
            library.find("pytest::bad")

    def test_threads(self):
        failures = []

        def work():
            x = leaf(0.5)
            for _ in range(50):
                g, = torch.autograd.grad(scaled_exp(x, 2.0).sum(), x)
                if abs(g.item() - 2 * 2.718281828459045) > 1e-12:
                    failures.append(g)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])


class Batches(unittest.TestCase):
    def test_results_feed_later_calls(self):
        x = leaf(1.0, 2.0, 3.0)
        y = library.batch([("mul", x, x), ("add", library.result_of(0), x, {"alpha": 2}), ("pytest::scaled_exp", library.result_of(1), 0.0),
                           ("sum", library.result_of(1))])
        self.assertEqual(y.item(), 26)
        y.backward()
        self.assertEqual(x.grad.tolist(), [4, 6, 8])

    def test_several_results(self):
        x = torch.tensor([[3.0, 1.0], [2.0, 5.0]])
        values, indices = library.batch([("neg", x), ("max", library.result_of(0), 1)])
        self.assertEqual((values.tolist(), indices.tolist()), ([-1, -2], [1, 0]))
        self.assertEqual(library.batch([("max", x, 1), ("add", library.result_of(0, 1), 1)]).tolist(), [1, 2])
        self.assertEqual(len(library.batch([("split", x, [1, 1])])), 2)
        self.assertEqual(library.batch([]), ())

    def test_the_same_calls_again(self):
        w, x = leaf(1.0, 2.0), torch.tensor([3.0, 4.0], dtype=torch.float64)
        step = library.Batch([("mul", w, x), ("sum", library.result_of(0))])
        update = library.Batch([("sub_", w, x, {"alpha": 0.5})])
        losses = []
        for _ in range(3):
            losses.append(step().item())
            with torch.no_grad():
                update()
        self.assertEqual(losses, [11, -1.5, -14])

    def test_writes_and_failures(self):
        x, old = torch.zeros(2), torch.zeros(2)
        library.batch([("add_", x, 1), ("mul_", library.result_of(0), 3)])
        self.assertEqual(x.tolist(), [3, 3])
        with self.assertRaisesRegex(RuntimeError, "broadcast"):
            library.batch([("add_", old, 1), ("add", old, torch.zeros(3)), ("add_", old, 1)])
        self.assertEqual(old.tolist(), [1, 1])
        with self.assertRaisesRegex(AttributeError, "no operation"):
            library.batch([("nothing", x)])
        with self.assertRaises(TypeError):
            library.batch([("add", x, "text")])
        with self.assertRaises(IndexError):
            library.batch([("neg", library.result_of(0))])


if __name__ == "__main__":
    unittest.main()
