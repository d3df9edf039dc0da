"""Fetches the data sets of the examples from where they are published, and checks them.

    python3 examples/data.py FOLDER [NAME...]

What is there and right stays; a file that arrives with another SHA-256 is not kept. data.py --check FOLDER only looks.
"""
import argparse
import hashlib
import io
import os
import pathlib
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile

_DIGITS = "https://archive.ics.uci.edu/static/public/80/optical+recognition+of+handwritten+digits.zip"
_SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
FILES = {                                                                  # name: where, and the SHA-256
    "optdigits.tra": (_DIGITS, "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd"),
    "optdigits.tes": (_DIGITS, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"),
    "tinyshakespeare.txt": (_SHAKESPEARE, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),
}
LIMIT = 1 << 26                                                            # bytes: the largest of these has two million


class Refused(Exception):
    """A file could not be fetched, or is not the right one."""


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def _download(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read(LIMIT + 1)
    except (urllib.error.URLError, OSError) as error:
        raise Refused(f"{url}: {getattr(error, 'reason', error)}") from error
    if len(content) > LIMIT:
        raise Refused(f"{url}: more than {LIMIT} bytes")
    return content


def _unpacked(content, name, url):
    """The member of that name, where the content is a zip archive; else the content."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.filename.rsplit("/", 1)[-1] == name and member.file_size <= LIMIT:
                return archive.read(member)
    raise Refused(f"{url}: holds no {name}")


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(content)
    os.chmod(part.name, 0o644)
    os.replace(part.name, path)


def fetch(name, folder, files=None):
    """The path of that file in the folder, which is downloaded unless the right one is there."""
    url, wanted = (files or FILES)[name]
    path = pathlib.Path(folder, name)
    if path.is_file() and sha256(path.read_bytes()) == wanted:
        return path
    content = _unpacked(_download(url), name, url)
    if sha256(content) != wanted:
        raise Refused(f"{url}: {name} has the SHA-256 {sha256(content)}, {wanted} is wanted; it is not kept")
    _write(path, content)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FILES)}; all without one")
    parser.add_argument("--check", action="store_true", help="download nothing")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in FILES]
    if unknown:
        parser.error(f"there is no {unknown[0]}")
    faults = 0
    for name in args.names or FILES:
        path = pathlib.Path(args.folder, name)
        try:
            if not args.check:
                fetch(name, args.folder)
            found = sha256(path.read_bytes()) if path.is_file() else None
            state = "right" if found == FILES[name][1] else "another file than the published one" if found else "missing"
        except Refused as error:
            state = str(error)
        faults += state != "right"
        print(f"{path}: {state}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
