"""Builds the wheel with the shared library inside, with the standard library alone: `pip wheel bindings/python`, or
`python3 build_backend/wheel_of_gradus.py DIRECTORY`. The library is that of GRADUS_LIBRARY, or of the newest build tree."""
import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import zipfile

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
LIBRARY = {"darwin": "libgradus.1.dylib", "win32": "gradus.dll"}.get(sys.platform, "libgradus.so.1")


def version():
    return re.search(r"project\(gradus VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


def library():
    if os.environ.get("GRADUS_LIBRARY"):
        return pathlib.Path(os.environ["GRADUS_LIBRARY"])
    built = sorted(ROOT.glob(f"build/*/capi/{LIBRARY}"), key=lambda path: (path.parts[-3] == "release", path.stat().st_mtime))
    if not built:
        raise SystemExit(f"wheel: no {LIBRARY} in {ROOT / 'build'}: build it, or name it in GRADUS_LIBRARY")
    return built[-1]


def tag():
    return "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())


def metadata():
    text = (HERE / "pyproject.toml").read_text()
    value = {key: re.search(rf'^{key} = "(.*)"', text, re.M)[1] for key in ("name", "description", "requires-python")}
    return (f"Metadata-Version: 2.1\nName: {value['name']}\nVersion: {version()}\nSummary: {value['description']}\nLicense: Apache-2.0\n"
            f"Requires-Python: {value['requires-python']}\nProvides-Extra: numpy\nRequires-Dist: numpy; extra == 'numpy'\n"
            f"Description-Content-Type: text/markdown\n\n{(HERE / 'README.md').read_text()}")


def stubs(path):
    """Type stubs of this very library."""
    environment = {**os.environ, "GRADUS_LIBRARY": str(path), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, str(HERE / "build_backend" / "stubs.py")], env=environment, check=True, capture_output=True).stdout


def contents():
    """(name in the wheel, bytes) of every file but RECORD."""
    info = f"gradus-{version()}.dist-info"
    for path in sorted((HERE / "gradus").rglob("*.py")):
        yield path.relative_to(HERE).as_posix(), path.read_bytes()
    found = library()
    yield "gradus/" + LIBRARY, found.read_bytes()
    yield "gradus/__init__.pyi", stubs(found)
    yield "gradus/py.typed", b""
    yield info + "/METADATA", metadata().encode()
    yield info + "/licenses/LICENSE", (ROOT / "LICENSE").read_bytes()
    yield info + "/WHEEL", f"Wheel-Version: 1.0\nGenerator: gradus\nRoot-Is-Purelib: false\nTag: {tag()}\n".encode()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name, record = f"gradus-{version()}-{tag()}.whl", []
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        def add(path, data):
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))           # the same bytes from the same files
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
        for path, data in contents():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(data)}")
            add(path, data)
        place = f"gradus-{version()}.dist-info/RECORD"
        add(place, "\n".join([*record, place + ",,"]).encode() + b"\n")
    return name


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("the Python package is built from a checkout, beside the library")


if __name__ == "__main__":
    print(build_wheel(sys.argv[1] if len(sys.argv) > 1 else "."))
