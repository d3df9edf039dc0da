"""What char_gpt.py and lstm_text.py share: a text as numbers, mini-batches of it, judging, learning, and writing."""
import math
import pathlib

import gradus as torch
import learning
from gradus import nn


class Text:
    """The characters of a text as numbers; the last tenth is held out."""

    def __init__(self, args, name="tinyshakespeare.txt"):
        path = pathlib.Path(args.data) if pathlib.Path(args.data).is_file() else learning.data_file(args, name)
        with learning.refusing(path):
            text = path.read_bytes().decode("utf-8")
        text = text[:60000] if args.quick else text
        if len(text) < 10000:
            learning.fail(f"{args.data}: 10,000 characters are the least to learn from")
        self.characters = sorted(set(text))
        self.number = {c: i for i, c in enumerate(self.characters)}
        numbers = torch.tensor([self.number[c] for c in text])
        cut = len(text) * 9 // 10
        self.training, self.held_out = numbers[:cut], numbers[cut:]

    def read(self, numbers):
        return "".join(self.characters[n] for n in numbers)


def sample_option(parser):
    parser.add_argument("--sample", type=learning.whole_number(0), default=300, help="characters to write in the end (default: %(default)s)")


def cut(numbers, starts, length):
    """Pieces of that length from each start, and the characters that follow each of theirs."""
    pieces = torch.take(numbers, starts.unsqueeze(1) + torch.arange(length + 1))
    return pieces[:, :-1], pieces[:, 1:]


def loss_of(model, x, y):
    return nn.functional.cross_entropy(model(x).flatten(0, 1), y.reshape(-1))


@torch.no_grad()
def judge(model, numbers, length, pieces):
    """The loss per character on pieces that are spread evenly."""
    model.eval()
    last = len(numbers) - length - 1
    starts = [last * i // max(pieces - 1, 1) for i in range(pieces)]
    parts = [torch.tensor(starts[i:i + 16]) for i in range(0, pieces, 16)]
    total = sum(loss_of(model, *cut(numbers, part, length)).item() * len(part) for part in parts)
    model.train()
    return total / pieces


@torch.no_grad()
def write(model, text, start, count, context, temperature=0.8):
    """Goes on from `start`, one character after the other, each drawn by the model's probabilities."""
    model.eval()
    numbers = [text.number[c] for c in start]
    for _ in range(count):
        scores = model(torch.tensor([numbers[-context:]]))[0, -1] / temperature
        numbers.append(torch.multinomial(scores.softmax(0), 1).item())
    model.train()
    return text.read(numbers)


def learn(args, model, optimizer, rates, text, batch, length, steps):
    """`steps` steps an epoch on pieces that are drawn at random; the random stream is saved, so a resumed run draws the same ones."""
    curves, total = {"training": [], "held out": []}, learning.end_of(args) * steps
    step = learning.resume(args.resume, model, curves, optimizer, rates)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(text.training)} characters to learn from, "
          f"{len(text.characters)} different ones; guessing costs {math.log(len(text.characters)):.3f}")
    progress, recent = learning.Progress("steps", total - step), []
    while step < total:
        x, y = cut(text.training, torch.randint(0, len(text.training) - length, [batch]), length)
        optimizer.zero_grad()
        loss = loss_of(model, x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rates.step()
        step += 1
        recent.append(loss.item())
        if step % steps == 0:
            curves["training"].append((step, sum(recent) / len(recent)))
            curves["held out"].append((step, judge(model, text.held_out, length, 16 if args.quick else 64)))
            recent = []
            learning.save(args.save, model, step, curves, optimizer, rates)
        held_out = f"  held out {curves['held out'][-1][1]:.3f}" if curves["held out"] else ""
        progress.step(f"loss {loss.item():.3f}{held_out}")
    return curves
