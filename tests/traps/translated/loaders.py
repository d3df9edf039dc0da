"""Traps about files: each input from memory, from a file that is read, and from one that is mapped."""
import base64
import io
import itertools
import os
import pathlib
import random
import resource
import struct
import tempfile
import time
import zipfile

from . import count, equal, refused, same_bits, torch, trap

MAPPED = dict(copy=False), dict(read_only=True), dict(copy=True)


def every_way(content, format):
    """Loads from memory and from a file, mapped and not, and wants the same of all: tensors by name, or the error."""
    from gradus import _file
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input")
        pathlib.Path(path).write_bytes(content)
        for source, options in [(content, {}), (content, MAPPED[1]), *[(path, o) for o in MAPPED]]:
            try:
                outcomes.append(dict(_file.File(source, format, **options).items()))
            except (AttributeError, NameError, ImportError):
                raise
            except Exception as error:
                assert any(word in str(error) for word in ("byte", "called", "twice", "damaged")), f"no place in: {error}"
                outcomes.append(error)
        assert os.listdir(folder) == ["input"]
    kinds = {isinstance(o, Exception) for o in outcomes}
    assert len(kinds) == 1, f"ways differ: {outcomes!r}"[:400]
    if not kinds.pop():
        for other in outcomes[1:]:
            assert list(other) == list(outcomes[0]) and all(same_bits(other[k], outcomes[0][k]) for k in other)
    return outcomes[0]


def plain(tensors, format):
    """What the file's `value` compares with: lists, or "shape [0,5]" where there is nothing to list."""
    found = {k: "shape " + str(list(t.shape)).replace(" ", "") if t.numel() == 0 else t.tolist() for k, t in tensors.items()}
    return found[""] if format == "npy" else found


def check_inputs(trap, format, built=()):
    """Every input of the trap; those that are described in words come from `built`: {name: bytes}."""
    seen = 0
    for given in trap["inputs"]:
        content = base64.b64decode(given["b64"]) if "b64" in given else dict(built)[given["name"]]()
        if "b64" in given:
            assert len(content) == given["bytes"], given["name"]
        start = time.process_time()
        outcome = every_way(content, format)
        seconds, name, expect = time.process_time() - start, given["name"], given["expect"]
        if expect.startswith("error") and "or ok" not in expect:
            assert isinstance(outcome, Exception), f"{name}: loaded {outcome!r}"[:300]
        elif expect.startswith("ok") and not expect.startswith("ok-or"):
            assert not isinstance(outcome, Exception), f"{name}: {outcome}"
        if "value" in given and not isinstance(outcome, Exception):
            assert plain(outcome, format) == given["value"], f"{name}: {plain(outcome, format)!r}"[:300]
        assert seconds < 30, f"{name} took {seconds} s"
        seen += 1
    assert seen == len(trap["inputs"])


def with_header(header, data=b""):
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + data


@trap("LD01", "LD02", "LD05", "LD06", "LD08", "LD09", "LD10")
def safetensors(trap):
    check_inputs(trap, "safetensors")
    if trap["id"] == "LD09":                                                # a byte 2 never becomes a boolean
        for given in trap["inputs"]:
            outcome = every_way(base64.b64decode(given["b64"]), "safetensors") if given["name"] == "BOOL byte 2" else None
            assert outcome is None or isinstance(outcome, Exception)
    if trap["id"] == "LD10":
        for name in ("../x", "a\0b", "a\nb", "", "x" * 1_000_000, "\U0001f600"):
            again = torch.load(torch.safetensors.save({name: torch.ones(2)}))
            equal(list(again), [name])


@trap("LD07")
def bombs(trap):
    million = ",".join(f'"t{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for i in range(10 ** 6))
    entry = '":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    built = {
        "100k nested arrays": lambda: with_header('{"a":' + "[" * 100_000),
        "50k nested objects": lambda: with_header('{"a":' * 50_000),
        "digits": lambda: with_header('{"a":{"dtype":"U8","shape":[' + "9" * 10 ** 6 + '],"data_offsets":[0,1]}}', b"\0"),
        "long string": lambda: with_header('{"' + "x" * 99_000_000 + entry, b"\0"),
        "million entries": lambda: with_header("{" + million + "}")}
    from gradus import _file
    for given in trap["inputs"]:
        name = given["name"]
        if name not in ("million entries", "long string"):
            content = base64.b64decode(given["b64"]) if "b64" in given else built[name]()
            assert isinstance(every_way(content, "safetensors"), Exception), name
            for cut in (1000, 10_000) if "nested" in name else ():          # closed ones, too
                assert isinstance(every_way(with_header('{"a":' + "[" * cut + "]" * cut + "}"), "safetensors"), Exception)
            continue
        content = built[name]()
        seconds = []
        for _ in range(3):                                                  # the machine may be busy: the best of three
            start = time.process_time()
            file = _file.File(content, "safetensors", read_only=True)
            seconds.append(time.process_time() - start)
        assert len(file) == (10 ** 6 if name == "million entries" else 1)
        assert min(seconds) < 2, f"{name}: {min(seconds)} s"
        assert file._find("t777777" if name == "million entries" else "x" * 99_000_000) >= 0


