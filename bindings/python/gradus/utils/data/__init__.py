"""Data sets, mini-batches in a reproducible order made ahead on a thread, and readers of IDX and CSV files."""
from ._datasets import (ConcatDataset, Dataset, IterableDataset, RandomSampler, Sampler, SequentialSampler, BatchSampler, Subset, TensorDataset,
                        random_split)
from ._loader import DataLoader, default_collate
from ._readers import read_csv, read_idx
