"""Modules against PyTorch's results: values, gradients, buffers, and the names in state dicts. nn_cases.py made the stored numbers."""
import json
import math
import pathlib
import unittest

import gradus as torch
import nn_cases


class Values(unittest.TestCase):
    def close(self, found, expected, what):
        self.assertEqual([len(t) for t in found], [len(t) for t in expected], what)
        for a, b in zip((v for t in found for v in t), (v for t in expected for v in t)):
            self.assertTrue(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-8), f"{what}: {a} for {b}")

    def test_as_torch(self):
        expected = json.loads(pathlib.Path(__file__).with_name("nn_expected.json").read_text())
        self.assertEqual(sorted(expected), sorted(name for name, _, _ in nn_cases.cases()))
        for name, module, inputs in nn_cases.cases():
            with self.subTest(name):
                found = nn_cases.run(torch, module, inputs)
                self.assertEqual(found["state"], expected[name]["state"])
                for part in ("results", "grads", "buffers"):
                    self.close(found[part], expected[name][part], part)


if __name__ == "__main__":
    unittest.main()
