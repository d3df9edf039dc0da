"""gradus.save and gradus.load: nested dicts, lists and tuples of tensors, numbers and texts as one file of tensors.

The tensors go under the path that leads to them ("model.0.weight"); what is around them goes into the metadata as JSON. Loading runs
nothing: a file is data. A flat dict of tensors needs no such JSON, so any program that reads safetensors can read it.
"""
import json
import math
import os

from . import _file, _ops

KEY = "gradus.structure"
_SCALARS = (str, int, float, bool, type(None))


class _Writer:
    """Makes the JSON, and collects the tensors by name."""

    def __init__(self):
        self.tensors, self.names = {}, {}

    def tensor(self, t, path):
        name = self.names.get(id(t))
        if name is None:
            name, n = path, 1
            while name in self.tensors or name == "__metadata__":
                n += 1
                name = f"{path}#{n}"
            self.tensors[name], self.names[id(t)] = t, name
        return {"tensor": name, "requires_grad": True} if t.requires_grad else {"tensor": name}

    def value(self, v, path):
        if isinstance(v, _ops.Tensor):
            return self.tensor(v, path)
        if isinstance(v, float) and not math.isfinite(v):
            return {"float": repr(v)}
        if type(v) in _SCALARS:
            return v
        if isinstance(v, dict):
            for key in v:
                if type(key) not in _SCALARS:
                    raise TypeError(f"save: {path or 'the dict'}: a key of type {type(key).__name__}")
            return {"dict": [[self.value(k, path), self.value(item, f"{path}.{k}" if path else str(k))] for k, item in v.items()]}
        if isinstance(v, (list, tuple)):
            kind = "list" if isinstance(v, list) else "tuple"
            return {kind: [self.value(item, f"{path}.{i}" if path else str(i)) for i, item in enumerate(v)]}
        raise TypeError(f"save: {path or 'the object'} is a {type(v).__name__}; dicts, lists, tuples, tensors, numbers, texts and None can be saved")


class _Reader:
    def __init__(self, file):
        self.file, self.loaded = file, {}

    def value(self, v):
        if not isinstance(v, dict):
            if isinstance(v, list):
                raise ValueError("load: the structure is malformed")
            return v
        kind, content = next(iter(v.items()), (None, None))
        if kind == "tensor" and isinstance(content, str):
            if content not in self.loaded:
                self.loaded[content] = self.file[content].requires_grad_(v.get("requires_grad") is True)
            return self.loaded[content]
        if kind == "float" and content in ("inf", "-inf", "nan"):
            return float(content)
        if kind == "dict" and isinstance(content, list) and all(isinstance(p, list) and len(p) == 2 for p in content):
            return {self.value(key): self.value(item) for key, item in content}
        if kind in ("list", "tuple") and isinstance(content, list):
            return (list if kind == "list" else tuple)([self.value(item) for item in content])
        raise ValueError("load: the structure is malformed")


def _format(f, format):
    ends = os.fspath(f) if isinstance(f, (str, bytes, os.PathLike)) else ""
    ends = os.fsdecode(ends).rsplit(".", 1)[-1]
    return format or (ends if ends in ("npy", "npz") else "safetensors")


def save(obj, f, *, format=None, metadata=None, deflate=False, sync=True):
    """Saves to a path or to something to write to. The format is that of the ending .npy or .npz, and safetensors otherwise."""
    format = _format(f, format)
    if format == "npy":
        return _file.save({"": obj}, f, format, metadata, deflate, sync)
    metadata, writer = dict(metadata or {}), _Writer()
    if KEY in metadata:
        raise ValueError(f"save: the metadata {KEY!r} is the library's own")
    flat = isinstance(obj, dict) and all(type(k) is str and isinstance(v, _ops.Tensor) for k, v in obj.items())
    if flat and not any(t.requires_grad for t in obj.values()) and "__metadata__" not in obj:
        return _file.save(obj, f, format, metadata, deflate, sync)
    if format == "npz":
        if not flat:
            raise TypeError("save: an npz file holds a dict of tensors and nothing else")
        return _file.save(obj, f, format, metadata, deflate, sync)
    metadata[KEY] = json.dumps(writer.value(obj, ""), allow_nan=False)
    return _file.save(writer.tensors, f, format, metadata, deflate, sync)


def load(f, *, format=None, read_only=False, copy=False, max_bytes=0):
    """What save saved, from a path, from bytes or from something to read; of a foreign file a dict of its tensors, of an npy file the tensor.

    read_only: the tensors share one mapping and cannot be written. copy: do not map the file (if others write into it meanwhile).
    max_bytes: what an npz may unpack to.
    """
    file = _file.File(f, format, read_only, copy, max_bytes)
    if file.format == "npy":
        return file.load(0)
    structure = file.metadata.get(KEY)
    return dict(file.items()) if structure is None else _Reader(file).value(json.loads(structure))
