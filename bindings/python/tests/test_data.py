"""gradus.utils.data: orders that a seed decides, mini-batches made ahead, files of numbers."""
import gzip
import pathlib
import resource
import struct
import tempfile
import threading
import unittest
import zlib

import gradus as torch
from gradus.utils.data import (ConcatDataset, DataLoader, Dataset, IterableDataset, RandomSampler, Subset, TensorDataset, default_collate,
                               random_split, read_csv, read_idx)


class Squares(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, i):
        return {"n": i, "square": torch.tensor(float(i * i))}


class Orders(unittest.TestCase):
    def test_shuffle_needs_a_length(self):
        class Endless(Dataset):
            def __getitem__(self, i):
                return i
        with self.assertRaisesRegex(TypeError, "__len__"):
            DataLoader(Endless(), shuffle=True)
        with self.assertRaisesRegex(TypeError, "__len__"):
            RandomSampler(Endless())

    data = TensorDataset(torch.arange(10), torch.arange(10).float() * 2)

    def order(self, loader):
        return [batch[0].tolist() for batch in loader]

    def test_rows_stay_together(self):
        batches = list(DataLoader(self.data, 4))
        self.assertEqual([a.tolist() for a, _ in batches], [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
        for a, b in DataLoader(self.data, 3, shuffle=True, seed=1):
            self.assertEqual((a * 2).tolist(), b.tolist())
        self.assertEqual(len(DataLoader(self.data, 4, drop_last=True)), 2)
        self.assertEqual(self.order(DataLoader(self.data, 4, drop_last=True)), [[0, 1, 2, 3], [4, 5, 6, 7]])

    def test_orders_of_other_lengths(self):
        def drawn(seed, **given):
            sampler = RandomSampler(range(6), seed=seed, **given)
            found = list(sampler)
            self.assertEqual(len(sampler), len(found))
            return found
        self.assertEqual(sorted(drawn(1)), list(range(6)))
        self.assertEqual(len(set(drawn(1, num_samples=4))), 4)
        self.assertEqual(sorted(drawn(1, num_samples=12)), sorted([*range(6)] * 2))
        many = drawn(1, replacement=True, num_samples=600)
        self.assertEqual((len(many), set(many), many[:4]), (600, set(range(6)), drawn(1, replacement=True, num_samples=4)))
        self.assertNotEqual(many[:6], drawn(2, replacement=True))
        self.assertNotEqual(sorted(many[:6]) * 100, sorted(many))
        loader = DataLoader(self.data, 3, sampler=RandomSampler(self.data, replacement=True, num_samples=4), num_workers=1, prefetch_factor=None)
        self.assertEqual([len(rows) for rows in self.order(loader)], [3, 1])
        mine = RandomSampler(range(10), generator=torch.Generator().manual_seed(5))
        expected = list(RandomSampler(range(10), generator=torch.Generator().manual_seed(5)))
        self.assertEqual(sum(self.order(DataLoader(self.data, 4, sampler=mine)), []), expected)
        for given in (dict(num_samples=0), dict(num_samples=2.0)):
            with self.assertRaises(ValueError):
                RandomSampler(range(6), **given)
        with self.assertRaises(TypeError):
            RandomSampler(range(6), 3)

    def test_seed_decides_and_threads_change_nothing(self):
        def twice(seed, workers):
            loader = DataLoader(self.data, 4, shuffle=True, seed=seed, num_workers=workers)
            return self.order(loader), self.order(loader)
        first, second = twice(3, 0)
        self.assertEqual(sorted(sum(first, [])), list(range(10)))
        self.assertNotEqual(first, second)
        self.assertEqual(twice(3, 1), (first, second))
        self.assertNotEqual(twice(4, 0)[0], first)

    def test_manual_seed_decides_where_none_is_given(self):
        found = []
        for _ in range(2):
            torch.manual_seed(8)
            found.append(self.order(DataLoader(self.data, 4, shuffle=True)))
        self.assertEqual(*found)

    def test_goes_on_where_it_was(self):
        loader = DataLoader(self.data, 4, shuffle=True)
        self.order(loader)
        other = DataLoader(self.data, 4, shuffle=True)
        other.load_state_dict(loader.state_dict())
        self.assertEqual(self.order(other), self.order(loader))

    def test_parts(self):
        parts = random_split(self.data, [0.7, 0.3], seed=2)
        self.assertEqual([len(p) for p in parts], [7, 3])
        self.assertEqual(sorted(sum(sum((self.order(DataLoader(p, 2)) for p in parts), []), [])), list(range(10)))
        self.assertEqual(self.order(DataLoader(Subset(self.data, [5, 1]), 2)), [[5, 1]])
        joined = ConcatDataset([Squares(), Squares()])
        self.assertEqual((len(joined), joined[8]["n"], joined[-1]["n"]), (14, 1, 6))


class Ahead(unittest.TestCase):
    def test_any_samples(self):
        for workers in (0, 1):
            batches = list(DataLoader(Squares(), 3, num_workers=workers))
            self.assertEqual([b["square"].tolist() for b in batches], [[0, 1, 4], [9, 16, 25], [36]])
            self.assertEqual(batches[0]["n"].dtype, torch.int64)

    def test_threads_end_when_the_loop_is_left(self):
        for _ in DataLoader(Orders.data, 1, num_workers=1):
            break
        self.assertFalse([t for t in threading.enumerate() if t.name == "gradus-data"])

    def test_an_error_reaches_the_loop(self):
        class Broken(Squares):
            def __getitem__(self, i):
                if i == 4:
                    raise KeyError("sample 4")
                return super().__getitem__(i)
        seen = []
        with self.assertRaisesRegex(KeyError, "sample 4"):
            for batch in DataLoader(Broken(), 2, num_workers=1):
                seen.append(batch["n"].tolist())
        self.assertEqual(seen, [[0, 1], [2, 3]])

    def test_random_samples_repeat(self):
        class Noisy(Squares):
            def __getitem__(self, i):
                return torch.randn(2)
        runs = [[b.tolist() for b in DataLoader(Noisy(), 3, num_workers=1, seed=s)] for s in (1, 1, 2)]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])

    def test_streams_and_refusals(self):
        class Stream(IterableDataset):
            def __iter__(self):
                return iter(range(5))
        self.assertEqual([b.tolist() for b in DataLoader(Stream(), 2, num_workers=1)], [[0, 1], [2, 3], [4]])
        for wrong in (lambda: DataLoader(Stream(), shuffle=True), lambda: DataLoader(Orders.data, 0),
                      lambda: DataLoader(Orders.data, sampler=[1], shuffle=True), lambda: random_split(Orders.data, [3, 3])):
            self.assertRaises(ValueError, wrong)
        self.assertRaises(AssertionError, TensorDataset, torch.zeros(2), torch.zeros(3))
        self.assertRaisesRegex(TypeError, "object", default_collate, [object()])


