"""gradus.save and gradus.load: nested dicts, lists, tuples and sets of tensors, arrays, numbers and texts as one file of tensors.

The tensors go under the path that leads to them ("model.0.weight"); what is around them goes into the metadata as JSON. Loading runs
nothing: a file is data. A flat dict of tensors needs no such JSON, so any program that reads safetensors can read it.
"""
import json
import math
import os
from collections import OrderedDict

from . import _convert, _file, _ops
from ._device import check_device

KEY = "gradus.structure"
_SCALARS = (str, int, float, bool, type(None))
_SEQUENCES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_CONTAINERS = (dict, *_SEQUENCES.values())


class _Writer:
    """Makes the JSON, and collects the tensors by name."""

    def __init__(self):
        self.tensors, self.names, self.around = {}, {}, set()              # around: the containers that the value lies in
        self.arrays = []                                                   # their tensors, which live as long: names go by their ids

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
        if not isinstance(v, _CONTAINERS):
            return self.single(v, path)
        if id(v) in self.around:
            raise ValueError(f"save: {path or 'the object'} contains itself")
        self.around.add(id(v))
        found = self.container(v, path)
        self.around.remove(id(v))
        return found

    def single(self, v, path):
        if isinstance(v, _ops.Tensor):
            return self.tensor(v, path)
        if type(v).__module__ == "numpy" and hasattr(v, "__array_interface__"):
            return self.array(v, path)
        if isinstance(v, float) and not math.isfinite(v):
            return {"float": repr(v)}
        if type(v) in _SCALARS:
            return v
        if type(v) is complex:
            return {"complex": [self.single(v.real, path), self.single(v.imag, path)]}
        raise TypeError(f"save: {path or 'the object'} is a {type(v).__name__}; dicts, lists, tuples, sets, tensors, arrays, numbers, texts and None "
                        "can be saved")

    def array(self, v, path):
        if v.shape == () and hasattr(v, "item") and not hasattr(v, "sort"):   # a number of NumPy's, not an array
            return self.single(v.item(), path)
        try:
            made = _convert.tensor(v)
        except (TypeError, ValueError) as error:
            raise TypeError(f"save: {path or 'the object'}: {error}") from None
        self.arrays.append(made)
        return {"ndarray": self.tensor(made, path)["tensor"]}

    def container(self, v, path):
        if isinstance(v, dict):
            for key in v:
                if type(key) not in _SCALARS:
                    raise TypeError(f"save: {path or 'the dict'}: a key of type {type(key).__name__}")
            items = [[self.value(k, path), self.value(item, f"{path}.{k}" if path else str(k))] for k, item in v.items()]
            return {"dict": items, "ordered": True} if isinstance(v, OrderedDict) else {"dict": items}
        kind = next(kind for kind, cls in _SEQUENCES.items() if isinstance(v, cls))
        items = sorted(v, key=repr) if kind in ("set", "frozenset") else v
        return {kind: [self.value(item, f"{path}.{i}" if path else str(i)) for i, item in enumerate(items)]}


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
        if kind == "ndarray" and isinstance(content, str):
            return _array(self.file[content])
        if kind == "complex" and isinstance(content, list) and len(content) == 2:
            real, imag = map(self.value, content)
            return complex(real, imag)
        if kind == "float" and content in ("inf", "-inf", "nan"):
            return float(content)
        if kind == "dict" and isinstance(content, list) and all(isinstance(p, list) and len(p) == 2 for p in content):
            return (OrderedDict if v.get("ordered") is True else dict)((self.value(key), self.value(item)) for key, item in content)
        if kind in _SEQUENCES and isinstance(content, list):
            return _SEQUENCES[kind]([self.value(item) for item in content])
        raise ValueError("load: the structure is malformed")


def _array(t):
    """NumPy's array, where NumPy is there."""
    try:
        return t.numpy()
    except ImportError:
        return t


def _structured(file, text):
    try:
        return _Reader(file).value(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
    except KeyError as error:
        why = f"there is no tensor {error}"
    raise _file.malformed(f"load: {file.name}: the metadata {KEY!r} is malformed: {why}") from None


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
    try:
        metadata[KEY] = json.dumps(writer.value(obj, ""), allow_nan=False)
    except RecursionError:
        raise ValueError("save: the object is nested too deeply") from None
    return _file.save(writer.tensors, f, format, metadata, deflate, sync)


def _check_location(location):
    """Everything is on the cpu; functions and dicts of places have nothing to choose."""
    for place in location.values() if isinstance(location, dict) else () if callable(location) else (location,):
        check_device(place)


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None, format=None, read_only=False, copy=False, max_bytes=0):
    """What save saved, from a path, from bytes or from something to read; of a foreign file a dict of its tensors, of an npy file the tensor.

    read_only: the tensors share one mapping and cannot be written. copy: do not map the file (if others write into it meanwhile).
    max_bytes: what an npz may unpack to. map_location: the cpu. weights_only, mmap and pickle_module change nothing: a file never runs.
    """
    _check_location(map_location)
    file = _file.File(f, format, read_only, copy, max_bytes)
    if file.format == "npy":
        return file.load(0)
    structure = file.metadata.get(KEY)
    return dict(file.items()) if structure is None else _structured(file, structure)
