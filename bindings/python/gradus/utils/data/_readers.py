"""Readers of files of numbers: IDX (the format of MNIST) and CSV."""
import array
import csv
import gzip
import math
import os
import sys
import zlib

_IDX = {0x08: ("B", "uint8"), 0x09: ("b", "int8"), 0x0B: ("h", "int16"), 0x0C: ("i", "int32"), 0x0D: ("f", "float32"), 0x0E: ("d", "float64")}


def read_idx(path):
    """The tensor of an IDX file, which may be packed by gzip: two zero bytes, a byte for the type, one for the number of dimensions, their
    sizes as 32-bit integers, then the numbers; the high byte comes first."""
    import gradus
    name = os.fspath(path)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            numbers, kind, shape = _read_idx(gzip.GzipFile(fileobj=file) if packed else file, name)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"read_idx: {name}: {error}") from None
    if sys.byteorder == "little":
        numbers.byteswap()
    if not len(numbers):
        return gradus.zeros(shape, dtype=getattr(gradus, kind))
    return gradus.frombuffer(bytearray(numbers.tobytes()), dtype=getattr(gradus, kind)).reshape(shape)


def _read_idx(file, name):
    """The numbers as they stand there: the header says how many bytes there are, and more than one beyond them is not unpacked."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX:
        raise ValueError(f"read_idx: {name} is no IDX file: it starts with {start.hex(' ') or 'nothing'}")
    code, kind = _IDX[start[2]]
    sizes = file.read(4 * start[3])
    shape = [int.from_bytes(sizes[4 * i:4 * i + 4], "big") for i in range(start[3])]
    numbers, header = array.array(code), 4 + 4 * start[3]
    wanted = math.prod(shape) * numbers.itemsize
    data = file.read(min(wanted + 1, sys.maxsize)) if len(sizes) == 4 * start[3] else b""
    if len(data) != wanted or 4 + len(sizes) != header:
        had = f"more than {header + wanted}" if len(data) > wanted else 4 + len(sizes) + len(data)
        raise ValueError(f"read_idx: {name} has {had} bytes; {header + wanted} are wanted for {kind} of shape {shape}")
    numbers.frombytes(data)
    return numbers, kind, shape


def read_csv(path, header=False, columns=None, delimiter=",", missing=None, dtype=None):
    """The numbers of a CSV file as a tensor [rows, columns].

    header: the first row holds names. columns: those to keep, by number or, with a header, by name. missing: the value of an empty field;
    without it such a field is an error. An error names line and column.
    """
    import gradus
    rows, names, chosen, name = [], None, None, os.fspath(path)
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=delimiter)
        for fields in reader:
            if header and names is None:
                names = [f.strip() for f in fields]
                continue
            if not fields:
                continue
            if chosen is None:
                width, chosen = len(fields), _columns(columns, names, len(fields), name)
            if len(fields) != width:
                raise ValueError(f"read_csv: {name}, line {reader.line_num}: {len(fields)} fields where {width} are wanted")
            rows.append([_number(fields[i], missing, name, reader.line_num, i) for i in chosen])
    if not rows:
        raise ValueError(f"read_csv: {name} has no rows")
    return gradus.tensor(rows, dtype=gradus.get_default_dtype() if dtype is None else dtype)


def _columns(wanted, names, width, path):
    chosen = []
    for c in range(width) if wanted is None else wanted:
        if isinstance(c, str):
            if names is None or c not in names:
                raise ValueError(f"read_csv: {path} has no column {c!r}")
            c = names.index(c)
        if not -width <= c < width:
            raise ValueError(f"read_csv: {path} has {width} columns; there is none with number {c}")
        chosen.append(c % width)
    return chosen


def _number(text, missing, path, line, column):
    text = text.strip()
    if not text and missing is not None:
        return float(missing)
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"read_csv: {path}, line {line}, column {column}: {text!r} is no number") from None
