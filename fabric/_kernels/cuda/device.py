"""The GPU: whether there is one, what it has free, and how its kernels are compiled and launched.

Compiled code is kept on disk by numba, file by file: it does not see a change in another file, so that a file of GPU
kernels calls nothing of another, and takes no constants from one.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda
from numba.core import config

# Threads of a block: enough to hide memory's latency, few enough that many blocks share a multiprocessor.
THREADS = 256
# The simulator starts a thread of Python for each of them.
_SIMULATED_THREADS = 4

# Small fabrics do not fill a GPU, and need not.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]


def simulated() -> bool:
    """Whether kernels run in numba's simulator (``NUMBA_ENABLE_CUDASIM=1``)."""
    return bool(vars(config)["ENABLE_CUDASIM"])


def why_not() -> str | None:
    """Why nothing can be run on a GPU here, in words; None if it can."""
    if simulated():
        return None
    if find_spec("numba_cuda") is None:
        return "needs the extra cuda: pip install 'railscope[cuda]'"
    # The driver's errors, and those of compiling, have no common class.
    try:
        cuda.current_context()
    except Exception as error:
        return f"no NVIDIA GPU found (the driver says: {_reason(error)})"
    try:
        launch_blocks(_nothing, 1)
        wait()
    except Exception as error:
        return f"numba-cuda can run nothing on {name()} ({type(error).__name__}: {_reason(error)})"
    return None


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    lines = [line.strip(" .:") for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.startswith("Error at driver init")), "nothing")


def name() -> str:
    """What the GPU calls itself."""
    if simulated():
        return "numba's simulator"
    own = cuda.get_current_device().name
    return own.decode() if isinstance(own, bytes) else str(own)


def free_bytes() -> float:
    """What is free of the GPU's memory."""
    return float("inf") if simulated() else float(cuda.current_context().get_memory_info()[0])


def cycles_per_s() -> float:
    """Cycles of all multiprocessors together, at the clock that the GPU reaches at most."""
    own = cuda.get_current_device()
    return float(own.MULTIPROCESSOR_COUNT) * float(own.CLOCK_RATE) * 1e3


def wait() -> None:
    """Wait until all that was launched is done."""
    cuda.synchronize()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a GPU kernel when it is first launched, and keep it where numba keeps code."""
    try:
        return cuda.jit(cache=True)(function)
    except RuntimeError:  # no folder to keep it in
        return cuda.jit(function)


def step(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels of the same file call."""
    return cuda.jit(device=True)(function)


def launch(kernel: Any, n_threads: int, *arguments: Any) -> None:
    """Run a kernel with at least so many threads; it returns before the kernel does."""
    if n_threads > 0:
        size = _SIMULATED_THREADS if simulated() else THREADS
        launch_blocks(kernel, -(-n_threads // size), *arguments)


def launch_blocks(kernel: Any, n_blocks: int, *arguments: Any) -> None:
    """Run a kernel with so many blocks."""
    if n_blocks > 0:
        kernel[n_blocks, _SIMULATED_THREADS if simulated() else THREADS](*arguments)


def to_gpu(array: npt.NDArray[Any]) -> Any:
    """A copy on the GPU."""
    return cuda.to_device(np.ascontiguousarray(array))


def room(shape: tuple[int, ...], kind: npt.DTypeLike) -> Any:
    """An array on the GPU that holds anything."""
    return cuda.device_array(shape, kind)


@compiled
def _nothing() -> None:
    """Tried before anything else: whether kernels can be compiled, and run."""
