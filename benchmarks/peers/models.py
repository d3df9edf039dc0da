"""The models that train.py trains: each is written once, as a function of `torch`, which is PyTorch or gradus.

So both libraries do the same work by construction. Weights and batches come from NumPy by a seed, dropout is off. What a task says:
module(torch) makes the model, optimizer(torch, model, **settings) and rates(torch, optimizer, steps) how it learns, batch(data, step) the arrays of
a step, loss(torch, model, *batch) what is made small.
"""
import dataclasses
import math
import pathlib
from typing import Any, Callable

import numpy as np

SEED = 1


class Missing(Exception):
    """A data file that is not there."""


def _file(folder, name, published):
    path = pathlib.Path(folder, name)
    if not path.is_file():
        raise Missing(f"{path} is not there; the data set is published at {published}")
    return path


# ---- data

class Digits:
    """Images [n, 1, 8, 8] with ink between 0 and 1, and what they show. An epoch visits each once, in an order of its own."""
    published = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"

    def __init__(self, folder):
        self.training, self.test = (self._read(folder, "optdigits." + part) for part in ("tra", "tes"))
        self.epoch, self.order = -1, None

    def _read(self, folder, name):
        table = np.loadtxt(_file(folder, name, self.published), delimiter=",", dtype=np.float32)
        return (table[:, :64] / 16).reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)

    def batch(self, step, size):
        images, labels = self.training
        per_epoch = len(labels) // size
        if self.epoch != step // per_epoch:
            self.epoch = step // per_epoch
            self.order = np.random.default_rng([SEED, self.epoch]).permutation(len(labels))
        rows = self.order[step % per_epoch * size:][:size]
        return images[rows], labels[rows]


class Text:
    """Pieces of a text as numbers of characters, and the characters that follow each of theirs."""
    published = "https://github.com/karpathy/char-rnn (data/tinyshakespeare/input.txt)"
    characters = 65

    def __init__(self, folder, length):
        text = _file(folder, "tinyshakespeare.txt", self.published).read_bytes()
        codes = np.frombuffer(text[:len(text) * 9 // 10], np.uint8)
        self.length, self.numbers = length, np.searchsorted(np.unique(np.frombuffer(text, np.uint8)), codes).astype(np.int64)

    def batch(self, step, size):
        starts = np.random.default_rng([SEED, step]).integers(0, len(self.numbers) - self.length, size)
        pieces = self.numbers[starts[:, None] + np.arange(self.length + 1)]
        return np.ascontiguousarray(pieces[:, :-1]), np.ascontiguousarray(pieces[:, 1:])


class Square:
    """Points of the unit square, drawn anew for each step."""

    def __init__(self, _folder):
        pass

    def batch(self, step, size):
        return np.random.default_rng([SEED, step]).random((size, 2), np.float32),


# ---- modules

def mlp(torch):
    nn = torch.nn
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn(torch, activation, channels=32):
    nn = torch.nn

    def block(before, after):
        return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), getattr(nn, activation)())
    return nn.Sequential(block(1, channels), nn.MaxPool2d(2), block(channels, 2 * channels), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                         nn.Linear(8 * channels, 10))


def attention_by_hand(torch, q, k, v, later):
    scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(q.shape[-1]))
    return scores.masked_fill(later, -math.inf).softmax(-1) @ v


def attention_of_library(torch, q, k, v, _later):
    known = torch.nn.functional
    if hasattr(known, "scaled_dot_product_attention"):
        return known.scaled_dot_product_attention(q, k, v, is_causal=True)
    return known._scaled_dot_product_attention(q, k, v, is_causal=True)[0]          # its name before PyTorch 2.0


