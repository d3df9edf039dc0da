"""safetensors files with the functions of the package of that name: load_file, save_file, load, save, safe_open."""
from . import _file
from ._device import check_device


def load_file(filename, device="cpu"):
    """All tensors of a file by name."""
    check_device(device)
    return dict(_file.File(filename, "safetensors").items())


def load(data):
    """All tensors of the bytes of a file."""
    return dict(_file.File(bytes(data), "safetensors").items())


def save_file(tensors, filename, metadata=None):
    """Saves a dict of tensors, and of texts as metadata. The file is replaced when the new one is complete."""
    _file.save(tensors, filename, "safetensors", metadata)


def save(tensors, metadata=None):
    """The bytes of such a file."""
    return _file.save(tensors, None, "safetensors", metadata)


class safe_open:
    """A file from which single tensors are loaded."""

    def __init__(self, filename, framework="pt", device="cpu"):
        check_device(device)
        self._file = _file.File(filename, "safetensors")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file = None

    def keys(self):
        return self._file.keys()

    offset_keys = keys

    def get_tensor(self, name):
        return self._file[name]

    def metadata(self):
        return self._file.metadata or None
