"""The wheel: built by the standard library alone, complete, and it runs where it lies."""
import ast
import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

import gradus as torch

HERE = pathlib.Path(__file__).resolve().parent.parent


class Wheel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_wheel(self):
        environment = {**os.environ, "GRADUS_LIBRARY": torch._library.path, "PYTHONDONTWRITEBYTECODE": "1"}
        name = subprocess.run([sys.executable, HERE / "build_backend" / "wheel_of_gradus.py", self.folder], env=environment, check=True,
                              capture_output=True, text=True).stdout.strip()
        with zipfile.ZipFile(self.folder / name) as wheel:
            record = wheel.read(next(n for n in wheel.namelist() if n.endswith("/RECORD"))).decode().splitlines()
            self.assertEqual([line.split(",")[0] for line in record], wheel.namelist())
            for line in record[:-1]:
                path, digest, size = line.split(",")
                data = wheel.read(path)
                self.assertEqual(digest, "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode())
                self.assertEqual(int(size), len(data))
            self.check_stubs(wheel.read("gradus/__init__.pyi").decode())
            wheel.extractall(self.folder / "site")
        del environment["GRADUS_LIBRARY"]
        environment["PYTHONPATH"] = str(self.folder / "site")
        out = subprocess.run([sys.executable, "-c", "import gradus; print(gradus._library.path, gradus.nn.functional.relu(gradus.ones(2)))"],
                             env=environment, cwd=self.folder, check=True, capture_output=True, text=True).stdout
        self.assertTrue(out.startswith(str(self.folder / "site")) and out.endswith("tensor([1., 1.])\n"), out)

    def check_stubs(self, text):
        tree = ast.parse(text)
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        methods = {node.name for c in tree.body if isinstance(c, ast.ClassDef) and c.name == "Tensor" for node in c.body
                   if isinstance(node, ast.FunctionDef)}
        public = {name for name in torch._ops.registry.records if not name.startswith("_") and name.isidentifier()}
        self.assertEqual(public - functions, set())
        self.assertLessEqual({"add", "add_", "backward", "view", "to", "__add__", "max"}, methods)


if __name__ == "__main__":
    unittest.main()
