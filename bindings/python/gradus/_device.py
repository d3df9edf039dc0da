"""The device: there is only the cpu, and whoever asks for another one hears so."""


def is_cpu(d):
    """Whether that names the cpu: a text, a device of this package or of another."""
    return str(d) == "cpu" or str(d).startswith("cpu:")


class device:
    """There is one: the processor."""

    type, index = "cpu", None

    def __init__(self, name="cpu", index=None):
        if not is_cpu(name):
            raise RuntimeError(f"device {name}: there is only the cpu")

    def __repr__(self):
        return "device(type='cpu')"

    __str__ = lambda self: "cpu"

    def __eq__(self, other):
        return isinstance(other, device) or other == "cpu"

    def __hash__(self):
        return hash("cpu")


CPU = device()


def check_device(d):
    """Refuses what isn't the cpu; None is."""
    if d is not None and d is not CPU:
        device(d)
