"""Files of tensors through gradus/file.h: an open one, and saving. safetensors, npy, npz."""
import ctypes as C
import os

from . import _dtype, _errors, _graph, _ops
from ._context import check, local
from ._library import Handle, declare, lib, release, releases

FORMATS = {None: 0, "safetensors": 1, "npy": 2, "npz": 3}
NAMES = {number: name for name, number in FORMATS.items()}
READ_ONLY, COPY = 0x1, 0x2
DEFLATE, NO_SYNC = 0x1, 0x2
UNKNOWN_NAME = 0x0401


class Options(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("format", C.c_int32), ("reserved0", C.c_int32), ("max_bytes", C.c_uint64)]


class Info(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("format", C.c_int32), ("reserved0", C.c_int32), ("tensor_count", C.c_uint64),
                ("metadata_count", C.c_uint64), ("bytes", C.c_uint64)]


class TensorInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("dtype", C.c_int32), ("rank", C.c_int32), ("reserved0", C.c_int32), ("name_length", C.c_uint64),
                ("bytes", C.c_uint64), ("name", C.c_void_p), ("shape", C.POINTER(C.c_int64)), ("stored_type", C.c_char_p)]


class Metadata(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("reserved0", C.c_uint32), ("key_length", C.c_uint64), ("text_length", C.c_uint64),
                ("key", C.c_void_p), ("text", C.c_void_p)]


class SaveOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("format", C.c_int32), ("reserved0", C.c_int32), ("metadata_count", C.c_uint64),
                ("name_lengths", C.c_void_p), ("metadata_keys", C.c_void_p), ("metadata_texts", C.c_void_p), ("metadata_text_lengths", C.c_void_p)]


_P, _Z, _U64 = C.c_void_p, C.c_size_t, C.c_uint64
for _name, _arguments in {"open": (_P, C.c_char_p, _Z, _P, _P), "open_memory": (_P, C.c_char_p, _Z, _P, _P), "describe": (_P, _P, _P),
                          "tensor_at": (_P, _P, _U64, _P), "find": (_P, _P, C.c_char_p, _Z, _P), "metadata_at": (_P, _P, _U64, _P),
                          "load": (_P, _P, _U64, _P), "save": (_P, C.c_char_p, _Z, _P, _P, _Z, _P),
                          "save_memory": (_P, _P, _P, _Z, _P, _P)}.items():
    declare("file_" + _name, _arguments)


def _number(format):
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: it is one of {', '.join(filter(None, FORMATS))}")
    return FORMATS[format]


