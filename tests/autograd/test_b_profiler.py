"""What the profiler lists, and what its sums are."""
import json
import os
import tempfile
import threading
import unittest

import gradus as torch
from gradus.autograd import profiler
from support import Case, leaf


def names(prof, kind=None):
    return [e.name for e in prof.function_events if kind is None or e.kind == kind]


class TestAutograd(Case):
    def test_profiler(self):
        x = torch.randn(10, 10)
        with profiler.profile() as prof:
            y = x * 2 + 4
            (y.exp().sum())
        self.assertEqual(names(prof), ["mul", "add", "exp", "sum"])
        last = 0
        for e in prof.function_events:
            self.assertGreaterEqual(e.start, last)
            self.assertGreaterEqual(e.cpu_time_total, e.self_cpu_time_total)
            last = e.start
        with self.refused("finish"):
            profiler.profile().table()
        with profiler.profile(enabled=False) as off:
            x * 2
        self.assertIsNone(off.function_events)
        with profiler.profile() as prof, self.refused("reentrant"):
            with prof:
                pass

    def test_profiler_seq_nr(self):
        # a call and its backward bear the same number
        x, y = torch.randn(10, 10, requires_grad=True), torch.randn(10, 10, requires_grad=True)
        with profiler.profile() as prof:
            ((x * y).exp()).sum().backward()
        by_name = {e.name: e for e in prof.function_events}
        for op, node in (("mul", "MulBackward0"), ("exp", "ExpBackward0"), ("sum", "SumBackward0")):
            self.assertGreater(by_name[op].sequence_nr, 0)
            self.assertEqual(by_name[op].sequence_nr, by_name[node].sequence_nr)
        with profiler.profile() as prof:
            torch.ones(2) * 2                                              # nothing recorded
        self.assertEqual([e.sequence_nr for e in prof.function_events if e.name == "mul"], [-1])

    def test_profiler_propagation(self):
        # what runs inside something is listed as inside it
        x = leaf([1.0, 2.0])
        with profiler.profile() as prof:
            with profiler.record_function("forward"):
                y = (x * 2).sum()
            y.backward()
        by_name = {e.name: e for e in prof.function_events}
        self.assertIs(by_name["mul"].cpu_parent, by_name["forward"])
        self.assertEqual([c.name for c in by_name["forward"].cpu_children], ["mul", "sum"])
        self.assertIs(by_name["MulBackward0"].cpu_parent, by_name["backward"])
        self.assertIsNone(by_name["forward"].cpu_parent)

    def test_record_function_callbacks(self):
        x = torch.randn(10, 10)
        with profiler.profile() as prof:
            with profiler.record_function("foo"):
                x + x
        self.assertIn("foo", names(prof, "range"))
        try:
            with profiler.profile() as prof, profiler.record_function("bar"):
                raise KeyError
        except KeyError:
            pass
        self.assertIn("bar", names(prof))

    def test_record_function(self):
        # ranges nest, and decorate
        x = torch.randn(2)

        @profiler.record_function("decorated")
        def function():
            return x + x
        with profiler.profile() as prof:
            with profiler.record_function("outer"):
                with profiler.record_function("inner"):
                    function()
        self.assertEqual(names(prof), ["outer", "inner", "decorated", "add"])
        chain, at = [], prof.function_events[-1]
        while at is not None:
            chain.append(at.name)
            at = at.cpu_parent
        self.assertEqual(chain, ["add", "decorated", "inner", "outer"])

    def test_record_function_multithreaded(self):
        # a profile sees the thread that began it; another's range is that thread's own
        errors = []

        def work():
            try:
                with profiler.record_function("elsewhere"):
                    torch.ones(2) + 1
            except BaseException as error:
                errors.append(error)
        with profiler.profile() as prof:
            with profiler.record_function("here"):
                t = threading.Thread(target=work)
                t.start()
                t.join()
        self.assertEqual((errors, names(prof)), ([], ["here"]))

    def test_profiler_aggregation_fake(self):
        # self time is what is left without the children
        x = leaf([1.0, 2.0])
        with profiler.profile() as prof:
            with profiler.record_function("all"):
                for _ in range(3):
                    (x * 2).exp()
        whole = prof.function_events[0]
        inside = sum(c.cpu_time_total for c in whole.cpu_children)
        self.assertAlmostEqual(whole.self_cpu_time_total, whole.cpu_time_total - inside, places=2)
        self.assertAlmostEqual(prof.self_cpu_time_total, whole.cpu_time_total, places=2)
        nested = {e.key: e for e in prof.key_averages()}
        self.assertEqual((nested["mul"].count, nested["exp"].count, nested["all"].count), (3, 3, 1))

    def test_profiler_aggregation_table(self):
        x = torch.randn(100, 100)
        with profiler.profile() as prof:
            for _ in range(4):
                x @ x
            x.relu()
        text = prof.table(sort_by="count")
        rows = [line.split() for line in text.splitlines()]
        body = [r for r in rows if r and r[0] in ("matmul", "mm", "relu")]
        self.assertTrue(any(r[0] in ("matmul", "mm") for r in body[:-1]))
        self.assertEqual(body[-1][0], "relu")                              # called the least
        self.assertIn("4", body[0])
        self.assertEqual(prof.table(), str(prof))
        self.assertLess(len(prof.table(row_limit=1).splitlines()), len(text.splitlines()))
        with self.refused():
            prof.table(sort_by="nothing")

    def test_profiler_function_event_avg(self):
        x = leaf([1.0, 2.0])
        with profiler.profile() as prof:
            for _ in range(5):
                x * 2
        average = profiler.FunctionEventAvg()
        for e in prof.function_events:
            average.add(e)
        self.assertEqual((average.key, average.count), ("mul", 5))
        self.assertAlmostEqual(average.cpu_time_total, sum(e.cpu_time_total for e in prof.function_events))
        self.assertAlmostEqual(average.cpu_time, average.cpu_time_total / 5)
        before = average.cpu_time_total
        average.add(average)
        self.assertEqual((average.count, average.cpu_time_total), (10, 2 * before))
        self.assertEqual(prof.total_average().count, 5)

    def test_profiler_shapes(self):
        with profiler.profile(record_shapes=True) as prof:
            torch.nn.functional.linear(torch.randn(128, 20), torch.randn(30, 20), torch.randn(30))
            torch.nn.functional.linear(torch.randn(128, 30), torch.randn(40, 30), torch.randn(40))
        shapes = [e.input_shapes for e in prof.function_events if e.name == "linear"]
        self.assertEqual(shapes, ["[128, 20], [30, 20], [30]", "[128, 30], [40, 30], [40]"])
        self.assertEqual(len([e for e in prof.key_averages() if e.key == "linear"]), 1)
        by_shape = prof.key_averages(group_by_input_shape=True)
        self.assertEqual([e.count for e in by_shape if e.key == "linear"], [1, 1])
        self.assertIn("[128, 20]", by_shape.table())
        with profiler.profile() as prof:
            torch.ones(3) * 2
        self.assertEqual({e.input_shapes for e in prof.function_events}, {""})

    def test_profiler_aggregation_lstm(self):
        # many of the same: the sums count all of them, and the trace holds each
        w, b = torch.randn(40, 20, requires_grad=True), torch.randn(40, 10, requires_grad=True)
        with profiler.profile() as prof:
            h, c = torch.zeros(3, 10), torch.zeros(3, 10)
            for _ in range(20):
                i, f, g, o = (torch.nn.functional.linear(torch.randn(3, 20), w) + torch.nn.functional.linear(h, b)).chunk(4, 1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
            h.sum().backward()
        sums = {e.key: e.count for e in prof.key_averages()}
        self.assertEqual((sums["sigmoid"], sums["tanh"], sums["linear"]), (60, 40, 40))
        self.assertEqual(sums["TanhBackward0"], 39 + 1)
        total = prof.total_average()
        self.assertEqual(total.count, len(prof.function_events))
        self.assertGreater(total.self_cpu_time_total, 0)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.json")
            prof.export_chrome_trace(path)
            with open(path, encoding="utf-8") as file:
                trace = json.load(file)
        events = trace["traceEvents"] if isinstance(trace, dict) else trace
        self.assertEqual(sum(e.get("name") == "sigmoid" for e in events), 60)


if __name__ == "__main__":
    unittest.main()
