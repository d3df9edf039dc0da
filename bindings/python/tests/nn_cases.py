"""Modules, and what they are applied to, as expressions that hold for gradus and for torch alike.

    /usr/bin/python3 nn_cases.py > nn_expected.json        writes torch's results; test_nn_values.py compares with them

In each line: a name, a module, its inputs. x(…) are numbers between -0.8 and 0.8 of that shape, i(n, …) whole numbers below n. The parameters are
set to such numbers too, so that nothing depends on random numbers.
"""
import json
import math

CASES = """
linear | nn.Linear(3, 4) | x(2, 3)
linear without bias | nn.Linear(3, 4, bias=False) | x(2, 5, 3)
bilinear | nn.Bilinear(3, 2, 4) | x(2, 3), x(2, 2)
embedding | nn.Embedding(6, 3, padding_idx=1) | i(6, 2, 4)
conv1d | nn.Conv1d(2, 4, 3, stride=2, padding=1) | x(2, 2, 7)
conv1d same | nn.Conv1d(2, 2, 4, padding='same', dilation=2) | x(2, 2, 9)
conv2d groups | nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2) | x(2, 4, 6, 5)
conv2d reflect | nn.Conv2d(1, 2, 3, padding=1, padding_mode='reflect') | x(1, 1, 4, 4)
conv2d circular | nn.Conv2d(1, 2, 3, padding=1, padding_mode='circular') | x(1, 1, 4, 4)
conv3d | nn.Conv3d(1, 2, 2) | x(1, 1, 3, 3, 3)
conv transpose 1d | nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1) | x(2, 2, 4)
conv transpose 2d | nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2) | x(1, 4, 3, 3)
batch norm 1d | nn.BatchNorm1d(3) | x(5, 3)
batch norm 2d | nn.BatchNorm2d(2, momentum=None) | x(3, 2, 2, 2)
batch norm 2d in use | nn.BatchNorm2d(2).eval() | x(3, 2, 2, 2)
batch norm plain | nn.BatchNorm1d(3, affine=False, track_running_stats=False) | x(4, 3, 2)
layer norm | nn.LayerNorm((2, 3)) | x(4, 2, 3)
group norm | nn.GroupNorm(2, 4) | x(2, 4, 3)
instance norm | nn.InstanceNorm2d(2, affine=True, track_running_stats=True) | x(2, 2, 3, 3)
instance norm alone | nn.InstanceNorm1d(2) | x(2, 5)
relu | nn.ReLU() | x(3, 4)
leaky relu | nn.LeakyReLU(0.2) | x(3, 4)
elu | nn.ELU(1.5) | x(3, 4)
gelu | nn.GELU() | x(3, 4)
silu | nn.SiLU() | x(3, 4)
softplus | nn.Softplus(2, 1) | x(3, 4)
hardtanh | nn.Hardtanh(-0.3, 0.5) | x(3, 4)
threshold | nn.Threshold(0.1, -2.0) | x(3, 4)
softshrink | nn.Softshrink(0.2) | x(3, 4)
log softmax | nn.LogSoftmax(1) | x(3, 4)
prelu | nn.PReLU(4) | x(3, 4)
glu | nn.GLU(1) | x(3, 4)
max pool | nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True) | x(1, 2, 6, 5)
average pool | nn.AvgPool2d(2, stride=1, padding=1, count_include_pad=False) | x(1, 2, 4, 4)
adaptive average pool | nn.AdaptiveAvgPool2d((2, 3)) | x(1, 2, 5, 7)
flatten | nn.Flatten(1, 2) | x(2, 3, 2, 2)
upsample | nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False) | x(1, 1, 3, 3)
rnn | nn.RNN(3, 2, 2, nonlinearity='relu') | x(4, 2, 3)
lstm | nn.LSTM(3, 2, num_layers=2, bidirectional=True) | x(4, 2, 3)
lstm batch first with a state | nn.LSTM(3, 2, batch_first=True) | x(2, 4, 3), (x(1, 2, 2), x(1, 2, 2))
gru | nn.GRU(3, 2, 2, batch_first=True, bias=False) | x(2, 4, 3)
gru without a batch | nn.GRU(3, 2, bidirectional=True) | x(4, 3)
lstm cell | nn.LSTMCell(3, 2) | x(2, 3)
gru cell | nn.GRUCell(3, 2) | x(2, 3), x(2, 2)
attention | nn.MultiheadAttention(4, 2) | x(3, 2, 4), x(5, 2, 4), x(5, 2, 4)
attention masked | nn.MultiheadAttention(4, 2, batch_first=True, add_zero_attn=True) | x(2, 3, 4), x(2, 3, 4), x(2, 3, 4), i(2, 2, 3) > 1, True, upper(3)
attention other sizes | nn.MultiheadAttention(4, 2, kdim=3, vdim=2, add_bias_kv=True) | x(3, 2, 4), x(5, 2, 3), x(5, 2, 2)
encoder layer | nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, activation='gelu', norm_first=True) | x(3, 2, 4), upper(3)
encoder | nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True), 2, nn.LayerNorm(4)) | x(2, 3, 4)
decoder layer | nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0) | x(3, 2, 4), x(5, 2, 4)
cross entropy | nn.CrossEntropyLoss(weight=x(3).abs(), label_smoothing=0.1) | x(4, 3), i(3, 4)
nll | nn.NLLLoss(ignore_index=1, reduction='sum') | x(4, 3), i(3, 4)
binary cross entropy | nn.BCEWithLogitsLoss(pos_weight=x(3).abs()) | x(4, 3), x(4, 3).abs()
mse | nn.MSELoss() | x(4, 3), x(4, 3) * 2
smooth l1 | nn.SmoothL1Loss(beta=0.3) | x(4, 3), x(4, 3) * 3
huber | nn.HuberLoss(delta=0.5) | x(4, 3), x(4, 3) * 3
kl | nn.KLDivLoss(reduction='batchmean') | x(4, 3), x(4, 3).abs()
triplet | nn.TripletMarginLoss(margin=0.5) | x(4, 3), x(4, 3) * 2, -x(4, 3)
sequential | nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)) | x(2, 1, 4, 4)
"""


