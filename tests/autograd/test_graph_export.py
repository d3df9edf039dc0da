"""The recorded graph as text."""
import json
import unittest

from gradus.autograd import graph
from support import Case, leaf


class TestGraphExport(Case):
    def test_dot_and_json(self):
        a = leaf([1.0, 2.0])
        b = a.sin()
        out = (b * b).sum()
        dot = graph.graph_dot(out, {"the input": a, "b": b}, saved=True)
        self.assertIn("the input\\nfloat64 [2]", dot)
        self.assertIn("b: float64 [2]", dot)
        self.assertIn("saved self", dot)
        self.assertNotIn("saved self", graph.graph_dot([out]))
        found = json.loads(graph.graph_json([out, b], {"a": a}))
        self.assertEqual([n["name"] for n in found["nodes"]], ["AccumulateGrad", "SinBackward0", "MulBackward0", "SumBackward0"])
        self.assertEqual((found["nodes"][0]["leaf"]["name"], found["saved_bytes"], len(found["roots"])), ("a", 32, 2))

    def test_long_texts_and_refusals(self):
        y = leaf([1.0])
        for _ in range(2000):
            y = y.sin()
        self.assertEqual(len(json.loads(graph.graph_json(y))["nodes"]), 2001)
        self.assertEqual(graph.saved_table(y).splitlines()[-1].split(), ["total", "2000", "2000", "16000", "8"])
        with self.refused("output 0 does not require grad"):
            graph.graph_dot(y.detach())
        with self.refused("expected a tensor", TypeError):
            graph.graph_json(3)


if __name__ == "__main__":
    unittest.main()
