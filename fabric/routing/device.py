"""Where loads are computed: on the processor's cores, or on an NVIDIA GPU what it has kernels for.

with on_device("cuda"):
    loads = link_loads(topology, demand, placement, Ecmp())

The GPU does all-to-alls: hashed ones whose pairs all send alike, and adaptive ones.  The processor does all else:
explicit flows, other policies, NVLink inside domains, and hashing where endpoints split bytes over ports unevenly.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from collectives.errors import InputError
from fabric.routing.chunks import is_elsewhere

CPU, CUDA = "cpu", "cuda"
DEVICES = (CPU, CUDA)

# What of each policy a GPU has kernels for.
POLICIES_ON_GPU = {
    "adaptive": "all-to-alls between domains",
    "ecmp": "all-to-alls between domains whose pairs send alike",
}

_device: ContextVar[str] = ContextVar("device", default=CPU)


@contextlib.contextmanager
def on_device(device: str | None) -> Iterator[None]:
    """Within this, loads are computed on a device; None: on the one that is chosen already.

    Parameters
    ----------
    device : {"cpu", "cuda"} or None

    Raises
    ------
    InputError
        If there is no such device here: says what is missing.
    """
    if device is None:
        yield
        return
    check_device(device)
    token = _device.set(device)
    try:
        yield
    finally:
        _device.reset(token)


def on_gpu() -> bool:
    """Whether a GPU computes loads now; parts of loads (`fabric.routing.parts`) are the processor's."""
    return _device.get() == CUDA and not is_elsewhere()


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises
    ------
    InputError
        Says what is missing.
    """
    if device not in DEVICES:
        raise InputError(f"device {device!r} is unknown; expected {' or '.join(DEVICES)}")
    if device == CUDA:
        from fabric._kernels.cuda.device import why_not

        reason = why_not()
        if reason is not None:
            raise InputError(f"device cuda: {reason}")


def require_on_gpu(what: str, n_bytes: float) -> None:
    """Refuse what would not fit the GPU's memory.

    Raises
    ------
    InputError
        If less is free.
    """
    from fabric._kernels.cuda.device import free_bytes

    free = free_bytes()
    if n_bytes > free:
        raise InputError(
            f"{what}: needs {n_bytes / 1e9:,.3g} GB of the GPU's memory, and {free / 1e9:,.3g} GB are free; "
            "device cpu takes the machine's"
        )


def device_notes(policy: str) -> tuple[str, ...]:
    """What a report says of the device; nothing of processors."""
    if not on_gpu():
        return ()
    from fabric._kernels.cuda.device import name

    own = POLICIES_ON_GPU.get(policy)
    if own is None:
        return (f"device: cuda has no kernel for {policy}, which the processor routes",)
    return (f"device: {name()} routes {own}; the processor does the rest",)
