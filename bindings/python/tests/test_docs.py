"""What the docstrings and the README show is what comes out."""
import contextlib
import doctest
import importlib
import io
import pathlib
import pkgutil
import re
import unittest

import gradus


class Docs(unittest.TestCase):
    def test_docstrings(self):
        tried, finder = 0, doctest.DocTestFinder(exclude_empty=True)
        for module in [gradus, *(importlib.import_module(m.name) for m in pkgutil.walk_packages(gradus.__path__, "gradus."))]:
            for test in finder.find(module, globs=dict(vars(module))):
                if test.examples:
                    out = io.StringIO()
                    failed, count = doctest.DocTestRunner().run(test, out=out.write)
                    self.assertEqual(failed, 0, out.getvalue())
                    tried += count
        self.assertGreater(tried, 20)

    def test_readme(self):
        text = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
        blocks = re.findall(r"```python\n(.*?)```", text, re.S)
        self.assertTrue(blocks)
        for block in blocks:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(block, {})
            self.assertEqual(out.getvalue().split(), " ".join(re.findall(r"print\(.*\) +# (.*)", block)).split())


if __name__ == "__main__":
    unittest.main()
