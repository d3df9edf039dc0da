"""replay: a function's operations in one crossing give what they give one by one."""
import threading
import unittest

import gradus as torch

F = torch.nn.functional


class Replays(unittest.TestCase):
    def same(self, function, examples, others):
        again = torch.replay(function, *examples)
        for inputs in (examples, others):
            for mine, theirs in zip(self.flat(again(*inputs)), self.flat(function(*inputs))):
                self.assertTrue(torch.equal(mine, theirs), (mine, theirs))
        return again

    def flat(self, x):
        if isinstance(x, torch.Tensor):
            return [x]
        return [t for item in (x.values() if isinstance(x, dict) else x) for t in self.flat(item)]

    def test_other_inputs_and_shapes(self):
        again = self.same(lambda x, y: (x + y).sin().sum(1) * 2 - x[:, 0], (torch.ones(2, 3), torch.ones(3)), (torch.randn(4, 3), torch.randn(4, 3)))
        self.assertEqual((again.operations[:3], again.crossings), (["add", "sin", "sum"], 1))
        self.assertIn("operations", repr(again))

    def test_structures_lists_and_several_results(self):
        def function(x):
            parts = x.split(2)
            values, places = x.max(1)
            return {"joined": torch.cat([p.flip(0) for p in parts]), "both": (values, [places, x]), "again": torch.stack([values, values.exp()])}
        again = self.same(function, (torch.randn(4, 3),), (torch.randn(4, 3),))
        self.assertGreater(again.crossings, 1)

    def test_weights_are_read_each_time_and_get_gradients(self):
        layer = torch.nn.Linear(3, 2)
        x, y = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
        again = torch.replay(lambda x, y: F.cross_entropy(torch.tanh(layer(x)), y), x, y)
        for _ in range(2):
            again(x, y).backward()
            found, layer.weight.grad = layer.weight.grad, None
            F.cross_entropy(torch.tanh(layer(x)), y).backward()
            self.assertTrue(torch.equal(found, layer.weight.grad))
            layer.weight.grad = None
            with torch.no_grad():
                layer.weight.mul_(0.5)

    def test_writes_in_place_and_inputs_that_come_back(self):
        def function(x):
            x.add_(1)
            return x, x * 2
        x = torch.zeros(2)
        again = torch.replay(function, x)
        back, twice = again(x)
        self.assertIs(back, x)
        self.assertEqual((x.tolist(), twice.tolist()), ([2, 2], [4, 4]))

    def test_errors_leave_it_usable_and_nothing_behind(self):
        again = torch.replay(lambda x, y: (x.exp(), x.exp() @ y), torch.ones(2, 2), torch.ones(2, 2))
        before = torch.live_counts()["tensors"]
        with self.assertRaises(ValueError):
            again(torch.ones(2, 2), torch.ones(3, 3))
        self.assertEqual(torch.live_counts()["tensors"], before)
        self.assertEqual(again(torch.zeros(2, 2), torch.ones(2, 2))[1].tolist(), [[2, 2], [2, 2]])
        for wrong in ((), (torch.ones(1),), (1, 2)):
            with self.assertRaises(TypeError):
                again(*wrong)
        with self.assertRaises(TypeError):
            torch.replay(lambda x: x, 1)
        with self.assertRaises(TypeError):
            torch.replay(lambda x: x.shape[0] * 1.5, torch.ones(1))

    def test_threads_and_random_numbers(self):
        again = torch.replay(lambda x: (x + torch.rand(3)) * 0 + x, torch.ones(3))
        found = []

        def run():
            for i in range(50):
                found.append(again(torch.full((3,), float(i))).tolist() == [i] * 3)
        threads = [threading.Thread(target=run) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(found, [True] * 200)
        noise = torch.replay(lambda x: torch.rand_like(x), torch.ones(3))
        self.assertNotEqual(noise(torch.ones(3)).tolist(), noise(torch.ones(3)).tolist())

    def test_callers_are_back_afterwards(self):
        torch.replay(lambda x: x + 1, torch.ones(1))
        self.assertTrue(torch._ops.usual)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


def doubled_by_hook(x):
    y = x * 1
    y.register_hook(lambda g: g * 2)
    return y


def hooked_module():
    layer = torch.nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda module, into, out: None)
    return layer


def in_no_grad(x):
    with torch.no_grad():
        y = x * 2
    return y + x


def sum_from_number(x):
    s = torch.tensor(0.)
    s += x.sum()
    return s


def part_of_numbers(x):
    s = torch.tensor([0., 1.])
    s[0] = x.sum()
    return s


