"""Data sets, mini-batches in a reproducible order made ahead on a thread, and readers of IDX and CSV files."""
from . import _loader as dataloader
from ._datasets import (BatchSampler, ChainDataset, ConcatDataset, Dataset, IterableDataset, RandomSampler, Sampler, SequentialSampler, Subset,
                        SubsetRandomSampler, TensorDataset, WeightedRandomSampler, random_split)
from ._loader import DataLoader, default_collate, get_worker_info
from ._readers import read_csv, read_idx
