"""What programs ask before they choose a device: there is only the cpu."""


def is_available():
    return False


def device_count():
    return 0


def is_initialized():
    return False


def manual_seed(seed):
    """There is no device whose stream could start."""


def manual_seed_all(seed):
    """There is no device whose stream could start."""


def synchronize(device=None):
    """Nothing runs anywhere else."""


def empty_cache():
    """There is no memory but the cpu's."""
