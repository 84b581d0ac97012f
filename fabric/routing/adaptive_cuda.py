"""The adaptive sweep of an all-to-all with its two passes over all links on a GPU, DAGs in batches of one size."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector, Int32Vector
from fabric._kernels.arrays import FloatMatrix, Int32Matrix, MemberClassArrays
from fabric.routing.bundles import bundles_of
from fabric.routing.chunks import sum_of_chunks
from fabric.routing.device import require_on_gpu
from fabric.routing.layer import Layer
from fabric.routing.member_classes import ROUNDING
from fabric.routing.shared_ends import shared_ends_of

if TYPE_CHECKING:
    from fabric._kernels.adaptive_shared import FoundDags, LastHops
    from fabric._kernels.cuda.adaptive import GpuBundles, GpuDags, GpuEnds

# Bytes of the arrays of a batch, on the GPU and beside it.  A fixed number, so that sums are formed in one order
# whatever is free.
_BATCH_BYTES = 500e6
# Distance, capacity, capacity to one endpoint, row and waiting bytes of a switch in a DAG.
_STATE_BYTES = 4 + 8 + 8 + 4 + 8


def swept_on_gpu(
    layer: Layer,
    classes: MemberClassArrays,
    own: FloatVector,
    class_down: FloatMatrix,
    unreachable: Int32Matrix,
    n_threads: int | None,
) -> tuple[FloatVector, FloatMatrix]:
    """Sweep an all-to-all between domains.

    Parameters
    ----------
    layer : Layer
    classes : MemberClassArrays
    own, class_down, unreachable
        Written: as for `fabric._kernels.adaptive.sweep_all_to_all`.
    n_threads : int, optional

    Returns
    -------
    bundle_bytes : (B,) float64
    class_up : (C, W) float64

    Raises
    ------
    InputError
        If it does not fit the GPU's memory.
    """
    from fabric._kernels.adaptive import sweep_all_to_all
    from fabric._kernels.adaptive_shared import share_out_found
    from fabric._kernels.cuda.device import to_gpu

    # A GPU has room for a DAG of each destination that shares none.
    ends, bundles = shared_ends_of(layer, 1), bundles_of(layer)
    partners = ends.partners_of(classes)
    batch = max(1, min(ends.n_items, int(_BATCH_BYTES / (_STATE_BYTES * max(layer.n_switches, 1)))))
    n_floats = bundles.n_bundles + class_down.size
    require_on_gpu("the sweep", batch * _STATE_BYTES * layer.n_switches + 52 * bundles.n_bundles)
    on_gpu, gpu_ends = bundles_on_gpu(layer), _ends_on_gpu(ends.hops)
    carried = to_gpu(np.zeros(bundles.n_bundles))
    placed = (unreachable, class_down, own)
    arrays = layer.arrays, bundles.arrays

    def nothing() -> tuple[FloatVector, FloatVector]:
        return np.zeros(bundles.n_bundles), np.zeros(class_down.shape)

    def apart(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        isl, up = nothing()
        sweep_all_to_all(
            *arrays, classes, ends.apart, True, own, number, n_chunks, isl, up, class_down, unreachable
        )  # fmt: skip
        return isl, up

    isl, class_up = sum_of_chunks(apart, 1, n_floats, n_threads, placed) if ends.apart.size else nothing()
    for first in range(0, ends.n_items, batch):
        items = np.arange(first, min(first + batch, ends.n_items))
        firsts = ends.shared.attachment[ends.shared.item_start[items]]
        dags, deepest = _search(layer, on_gpu, gpu_ends, firsts)
        found = _fetch(dags)

        def chunk(number: int, n_chunks: int, first: int = first, found: "FoundDags" = found) -> tuple[Any, ...]:
            isl, up = nothing()
            share_out_found(
                *arrays, ends.hops, classes, partners, ROUNDING, True, own, first, found, number, n_chunks, isl, up,
                class_down, unreachable,
            )  # fmt: skip
            return isl, up

        own_isl, own_up = sum_of_chunks(chunk, items.size, n_floats, n_threads, placed)
        isl += own_isl
        class_up += own_up
        _carry(layer, on_gpu, dags, deepest, found.waiting, carried)
    return isl + carried.copy_to_host(), class_up


def _search(layer: Layer, bundles: "GpuBundles", ends: "GpuEnds", destination: Int32Vector) -> "tuple[GpuDags, int]":
    """Find the DAG of each of some destination classes; returns the farthest distance too."""
    from fabric._kernels.cuda import adaptive as kernels
    from fabric._kernels.cuda.device import launch, room, to_gpu

    shape = layer.n_switches, destination.size
    everywhere = shape[0] * shape[1]
    dags = kernels.GpuDags(
        room(shape, np.int32), room(shape, np.float64), room(shape, np.float64), room(shape, np.int32)
    )
    launch(kernels.begin, everywhere, dags)
    launch(kernels.put_ends, shape[1], ends, to_gpu(destination), dags)
    deepest, changed = 1, to_gpu(np.ones(1, np.int32))
    while changed.copy_to_host()[0] == deepest:
        deepest += 1
        launch(kernels.search, everywhere, bundles, deepest, dags, changed)
    return dags, deepest - 1


def _fetch(dags: "GpuDags") -> "FoundDags":
    from fabric._kernels.adaptive_shared import FoundDags

    distance, capacity, alone, row = (array.copy_to_host() for array in dags)
    return FoundDags(distance, capacity, alone, row, np.zeros(distance.shape))


def _carry(
    layer: Layer, bundles: "GpuBundles", dags: "GpuDags", deepest: int, waiting: FloatMatrix, carried: Any
) -> None:
    """Carry what waits down the DAGs, and add it to what bundles carry on the GPU."""
    from fabric._kernels.cuda import adaptive as kernels
    from fabric._kernels.cuda.device import launch, to_gpu

    on_gpu = to_gpu(waiting)
    for level in range(deepest, 0, -1):
        launch(kernels.carry, waiting.size, bundles, level, dags, on_gpu)
    launch(kernels.add_to_bundles, carried.size, bundles, dags, on_gpu, carried)


# A comparison looks at few fabrics, and a GPU has less memory than its machine.
@lru_cache(maxsize=2)
def bundles_on_gpu(layer: Layer) -> "GpuBundles":
    """What the kernels read of a layer's bundles."""
    from fabric._kernels.cuda.adaptive import GpuBundles
    from fabric._kernels.cuda.device import to_gpu

    arrays = bundles_of(layer).arrays
    head = np.repeat(np.arange(layer.n_switches), np.diff(arrays.start))
    columns = (
        *(arrays.start.astype(np.int32), arrays.tail, head.astype(np.int32), arrays.gbps),
        *(arrays.out_start.astype(np.int32), arrays.out_head, arrays.out_gbps, arrays.twin),
    )
    return GpuBundles(*(to_gpu(column) for column in columns))


def _ends_on_gpu(hops: "LastHops") -> "GpuEnds":
    from fabric._kernels.cuda.adaptive import GpuEnds
    from fabric._kernels.cuda.device import to_gpu

    return GpuEnds(*(to_gpu(column) for column in (hops.start.astype(np.int32), *hops[1:])))
