"""Checkpoints that keep the results of some operations, named or chosen call by call."""
import unittest

import gradus as torch
from gradus.autograd import graph, profiler
from gradus.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from support import Case, leaf, nodes_alive


def selective(choice):
    return {"context_fn": lambda: create_selective_checkpoint_contexts(choice)}


def kept_bytes(tensor):
    """What the graph keeps beyond the memory of its leaves."""
    _, _, _, everything, of_leaves = graph.saved_table(tensor).splitlines()[-1].split()
    return int(everything) - int(of_leaves)


def calls(run, name, least):
    """How often an operation was called inside, and how often it made so many bytes: a kept result makes none but for a handle."""
    with profiler.profile(profile_memory=True) as seen:
        run()
    found = [e for e in seen.function_events if e.name == name and e.kind == "op"]
    return len(found), sum(e.cpu_memory_usage >= least for e in found)


class TestSelectiveActivationCheckpoint(Case):
    def test_flops_and_mem(self):
        # products that are kept are not computed again, and cost their memory
        def network(x):
            return ((x @ w).relu() @ w).tanh() @ w
        w, x = leaf([[0.5, -0.25], [0.125, 0.75]]), leaf([[1.0, 2.0]] * 100)
        result, found = 100 * 2 * 8, {}
        for name, choice in (("products", ["matmul"]), ("functions", [torch.matmul]), ("nothing", lambda ctx, op, *args: False),
                             ("policy", lambda ctx, op, *args: CheckpointPolicy.MUST_SAVE if op == "matmul" else CheckpointPolicy.PREFER_RECOMPUTE),
                             ("everything", lambda ctx, op, *args: CheckpointPolicy.PREFER_SAVE), ("plain", None), ("no choice", [])):
            x.grad = w.grad = None
            y = network(x) if name == "plain" else checkpoint(network, x, **selective(choice))
            memory = kept_bytes(y)
            found[name] = (memory // result, calls(y.sum().backward, "matmul", result), x.grad.tolist(), w.grad.tolist())
        for name, case in found.items():
            self.assertEqual(case[2:], found["plain"][2:], name)
        called, made = found["plain"][1]                                   # by the rules alone
        again = {name: (case[0], case[1][0] - called, case[1][1] - made) for name, case in found.items() if name != "plain"}
        self.assertEqual(again, {
            "products": (3, 3, 0), "functions": (3, 3, 0), "policy": (3, 3, 0), "everything": (5, 3, 0),
            "nothing": (0, 3, 3), "no choice": (0, 3, 3)})                 # an operation saves when it has run: the last product, too

    def test_output_already_has_autograd_meta(self):
        # views, results that are inputs, and results of what records nothing
        def function(x, y):
            rows = x.view(-1).expand(2, 4)[:, :2]
            with torch.no_grad():
                scale = x.exp().sum()
            return (rows * scale).sin() + y, y
        for choice in (lambda ctx, op, *args: CheckpointPolicy.MUST_SAVE, ["mul", "sin", "exp", "sum"]):
            x, y = leaf([[0.5, 0.25], [1.0, 2.0]]), leaf([1.0, 2.0])
            a, b = checkpoint(function, x, y, **selective(choice))
            (a.sum() + b.sum()).backward()
            first, second = x.grad, y.grad
            x.grad = y.grad = None
            a, b = function(x, y)
            (a.sum() + b.sum()).backward()
            self.same(first, x.grad)
            self.same(second, y.grad)

    def test_bad_inputs(self):
        for bad in (["no such operation"], [lambda x: x], [2]):
            with self.refused("Expected op in `op_list` to be an operation", ValueError):
                checkpoint(lambda x: x, leaf([1.0]), **selective(bad))
        with self.refused("either a function or a list", TypeError):
            create_selective_checkpoint_contexts("mm")
        with self.refused("in place", NotImplementedError):
            create_selective_checkpoint_contexts(["mm"], allow_cache_entry_mutation=True)
        with self.refused("a policy returned str", TypeError):
            checkpoint(lambda x: x.exp(), leaf([1.0]), **selective(lambda ctx, op, *args: "yes"))
        with self.refused("no opinion", LookupError):
            checkpoint(lambda x: x.exp(), leaf([1.0]), **selective(lambda ctx, op, *args: (_ for _ in ()).throw(LookupError("no opinion"))))

    def test_policy_with_state(self):
        # every second product is kept; a policy sees names and arguments and is asked once
        asked = []

        def policy(ctx, op, *args):
            asked.append((op, [type(a).__name__ for a in args]))
            self.assertFalse(ctx.is_recompute)
            args[0].sum()                                                  # leaves no trace
            return op == "matmul" and sum(name == "matmul" for name, _ in asked) % 2 == 0
        w, x = leaf([[0.5, -0.25], [0.125, 0.75]]), leaf([[1.0, 2.0]])
        function = lambda t: (((t @ w).exp() @ w).exp() @ w).exp() @ w
        y = checkpoint(function, x, **selective(policy))
        self.assertEqual([name for name, _ in asked], ["matmul", "exp"] * 3 + ["matmul"])
        self.assertEqual(asked[0][1], ["Tensor", "Tensor"])
        before = len(asked)
        self.assertEqual(calls(y.sum().backward, "exp", 8), (3, 3))
        self.assertEqual(len(asked), before)
        z = leaf([[1.0, 2.0]])
        function(z).sum().backward()
        self.same(x.grad, z.grad)

    def test_storage_lifetime(self):
        # what is kept goes with the pass, or with the graph
        nodes, x = nodes_alive(), leaf([0.5] * 1000)
        before = torch.live_counts()["tensors"]
        y = checkpoint(lambda t: t.exp().sin().exp(), x, **selective(["exp"])).sum()
        self.assertEqual(kept_bytes(y), 2 * 8000)
        y.backward()
        self.assertEqual(graph.saved_table(y).splitlines()[-1].split()[1:], ["0", "0", "0", "0"])
        x.grad = None
        del y
        self.assertEqual(torch.live_counts()["tensors"], before)
        y = checkpoint(lambda t: t.exp().sin().exp(), x, **selective(["exp"])).sum()
        del y
        self.assertEqual(torch.live_counts()["tensors"], before)
        del x
        self.assertEqual(nodes_alive(), nodes)

    def test_version_counter(self):
        def writes(when):
            def function(x):
                y = x.exp()
                z = y.sin()
                when(y)
                return z.exp()
            return function
        x = leaf([1.0, 2.0])
        keep = selective(["exp"])
        checkpoint(writes(lambda y: None), x, **keep).sum().backward()
        self.assertIsNotNone(x.grad)
        y = checkpoint(writes(lambda y: y.detach().mul_(2)), x, **keep)
        with self.refused("checkpoint: a saved tensor .* was changed in place by mul_"):
            y.sum().backward()
        # what is not kept may be written, as without a checkpoint
        x.grad = None
        checkpoint(lambda t: t.sin().mul_(2).exp(), x, **selective(["exp"])).sum().backward()
        self.close(x.grad, 2 * x.detach().cos() * (2 * x.detach().sin()).exp())

    def test_function_with_more_than_one_output(self):
        def function(x):
            values, places = x.exp().max(dim=1)
            a, b = x.sin().split(1, dim=1)
            return (values * 2).sin() + (a * b).squeeze(1), places
        for choice in (["max_dim"], ["max"], lambda ctx, op, *args: op == "max_dim", lambda ctx, op, *args: True):
            x, z = leaf([[0.5, 2.0], [3.0, 1.0]]), leaf([[0.5, 2.0], [3.0, 1.0]])
            y, places = checkpoint(function, x, **selective(choice))
            self.same(places, [1, 0])
            y.sum().backward()
            function(z)[0].sum().backward()
            self.same(x.grad, z.grad)

    def test_function_with_non_tensor_output(self):
        # integers, and numbers that are read inside
        def function(x):
            k = x.argmax().item()
            return (x * k).exp(), k, x.argsort()
        for choice in (["argmax", "argsort", "exp"], lambda ctx, op, *args: True):
            x = leaf([0.25, 1.0, 0.5])
            y, k, order = checkpoint(function, x, **selective(choice))
            self.assertEqual((k, order.tolist(), order.requires_grad), (1, [0, 2, 1], False))
            y.sum().backward()
            self.close(x.grad, x.detach().exp())

    def test_can_only_trigger_recompute_once(self):
        # PyTorch refuses a second pass; here it is another second run, from the same kept results
        runs = []

        def function(x):
            runs.append(None)
            return torch.nn.functional.dropout((x.exp() * 2).sin(), 0.5, True)
        x = torch.ones(50, requires_grad=True)
        y = checkpoint(function, x, **selective(["exp", "dropout"])).sum()
        y.backward(retain_graph=True)
        first = x.grad.clone()
        y.backward()
        self.same(x.grad, 2 * first)
        self.assertEqual(len(runs), 3)

    def test_a_second_run_with_other_operations_is_noticed(self):
        runs = []

        def function(x):
            runs.append(None)
            return (x.exp() if len(runs) == 1 else x.tanh()).sin()
        for choice in (["exp", "tanh"], lambda ctx, op, *args: op != "sin"):
            runs.clear()
            y = checkpoint(function, leaf([1.0]), **selective(choice))
            with self.refused("the second run calls tanh where the first did not"):
                y.sum().backward()

    def test_nested_with_other_choices(self):
        inner = lambda t: (t.exp() * 2).sin()
        outer = lambda t: checkpoint(inner, t.tanh(), **selective(["exp"])).exp()
        x, z = leaf([0.5, 1.0]), leaf([0.5, 1.0])
        checkpoint(outer, x, **selective(["tanh", "exp"])).sum().backward()
        inner(z.tanh()).exp().sum().backward()
        self.close(x.grad, z.grad)


if __name__ == "__main__":
    unittest.main()