class Refusals(unittest.TestCase):
    """What a function does beside operations is refused, not forgotten."""

    def test_what_is_no_operation(self):
        x, other = torch.ones(2, requires_grad=True), torch.replay(lambda x: x + 1, torch.ones(2))
        batch, weight = torch.library.Batch([("exp", x)]), torch.ones(2, requires_grad=True)
        weight.grad = torch.ones(2)
        from gradus.utils.checkpoint import checkpoint
        for what, function in {
                "a replay": other, "a batch": lambda x: batch() + x, "autograd.Function.apply": Twice.apply, "a hook": doubled_by_hook,
                "detach_": lambda x: (x * 2).detach_(), "requires_grad_": lambda x: (x.detach() * 2).requires_grad_(),
                "a Generator": lambda x: x + torch.rand(2, generator=torch.Generator()),
                "manual_seed": lambda x: (torch.manual_seed(0), x + torch.rand(2))[1],
                "backward": lambda x: (x.sum().backward(), x)[1], "grad": lambda x: torch.autograd.grad((x * x).sum(), x)[0],
                "checkpoint": lambda x: checkpoint(torch.exp, x, use_reentrant=False),
                "reading .grad": lambda x: x * weight.grad, "_base": lambda x: (x * 1)[0:1]._base, "out= with a tensor of another shape":
                lambda x: torch.exp(x.detach(), out=torch.empty(0)),
                "another recording mode": in_no_grad, "retain_grad": lambda x: ((x * 1).retain_grad(), x)[1],
                "writing .data": lambda x: (setattr(weight, "data", torch.zeros(2)), x * weight)[1],
                "nn.init": lambda x: (torch.nn.init.xavier_uniform_(torch.zeros(2, 2)), x)[1],
                "clip_grad_norm_": lambda x: (torch.nn.utils.clip_grad_norm_([weight], 1.0), x)[1],
                "an optimizer's step": lambda x: (torch.optim.SGD([weight], lr=0.1).step(), x)[1]}.items():
            with self.subTest(what), self.assertRaisesRegex(RuntimeError, f"^replay: .*{what}.* inside the function can't be replayed$"):
                torch.replay(function, x)
        for function in (hooked_module(), lambda x: torch.autograd.functional.jacobian(torch.exp, x)):
            with self.assertRaisesRegex(RuntimeError, "can't be replayed"):
                torch.replay(function, x)
        self.assertTrue(torch._ops.usual)
        self.assertEqual(Twice.apply(x).tolist(), [2, 2])                  # outside it is what it was

    def test_writes_to_tensors_made_from_numbers(self):
        for function in (sum_from_number, part_of_numbers):
            with self.assertRaisesRegex(RuntimeError, "^replay: .*in place to a tensor that the function made from numbers"):
                torch.replay(function, torch.ones(2))
        running = torch.zeros(2)
        again = torch.replay(lambda x: running.add_(x), torch.ones(2))     # was there before: goes on each time
        self.assertEqual(again(torch.ones(2)).tolist(), [2, 2])
        self.assertEqual(torch.replay(lambda x: x + torch.tensor([1., 2.]), torch.ones(2))(torch.zeros(2)).tolist(), [1, 2])
        zeros = torch.replay(lambda x: torch.zeros(2).add_(x), torch.ones(2))
        self.assertEqual([zeros(torch.ones(2)).tolist() for _ in range(2)], [[1, 1]] * 2)

    def test_the_same_example_twice(self):
        x = torch.ones(2)
        with self.assertRaisesRegex(ValueError, "^replay: the examples are different tensors$"):
            torch.replay(lambda x, y: x - y, x, x)
        self.assertEqual(torch.replay(lambda x, y: x - y, x, torch.zeros(2))(x, x).tolist(), [0, 0])

    def test_an_argument_that_came_back(self):
        whole = torch.tensor([1, 2])
        for function in (lambda x: x.float() * 0.5, lambda x: x.to(torch.float32), lambda x: (x * 1).float().sin()):
            again = torch.replay(function, torch.ones(2))
            self.assertTrue(torch.equal(again(torch.zeros(2)), function(torch.zeros(2))))
            with self.assertRaisesRegex(RuntimeError, "^replay: to returned its argument for the example and makes a tensor now$"):
                again(whole)
            again = torch.replay(function, whole)                          # the result is followed
            for x in (whole, torch.ones(2)):
                self.assertTrue(torch.equal(again(x), function(x)))
        again = torch.replay(lambda x: x.contiguous().add_(1), torch.zeros(2, 3))
        with self.assertRaisesRegex(RuntimeError, "^replay: contiguous returned its argument"):
            again(torch.zeros(3, 2).t())

    def test_lists_of_another_length(self):
        for function in (lambda x: x.split(1)[0] * 2, lambda x: x.split(1), lambda x: torch.cat(x.split(1)), lambda x: x.split(1)[1] * 2):
            again = torch.replay(function, torch.ones(2))
            for n, said in ((1, "split gives 1 tensor,"), (3, "split gives 3 tensors,")):
                with self.assertRaisesRegex(RuntimeError, f"^replay: {said} the example gave 2$"):
                    again(torch.ones(n))
            again(torch.zeros(2))
        with self.assertRaisesRegex(RuntimeError, "^replay: unbind gives 0 tensors, the example gave 2$"):
            torch.replay(lambda x: x.unbind(), torch.ones(2))(torch.ones(0))

    def test_writes_to_saved_tensors_where_they_are_allowed(self):
        def function(x):
            y = x * 1
            z = y.exp() * y
            y.mul_(0)
            return z
        again = torch.replay(function, torch.ones(2))
        for run in (function, again):
            x = torch.full((2,), 2.0, requires_grad=True)
            with torch.autograd.graph.allow_mutation_on_saved_tensors() as session:
                run(x).sum().backward()
            self.assertEqual((session.copies > 0, x.grad.tolist()), (True, (3 * torch.tensor(2.0).exp()).expand(2).tolist()))

    def test_operations_of_the_caller_run_once(self):
        runs = []

        @torch.library.custom_op("replaytest::plus")
        def plus(x: torch.Tensor) -> torch.Tensor:
            runs.append(1)
            return x.exp() + 1
        again = torch.replay(lambda x: plus(x) * 2, torch.zeros(2))
        self.assertEqual((again.operations, again(torch.zeros(2)).tolist(), len(runs)), (["replaytest.plus", "mul"], [4, 4], 2))


if __name__ == "__main__":
    unittest.main()
