"""What a graph keeps between forward and backward, three ways: as it is, as bfloat16, and in files.

    PYTHONPATH=bindings/python python3 examples/saved_hooks.py

A network of eight layers is differentiated once each way. Hooks on saved values replace what the operations keep: the first pair
rounds to half the size (the gradients change a little), the second writes a file and reads it back (they don't change at all).
"""
import pathlib
import pickle
import tempfile

import gradus as torch
from gradus.autograd.graph import saved_tensors_hooks


def network(layers, x):
    for weight, bias in layers:
        x = torch.nn.functional.silu(x @ weight + bias)
    return (x * x).mean()


def as_bfloat16(parameters):
    """Keeps float32 values with 8 bits of fraction; parameters stay as they are: they live anyway, a copy would be one more."""
    living = {p.data_ptr() for p in parameters}

    def pack(t):
        return (t.dtype, t.to(torch.bfloat16)) if t.dtype is torch.float32 and t.data_ptr() not in living else t

    def unpack(kept):
        return kept[1].to(kept[0]) if isinstance(kept, tuple) else kept
    return saved_tensors_hooks(pack, unpack)


class on_disk(saved_tensors_hooks):
    """Keeps values in files of a folder that goes with the block; each file goes with its value."""

    class File:
        def __init__(self, folder, number, tensor):
            self.path = pathlib.Path(folder) / f"{number}.tensor"
            self.path.write_bytes(pickle.dumps(tensor))

        def __del__(self):
            self.path.unlink(missing_ok=True)

    def __init__(self):
        self.folder, self.written = tempfile.TemporaryDirectory(), 0
        super().__init__(self.pack, lambda file: pickle.loads(file.path.read_bytes()))

    def pack(self, tensor):
        self.written += 1
        return on_disk.File(self.folder.name, self.written, tensor)

    def files(self):
        return len(list(pathlib.Path(self.folder.name).iterdir()))


def run(hooks, layers, parameters, x):
    before = torch.live_counts()["bytes_live"]
    if hooks is None:
        loss = network(layers, x)
    else:
        with hooks:
            loss = network(layers, x)
    kept = torch.live_counts()["bytes_live"] - before
    return torch.autograd.grad(loss, parameters), kept


def main():
    torch.manual_seed(1)
    layers = [(torch.randn(64, 64).div_(8).requires_grad_(), torch.zeros(64, requires_grad=True)) for _ in range(8)]
    parameters, x = [p for layer in layers for p in layer], torch.randn(512, 64)
    plain, kept = run(None, layers, parameters, x)
    print(f"as they are:  {kept / 1024:6.0f} KiB kept for backward")
    rounded, kept = run(as_bfloat16(parameters), layers, parameters, x)
    error = max(((a - b).norm() / b.norm()).item() for a, b in zip(rounded, plain))
    print(f"as bfloat16:  {kept / 1024:6.0f} KiB; the gradients differ by {100 * error:.1f} %")
    files = on_disk()
    exact, kept = run(files, layers, parameters, x)
    same = all(torch.equal(a, b) for a, b in zip(exact, plain))
    print(f"on disk:      {kept / 1024:6.0f} KiB and {files.written} files, {files.files()} of them left; "
          f"the gradients are {'the same' if same else 'others'}")


if __name__ == "__main__":
    main()