def gpt(torch, attention, characters=Text.characters, context=128, width=128, layers=4, heads=4):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x, later):
            batch, time, _ = x.shape
            q, k, v = self.qkv(self.norm1(x)).reshape([batch, time, 3, heads, width // heads]).permute(2, 0, 3, 1, 4).unbind(0)
            x = x + self.out(attention(torch, q, k, v, later).transpose(1, 2).flatten(2))
            return x + self.feed(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.character, self.place = nn.Embedding(characters, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList([Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)
            self.later = torch.ones(context, context, dtype=torch.bool).triu(1)

        def forward(self, numbers):
            x = self.character(numbers) + self.place(torch.arange(numbers.shape[1]))
            for block in self.blocks:
                x = block(x, self.later)
            return self.head(self.norm(x))

    return GPT()


def lstm(torch, characters=Text.characters, width=128, layers=2):
    nn = torch.nn

    class Writer(nn.Module):
        def __init__(self):
            super().__init__()
            self.character = nn.Embedding(characters, width)
            self.lstm = nn.LSTM(width, width, layers, batch_first=True)
            self.head = nn.Linear(width, characters)

        def forward(self, numbers):
            return self.head(self.lstm(self.character(numbers))[0])

    return Writer()


def pinn(torch, width=32, layers=3):
    nn = torch.nn
    sizes = [2] + [width] * layers
    hidden = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*hidden, nn.Linear(width, 1))


# ---- losses

def classified(torch, model, images, labels):
    return torch.nn.functional.cross_entropy(model(images), labels)


def next_character(torch, model, x, y):
    return torch.nn.functional.cross_entropy(model(x).flatten(0, 1), y.reshape(-1))


def poisson(torch, model, points):
    """The mean of (u_xx + u_yy + f)^2 with u = model * x (1 - x) y (1 - y) and f = 2 pi^2 sin(pi x) sin(pi y), as in examples/pinn.py."""
    points = points.requires_grad_()
    x, y = points.unbind(1)
    u = model(points).squeeze(1) * x * (1 - x) * y * (1 - y)
    first, = torch.autograd.grad(u.sum(), points, create_graph=True)
    bend = sum(torch.autograd.grad(first[:, k].sum(), points, create_graph=True)[0][:, k] for k in range(2))
    with torch.no_grad():
        f = 2 * math.pi ** 2 * torch.sin(math.pi * x) * torch.sin(math.pi * y)
    return ((bend + f) ** 2).mean()


# ---- how they learn

def sgd(torch, model, **settings):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, **settings)


def adam(rate):
    return lambda torch, model, **settings: torch.optim.Adam(model.parameters(), lr=rate, **settings)


def adamw(rate, decay, betas=(0.9, 0.999)):
    def make(torch, model, **settings):
        parameters = list(model.parameters())
        groups = [{"params": [p for p in parameters if p.dim() > 1]}, {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=rate, betas=betas, weight_decay=decay, **settings)
    return make


def steady(torch, optimizer, steps):
    return None


def one_cycle(rate, rise=0.3):
    return lambda torch, optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=rise)


def cosine(torch, optimizer, steps):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


@dataclasses.dataclass
class Task:
    module: Callable[[Any], Any]
    data: Callable[[str], Any]
    loss: Callable
    optimizer: Callable
    learns: str                        # the optimizer, in words
    rates: Callable = steady
    batch: int = 64
    clip: float = 0.0                  # the largest norm of the gradient; 0: any
    steps: int = 200
    compared: int = 200                # how many steps' losses have to agree


# A ReLU's slope jumps at 0: of 10^5 of them some are so near that rounding decides, and from that step on two float32 runs go apart, those of
# PyTorch with and without oneDNN as well. GELU is smooth.
def _cnn(activation):
    return Task(lambda torch: cnn(torch, activation), Digits, classified, adamw(4e-3, 1e-2), "AdamW", one_cycle(4e-3), steps=590,
                compared=200 if activation == "GELU" else 50)


def _gpt(attention):
    return Task(lambda torch: gpt(torch, attention), lambda folder: Text(folder, 128), next_character, adamw(3e-3, 0.1, (0.9, 0.99)), "AdamW",
                one_cycle(3e-3, 0.1), batch=32, clip=1.0)


TASKS = {
    "mlp": Task(mlp, Digits, classified, sgd, "SGD with momentum", steps=1180),
    "cnn": _cnn("GELU"),
    "cnn_relu": _cnn("ReLU"),
    "gpt": _gpt(attention_by_hand),
    "gpt_sdpa": _gpt(attention_of_library),
    "lstm": Task(lstm, lambda folder: Text(folder, 64), next_character, adamw(5e-3, 1e-2), "AdamW", one_cycle(5e-3, 0.1), batch=32, clip=1.0),
    "pinn": Task(pinn, Square, poisson, adam(5e-3), "Adam", cosine, batch=256, steps=400),
}


def first_values(name, shape, generator):
    """A parameter before training: layers as PyTorch's ranges would have them, scales near one."""
    if len(shape) > 1:
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        return generator.uniform(-bound, bound, shape)
    middle = 1.0 if name.endswith("weight") else 0.0
    return middle + generator.uniform(-0.05, 0.05, shape)
