"""A recurrent network learns to write Shakespeare, character by character: an embedding, two layers of LSTM, a linear layer.

    PYTHONPATH=bindings/python python3 examples/lstm_text.py --svg curve.svg

The text is tinyshakespeare.txt: 1,115,394 characters; the last tenth is held out. An epoch is 100 steps of 32 pieces of 64 characters.
Expected with seed 1: with --epochs 4 (400 steps in 70 s on two busy processors) 1.902 per character on what is held out; guessing costs 4.17.
The default is 2,000 steps.
"""
import gradus as torch
import language
import learning
from gradus import nn, optim


class Writer(nn.Module):
    def __init__(self, characters, width=128, layers=2):
        super().__init__()
        self.character = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True, dropout=0.1)
        self.head = nn.Linear(width, characters)

    def forward(self, numbers):
        return self.head(self.lstm(self.character(numbers))[0])

    @torch.no_grad()
    def write(self, text, start, count, temperature=0.8):
        """Goes on from `start`; the state of the LSTM holds all that came before."""
        self.eval()
        numbers, state = [text.number[c] for c in start], None
        seen, state = self.lstm(self.character(torch.tensor([numbers])), state)
        for _ in range(count):
            numbers.append(torch.multinomial((self.head(seen[0, -1]) / temperature).softmax(0), 1).item())
            seen, state = self.lstm(self.character(torch.tensor([numbers[-1:]])), state)
        self.train()
        return text.read(numbers)


def main():
    args = learning.arguments(__doc__, 20, with_data=True, more=language.sample_option)
    args.epochs = 2 if args.quick else args.epochs
    steps, batch, length = (10, 8, 24) if args.quick else (100, 32, 64)
    text = language.Text(args)
    model = Writer(len(text.characters), 32 if args.quick else 128)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)
    rates = optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=args.epochs * steps, pct_start=0.1)
    curves = language.learn(args, model, optimizer, rates, text, batch, length, steps)
    held_out = language.judge(model, text.held_out, length, 16 if args.quick else 64)
    print(f"held out: {held_out:.3f} per character")
    learning.expect(args, held_out < 3.8, "less than 3.8 per character")
    print(model.write(text, "\n", min(args.sample, 60) if args.quick else args.sample))
    if args.svg:
        learning.write_svg(args.svg, "A recurrent network learns to write", "step", "cross entropy per character", curves)


if __name__ == "__main__":
    main()