def names_for(torch):
    """What the expressions are written with."""
    def numbers(shape, step):
        return torch.tensor([0.8 * math.sin(step * (n + 1)) for n in range(math.prod(shape))], dtype=torch.float64).reshape(shape)

    def whole(n, *shape):
        return torch.tensor([(7 * k + k // 3) % n if n > 2 else (k % 4 == 3) * 2 for k in range(math.prod(shape))]).reshape(shape)
    return {"nn": torch.nn, "x": lambda *shape: numbers(shape, 0.7), "i": whole,
            "upper": lambda n: torch.ones(n, n, dtype=torch.float64).triu(1) > 0}, numbers


def tensors(torch, value):
    """The tensors in nested tuples."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for part in value or () for t in tensors(torch, part)] if isinstance(value, (tuple, list)) else []


def run(torch, module, inputs):
    """The names of the state, each result, the gradients of the parameters and of the first input, and the buffers afterwards."""
    known, numbers = names_for(torch)
    made = eval(module, dict(known)).double()
    inputs = eval(f"({inputs},)", dict(known))
    with torch.no_grad():
        for k, p in enumerate(made.parameters()):
            p.copy_(numbers(tuple(p.shape), 0.3 + 0.01 * k))
    if inputs[0].is_floating_point():
        inputs[0].requires_grad_()
    results = [t for t in tensors(torch, made(*inputs)) if t.is_floating_point()]
    sum((t * numbers(tuple(t.shape), 1.3)).sum() for t in results).backward()
    grads = [p.grad for p in made.parameters()] + ([inputs[0].grad] if inputs[0].requires_grad else [])
    flat = lambda ts: [[v for v in t.detach().double().reshape(-1).tolist()] for t in ts]          # noqa: E731
    return {"state": {k: list(t.shape) for k, t in made.state_dict().items()}, "results": flat(results), "grads": flat(grads),
            "buffers": flat(made.buffers())}


def cases():
    return [[part.strip() for part in line.split(" | ")] for line in CASES.strip().split("\n")]


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


if __name__ == "__main__":
    import torch
    lines = [f"{json.dumps(name)}: {json.dumps(rounded(run(torch, module, inputs)), separators=(',', ':'))}" for name, module, inputs in cases()]
    print("{\n" + ",\n".join(lines) + "\n}")
