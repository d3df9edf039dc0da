"""Data sets, and the orders in which they are gone through."""
import bisect
import itertools

from ... import _ops


class Dataset:
    """Samples by number. batch(indices), where a data set has it, gives a whole mini-batch at once."""

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__}: __getitem__")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Samples one after the other, by __iter__; their order is the data set's own."""


class TensorDataset(Dataset):
    """Sample i is row i of every tensor."""

    def __init__(self, *tensors):
        if not tensors:
            raise ValueError("TensorDataset: at least one tensor is wanted")
        counts = [t.shape[0] for t in tensors]
        if len(set(counts)) > 1:
            raise AssertionError(f"Size mismatch between tensors: they have {', '.join(map(str, counts))} rows")
        self.tensors = tensors

    def __len__(self):
        return self.tensors[0].shape[0]

    def __getitem__(self, index):
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices):
        import gradus
        rows = gradus.tensor(list(indices), dtype=gradus.int64)
        return [_ops.function("index_select")(t, 0, rows) for t in self.tensors]


class Subset(Dataset):
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices
        if hasattr(dataset, "batch"):
            self.batch = lambda wanted: dataset.batch([indices[i] for i in wanted])

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


class ConcatDataset(Dataset):
    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"ConcatDataset: index {index} of {len(self)} samples")
        index %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset):
    """The samples of several iterable data sets, one after the other."""

    def __init__(self, datasets):
        self.datasets = datasets

    def __iter__(self):
        for dataset in self.datasets:
            yield from dataset

    def __len__(self):
        return sum(map(len, self.datasets))


def drawn_seed(generator=None):
    """A number from a generator, or from the thread's random stream: manual_seed decides it."""
    import gradus
    return gradus.randint(0, 1 << 62, [1], generator=generator).item()


def mixed(seed, epoch):
    """One seed of both. examples/learning.h has the same formula, so that programs in C++ see the same orders."""
    return (seed * 0x9E3779B97F4A7C15 + epoch) % (1 << 63)


def shuffled(count, seed):
    """The numbers below count in an order that the seed decides; the thread's random stream stays where it is."""
    return numbers(count, seed, count, False)


def numbers(count, seed, wanted, replacement):
    """As many numbers below count as wanted: one order after the other or, with replacement, each drawn for itself."""
    import gradus
    if not count:
        return []
    state = gradus.get_rng_state()
    gradus.manual_seed(seed)
    try:
        if replacement:
            return gradus.randint(0, count, [wanted]).tolist()
        return [i for _ in range(0, wanted, count) for i in gradus.randperm(count).tolist()][:wanted]
    finally:
        gradus.set_rng_state(state)


def random_split(dataset, lengths, generator=None, seed=None):
    """Subsets of those lengths, or of those shares where they add up to 1, with samples drawn at random."""
    count, lengths = len(dataset), list(lengths)
    if lengths and all(isinstance(n, float) for n in lengths) and abs(sum(lengths) - 1) < 1e-9:
        lengths = [int(count * share) for share in lengths]
        for i in range(count - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != count:
        raise ValueError(f"Sum of input lengths ({sum(lengths)}) does not equal the length of the input dataset ({count})!")
    order, ends = shuffled(count, mixed(drawn_seed(generator) if seed is None else seed, 0)), list(itertools.accumulate(lengths))
    return [Subset(dataset, order[end - n:end]) for n, end in zip(lengths, ends)]


class Sampler:
    """Numbers of samples in some order."""


class SequentialSampler(Sampler):
    def __init__(self, data_source):
        self.data_source = data_source

    def __len__(self):
        return len(self.data_source)

    def __iter__(self):
        return iter(range(len(self.data_source)))


class RandomSampler(Sampler):
    """Every number once, in an order that seed and epoch decide; epoch counts the times it was gone through. With replacement each number is
    drawn anew. num_samples: how many there are; beyond the length of data_source another order follows."""

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None, *, seed=None):
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if num_samples is not None and (isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples <= 0):
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        if not hasattr(data_source, "__len__"):
            raise TypeError(f"RandomSampler: {type(data_source).__name__} has no __len__")
        self.data_source, self.replacement, self._num_samples, self.epoch = data_source, replacement, num_samples, 0
        self.seed = drawn_seed(generator) if seed is None and generator is not None else seed

    @property
    def num_samples(self):
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self):
        return self.num_samples

    def __iter__(self):
        if self.seed is None:
            self.seed = drawn_seed()
        order = numbers(len(self.data_source), mixed(self.seed, self.epoch), self.num_samples, self.replacement)
        self.epoch += 1
        return iter(order)


class SubsetRandomSampler(Sampler):
    """The given numbers in an order drawn anew each time."""

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __len__(self):
        return len(self.indices)

    def __iter__(self):
        import gradus
        return (self.indices[i] for i in gradus.randperm(len(self.indices), generator=self.generator).tolist())


class WeightedRandomSampler(Sampler):
    """num_samples numbers, each drawn with a chance in proportion to its weight."""

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        import gradus
        if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        self.weights = gradus.as_tensor(weights, dtype=gradus.float64)
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __len__(self):
        return self.num_samples

    def __iter__(self):
        import gradus
        return iter(gradus.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())


class BatchSampler(Sampler):
    """Lists of batch_size numbers; the last one may be shorter, or is left out."""

    def __init__(self, sampler, batch_size, drop_last=False):
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __len__(self):
        count = len(self.sampler)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self):
        numbers = iter(self.sampler)
        while True:
            batch = list(itertools.islice(numbers, self.batch_size))
            if not batch or self.drop_last and len(batch) < self.batch_size:
                return
            yield batch
