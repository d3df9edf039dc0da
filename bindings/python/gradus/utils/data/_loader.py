"""DataLoader: mini-batches of a data set, made ahead on a thread."""
import itertools
import queue
import threading

from ... import _ops
from ._datasets import BatchSampler, IterableDataset, RandomSampler, SequentialSampler, drawn_seed, mixed


def default_collate(samples):
    """Samples as one: tensors are stacked, numbers become a tensor, tuples, lists and dicts are gone into."""
    import gradus
    first = samples[0]
    if isinstance(first, _ops.Tensor):
        return gradus.stack(list(samples))
    if type(first).__module__ == "numpy":                                  # arrays and numbers keep their types
        return gradus.stack([gradus.as_tensor(s) for s in samples])
    if isinstance(first, float):
        return gradus.tensor(list(samples), dtype=gradus.float64)
    if isinstance(first, int):
        return gradus.tensor(list(samples))
    if isinstance(first, (str, bytes)):
        return list(samples)
    if isinstance(first, dict):
        return {k: default_collate([s[k] for s in samples]) for k in first}
    if isinstance(first, (tuple, list)):
        if len({len(s) for s in samples}) > 1:
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [default_collate(part) for part in zip(*samples)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise TypeError(f"default_collate: batch must contain tensors, numbers, dicts or lists; found {type(first).__name__}")


def get_worker_info():
    """None: mini-batches are made in this process."""


class DataLoader:
    """Goes through a data set in mini-batches, each time it is iterated over.

    shuffle: in an order that `seed` decides, another one each time; without a seed the thread's random stream draws it once. state_dict and
    load_state_dict carry seed and count, so that a run that is resumed sees the orders it would have seen. num_workers: above 0, a thread makes
    up to prefetch_factor mini-batches ahead; the numbers drawn in it come from seed and count too. batch_size None: samples as they are.
    generator: draws the seed. There are no other processes, so what concerns them (timeout, worker_init_fn, ...) has nothing to act on.
    """

    def __init__(self, dataset, batch_size=1, shuffle=False, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None, pin_memory=False,
                 drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None, generator=None, *, seed=None, prefetch_factor=None,
                 persistent_workers=False):
        if seed is None and generator is not None:
            seed = drawn_seed(generator)
        prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        if num_workers < 0 or prefetch_factor < 1:
            raise ValueError(f"DataLoader: num_workers {num_workers} and prefetch_factor {prefetch_factor}; at least 0 and 1 are wanted")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader with IterableDataset: expected no shuffle, sampler or batch_sampler")
        if shuffle and not hasattr(dataset, "__len__"):
            raise TypeError(f"DataLoader: shuffle needs the length of the data set, and {type(dataset).__name__} has no __len__")
        if not self._iterable and sampler is None:
            sampler = RandomSampler(dataset, seed=seed) if shuffle else SequentialSampler(dataset)
        self.dataset, self.batch_size, self.drop_last, self.sampler = dataset, batch_size, drop_last, sampler
        self.num_workers, self.prefetch_factor, self.collate_fn = num_workers, prefetch_factor, collate_fn
        self.seed, self.epoch = sampler.seed if seed is None and isinstance(sampler, RandomSampler) else seed, 0
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler

    def __len__(self):
        if self._iterable:
            raise TypeError("DataLoader: an IterableDataset has no length")
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def state_dict(self):
        return {"seed": self._seed(), "epoch": self.epoch}

    def load_state_dict(self, state):
        self.seed, self.epoch = state["seed"], state["epoch"]

    def _seed(self):
        if self.seed is None:
            self.seed = drawn_seed()
        return self.seed

    def __iter__(self):
        if isinstance(self.sampler, RandomSampler):
            self.sampler.seed, self.sampler.epoch = self._seed(), self.epoch
        elif self.num_workers:
            self._seed()
        epoch, self.epoch = self.epoch, self.epoch + 1
        batches = self._batches()
        return _ahead(batches, self.prefetch_factor, (self.seed, epoch)) if self.num_workers else batches

    def _batches(self):
        if self._iterable:
            return self._of_a_stream()
        if self.batch_sampler is None:
            return (self.dataset[i] for i in iter(self.sampler))
        shuffled = isinstance(self.sampler, RandomSampler)                  # its order is drawn now: another loop may start before this one ends
        return map(self._batch, list(self.batch_sampler) if shuffled else self.batch_sampler)

    def _batch(self, indices):
        if self.collate_fn is None and hasattr(self.dataset, "batch"):
            return self.dataset.batch(indices)
        return (self.collate_fn or default_collate)([self.dataset[i] for i in indices])

    def _of_a_stream(self):
        samples = iter(self.dataset)
        if self.batch_size is None:
            yield from samples
            return
        while True:
            batch = list(itertools.islice(samples, self.batch_size))
            if not batch or self.drop_last and len(batch) < self.batch_size:
                return
            yield (self.collate_fn or default_collate)(batch)


_END = object()


def _make(batches, made, stop, seed):
    """The thread: puts (mini-batch, None), and in the end (_END, None) or (_END, the exception)."""
    import gradus

    def put(item):
        while not stop.is_set():
            try:
                return made.put(item, timeout=0.05)
            except queue.Full:
                pass
    try:
        gradus.manual_seed(mixed(*seed))
        for batch in batches:
            put((batch, None))
            batch = None
            if stop.is_set():
                return
        put((_END, None))
    except BaseException as error:                                         # noqa: BLE001 - raised again where the batches are used
        put((_END, error))


def _ahead(batches, count, seed):
    """The same mini-batches in the same order, up to `count` of them made before they are asked for."""
    made, stop = queue.Queue(count), threading.Event()
    thread = threading.Thread(target=_make, args=(batches, made, stop, seed), name="gradus-data", daemon=True)
    thread.start()
    try:
        while True:
            batch, error = made.get()
            if error is not None:
                raise error
            if batch is _END:
                return
            yield batch
    finally:
        stop.set()
        thread.join()
