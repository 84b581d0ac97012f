"""Work over destinations cut into chunks for a thread pool, with a result that does not depend on the threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from collectives.demand import FloatVector

# The destinations are cut into this many chunks whatever the number of threads, and the chunks' loads are summed in
# order: the result is the same to the last bit.  Assumed: as many threads as are worth starting.
MAX_CHUNKS = 16
# Each chunk has load arrays of its own; very large fabrics get fewer chunks, to keep one's arrays times their number
# below this.  Assumed: what the smallest machine that holds such a fabric can spare.
_CHUNK_BYTES = 400e6


def for_each_chunk(work: Callable[[int, int], None], n_items: int, n_threads: int | None = None) -> None:
    """Run ``work(number, n_chunks)`` for every chunk on threads; the chunks write to places of their own."""
    n_chunks = max(1, min(MAX_CHUNKS, n_items))
    with ThreadPoolExecutor(max_workers=min(n_chunks, n_threads or os.cpu_count() or 1)) as pool:
        for _ in pool.map(lambda number: work(number, n_chunks), range(n_chunks)):
            pass


def sum_of_chunks(
    chunk: Callable[[int, int], tuple[FloatVector, ...]], n_items: int, chunk_floats: int, n_threads: int | None
) -> tuple[FloatVector, ...]:
    """Run ``chunk(number, n_chunks)`` for every chunk on threads and sum the arrays that they return, in order.

    Parameters
    ----------
    chunk : callable
    n_items : int
        What there is to cut up.
    chunk_floats : int
        Numbers in the arrays of one chunk.
    n_threads : int, optional
        Default all processors.
    """
    n_chunks = max(1, min(MAX_CHUNKS, n_items, int(_CHUNK_BYTES / (8 * max(chunk_floats, 1)))))
    workers = min(n_chunks, n_threads or os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        results = pool.map(lambda number: chunk(number, n_chunks), range(n_chunks))
        total = next(results)
        for part in results:
            for into, values in zip(total, part, strict=True):
                into += values
    return total
