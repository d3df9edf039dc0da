"""Callers made for the types of arguments: they answer as the general way does, and give way to it where types don't decide."""
import gc
import unittest

import gradus as torch


def twice(call):
    """The second call of a kind goes by the caller that the first one left."""
    call()
    return call()


class Callers(unittest.TestCase):
    def setUp(self):
        self.x = torch.arange(6.0).reshape(2, 3)

    def tearDown(self):
        torch.set_default_dtype(torch.float32)

    def test_contents_that_do_not_fit_are_refused_as_before(self):
        x = self.x
        x.sum((0, 1)), x.view(3, 2), torch.cat([x, x]), x.sum(0)
        for call in (lambda: x.sum((0, 1.0)), lambda: x.sum([0.5]), lambda: torch.cat([x, 1]), lambda: x.sum("a")):
            with self.assertRaises(TypeError) as caught:
                call()
            self.assertIsNone(caught.exception.__context__)
        with self.assertRaises(TypeError):
            torch.cat([x, None])
        self.assertEqual(torch._ops.registry_call("index", x, [None, torch.tensor([0])]).tolist(), [[0], [3]])
        for call in (lambda: x.sum(1 << 64), lambda: x.view(1 << 70), lambda: x + (1 << 70)):
            with self.assertRaises(OverflowError):
                call()
        self.assertEqual(x.sum((0, torch.tensor(1))).item(), 15)            # a tensor as an integer: the general way

    def test_types_that_equal_each_other_are_kept_apart(self):
        n = torch.tensor([2, 3])
        for _ in range(2):
            self.assertEqual([(n * v).dtype for v in (True, 2, 2.0)], [torch.int64, torch.int64, torch.float32])
            self.assertEqual([n.sum(v).shape for v in (0, (0,), [0])], [()] * 3)
            self.assertEqual([torch.full((1,), v).dtype for v in (True, 1, 1.0)], [torch.bool, torch.int64, torch.float32])

    def test_an_argument_that_comes_back_is_the_same_object(self):
        x = self.x
        self.assertIs(twice(lambda: x.contiguous()), x)
        self.assertIs(twice(lambda: x.to(torch.float32)), x)
        self.assertIs(twice(lambda: x.float()), x)
        self.assertIs(twice(lambda: x.add_(0)), x)
        self.assertIs(twice(lambda: torch.relu_(x)), x)

    def test_lists_of_results(self):
        x = torch.arange(40.0)
        self.assertEqual([len(x.split(n)) for n in (20, 20, 5, 4, 1)], [2, 2, 8, 10, 40])
        self.assertEqual(torch.stack(x.split(1)).sum().item(), 780)
        values, indices = twice(lambda: self.x.max(dim=1))
        self.assertEqual((values.tolist(), indices.tolist()), ([2, 5], [2, 2]))
        self.assertEqual(twice(lambda: self.x.max(1)).indices.tolist(), [2, 2])

    def test_keywords_synonyms_and_what_is_dropped(self):
        x = self.x
        for call in (lambda: x.sum(axis=1, keepdims=True), lambda: torch.sum(input=x, dim=(1,), keepdim=True), lambda: torch.sum(keepdim=True, dim=1, input=x)):
            self.assertEqual(twice(call).tolist(), [[3], [12]])
        self.assertEqual(twice(lambda: torch.zeros_like(x, device="cpu")).sum().item(), 0)
        with self.assertRaises(TypeError):
            x.sum(1, dim=1)
        out = torch.empty(2)
        self.assertIs(twice(lambda: torch.sum(x, 1, out=out)), out)

    def test_the_tensor_may_come_at_any_keyword(self):
        for call in (lambda x: torch.clamp_(min=0.0, input=x), lambda x: torch.Tensor.mul_(other=torch.ones(2), self=x),
                     lambda x: torch.Tensor.to(dtype=torch.float32, self=x)):
            x = torch.ones(2)
            self.assertIs(call(x), x)
            self.assertIs(call(x), x)
        with self.assertRaises(TypeError):
            torch.clamp_(min=0.0)

    def test_names_that_are_words_of_the_language_or_of_the_callers(self):
        x = torch.ones(3)
        for _ in range(2):
            self.assertEqual(x.random_(**{"from": 1, "to": 2}).tolist(), [1, 1, 1])
            self.assertEqual(torch.diff(x, n=1).tolist(), [0, 0])

    def test_a_number_is_no_tensor_to_compare_with(self):
        for name in ("max", "min"):
            for wrong in (True, 1.5):
                with self.assertRaises(TypeError):
                    getattr(torch, name)(self.x, wrong)
        self.assertEqual(torch.max(self.x, 1).values.tolist(), [2, 5])
        self.assertEqual(torch.max(self.x, torch.tensor(1.0)).tolist(), [[1, 1, 2], [3, 4, 5]])

    def test_another_default_type(self):
        n = torch.tensor([1])
        twice(lambda: n / 2), twice(lambda: n.sin())
        torch.set_default_dtype(torch.float64)
        self.assertEqual([(n / 2).dtype, n.sin().dtype, torch.mul(n, 0.5).dtype], [torch.float64] * 3)
        torch.set_default_dtype(torch.float32)
        self.assertEqual([(n / 2).dtype, n.sin().dtype, torch.mul(n, 0.5).dtype], [torch.float32] * 3)

    def test_parameters_are_tensors(self):
        p = torch.nn.Parameter(torch.ones(2))
        self.assertIs(type(twice(lambda: p.exp())), torch.Tensor)
        self.assertIs(type(twice(lambda: torch.add(p, p))), torch.Tensor)
        self.assertEqual(twice(lambda: torch.cat([p, p])).tolist(), [1] * 4)

    def test_nothing_is_left_behind(self):
        x = torch.ones(2, 3, requires_grad=True)

        def all_kinds():
            x.sum(1), x[0], x[:, 1:], x[..., None], x[[0, 1]], x.split(1), x.max(1), torch.cat([x, x]), x.view(3, 2), x.double(), x + 1, x[None, 1]
            for wrong in (lambda: x[5], lambda: x[0, 7], lambda: x[:, 0, 0], lambda: x.sum(9), lambda: x.view(5), lambda: x[0, ::-1], lambda: x[1:, 1.5]):
                with self.assertRaises((IndexError, ValueError)):
                    wrong()
        all_kinds()
        gc.collect()
        before = torch.live_counts()
        all_kinds()
        gc.collect()
        after = torch.live_counts()
        self.assertEqual((after["tensors"], after["graph_nodes"]), (before["tensors"], before["graph_nodes"]))


