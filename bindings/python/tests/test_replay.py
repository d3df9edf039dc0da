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


if __name__ == "__main__":
    unittest.main()
