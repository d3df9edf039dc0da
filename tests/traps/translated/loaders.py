"""Traps about files. gradus has no file formats: these wait for them."""
from . import Skip, trap


@trap("LD01", "LD02", "LD05", "LD06", "LD07", "LD08", "LD09", "LD10", "LD18")
def safetensors(trap):
    raise Skip("gradus reads and writes no safetensors files yet")


@trap("LD11", "LD13", "LD14", "LD15")
def npy(trap):
    raise Skip("gradus reads no npy files yet")


@trap("LD16")
def npz(trap):
    raise Skip("gradus reads no npz files yet")


@trap("LD17")
def files(trap):
    raise Skip("gradus opens and writes no files yet")
