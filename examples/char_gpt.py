"""A transformer learns to write Shakespeare, character by character: 4 layers, 4 heads, 128 wide, 128 characters of context.

    PYTHONPATH=bindings/python python3 examples/char_gpt.py --svg curve.svg --save gpt.safetensors
    PYTHONPATH=bindings/python python3 examples/char_gpt.py --resume gpt.safetensors --epochs 1 --sample 500      writes only

The text is tinyshakespeare.txt: 1,115,394 characters; the last tenth is held out. An epoch is 100 steps of 32 pieces.
Expected with seed 1: with --epochs 2 (200 steps in 4 minutes on two busy processors) 2.392 per character on what is held out; guessing costs 4.17.
The default is 2,000 steps.
"""
import gradus as torch
import language
import learning
from gradus import nn, optim


class Block(nn.Module):
    """Attention to what came before, then two linear layers; both are added to their input."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape([batch, time, 3, self.heads, width // self.heads]).permute(2, 0, 3, 1, 4).unbind(0)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.out(seen))
        return x + self.feed(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, characters, context=128, width=128, layers=4, heads=4, dropout=0.1):
        super().__init__()
        self.character, self.place = nn.Embedding(characters, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0.0, 0.02 / ((2 * layers) ** 0.5 if name.endswith(("out.weight", "feed.2.weight")) else 1))

    def forward(self, numbers):
        x = self.character(numbers) + self.place(torch.arange(numbers.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def main():
    args = learning.arguments(__doc__, 20, with_data=True, more=language.sample_option)
    args.epochs = 2 if args.quick else args.epochs
    steps, batch, context = (10, 8, 32) if args.quick else (100, 32, 128)
    text = language.Text(args)
    model = GPT(len(text.characters), context, *[(), (32, 2, 4)][args.quick])
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = optim.AdamW([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=3e-3, betas=(0.9, 0.99), weight_decay=0.1)
    rates = optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=args.epochs * steps, pct_start=0.1)
    curves = language.learn(args, model, optimizer, rates, text, batch, context, steps)
    held_out = language.judge(model, text.held_out, context, 16 if args.quick else 64)
    print(f"held out: {held_out:.3f} per character")
    learning.expect(args, held_out < 3.8, "less than 3.8 per character")
    print(language.write(model, text, "\n", min(args.sample, 60) if args.quick else args.sample, context))
    if args.svg:
        learning.write_svg(args.svg, "A transformer learns to write", "step", "cross entropy per character", curves)


if __name__ == "__main__":
    main()
