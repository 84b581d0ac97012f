"""Work over destinations cut into chunks for a thread pool, with a result that does not depend on the threads."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int32Vector
from collectives.sizes import counted
from fabric import memory

Chunk = Callable[[int, int], tuple[FloatVector, ...]]
Placed = tuple[npt.NDArray[Any], ...]
# In place of all chunks here: see `fabric.routing.parts`.
Elsewhere = Callable[[Chunk, int, int, Placed], tuple[FloatVector, ...]]
_elsewhere: ContextVar[Elsewhere | None] = ContextVar("elsewhere", default=None)

# The destinations are cut into this many chunks whatever the number of threads, and the chunks' loads are summed in
# order: the result is the same to the last bit.  Assumed: as many threads as are worth starting.
MAX_CHUNKS = 16
# Each chunk has load arrays of its own; very large fabrics get fewer chunks, to keep one's arrays times their number
# below this.  Assumed: what the smallest machine that holds such a fabric can spare.
_CHUNK_BYTES = 400e6
# Threads take longer to start than a fabric with so few links takes to load.  Measured: a tenth of a millisecond each.
_FEW_FLOATS = 2_000


def for_each_chunk(work: Callable[[int, int], None], n_items: int, n_threads: int | None = None) -> None:
    """Run ``work(number, n_chunks)`` for every chunk on threads; the chunks write to places of their own."""
    n_chunks = max(1, min(MAX_CHUNKS, n_items))
    with ThreadPoolExecutor(max_workers=min(n_chunks, n_threads or os.cpu_count() or 1)) as pool:
        for _ in pool.map(lambda number: work(number, n_chunks), range(n_chunks)):
            pass


@contextlib.contextmanager
def summed_elsewhere(by: Elsewhere) -> Iterator[None]:
    """Within this, `sum_of_chunks` asks ``by(chunk, n_items, n_chunks, placed)`` for its sums."""
    token = _elsewhere.set(by)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def is_elsewhere() -> bool:
    """Whether sums are asked for elsewhere now: the chunks must be the processor's, whoever routes them."""
    return _elsewhere.get() is not None


def sum_of_chunks(
    chunk: Chunk, n_items: int, chunk_floats: int, n_threads: int | None, placed: Placed
) -> tuple[FloatVector, ...]:
    """Run ``chunk(number, n_chunks)`` for every chunk on threads and sum the arrays that they return, in order.

    Parameters
    ----------
    chunk : callable
        Takes its share of the items (`share_of`, or each ``n_chunks``-th); ``chunk(n_items, n_chunks)`` takes none.
    n_items : int
        What there is to cut up.
    chunk_floats : int
        Numbers in the arrays of one chunk.
    n_threads : int, optional
        Default all processors.
    placed : tuple of arrays
        What chunks write besides, each to places of its own.
    """
    n_chunks = max(1, min(MAX_CHUNKS, n_items, int(_CHUNK_BYTES / (8 * max(chunk_floats, 1)))))
    by = _elsewhere.get()
    if by is not None:
        return by(chunk, n_items, n_chunks, placed)
    workers = min(n_chunks, n_threads or os.cpu_count() or 1)
    # The sums so far, and one's own of each thread; what was done before its turn waits.
    held = min(n_chunks, 1 + 2 * workers)
    what = f"loads of a sweep on {counted(workers, 'thread')}"
    memory.require(what, 8.0 * chunk_floats * held, "fewer threads need less" if workers > 1 else "")
    if workers == 1 or chunk_floats < _FEW_FLOATS:
        return in_order(chunk(number, n_chunks) for number in range(n_chunks))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return in_order(pool.map(lambda number: chunk(number, n_chunks), range(n_chunks)))


def share_of(items: Int32Vector, number: int, n_chunks: int) -> Int32Vector:
    """Items of one chunk, which follow one another; none for a number past the last."""
    first, stop = (min(place, n_chunks) * items.size // n_chunks for place in (number, number + 1))
    return items[first:stop]


def in_order(parts: Iterator[tuple[FloatVector, ...]]) -> tuple[FloatVector, ...]:
    """The sums of what chunks return, the first chunk's arrays added to in place; never in another order."""
    total = next(parts)
    for part in parts:
        for into, values in zip(total, part, strict=True):
            np.add(into, values, out=into)
    return total