@trap("LD11", "LD13", "LD14", "LD15")
def npy(trap):
    def spaces():
        text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"
        return b"\x93NUMPY\2\0" + struct.pack("<I", 20_000) + text.ljust(19_999) + b"\n" + bytes(8)
    marks = [pathlib.Path("/tmp/npy_pwned"), pathlib.Path("/tmp/pwned")]
    before = [m.exists() for m in marks]
    check_inputs(trap, "npy", {"20,000-byte header of spaces": spaces})
    assert [m.exists() for m in marks] == before                            # no pickle ran
    if trap["id"] == "LD11":                                                # the limit is NumPy's, 10,000 bytes
        assert isinstance(every_way(spaces(), "npy"), Exception)
    if trap["id"] == "LD14":
        suffix = next(i for i in trap["inputs"] if i["name"] == "long suffix")
        equal(plain(every_way(base64.b64decode(suffix["b64"]), "npy"), "npy"), [2.5])


# ---- npz

def npz(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, content in members:
            z.writestr(name, content)
    return out.getvalue()


def array(n=3):
    from gradus import _file
    return _file.save({"": torch.arange(float(n))}, None, "npy")


def changed(content, at, new):
    return content[:at] + new + content[at + len(new):]


def overlapping():
    """Two entries of the directory for one member: the way small bombs unpack to much."""
    z = npz([("a.npy", array()), ("b.npy", array())])
    end = z.rindex(b"PK\5\6")
    second = z.index(b"PK\1\2", z.index(b"PK\1\2") + 4)
    return changed(z, second + 42, struct.pack("<I", 0))[:end] + z[end:]


def lies():
    """Files whose directory, headers or contents contradict each other, by what is wrong."""
    z, packed = npz([("a.npy", array())]), npz([("a.npy", array(1000))], zipfile.ZIP_DEFLATED)
    central, end = z.index(b"PK\1\2"), z.rindex(b"PK\5\6")
    at = packed.index(b"PK\1\2")
    yield "sizes", changed(z, central + 24, struct.pack("<I", 10 ** 9))
    yield "both sizes", changed(z, central + 20, struct.pack("<II", 10 ** 9, 10 ** 9))
    yield "sum", changed(z, central + 16, b"\1\2\3\4")
    yield "offset", changed(z, central + 42, struct.pack("<I", 2 ** 31))
    yield "method", changed(z, central + 10, struct.pack("<H", 12))
    yield "methods differ", changed(z, central + 10, struct.pack("<H", 8))
    yield "encrypted", changed(changed(z, central + 8, b"\1\0"), 6, b"\1\0")
    yield "name", changed(z, central + 46, b"z")
    yield "count", changed(z, end + 8, struct.pack("<HH", 2, 2))
    yield "no members", changed(z, end + 8, struct.pack("<HH", 0, 0))
    yield "directory elsewhere", changed(z, end + 16, struct.pack("<I", 0))
    yield "disks", changed(z, end + 4, struct.pack("<H", 1))
    yield "unpacks to more", changed(changed(packed, at + 24, struct.pack("<I", 500)), 22, struct.pack("<I", 500))
    yield "unpacks to less", changed(changed(packed, at + 24, struct.pack("<I", 10_000)), 22, struct.pack("<I", 10_000))
    yield "content", changed(z, z.index(b"NUMPY") + 130, b"\xff")
    yield "deflated content", changed(packed, 200, b"\xff\xff\xff\xff")
    yield "bytes before", b"PK\3\4" + bytes(20) + z
    yield "bytes behind", z + b"x"
    yield "cut", z[:-1]
    yield "overlap", overlapping()
    yield "twice", npz([("a.npy", array()), ("a.npy", array(4))])
    yield "no array", npz([("a.txt", b"text")])
    yield "pickle", npz([("a.npy", b"\x93NUMPY\1\0\x46\0" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(69) + b"\n" + b"\x80\4.")])


def zip_bomb():
    """A GiB of zeros in a MB."""
    out, n = io.BytesIO(), 1 << 30
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n},), }}".encode()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z, z.open("a.npy", "w", force_zip64=True) as member:
        member.write(b"\x93NUMPY\1\0\x76\0" + header.ljust(117) + b"\n")
        for _ in range(n >> 20):
            member.write(bytes(1 << 20))
    return out.getvalue()