def _content(source):
    """(path, None) or (None, bytes) of a path, bytes, or something to read from."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return None, bytes(source)
    if hasattr(source, "read"):
        return None, source.read()
    return os.fsencode(source), None


def malformed(message):
    return _errors.make(0x0106, message, "file_open")


def _of_pytorch(path, data):
    """Whether that is what torch.save writes: a zip with data.pkl, or pickles one after the other."""
    import io
    import zipfile
    with (io.BytesIO(data) if path is None else open(path, "rb")) as file:
        start = file.read(4)
        if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
            return True
        if start != b"PK\3\4":
            return False
        try:
            return any(name.rsplit("/", 1)[-1] == "data.pkl" for name in zipfile.ZipFile(file).namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return False


@releases
class File:
    """A file that is open for reading: a mapping of names to tensors, each loaded when it is asked for."""

    def __init__(self, source, format=None, read_only=False, copy=False, max_bytes=0):
        self._h = Handle()
        options = Options(C.sizeof(Options), (READ_ONLY if read_only else 0) | (COPY if copy else 0), _number(format), 0, max_bytes)
        path, data = _content(source)
        call = lib.gradus_file_open_memory if path is None else lib.gradus_file_open
        given = data if path is None else path
        self.name = "the bytes" if path is None else repr(os.fsdecode(path))
        try:
            check(call(local.ctx, given, len(given), C.byref(options), C.byref(self._h)))
        except _errors.IoError as error:
            raise (error if path is None else _errors.of_file(error, source)) from None
        except (_errors.ArgumentError, _errors.Unsupported):
            if _of_pytorch(path, data):
                raise malformed(f"load: {self.name}: this is a file of PyTorch's own format, which holds a program (a pickle) and is not run; in PyTorch "
                                "save the tensors with safetensors.torch.save_file, and load that file here") from None
            raise
        self._info = Info(C.sizeof(Info))
        check(lib.gradus_file_describe(local.ctx, self._h, C.byref(self._info)))

    def __del__(self, release=release):
        release(self._h)

    @property
    def format(self):
        return NAMES[self._info.format]

    def __len__(self):
        return self._info.tensor_count

    def _at(self, index):
        info = TensorInfo(C.sizeof(TensorInfo))
        check(lib.gradus_file_tensor_at(local.ctx, self._h, index, C.byref(info)))
        return info

    def _find(self, name):
        found, key = C.c_uint64(), name.encode()
        status = lib.gradus_file_find(local.ctx, self._h, key, len(key), C.byref(found))
        if status == UNKNOWN_NAME:
            raise KeyError(name)
        check(status)
        return found.value

    def keys(self):
        return [C.string_at(i.name, i.name_length).decode() for i in map(self._at, range(len(self)))]

    __iter__ = lambda self: iter(self.keys())                               # noqa: E731

    def shape(self, name):
        info = self._at(self._find(name))
        return tuple(info.shape[:info.rank])

    def dtype(self, name):
        """The element type, or the file's name of one that this library has not."""
        info = self._at(self._find(name))
        return _dtype.BY_NUMBER[info.dtype] if info.dtype else info.stored_type.decode()

    def load(self, index):
        h = Handle()
        check(lib.gradus_file_load(local.ctx, self._h, index, C.byref(h)))
        return _ops.from_numbers(h)

    def __getitem__(self, name):
        return self.load(self._find(name))

    def __contains__(self, name):
        try:
            return self._find(name) is not None
        except KeyError:
            return False

    def items(self):
        return [(name, self.load(i)) for i, name in enumerate(self.keys())]

    @property
    def metadata(self):
        found = {}
        for i in range(self._info.metadata_count):
            pair = Metadata(C.sizeof(Metadata))
            check(lib.gradus_file_metadata_at(local.ctx, self._h, i, C.byref(pair)))
            found[C.string_at(pair.key, pair.key_length).decode()] = C.string_at(pair.text, pair.text_length).decode()
        return found


def _texts(values):
    """Texts as arrays of pointers and lengths; a key of metadata must have no zero byte, since it ends with one."""
    encoded = [v.encode() for v in values]
    return (C.c_char_p * max(1, len(encoded)))(*encoded), (C.c_uint64 * max(1, len(encoded)))(*map(len, encoded))


def save(tensors, target=None, format=None, metadata=None, deflate=False, sync=True):
    """Saves a dict of tensors to a path, to something to write to, or (target None) as bytes that it returns."""
    names, tensors = list(tensors), list(tensors.values())
    for name, t in zip(names, tensors):
        if not isinstance(name, str) or not isinstance(t, _ops.Tensor):
            raise TypeError(f"save: expected names and tensors, not {type(name).__name__} and {type(t).__name__}")
    metadata = metadata or {}
    if any("\0" in key for key in metadata):
        raise ValueError("save: a key of metadata has a zero byte")
    pointers, lengths = _texts(names)
    keys, _ = _texts(metadata.keys())
    texts, text_lengths = _texts(metadata.values())
    address = lambda array: C.cast(array, C.c_void_p)                       # noqa: E731
    options = SaveOptions(C.sizeof(SaveOptions), (DEFLATE if deflate else 0) | (0 if sync else NO_SYNC), _number(format), 0, len(metadata),
                          address(lengths), address(keys), address(texts), address(text_lengths))
    handles = _graph.handles(tensors)
    if target is not None and not hasattr(target, "write"):
        path = os.fsencode(target)
        try:
            check(lib.gradus_file_save(local.ctx, path, len(path), handles, pointers, len(tensors), C.byref(options)))
        except _errors.IoError as error:
            raise _errors.of_file(error, target) from None
        return None
    h = Handle()
    check(lib.gradus_file_save_memory(local.ctx, handles, pointers, len(tensors), C.byref(options), C.byref(h)))
    from ._convert import to_bytes
    content = to_bytes(_ops.wrap(h))
    if target is None:
        return content
    target.write(content)
    return None
