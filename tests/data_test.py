"""examples/data.py: what it downloads is checked before it is kept. No network: the addresses are file:// ones."""
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

EXAMPLES = pathlib.Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(EXAMPLES))
import data                                                                # noqa: E402


class Fetching(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.published, self.folder = pathlib.Path(held.name, "published"), pathlib.Path(held.name, "here", "data")
        self.published.mkdir()

    def put(self, name, content):
        path = self.published / name
        path.write_bytes(content)
        return path.as_uri()

    def refused(self, name, files, part):
        with self.assertRaises(data.Refused) as caught:
            data.fetch(name, self.folder, files)
        self.assertIn(part, str(caught.exception))
        self.assertEqual(sorted(self.folder.iterdir()) if self.folder.exists() else [], [])

    def test_a_file_comes_whole_and_stays(self):
        files = {"a.txt": (self.put("input.txt", b"abc"), hashlib.sha256(b"abc").hexdigest())}
        path = data.fetch("a.txt", self.folder, files)
        self.assertEqual(path.read_bytes(), b"abc")
        (self.published / "input.txt").unlink()
        self.assertEqual(data.fetch("a.txt", self.folder, files), path)    # what is right is not fetched again
        self.assertEqual([p.name for p in self.folder.iterdir()], ["a.txt"])

    def test_another_content_is_not_kept(self):
        files = {"a.txt": (self.put("input.txt", b"abd"), hashlib.sha256(b"abc").hexdigest())}
        self.refused("a.txt", files, "it is not kept")

    def test_a_damaged_file_is_replaced(self):
        files = {"a.txt": (self.put("input.txt", b"abc"), hashlib.sha256(b"abc").hexdigest())}
        self.folder.mkdir(parents=True)
        (self.folder / "a.txt").write_bytes(b"ab")
        self.assertEqual(data.fetch("a.txt", self.folder, files).read_bytes(), b"abc")

    def test_members_of_archives(self):
        with zipfile.ZipFile(self.published / "set.zip", "w") as archive:
            archive.writestr("folder/a.txt", b"abc")
        url, digest = (self.published / "set.zip").as_uri(), hashlib.sha256(b"abc").hexdigest()
        self.assertEqual(data.fetch("a.txt", self.folder, {"a.txt": (url, digest)}).read_bytes(), b"abc")
        with self.assertRaisesRegex(data.Refused, "holds no b.txt"):
            data.fetch("b.txt", self.folder, {"b.txt": (url, digest)})

    def test_what_is_not_there(self):
        self.refused("a.txt", {"a.txt": ((self.published / "none").as_uri(), "0" * 64)}, "none")

    def test_the_published_hashes_are_those_of_the_data_sets_that_we_have(self):
        for folder in (EXAMPLES.parent.parent / "shared" / "data", EXAMPLES.parent.parent.parent / "shared" / "data"):
            if folder.is_dir():
                subprocess.run([sys.executable, "-B", EXAMPLES / "data.py", "--check", folder], check=True)
                return
        self.skipTest("no data sets beside the checkout")

    def test_the_command_says_what_is_missing(self):
        run = subprocess.run([sys.executable, "-B", EXAMPLES / "data.py", "--check", self.folder], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stdout.count(": missing\n"), len(data.FILES))


if __name__ == "__main__":
    unittest.main()