class Files(unittest.TestCase):
    def write(self, content, name="file"):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name, name)
        path.write_bytes(content)
        return path

    def test_idx(self):
        images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 1, 3) + bytes([1, 2, 3, 250, 251, 255])
        for content in (images, gzip.compress(images)):
            found = read_idx(self.write(content))
            self.assertEqual((found.dtype, found.tolist()), (torch.uint8, [[[1, 2, 3]], [[250, 251, 255]]]))
        floats = bytes([0, 0, 13, 1]) + struct.pack(">I", 2) + struct.pack(">2f", 1.5, -2)
        self.assertEqual(read_idx(self.write(floats)).tolist(), [1.5, -2])
        with self.assertRaisesRegex(ValueError, "has 21 bytes; 22 are wanted"):
            read_idx(self.write(images[:-1]))
        with self.assertRaisesRegex(ValueError, "more than 22 bytes"):
            read_idx(self.write(gzip.compress(images + bytes(1 << 20))))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with self.assertRaises(ValueError):                                # 128 MB of zeros: not unpacked
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            zeros = bytes(1 << 24)
            read_idx(self.write(packer.compress(images) + b"".join(packer.compress(zeros) for _ in range(8)) + packer.flush()))
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 60_000)
        with self.assertRaisesRegex(ValueError, "file: "):
            read_idx(self.write(gzip.compress(images)[:-9]))
        for wrong in (b"", b"\x89PNG", images[:6], b"\0\0\x08\xff", gzip.compress(b"\0\0")):
            self.assertRaises(ValueError, read_idx, self.write(wrong))

    def test_csv(self):
        path = self.write(b"a,b,c\n1,2.5,x\n-3,1e2,y\n\n")
        self.assertEqual(read_csv(path, header=True, columns=["b", 0]).tolist(), [[2.5, 1], [100, -3]])
        self.assertEqual(read_csv(self.write(b"1;;3\n4;5;6\n"), delimiter=";", missing=0, dtype=torch.int64).tolist(), [[1, 0, 3], [4, 5, 6]])
        for content, wanted in ((b"1,2\n3,four\n", "line 2, column 1: 'four'"), (b"1,2\n3\n", "line 2: 1 fields where 2"), (b"1,\n", "column 1: ''"),
                                (b"\n", "no rows")):
            with self.assertRaisesRegex(ValueError, wanted):
                read_csv(self.write(content))
        with self.assertRaisesRegex(ValueError, "no column 'z'"):
            read_csv(path, header=True, columns=["z"])


if __name__ == "__main__":
    unittest.main()