class Indices(unittest.TestCase):
    def test_basic_keys_give_views(self):
        x = torch.arange(24).reshape(2, 3, 4)
        plain = x.tolist()
        for i in (0, 1, -1):
            self.assertEqual(x[i].tolist(), plain[i])
            self.assertEqual(x[i, 1:].tolist(), plain[i][1:])
            self.assertEqual(x[i, :, -1].tolist(), [row[-1] for row in plain[i]])
            self.assertEqual(x[i, ..., None].shape, (3, 4, 1))
        self.assertEqual(x[..., 2].tolist(), [[row[2] for row in part] for part in plain])
        self.assertEqual(x[::2, None, -2:, 1:9:2].tolist(), [[[row[1:9:2] for row in plain[0][-2:]]]])
        self.assertEqual((x[...].shape, x[()].shape, x[:].shape, x[:, :, :, None].shape, x[..., :1, :].shape), ((2, 3, 4),) * 3 + ((2, 3, 4, 1), (2, 1, 4)))
        x[0, ..., 0] = -1
        x[:, None, 1][0] = torch.tensor([[7, 8, 9, 10]])
        self.assertEqual((x[0, 2, 0].item(), x[0, 1].tolist()), (-1, [7, 8, 9, 10]))

    def test_tensors_as_keys(self):
        x = torch.arange(6.0).reshape(2, 3)
        self.assertEqual(x[torch.tensor([1, 0])].tolist(), [[3, 4, 5], [0, 1, 2]])
        self.assertEqual(x[x > 2].tolist(), [3, 4, 5])
        x[torch.tensor([0])] = torch.tensor(9, dtype=torch.int64)           # a number takes the tensor's type
        x[x > 8] = torch.tensor([1.0, 2.0, 3.0])
        self.assertEqual(x.tolist(), [[1, 2, 3], [3, 4, 5]])
        with self.assertRaises(IndexError):
            torch.tensor(1.0)[torch.tensor([0])]
        with self.assertRaises(IndexError):
            x[torch.tensor([2])]
        with self.assertRaises(TypeError):
            x[torch.tensor([0])] = torch.ones(1, 3, dtype=torch.float64)
        with self.assertRaises(ValueError):
            x[0] = torch.ones(2, 3)


if __name__ == "__main__":
    unittest.main()