@trap("LD16")
def zips(trap):
    import warnings
    warnings.simplefilter("ignore")                                         # zipfile's, about names that occur twice
    for name, content in lies():
        assert isinstance(every_way(content, "npz"), Exception), name
    bomb = zip_bomb()
    assert len(bomb) < 1 << 21
    for options in ({}, {"max_bytes": 1 << 29}):
        assert "max_bytes" in str(refused(torch.load, bomb, **options))
    small = npz([("a.npy", array(1000))], zipfile.ZIP_DEFLATED)
    equal(torch.load(small)["a"].sum().item(), 499500.0)
    assert "max_bytes" in str(refused(torch.load, small, max_bytes=1000))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "in.npz")
        names = ["../up", "/abs", "..\\up", "C:/x", "a/b"]
        pathlib.Path(path).write_bytes(npz([(n + ".npy", array()) for n in names]))
        equal(list(torch.load(path)), names)
        assert os.listdir(folder) == ["in.npz"] and not os.path.exists("/abs") and not os.path.exists("/abs.npy")


# ---- the file system

@trap("LD17")
def system(trap):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.safetensors")
        old = {"x": torch.arange(20_000.)}
        torch.save(old, path)
        content = pathlib.Path(path).read_bytes()
        lazily, mine = torch.load(path, read_only=True)["x"], torch.load(path)["x"]
        mine.add_(1)                                                        # pages of its own: neither the file nor the other sees it
        equal(pathlib.Path(path).read_bytes() == content and lazily[5].item() == 5 and mine[5].item() == 6, True)
        torch.save({"x": mine}, path)                                       # over the file that is mapped
        equal([lazily[7].item(), torch.load(path)["x"][7].item()], [7., 8.])

        kept = torch.load(path, copy=True)["x"]
        os.truncate(path, 100)
        equal(kept[19_999].item(), 20_000.)
        refused(torch.load, path)
        torch.save(old, path)
        every_limit(path, content)
        equal(sorted(os.listdir(folder)), ["a.safetensors"])
    refused(torch.save, old, "/dev/full/x.safetensors")


def every_limit(path, content):
    """A disk that is full after n bytes, by the limit on the size of a file: the save fails, and the old file stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    other = {"x": torch.ones(20_000)}
    try:
        for n in [0, 1, 7, 8, 100, *range(4096, len(content), 8192 if count(0, 1) == 0 else 512), len(content) - 1]:
            for save in (lambda: torch.save(other, path), lambda: torch.save(other, path, format="npz")):
                resource.setrlimit(resource.RLIMIT_FSIZE, (n, hard))
                error = refused(save)
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                assert isinstance(error, OSError) and "File too large" in str(error), error
                assert pathlib.Path(path).read_bytes() == content and os.listdir(os.path.dirname(path)) == ["a.safetensors"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@trap("LD18")
def round_trips(trap):
    from gradus import _convert, _dtype, _file
    random.seed(18)
    for kind, shape, format in itertools.product(_dtype.ALL, [(), (0,), (0, 5), (1,), (3, 5, 7), (40, 2000)], ["safetensors", "npy", "npz"]):
        if kind is torch.bfloat16 and format != "safetensors":
            refused(_file.save, {"": torch.ones(2, dtype=kind)}, None, format)
            continue
        n = kind.itemsize
        for size in shape:
            n *= size
        bits = bytes(b & 1 for b in random.randbytes(n)) if kind is torch.bool else random.randbytes(n)       # every NaN, subnormals, -0.0
        t = _convert.from_bytes(bits, shape, kind)
        layouts = [t] + ([t.t(), t[::2], t[:, 1:], t[:1].expand(4, -1) if shape[0] else t] if len(shape) == 2 else [])
        for view in layouts:
            for deflate in (False, True) if format == "npz" else (False,):
                content = _file.save({"": view}, None, format, deflate=deflate)
                again = every_way(content, format)[""]
                assert again.shape == view.shape and again.dtype is kind
                assert _convert.to_bytes(again.contiguous()) == _convert.to_bytes(view.contiguous())
    a, b, c = torch.ones(3, dtype=torch.uint8), torch.zeros(2), torch.ones(1, dtype=torch.float64)
    for format in ("safetensors", "npz"):
        one, two = (_file.save(dict(d), None, format) for d in ([("a", a), ("b", b), ("c", c)], [("c", c), ("b", b), ("a", a)]))
        equal(one == two, True)
    header = torch.safetensors.save({"b": b, "a": a, "c": c}, {"z": "1", "y": "2"})
    length = struct.unpack("<Q", header[:8])[0]
    import json
    pairs = json.loads(header[8:8 + length])
    equal([list(pairs), list(pairs["__metadata__"]), length % 8], [["__metadata__", "a", "b", "c"], ["y", "z"], 0])
    for name in "abc":
        assert pairs[name]["data_offsets"][0] % {"a": 1, "b": 4, "c": 8}[name] == 0
