"""Installs the Python package, its type stubs and its metadata, the wheel's files without the library: install_python.py FOLDER"""
import pathlib
import sys

sys.path.insert(0, "bindings/python/build_backend")
import wheel_of_gradus  # noqa: E402

for name, data in wheel_of_gradus.contents():
    if name == "gradus/" + wheel_of_gradus.LIBRARY or name.endswith(("/LICENSE", "/WHEEL")):
        continue
    path = pathlib.Path(sys.argv[1], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
